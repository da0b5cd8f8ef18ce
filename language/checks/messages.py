"""Message declarations: types with the right number of arguments, fields with one name each."""

from __future__ import annotations

from functools import lru_cache

from ..spelling import nearest
from ..tree import Message, Send, TypeExpr
from ..types import ANY, ARITY, last_segment
from .report import Report

NAMED = frozenset({*ARITY, *ANY, "|"})


def check_messages(report: Report) -> None:
    for _, send in report.every(Send):
        message = send.message
        if message.fields:
            _fields(report, message)
        waiting = [*message.generics]
        waiting += [f.type for f in message.fields if f.type is not None]
        while waiting:
            type_ = waiting.pop()
            _arity(report, type_)
            _known(report, type_)
            waiting += type_.arguments


def _known(report: Report, type_: TypeExpr) -> None:
    """Any other name may be a type of the user's, so this is no error."""
    near = _meant(type_.name)
    if near:
        sentence = f"`{type_.name}` is no type of the language: its values are not checked"
        hint = f"did you mean `{near}`? If it is a type of yours, give it to `load(types=...)`"
        report.say("warning", "PV167", sentence, type_.span, hint)


@lru_cache(maxsize=1024)
def _meant(name: str) -> str | None:
    near = nearest(name, NAMED, limit=1) if name not in NAMED else None
    return near if name != f"{near}s" else None


def _arity(report: Report, type_: TypeExpr) -> None:
    name = last_segment(type_.name)
    if name not in ARITY:
        return
    least, most = ARITY[name]
    count = len(type_.arguments)
    if count < least or (most is not None and count > most):
        wanted = (
            f"{least}" if least == most else f"{least} to {most}" if most else f"{least} or more"
        )
        noun = "argument" if wanted == "1" else "arguments"
        sentence = f"`{type_.name}` takes {wanted} type {noun}, not {count}"
        example = f"{type_.name}<{', '.join('TUV'[: max(least, 1)])}>" if most != 0 else type_.name
        report.error("PV147", sentence, type_.span, f"write `{example}`")


def _fields(report: Report, message: Message) -> None:
    names = [field.name for field in message.fields]
    for position, field in enumerate(message.fields):
        if field.name and field.name in names[:position]:
            sentence = f"the field `{field.name}` of `{message.label}` is declared twice"
            report.error("PV153", sentence, field.span, "rename one")
        if field.name.startswith("__"):
            sentence = f"a field cannot be called `{field.name}`"
            report.error(
                "PV153", sentence, field.span, "names beginning with `__` are Python's own"
            )
    named = [name for name in names if name]
    typed_by_generics = any(field.type is None for field in message.fields)
    if named and len(named) < len(names):
        sentence = f"only some fields of `{message.label}` have names"
        report.error("PV156", sentence, message.span, "name all of them, or none")
    elif typed_by_generics and len(message.generics) != len(names):
        sentence = f"`{message.label}` names {len(names)} of its {len(message.generics)} types"
        report.error("PV156", sentence, message.span, "write as many names as types")
