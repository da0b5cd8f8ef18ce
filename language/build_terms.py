"""Children -> nodes for what statements are made of: references, messages, annotations, guards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from lark import Transformer

from .errors import Diagnostic, Span
from .lexing import Token
from .tree import (
    All,
    Annotation,
    At,
    Attribute,
    Expr,
    Field,
    Index,
    Literal_,
    Message,
    Name,
    Operation,
    Range,
    RoleRef,
    Scalar,
    Selector,
    TypeExpr,
)

Children = list[Any]
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
OPERATORS = {"||": "or", "&&": "and", "!": "not"}
CONSTANTS: dict[str, bool | None] = {"TRUE": True, "FALSE": False, "NONE": None}
COUNT_LIMIT = 10**12
LISTS = frozenset({"journal_facts"})


class Party(NamedTuple):
    """One side of a send, with its annotations."""

    ref: RoleRef
    annotations: tuple[Annotation, ...]


class Notes(NamedTuple):
    """What stands between the brackets of annotations."""

    annotations: tuple[Annotation, ...]


class Generics(NamedTuple):
    types: tuple[TypeExpr, ...]
    end: Token


class Fields(NamedTuple):
    fields: tuple[Field, ...]
    end: Token


def between(first: Any, last: Any) -> Span:
    """From the beginning of one token or node to the end of another."""
    begin, end = first.span, last.span
    return Span(begin.line, begin.column, end.end_line, end.end_column)


def nodes(children: Sequence[Any]) -> list[Any]:
    """The children that are not punctuation."""
    return [child for child in children if not isinstance(child, Token)]


def unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda hit: ESCAPES.get(hit[1], hit[1]), text[1:-1])


def integer(text: str) -> int:
    """Numbers too large to be meant have been refused already; what is kept of them is short."""
    return int(text.replace("_", "")[:20] or "0")


def split_list(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


class BuildTerms(Transformer[Any, Any]):
    """The rules below statements. `diagnostics` is cleared by whoever starts a parse."""

    def __init__(self) -> None:
        super().__init__()
        self.diagnostics: list[Diagnostic] = []

    def say(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, "error", message, span, hint))

    # --- references ---

    def party(self, children: Children) -> Party:
        ref = RoleRef(children[0].text, span=children[0].span)
        notes: tuple[Annotation, ...] = ()
        for position in range(2, len(children), 3):
            inner, closer = children[position], children[position + 1]
            if isinstance(inner, Notes):
                notes = inner.annotations
            else:
                ref = RoleRef(ref.role, inner, span=between(children[0], closer))
        return Party(ref, notes)

    def ref(self, children: Children) -> RoleRef:
        party: Party = self.party(children)
        return party.ref

    def selector(self, children: Children) -> Selector:
        first, last = children[0], children[-1]
        if isinstance(first, Token):
            return All(span=first.span)
        if len(children) == 1:
            return At(first, span=first.span)
        return Range(first, last, span=between(first, last))

    def index(self, children: Children) -> Index:
        name = children[0].text if children[0].type == "NAME" else ""
        number = integer(children[-1].text) if children[-1].type == "INTEGER" else 0
        if number > COUNT_LIMIT:
            hint = f"counts and indices go up to {COUNT_LIMIT}"
            self.say("PV107", "this number is too large", children[-1].span, hint)
        minus = any(child.type == "MINUS" for child in children)
        span = between(children[0], children[-1])
        return Index(name, -number if minus else number, span=span)

    # --- messages ---

    def message(self, children: Children) -> Message:
        label = children[0]
        generics: tuple[TypeExpr, ...] = ()
        fields: tuple[Field, ...] = ()
        for part in children[1:]:
            if isinstance(part, Generics):
                generics = part.types
            else:
                fields = part.fields
        if generics:
            fields = tuple(_name_only(field) for field in fields)
        end = children[-1] if len(children) == 1 else children[-1].end
        return Message(label.text, generics, fields, span=between(label, end))

    def generics(self, children: Children) -> Generics:
        return Generics(children[1], children[-1])

    def fields(self, children: Children) -> Fields:
        fields = tuple(nodes(children))
        if not fields:
            span = between(children[0], children[-1])
            fields = (Field("", TypeExpr("()", span=span), span=span),)
        return Fields(fields, children[-1])

    def field(self, children: Children) -> Field:
        name = children[0].text if len(children) > 1 else ""
        return Field(name, children[-1], span=between(children[0], children[-1]))

    def types(self, children: Children) -> tuple[TypeExpr, ...]:
        return tuple(child for child in children if isinstance(child, TypeExpr))

    def type(self, children: Children) -> TypeExpr:
        members = nodes(children)
        if len(members) == 1:
            only: TypeExpr = members[0]
            return only
        return TypeExpr("|", tuple(members), span=between(members[0], members[-1]))

    def atom(self, children: Children) -> TypeExpr:
        first, span = children[0], between(children[0], children[-1])
        if isinstance(first, TypeExpr):
            return replace(first, arguments=children[2], span=span) if children[1:] else first
        if first.type == "ELLIPSIS":
            return TypeExpr("...", span=span)
        if first.type == "LBRACKET":
            return TypeExpr("list", (children[1],), span=span)
        if len(children) == 2:
            return TypeExpr("()", span=span)
        inner: tuple[TypeExpr, ...] = children[1]
        return inner[0] if len(inner) == 1 else TypeExpr("tuple", inner, span=span)

    def path(self, children: Children) -> TypeExpr:
        name = "".join(child.text for child in children)
        return TypeExpr(name, span=between(children[0], children[-1]))

    # --- annotations ---

    def notes(self, children: Children) -> Notes:
        return Notes(tuple(child for child in children if isinstance(child, Annotation)))

    def annotation(self, children: Children) -> Annotation:
        key = children[1] if children[0].type == "AT" else children[0]
        if children[-1] is key:
            return Annotation(key.text, True, span=between(children[0], key))
        return self.annotate(key, children[-1], between(children[0], children[-2]))

    def annotate(self, key: Token, value: Scalar, span: Span) -> Annotation:
        if key.text in LISTS and isinstance(value, str):
            value = split_list(value)
        return Annotation(key.text, value, span=span)

    def value(self, children: Children) -> Scalar:
        last: Token = children[-1]
        sign = -1 if children[0].type == "MINUS" else 1
        match last.type:
            case "STRING":
                return unquote(last.text)
            case "INTEGER":
                return sign * integer(last.text)
            case "FLOAT":
                return sign * float(last.text)
            case "TRUE" | "FALSE":
                return last.type == "TRUE"
            case "RBRACKET":
                return tuple(str(part) for part in nodes(children))
            case _:
                return last.text

    # --- guards and conditions ---

    def guard(self, children: Children) -> Expr:
        condition: Expr = children[1]
        return condition

    def group(self, children: Children) -> Expr:
        inner: Expr = children[1]
        return inner

    def name(self, children: Children) -> Name:
        return Name(children[0].text, span=children[0].span)

    def attribute_of(self, children: Children) -> Attribute:
        span = between(children[0], children[2])
        return Attribute(children[0], children[2].text, span=span)

    def literal(self, children: Children) -> Literal_:
        token: Token = children[0]
        if token.type in CONSTANTS:
            return Literal_(CONSTANTS[token.type], span=token.span)
        value = self.value(children)
        assert not isinstance(value, tuple), "a literal is one token"
        return Literal_(value, span=token.span)

    def operation(self, children: Children) -> Operation:
        left, operator, right = children
        return Operation(_symbol(operator), (left, right), span=between(left, right))

    def unary(self, children: Children) -> Expr:
        operator, operand = children
        span = between(operator, operand)
        if operator.type == "MINUS" and isinstance(operand, Literal_):
            value = operand.value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return Literal_(-value, span=span)
        return Operation(_symbol(operator), (operand,), span=span)

    def membership(self, children: Children) -> Expr:
        """`x in [a, b]` means `x == a or x == b`."""
        subject, *options = nodes(children)
        last = children[-1]
        span = between(subject, last)
        found: Expr = Operation("in", (subject, options[0]), span=span)
        if isinstance(last, Token):
            found = Operation("==", (subject, options[0]), span=span)
            for option in options[1:]:
                same = Operation("==", (subject, option), span=span)
                found = Operation("or", (found, same), span=span)
        negated = isinstance(children[1], Token) and children[1].type == "NOT"
        return Operation("not", (found,), span=span) if negated else found


def _symbol(operator: Token) -> str:
    return OPERATORS.get(operator.text, operator.text)


def _name_only(field: Field) -> Field:
    """In `M<T>(name)` what stands between the parentheses is a name, not a type."""
    written = field.type
    if field.name or written is None or written.arguments or not written.name.isidentifier():
        return field
    return Field(written.name, None, span=field.span)
