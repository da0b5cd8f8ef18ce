"""Annotations: keys that exist, values that fit, nothing said twice."""

from __future__ import annotations

from collections.abc import Collection

from ..annotations import KEYS, value_text
from ..spelling import distance
from ..tree import Annotation, Continue, Send, Statement
from .report import Report

NEAR = 2


def check_annotations(report: Report, extension_keys: Collection[str]) -> None:
    for _, statement in report.statements():
        for group in _groups(statement):
            if group:
                _group(report, group, extension_keys)
    for _, send in report.every(Send):
        _at_receiver(report, send)


def _groups(statement: Statement) -> tuple[tuple[Annotation, ...], ...]:
    """Annotations that apply to the same thing: those of a statement are its sender's too."""
    match statement:
        case Send():
            own = statement.annotations + statement.sender_annotations
            return (own, statement.receiver_annotations)
        case Continue():
            return ()
        case _:
            return (statement.annotations,)


def _group(report: Report, group: tuple[Annotation, ...], extension_keys: Collection[str]) -> None:
    seen: set[str] = set()
    for annotation in group:
        key = annotation.key
        if key in seen:
            sentence = f"`{key}` is given twice"
            report.error("PV146", sentence, annotation.span, "keep one of them")
        seen.add(key)
        if key == "journal_facts":
            _facts(report, annotation)
        if key in KEYS:
            _value(report, annotation)
        elif key not in extension_keys:
            _unknown(report, annotation, [*KEYS, *extension_keys])


def _at_receiver(report: Report, send: Send) -> None:
    """What an effect does, it does where the message is sent."""
    for annotation in send.receiver_annotations:
        if annotation.key in KEYS and annotation.key != "timeout":
            sentence = f"`{annotation.key}` stands on the receiver; it is kept, and does nothing"
            hint = "write it on the sender, whose message it is about"
            report.say("warning", "PV158", sentence, annotation.span, hint)


def _value(report: Report, annotation: Annotation) -> None:
    known = KEYS[annotation.key]
    if not known.fits(annotation.value):
        sentence = f"`{annotation.key}` must be {known.wanted}, not {value_text(annotation)}"
        report.error("PV145", sentence, annotation.span, f"write `{known.example}`")


def _facts(report: Report, annotation: Annotation) -> None:
    facts = annotation.value if isinstance(annotation.value, tuple) else ()
    twice = next((fact for n, fact in enumerate(facts) if fact in facts[:n]), None)
    if twice is not None:
        sentence = f"this step would record the fact `{twice}` twice"
        report.error("PV159", sentence, annotation.span, "name every fact once")


def _unknown(report: Report, annotation: Annotation, known: list[str]) -> None:
    edits, near = min((distance(annotation.key, key, NEAR), key) for key in known)
    if edits <= NEAR:
        sentence = f"`{annotation.key}` is not a known annotation"
        report.error("PV144", sentence, annotation.span, f"did you mean `{near}`?")
    else:
        sentence = f"`{annotation.key}` is not a known annotation; it is kept, and does nothing"
        hint = "register it as an extension, or remove it"
        report.say("warning", "PV143", sentence, annotation.span, hint)
