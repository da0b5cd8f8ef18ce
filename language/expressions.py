"""Guards and conditions: what type they have, which names they use, what they come to.

Evaluation is a walk over the tree: no code is run, every operation costs a bounded time,
and whatever cannot be computed is an `ExpressionError`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from .errors import PavaneError
from .tree import Attribute, Expr, Literal_, Name, Operation

SIZE_LIMIT = 1_000_000
NUMBER_LIMIT = 2**256

_MISSING = object()
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}
COMPARISONS = frozenset({"==", "!=", "in", *_ORDER})
CONTAINERS = (str, list, tuple, set, frozenset, dict)
LOGICAL = frozenset({"and", "or", "not"})


class ExpressionError(PavaneError):
    """A guard or condition that has no value. `expression` is its text, `name` the name that
    has no value, where that is the reason."""

    code = "PV204"

    def __init__(
        self, message: str, *, expression: str = "", name: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.expression = expression
        self.name = name


def show(expression: Expr) -> str:
    """The expression as text, with parentheses wherever they could matter."""
    match expression:
        case Name():
            return expression.name
        case Attribute():
            return f"{show(expression.value)}.{expression.name}"
        case Literal_(value=bool() as value):
            return "true" if value else "false"
        case Literal_(value=str() as value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            return f'"{escaped}"'
        case Literal_():
            return str(expression.value)
        case Operation(operator="not", operands=(operand,)):
            return f"not {_inner(operand)}"
        case Operation(operands=(operand,)):
            return f"{expression.operator}{_inner(operand)}"
        case Operation():
            left, right = expression.operands
            return f"{_inner(left)} {expression.operator} {_inner(right)}"


def _inner(expression: Expr) -> str:
    return f"({show(expression)})" if isinstance(expression, Operation) else show(expression)


def names(expression: Expr) -> Iterator[Name | Attribute]:
    """The names an expression needs, `Offer.price` as one of them."""
    match expression:
        case Name():
            yield expression
        case Attribute():
            yield expression
        case Operation():
            for operand in expression.operands:
                yield from names(operand)
        case Literal_():
            pass


def evaluate(expression: Expr, values: Mapping[str, object]) -> object:
    """The value under `values`. Raises `ExpressionError`, and nothing else.

    `Offer.price` is looked up as an attribute or key of `Offer`, or as the plain name
    `Offer.price` where `values` has that.
    """
    try:
        return _value(expression, values)
    except ExpressionError as error:
        error.expression = show(expression)
        raise


def holds(expression: Expr, values: Mapping[str, object]) -> bool:
    """The truth of a guard; a value that is not boolean is an `ExpressionError`."""
    value = evaluate(expression, values)
    if isinstance(value, bool):
        return value
    text = show(expression)
    message = f"the condition `{text}` is {type(value).__name__}, not true or false"
    raise ExpressionError(message, expression=text, hint="compare it with something")


def _value(expression: Expr, values: Mapping[str, object]) -> object:
    match expression:
        case Literal_():
            return expression.value
        case Name():
            found = values.get(expression.name, _MISSING)
            if found is _MISSING:
                raise _unset(expression.name)
            return found
        case Attribute():
            return _attribute(expression, values)
        case Operation(operator="and" | "or" | "not"):
            return _logical(expression, values)
        case Operation(operands=(operand,)):
            return _apply("-", _subtract_from_zero, _number(_value(operand, values), "-"))
        case Operation():
            left, right = (_value(operand, values) for operand in expression.operands)
            return _binary(expression.operator, left, right)


def _unset(name: str) -> ExpressionError:
    message = f"`{name}` has no value here"
    return ExpressionError(message, name=name, hint="set it, or receive a message that has it")


def _attribute(expression: Attribute, values: Mapping[str, object]) -> object:
    text = show(expression)
    if text in values:
        return values[text]
    owner = _value(expression.value, values)
    found: object = _MISSING
    if _is_mapping(owner):
        found = owner.get(expression.name, _MISSING)
    elif not expression.name.startswith("_"):
        found = getattr(owner, expression.name, _MISSING)
    if found is _MISSING or callable(found):
        raise _unset(text)
    return found


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _logical(expression: Operation, values: Mapping[str, object]) -> bool:
    wanted = expression.operator == "or"
    for operand in expression.operands:
        value = _value(operand, values)
        if not isinstance(value, bool):
            message = f"`{show(operand)}` is {type(value).__name__}, not true or false"
            raise ExpressionError(message, hint=f"`{expression.operator}` joins conditions")
        if expression.operator == "not":
            return not value
        if value == wanted:
            return wanted
    return not wanted


def _binary(symbol: str, left: object, right: object) -> object:
    if symbol == "==" or symbol == "!=":
        return _same(left, right) == (symbol == "==")
    if symbol == "in":
        if isinstance(right, str) and not isinstance(left, str):
            raise _misfit(symbol, left, right)
        if isinstance(right, CONTAINERS):
            return bool(_apply(symbol, operator.contains, right, left))
        raise _misfit(symbol, left, right)
    if symbol in _ORDER:
        if (_is_number(left) and _is_number(right)) or _both_text(left, right):
            return bool(_apply(symbol, _ORDER[symbol], left, right))
        raise _misfit(symbol, left, right)
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > SIZE_LIMIT:
            raise ExpressionError("the text grows too long", hint=f"at most {SIZE_LIMIT}")
        return left + right
    return _apply(symbol, _ARITHMETIC[symbol], _number(left, symbol), _number(right, symbol))


def _same(left: object, right: object) -> bool:
    """`1 == true` is false here, as the types differ."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(_apply("==", operator.eq, left, right))


def _subtract_from_zero(value: Any) -> Any:
    return -value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _both_text(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str)


def _number(value: object, symbol: str) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) > NUMBER_LIMIT:
            raise ExpressionError("a number grows too large", hint="compare smaller numbers")
        return value
    hint = "numbers only" if symbol != "+" else "two numbers, or two texts"
    raise ExpressionError(f"`{symbol}` cannot take {type(value).__name__}", hint=hint)


def _misfit(symbol: str, left: object, right: object) -> ExpressionError:
    kinds = f"{type(left).__name__} and {type(right).__name__}"
    return ExpressionError(f"`{symbol}` does not go with {kinds}", hint="compare like with like")


def _apply(symbol: str, function: Callable[..., Any], *operands: Any) -> Any:
    """Whatever goes wrong inside, a user's own `__eq__` included, is our error."""
    try:
        return function(*operands)
    except ZeroDivisionError:
        raise ExpressionError("division by zero", hint="guard it with `and`") from None
    except Exception as error:
        kinds = " and ".join(type(operand).__name__ for operand in operands)
        raise ExpressionError(f"`{symbol}` failed on {kinds}: {type(error).__name__}") from error
