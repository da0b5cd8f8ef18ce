"""Payloads are checked as declared, going out and coming in."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.language.errors import PayloadError
from pavane.language.parser import parse
from pavane.language.payload import Record, Shape
from pavane.language.tree import Message, Send


def message(declared: str) -> Message:
    parsed = parse(f"choreography P {{ roles: A, B; A -> B: {declared}; }}")
    assert not parsed.diagnostics, parsed.diagnostics
    (only,) = parsed.protocols[0].body.statements
    assert isinstance(only, Send)
    return only.message


def shape(declared: str, **known: type) -> Shape:
    return Shape.of(message(declared), known)


def over_the_wire(of: Shape, *args: Any, **kwargs: Any) -> Any:
    packed = msgspec.msgpack.encode(of.pack(args, kwargs))
    return of.unpack(msgspec.msgpack.decode(packed))


# --- what a type lets through --------------------------------------------------------------

GOOD: list[tuple[str, Any]] = [
    ("String", "x"),
    ("str", "ü"),
    ("i8", -128),
    ("u8", 255),
    ("i64", -(2**63)),
    ("u64", 2**64 - 1),
    ("int", 2**64 - 1),
    ("usize", 0),
    ("f64", 1.5),
    ("float", float("inf")),
    ("bool", True),
    ("bytes", b"\x00\xff"),
    ("char", "é"),
    ("()", None),
    ("None", None),
    ("Vec<String>", ["a", "b"]),
    ("list[int]", [1, 2]),
    ("[f32]", [1.5]),
    ("std::vec::Vec<std::string::String>", ["a"]),
    ("HashMap<String, i32>", {"a": 1}),
    ("dict[int, list[str]]", {1: ["x"], 2: []}),
    ("BTreeMap<(i32, i32), bool>", {(1, 2): True}),
    ("HashSet<String>", {"a", "b"}),
    ("set[int]", {1, 2}),
    ("Option<i32>", None),
    ("Option<Vec<Option<i32>>>", [1, None]),
    ("int | None", 5),
    ("int | str | None", "x"),
    ("list[int] | list[str]", ["x"]),
    ("(i32, String)", (1, "x")),
    ("tuple[int, ...]", [1, 2, 3]),
    ("Result<i32, String>", {"Err": "no"}),
    ("Box<i32>", 1),
    ("Vec<u8>", b"\x01"),
    ("Anything", {"a": [1, None, {"b": b"c"}]}),
    ("list", [1, "a"]),
    ("dict", {"a": 1}),
]


@pytest.mark.parametrize(("declared", "value"), GOOD, ids=[declared for declared, _ in GOOD])
def test_a05_a_value_of_the_declared_type_arrives_as_it_was(declared: str, value: Any) -> None:
    for form in (f"M({declared})", f"M(field: {declared})", f"M<{declared}>"):
        received = over_the_wire(shape(form), value)
        received = received.field if "field" in form else received
        assert received == value
        assert type(received) is type(value) or isinstance(received, Record)


BAD: list[tuple[str, Any]] = [
    ("String", 5),
    ("String", b"x"),
    ("i32", "1"),
    ("i32", True),
    ("i32", 1.0),
    ("i32", 2**31),
    ("i32", -(2**31) - 1),
    ("u8", -1),
    ("u8", 256),
    ("u64", 2**64),
    ("int", 2**64),
    ("f64", "1.5"),
    ("f64", True),
    ("f64", 2**60),
    ("bool", 1),
    ("bytes", "x"),
    ("char", "ab"),
    ("char", ""),
    ("()", 0),
    ("Vec<String>", "ab"),
    ("Vec<String>", ["a", 1]),
    ("Vec<i32>", {1: 2}),
    ("HashMap<String, i32>", {"a": "1"}),
    ("HashMap<String, i32>", {1: 1}),
    ("HashMap<i32, i32>", {"1": 1}),
    ("HashSet<i32>", [1]),
    ("HashSet<i32>", {"a"}),
    ("Option<i32>", "x"),
    ("int | str", 1.5),
    ("(i32, String)", (1, 2)),
    ("(i32, String)", (1, "x", 2)),
    ("Result<i32, String>", {"Ok": "x"}),
    ("Result<i32, String>", {"Ok": 1, "Err": "x"}),
    ("Result<i32, String>", 1),
    ("Anything", enum.Enum),
    ("Anything", {"a": {1, 2}}),
    ("Anything", {(1, 2): 3}),
    ("Anything", 2**70),
]


@pytest.mark.parametrize(("declared", "value"), BAD, ids=lambda v: str(type(v).__name__) + str(v))
def test_a05_a_wrong_payload_is_refused_before_it_is_sent(declared: str, value: Any) -> None:
    for form in (f"M({declared})", f"M(field: {declared})"):
        with pytest.raises(PayloadError) as caught:
            shape(form).pack((value,), {})
        assert caught.value.label == "M" and caught.value.expected and caught.value.got
        assert caught.value.field.startswith("field" if "field" in form else "")


@pytest.mark.parametrize(("declared", "value"), BAD, ids=lambda v: str(type(v).__name__) + str(v))
def test_a05_a_wrong_payload_that_a_peer_sent_anyway_is_refused(declared: str, value: Any) -> None:
    try:
        raw = msgspec.msgpack.decode(msgspec.msgpack.encode(value))
    except (OverflowError, TypeError):
        return  # what msgpack cannot carry cannot arrive
    if raw != value and declared in ("HashSet<i32>", "Anything"):
        return  # a set arrives as a list, and a list may be what is wanted
    with pytest.raises(PayloadError):
        shape(f"M({declared})").unpack([1, 1] if declared == "HashSet<i32>" else raw)


def test_the_place_of_a_mistake_is_its_path() -> None:
    of = shape("Order(items: Vec<HashMap<String, Vec<i32>>>, note: Option<String>)")
    with pytest.raises(PayloadError) as caught:
        of.pack((), {"items": [{}, {"a": [1, "two"]}], "note": None})
    assert caught.value.field == "items[1]['a'][1]"
    assert str(caught.value).startswith("Order.items[1]['a'][1] must be i32, got str")


def test_a_payload_is_not_quoted_in_an_error() -> None:
    with pytest.raises(PayloadError) as caught:
        shape("M(i32, Vec<String>)").pack((5, ["fine", 123454321]), {})
    assert "123454321" not in str(caught.value)


# --- how messages are called ------------------------------------------------------------------


def test_named_fields_are_given_by_name_or_in_order_or_as_they_came() -> None:
    of = shape("Offer(price: i32, item: String)")
    offer = over_the_wire(of, 5, item="x")
    assert (offer.price, offer.item) == (5, "x")
    assert over_the_wire(of, price=5, item="x") == over_the_wire(of, 5, "x") == offer
    assert over_the_wire(of, offer) == offer
    with pytest.raises(AttributeError):
        offer.price = 6


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((5,), {}), ((5, "x", 1), {}), ((5,), {"price": 5}), ((), {"price": 5, "itm": "x"})],
)
def test_the_wrong_fields_are_named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="price, item"):
        shape("Offer(price: i32, item: String)").pack(args, kwargs)


@pytest.mark.parametrize(
    "raw", [None, 5, [], [5, "x"], {}, {"price": 5}, {"price": 5, "itm": "x"}, {5: 5, "item": "x"}]
)
def test_named_fields_that_arrive_wrong_are_refused(raw: Any) -> None:
    with pytest.raises(PayloadError):
        shape("Offer(price: i32, item: String)").unpack(raw)


def test_a_field_may_have_any_name_python_allows() -> None:
    of = shape("M(from: i32, class: i32, self: i32, _x: i32, keys: i32)")
    values = {"from": 1, "class": 2, "self": 3, "_x": 4, "keys": 5}
    received = of.unpack(of.pack((), values))
    assert {name: getattr(received, name) for name in values} == values


def test_several_values_are_a_tuple() -> None:
    of = shape("Data<Vec<String>, HashMap<String, i32>>")
    assert over_the_wire(of, ["a"], {"b": 1}) == (["a"], {"b": 1})
    assert over_the_wire(of, (["a"], {"b": 1})) == (["a"], {"b": 1})
    for wrong in ((["a"],), (["a"], {"b": 1}, 1), (["a"], {"b": "c"})):
        with pytest.raises(PayloadError):
            of.pack(wrong, {})
    with pytest.raises(PayloadError):
        of.unpack([["a"]])


def test_without_a_declaration_anything_plain_goes() -> None:
    of = shape("M")
    assert over_the_wire(of) is None
    assert over_the_wire(of, 5) == 5
    record = over_the_wire(of, price=5, item="x")
    assert record.price == 5 and record["item"] == "x"
    with pytest.raises(AttributeError, match="price, item"):
        _ = record.colour
    for args, kwargs in (((1, 2), {}), ((1,), {"a": 2}), ((object(),), {})):
        with pytest.raises(PayloadError):
            of.pack(args, kwargs)


def test_the_unit_takes_nothing() -> None:
    assert over_the_wire(shape("M()")) is None
    with pytest.raises(PayloadError):
        shape("M()").pack((5,), {})


def test_a_type_nobody_knows_is_any_plain_value() -> None:
    of = shape("Request(RequestData)")
    assert over_the_wire(of, {"a": 1}).a == 1
    assert over_the_wire(of, a=1).a == 1
    assert over_the_wire(of) is None


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(PayloadError):
        shape("M").pack((loop,), {})


# --- the user's own types ---------------------------------------------------------------------


@dataclass
class Point:
    x: int
    tags: list[str]


class Struct(msgspec.Struct):
    x: int
    tags: list[str]


class Typed(TypedDict):
    x: int
    tags: list[str]


class Model(pydantic.BaseModel):
    x: int
    tags: list[str]


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize("kind", [Point, Struct, Typed, Model])
def test_own_types_arrive_as_themselves(kind: Any) -> None:
    value = kind(x=1, tags=["a"])
    for declared in ("M(Own)", "M(field: Own)", "M<my::Own>", "M(list[Own])"):
        sent: Any = [value] if "list" in declared else value
        received = over_the_wire(shape(declared, Own=kind), sent)
        received = received.field if "field" in declared else received
        assert received == sent
    assert over_the_wire(shape("M(Own)", Own=kind), x=1, tags=["a"]) == value


@pytest.mark.parametrize("kind", [Point, Struct, Typed])
def test_own_types_are_checked_both_ways(kind: Any) -> None:
    of = shape("M(Own)", Own=kind)
    with pytest.raises(PayloadError) as caught:
        of.pack((kind(x="1", tags=[]),), {})
    assert (caught.value.field, caught.value.expected, caught.value.got) == ("x", "int", "str")
    wrong: list[Any] = [5, {"x": 1}, {"x": 1, "tags": [2]}, {"x": True, "tags": []}, None, []]
    for raw in wrong:
        with pytest.raises(PayloadError):
            of.unpack(raw)


def test_a_pydantic_model_is_checked_both_ways() -> None:
    of = shape("M(Own)", Own=Model)
    for wrong in (Model.model_construct(x="1", tags=[]), 5, {"x": 1}, object()):
        with pytest.raises(PayloadError):
            of.pack((wrong,), {})
    arriving: list[Any] = [5, {"x": "1", "tags": []}, {"x": 1}, None, b"x"]
    for raw in arriving:
        with pytest.raises(PayloadError):
            of.unpack(raw)


def test_an_enum_is_carried_by_its_value() -> None:
    of = shape("M(Colour)", Colour=Colour)
    assert over_the_wire(of, Colour.RED) is Colour.RED
    with pytest.raises(PayloadError):
        of.unpack("blue")


# --- signatures and samples ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "signature", "describe"),
    [
        ("M", "M", "M"),
        ("Request<String>(payload_data)", "Request<String>", "Request<String>(payload_data)"),
        (
            "Data<Vec<String>, HashMap<String, i32>>",
            "Data<Vec<String>,HashMap<String,i32>>",
            "Data<Vec<String>,HashMap<String,i32>>",
        ),
        ("C<std::vec::Vec<String>>", "C<std::vec::Vec<String>>", "C<std::vec::Vec<String>>"),
        ("Request(RequestData)", "Request", "Request(RequestData)"),
        ("Offer(price: i32 | None)", "Offer", "Offer(price: i32|None)"),
    ],
)
def test_signatures(declared: str, signature: str, describe: str) -> None:
    assert shape(declared).signature == signature
    assert shape(declared).describe == describe


@pytest.mark.parametrize("declared", sorted({declared for declared, _ in GOOD}))
def test_a_sample_fits_its_own_declaration(declared: str) -> None:
    for form in (
        f"M({declared})",
        f"M(field: {declared}, other: {declared})",
        f"M<{declared}, i32>",
    ):
        of = shape(form)
        for seed in range(20):
            raw = of.sample(random.Random(seed))
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(raw)) == raw
            of.unpack(raw)


@pytest.mark.parametrize("kind", [Point, Struct, Typed, Model, Colour])
def test_a_sample_of_an_own_type_fits_it(kind: Any) -> None:
    of = shape("M(Own)", Own=kind)
    for seed in range(20):
        of.unpack(of.sample(random.Random(seed)))


def test_samples_depend_on_the_seed_alone() -> None:
    of = shape("M(a: i32, b: Vec<String>, c: f64)")
    assert of.sample(random.Random(7)) == of.sample(random.Random(7))


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=20,
)
DECLARED = [declared for declared, _ in GOOD]


@given(st.sampled_from(DECLARED), PLAIN)
def test_whatever_arrives_is_taken_or_refused_with_our_error(declared: str, raw: Any) -> None:
    for form in (f"M({declared})", f"M(a: {declared}, b: {declared})", f"M<{declared}, String>"):
        of = shape(form)
        for candidate in (raw, [raw, "x"], {"a": raw, "b": raw}):
            try:
                value = of.unpack(candidate)
            except PayloadError:
                continue
            args: tuple[Any, ...] = value if form.startswith("M<") else (value,)
            again = of.unpack(of.pack(args, {}))
            assert again == value


@given(PLAIN)
def test_any_plain_value_goes_through_undeclared(value: Any) -> None:
    assert over_the_wire(shape("M"), value) == value
