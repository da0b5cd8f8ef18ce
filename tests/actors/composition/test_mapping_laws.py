"""Fields and capabilities mapped: every shape of payload, and the laws that hold for any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pavane
from pavane import CapabilityBridge, FieldMap, default
from pavane.actors.composition.declaration import Declaration, fits
from pavane.language.tree import Field, Message, TypeExpr

# --- other shapes of payload ------------------------------------------------------------------


@dataclass
class Point:
    x: int
    y: int


def declared(text: str, known: dict[str, Any] | None = None) -> Declaration:
    source = pavane.load(f"choreography P {{ roles: A, B; A -> B: {text}; }}")
    (message,) = {t.action.message for t in source.project().machines["A"][0].transitions}
    return Declaration(message, known or {})


@pytest.mark.parametrize(
    ("source", "target", "fields", "payload", "plain"),
    [
        ("M(i32)", "N(i64)", {}, 4, 4),
        ("M(i32, str)", "N(name: str, n: i32)", {"name": "1", "n": "0"}, (4, "a"), {"name": "a", "n": 4}),
        ("M(x: i32, y: i32)", "N(Point)", {}, {"x": 1, "y": 2}, {"x": 1, "y": 2}),
        ("M(Point)", "N(int, int)", {"0": "y", "1": "x"}, Point(1, 2), [2, 1]),
        ("M", "N(n: i32)", {"n": "count"}, {"count": 3}, {"n": 3}),
        ("M(n: i32)", "N", {"count": "n"}, {"n": 3}, {"count": 3}),
        ("M(HashMap<str, i32>)", "N(m: dict[str, int])", {"m": "value"}, {"value": 1}, {"m": {"value": 1}}),
    ],
)  # fmt: skip
def test_a45_payloads_without_names_and_of_ones_own_types_are_mapped(
    source: str, target: str, fields: dict[str, Any], payload: Any, plain: Any
) -> None:
    known = {"Point": Point}
    fitted = FieldMap("M", "N", fields).between(declared(source, known), declared(target, known))
    assert fitted.apply(payload) == plain


def test_a45_an_undeclared_payload_with_a_field_that_nobody_knows_is_refused() -> None:
    fitted = FieldMap("M", "N", {"n": "count"}).between(declared("M"), declared("N(n: i32)"))
    with pytest.raises(pavane.AdaptationFailed, match=r"M\.extra is unknown to the mapping"):
        fitted.apply({"count": 1, "extra": 2})


@pytest.mark.parametrize(
    ("one", "other", "fit"),
    [
        ("i32", "i64", True), ("i64", "i32", False), ("u8", "i16", True), ("i8", "u8", False),
        ("String", "str", True), ("i32", "f64", False), ("Vec<i8>", "list[i32]", True),
        ("list[i32]", "Vec<i8>", False), ("i32", "Option<i32>", True), ("Option<i32>", "i32", False),
        ("i32 | None", "Option<i64>", True), ("HashMap<str, i8>", "dict[str, int]", True),
        ("Thing", "Thing", True), ("Thing", "Other", False), ("bool", "i32", False),
    ],
)  # fmt: skip
def test_types_fit_where_every_value_does(one: str, other: str, fit: bool) -> None:
    (left,) = (declared(f"M({one})").fields or {}).values()
    (right,) = (declared(f"M({other})").fields or {}).values()
    assert fits(left, right, lambda _: True) is fit


# --- laws -----------------------------------------------------------------------------------

TYPES = {"i32": st.integers(-(2**31), 2**31 - 1), "str": st.text(max_size=5), "bool": st.booleans()}
NAMES = st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=6, unique=True)


@st.composite
def renamings(draw: st.DrawFn) -> tuple[Declaration, Declaration, dict[str, str], dict[str, Any]]:
    """A source, a target with the same fields under other names, how they belong together, and
    a payload."""
    old = draw(NAMES)
    new = draw(st.lists(st.from_regex(r"[A-Z]{1,6}", fullmatch=True),
                        min_size=len(old), max_size=len(old), unique=True))  # fmt: skip
    kinds = {name: draw(st.sampled_from(sorted(TYPES))) for name in old}
    names = dict(zip(new, draw(st.permutations(old)), strict=True))
    source = Message("M", (), tuple(Field(n, TypeExpr(kinds[n])) for n in old))
    target = Message("N", (), tuple(Field(n, TypeExpr(kinds[names[n]])) for n in new))
    payload = {name: draw(TYPES[kind]) for name, kind in kinds.items()}
    return Declaration(source, {}), Declaration(target, {}), names, payload


@settings(deadline=None)
@given(renamings())
def test_a45_renamings_lose_nothing_and_their_inverse_gives_it_all_back(
    case: tuple[Declaration, Declaration, dict[str, str], dict[str, Any]],
) -> None:
    source, target, names, payload = case
    there = FieldMap("M", "N", names).between(source, target)
    back = FieldMap("N", "M", {old: new for new, old in names.items()}).between(target, source)
    assert there.apply(payload) == {new: payload[old] for new, old in names.items()}
    assert back.apply(there.apply(payload)) == payload


@settings(deadline=None)
@given(renamings(), st.data())
def test_a45_whatever_is_left_out_of_a_map_is_named(
    case: tuple[Declaration, Declaration, dict[str, str], dict[str, Any]], data: st.DataObject
) -> None:
    source, target, names, _ = case
    left_out = data.draw(st.sets(st.sampled_from(sorted(names)), min_size=1))
    kept: dict[str, Any] = {new: old for new, old in names.items() if new not in left_out}
    with pytest.raises(pavane.AdapterRefused) as caught:
        FieldMap("M", "N", kept).between(source, target)
    assert set(caught.value.fields) == left_out | {names[new] for new in left_out}
    filled = {**kept, **{new: default(None) for new in left_out}}
    FieldMap("M", "N", filled, drop=[names[new] for new in left_out]).between(source, target)


CAPABILITIES = st.sampled_from([f"old:{letter}" for letter in "abcdef"])
TABLES = st.dictionaries(
    CAPABILITIES, st.sets(st.sampled_from([f"new:{letter}" for letter in "uvwxyz"]), max_size=3)
)


@settings(deadline=None)
@given(TABLES, st.sets(CAPABILITIES), st.sets(CAPABILITIES))
def test_a45_bridging_never_widens(
    table: dict[str, set[str]], one: set[str], other: set[str]
) -> None:
    """Nothing comes from nowhere, less gives no more, and together is no more than apart."""
    bridge = CapabilityBridge(table)
    unknown = (one | other) - table.keys()
    if unknown:
        with pytest.raises(pavane.CapabilityNotBridged) as caught:
            bridge.bridge(one | other)
        assert set(caught.value.capabilities) == unknown
    one, other = one & table.keys(), other & table.keys()
    left, right, both = (bridge.bridge(held).mapped for held in (one, other, one | other))
    assert left <= both and both == left | right <= bridge.reach
    assert all(any(name in table[held] for held in one) for name in left)
    assert bridge.bridge([]).mapped == frozenset()


@pytest.mark.parametrize("table", [{"": "x"}, {"read": 'a"b'}, {"read": "x", "old:read": "y"}])
def test_a45_a_table_that_makes_no_sense_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(pavane.CapabilityNotBridged):
        CapabilityBridge(table, source="old")
