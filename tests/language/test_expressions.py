"""Guards are computed without running code, and fail with our error only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.language.errors import Diagnostic
from pavane.language.expressions import ExpressionError, evaluate, holds, names, show
from pavane.language.parser import parse_expression
from pavane.language.tree import Expr


def expression(text: str) -> Expr:
    found = parse_expression(text)
    assert not isinstance(found, Diagnostic), found
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 2 - 3", 5),
        ("-x + 1", -4),
        ("7 % 4 == 3 && 6 / 4 == 1.5", True),
        ("x > 3 and x < 10", True),
        ("x > 3 && !(x >= 5) || false", False),
        ("not x == 5", False),
        ("true or missing", True),
        ("false and missing", False),
        ('name == "O\\"Hara" ', True),
        ('"a" + "b" == \'ab\'', True),
        ('"xy" in name', False),
        ('name in ["x", name]', True),
        ("x not in [1, 2]", True),
        ("3 in items", True),
        ("offer.price * 2 >= 90", True),
        ("offer.seller.rating > 4", True),
        ("nothing == None", True),
        ("1 == true", False),
        ("1 == 1.0", True),
        ("1_000 + 1", 1001),
        ("( ( ( x ) ) ) == 5", True),
    ],
)
def test_values(text: str, value: object) -> None:
    offer = SimpleNamespace(price=45, seller={"rating": 5})
    known = {"x": 5, "name": 'O"Hara', "items": [1, 2, 3], "offer": offer, "nothing": None}
    assert evaluate(expression(text), known) == value


@pytest.mark.parametrize(
    "text",
    [
        "missing > 1",
        "x.missing",
        "x / 0 > 1",
        "x % 0 > 1",
        'x + "a"',
        'x < "a"',
        "x in 5",
        "x and true",
        "not x",
        "-name",
        "x in name",
        "x.__class__",
        "x.bit_length",
        "big * big * big * big > 1",
    ],
)
def test_what_cannot_be_computed_is_our_error(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression(text), {"x": 5, "name": "n", "big": 2**100})
    assert caught.value.expression == show(expression(text))


def test_a_guard_must_come_to_true_or_false() -> None:
    assert holds(expression("x > 1"), {"x": 2}) is True
    with pytest.raises(ExpressionError, match="not true or false"):
        holds(expression("x + 1"), {"x": 2})


def test_a_whole_name_is_looked_up_first() -> None:
    assert evaluate(expression("Offer.price"), {"Offer.price": 3}) == 3


def test_an_object_that_misbehaves_is_our_error() -> None:
    class Rude:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = None  # type: ignore[assignment]  # the usual form for a class with __eq__ only

    with pytest.raises(ExpressionError, match="RuntimeError"):
        evaluate(expression("x == 1"), {"x": Rude()})


def test_text_cannot_grow_without_bound() -> None:
    with pytest.raises(ExpressionError, match="too long"):
        evaluate(expression("x + x"), {"x": "a" * 600_000})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x >",
        "x ** 2",
        "f(x)",
        "x[0]",
        "lambda: 1",
        "x if y else z",
        "__import__('os')",
        "x; y",
        "1 < x < 3",
        "x = 1",
        "x := 1",
        "(" * 200 + "x" + ")" * 200,
        "not " * 200 + "x",
        "'abc",
        "{}",
    ],
)
def test_a17_what_is_no_expression_is_a_diagnostic(text: str) -> None:
    assert isinstance(parse_expression(text), Diagnostic)


def test_names() -> None:
    found = [show(name) for name in names(expression("a > 1 and Offer.price < b or not a"))]
    assert found == ["a", "Offer.price", "b", "a"]


ATOMS = st.one_of(
    st.integers(0, 50).map(str),
    st.sampled_from(["x", "y", "o.p", "true", "false", '"s"', "None", "2.5"]),
)
EXPRESSIONS: st.SearchStrategy[str] = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "/", "%", "<", "==", "in", "and", "||"]), inner
        ).map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"),
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"-({text})"),
    ),
    max_leaves=20,
)


@given(EXPRESSIONS)
def test_any_expression_has_a_value_or_our_error_and_prints_as_itself(text: str) -> None:
    found = expression(text)
    assert expression(show(found)) == found
    values: dict[str, Any] = {"x": 3, "y": "t", "o": {"p": True}}
    try:
        evaluate(found, values)
    except ExpressionError as error:
        assert error.message
