"""Guards and conditions: boolean, consistent, and about things that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..expressions import COMPARISONS, LOGICAL, names, show
from ..spelling import nearest
from ..tree import (
    Attribute,
    Choice,
    Expr,
    Literal_,
    Loop,
    Name,
    Operation,
    RoleRef,
    Send,
    Statement,
    TypeExpr,
)
from ..types import INTEGERS, REALS, TEXTS, last_segment
from ..walk import first_sender
from .report import Report, Scope

Kind = Literal["bool", "number", "text", "none", "any"]
WORDS: dict[Kind, str] = {
    "bool": "true or false",
    "number": "a number",
    "text": "a text",
    "none": "nothing",
}


MISFIT = "compare numbers with numbers and texts with texts"


@dataclass(slots=True)
class Vocabulary:
    """The fields of the messages that a role takes part in, by name and by message."""

    fields: dict[str, Kind] = field(default_factory=dict[str, Kind])
    messages: dict[str, dict[str, Kind]] = field(default_factory=dict[str, dict[str, Kind]])


def check_guards(report: Report) -> None:
    if not any(_is_guarded(s) for kind in (Choice, Loop) for _, s in report.every(kind)):
        return
    vocabularies = _vocabularies(report)
    everything = vocabularies[""]

    def guard(scope: Scope, owner: RoleRef) -> _Guard:
        free = owner.role in scope.parameters
        known = everything if free else vocabularies.get(owner.role, Vocabulary())
        return _Guard(report, known, everything)

    for scope, choice in report.every(Choice):
        for branch in choice.branches:
            if branch.guard is not None:
                guard(scope, choice.chooser).check(branch.guard, "a guard")
    for scope, loop in report.every(Loop):
        owner = first_sender(loop.body, report.subprotocols)
        if loop.condition is not None and owner is not None:
            guard(scope, owner).check(loop.condition, "the condition of a loop")


def _is_guarded(statement: Statement) -> bool:
    match statement:
        case Choice():
            return any(branch.guard is not None for branch in statement.branches)
        case Loop():
            return statement.condition is not None
        case _:
            return False


def _vocabularies(report: Report) -> dict[str, Vocabulary]:
    """For each role, and under "" for all: where a role passes a message to a parameter, the
    message is counted for all."""
    found: dict[str, Vocabulary] = {"": Vocabulary()}
    for declared in report.protocol.roles:
        found[declared.name] = Vocabulary()
    for scope, send in report.every(Send):
        parties = {send.sender.role}
        parties |= {send.receiver.role} if send.receiver else set(scope.roles)
        if parties & scope.parameters:
            parties = set(found)
        for role in (parties & found.keys()) | {""}:
            _learn(found[role], send)
    return found


def _learn(vocabulary: Vocabulary, send: Send) -> None:
    message = send.message
    own = vocabulary.messages.setdefault(message.label, {})
    for position, part in enumerate(message.fields):
        type_ = part.type
        if type_ is None and position < len(message.generics):
            type_ = message.generics[position]
        if part.name:
            kind = _kind(type_)
            for table in (own, vocabulary.fields):
                table[part.name] = kind if table.get(part.name, kind) == kind else "any"


def _kind(type_: TypeExpr | None) -> Kind:
    name = last_segment(type_.name) if type_ else ""
    if name in INTEGERS or name in REALS:
        return "number"
    if name in TEXTS or name == "char":
        return "text"
    return "bool" if name == "bool" else "any"


class _Guard:
    def __init__(self, report: Report, vocabulary: Vocabulary, elsewhere: Vocabulary) -> None:
        self.report = report
        self.elsewhere: Mapping[str, Kind] = elsewhere.fields
        self.fields: Mapping[str, Kind] = vocabulary.fields
        self.messages = vocabulary.messages

    def check(self, guard: Expr, what: str) -> None:
        kind = self.kind(guard)
        if kind not in ("bool", "any"):
            sentence = f"{what} must be true or false, and `{show(guard)}` is {WORDS[kind]}"
            hint = "compare it with something, as in `price > 10`"
            self.report.error("PV148", sentence, guard.span, hint)
        for name in names(guard):
            self.known(name)

    def known(self, name: Name | Attribute) -> None:
        match name:
            case Name(name=word) if word not in self.fields and word not in self.messages:
                if word in self.elsewhere:
                    sentence = f"`{word}` is in messages that this role never sees"
                    hint = "let it receive the message first, or name what it sees or sets itself"
                    self.report.error("PV150", sentence, name.span, hint)
                    return
                near = nearest(word, [*self.fields, *self.messages])
                if near:
                    sentence = f"`{word}` is not a field of any message here"
                    self.report.error("PV150", sentence, name.span, f"did you mean `{near}`?")
            case Attribute(value=Name() as value, name=word):
                self.part(name, value, word)
            case _:
                pass

    def part(self, name: Attribute, value: Name, word: str) -> None:
        label = value.name
        if label in self.messages:
            own = self.messages[label]
            if own and word not in own:
                near = nearest(word, own)
                hint = f"did you mean `{near}`?" if near else f"it has {', '.join(own)}"
                sentence = f"`{label}` has no field `{word}`"
                self.report.error("PV151", sentence, name.span, hint)
            return
        if self.kind(value) != "any":
            what = WORDS[self.kind(value)]
            sentence = f"`{label}` is {what}, and has no field `{word}`"
            hint = f"write `{label}` alone, or `Message.{label}` to say which message it is in"
            self.report.error("PV151", sentence, name.span, hint)
        self.known(value)

    def kind(self, expression: Expr) -> Kind:
        match expression:
            case Literal_(value=bool()):
                return "bool"
            case Literal_(value=str()):
                return "text"
            case Literal_(value=None):
                return "none"
            case Literal_():
                return "number"
            case Name():
                return self.fields.get(expression.name, "any")
            case Attribute(value=Name(name=label)):
                return self.messages.get(label, {}).get(expression.name, "any")
            case Attribute():
                return "any"
            case Operation():
                return self.operation(expression)

    def operation(self, operation: Operation) -> Kind:
        symbol = operation.operator
        kinds: list[Kind] = [self.kind(operand) for operand in operation.operands]
        if symbol in LOGICAL:
            for operand, kind in zip(operation.operands, kinds, strict=True):
                if kind not in ("bool", "any"):
                    sentence = f"`{symbol}` joins conditions, and `{show(operand)}` is not one"
                    hint = "compare it with something, as in `price > 10`"
                    self.report.error("PV148", sentence, operand.span, hint)
            return "bool"
        if symbol in COMPARISONS:
            if not _comparable(symbol, kinds):
                self.misfit(operation, "compares values that are never alike")
            return "bool"
        return self.arithmetic(operation, kinds)

    def arithmetic(self, operation: Operation, kinds: list[Kind]) -> Kind:
        texts = operation.operator == "+" and set(kinds) <= {"text", "any"}
        if texts:
            return "text" if "text" in kinds else "any"
        if not set(kinds) <= {"number", "any"}:
            self.misfit(operation, "calculates with something that is not a number")
            return "any"
        divisor = operation.operands[-1]
        zero = isinstance(divisor, Literal_) and divisor.value == 0
        if operation.operator in ("/", "%") and zero:
            self.misfit(operation, "divides by zero", "divide by something else")
        return "number"

    def misfit(self, operation: Operation, what: str, hint: str = MISFIT) -> None:
        sentence = f"`{show(operation)}` {what}"
        self.report.error("PV149", sentence, operation.span, hint)


def _comparable(symbol: str, kinds: list[Kind]) -> bool:
    left, right = kinds
    if symbol == "in":
        return right == "any" or (right == "text" and left in ("text", "any"))
    if symbol in ("==", "!="):
        return "any" in kinds or "none" in kinds or left == right
    return set(kinds) <= {"number", "any"} or set(kinds) <= {"text", "any"}
