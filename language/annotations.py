"""The annotation keys that mean something, and what their values must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from .tree import Annotation, Scalar

COST_LIMIT = 2**53 - 1
DEFAULT_COST = 100
DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
LEAK = re.compile(r"[A-Za-z0-9_-]{1,64}(\s*:\s*[0-9]{1,15})?")
ATTEMPTS_LIMIT = 1000
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 366 * 86400.0
"""Seconds; what waits longer is no timeout."""


@dataclass(frozen=True, slots=True)
class Key:
    """A known key: whether a value fits, what it must be, and how it is written."""

    fits: Callable[[Scalar], bool]
    wanted: str
    example: str


def _whole(value: Scalar, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= highest


def _name(value: Scalar) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _names(value: Scalar) -> bool:
    return isinstance(value, tuple) and bool(value) and all(part.strip() for part in value)


def _leaks(value: Scalar) -> bool:
    if not isinstance(value, str | tuple):
        return False
    parts = value.split(",") if isinstance(value, str) else value
    return bool(parts) and all(LEAK.fullmatch(part.strip()) for part in parts)


def seconds(value: Scalar) -> float | None:
    """`5s`, `250ms` or a number of seconds; None for anything else."""
    if isinstance(value, str):
        hit = DURATION.fullmatch(value.strip())
        return float(hit[1]) * SECONDS[hit[2]] if hit else None
    if isinstance(value, bool | tuple):
        return None
    return float(value)


def is_time(value: Scalar) -> bool:
    """Whether it can be a timeout."""
    return 0 < (seconds(value) or 0) <= LONGEST


def timeout(annotations: Iterable[Annotation]) -> float:
    """The seconds of the `timeout` among them; 0 where there is none."""
    for annotation in annotations:
        if annotation.key == "timeout":
            return seconds(annotation.value) or 0.0
    return 0.0


@dataclass(frozen=True, slots=True)
class Retries:
    """At most `attempts`, with a delay that doubles from `base` and never passes `cap` seconds."""

    attempts: int
    base: float = 0.1
    cap: float = 30.0


def retries(value: Scalar) -> Retries | None:
    """`3`, `"3, base=100ms, cap=5s"`; None for anything else."""
    if _whole(value, ATTEMPTS_LIMIT) and isinstance(value, int):
        return Retries(value)
    if not isinstance(value, str):
        return None
    first, *rest = (part.strip() for part in value.split(","))
    times = {"base": 0.1, "cap": 30.0}
    for part in rest:
        name, _, time = (piece.strip() for piece in part.partition("="))
        found = seconds(time)
        if name not in times or found is None:
            return None
        times[name] = found
    if not (first.isdecimal() and first.isascii() and len(first) <= 4):
        return None
    attempts = int(first)
    return Retries(attempts, **times) if attempts <= ATTEMPTS_LIMIT else None


KEYS: dict[str, Key] = {
    "guard_capability": Key(_name, "a string", 'guard_capability = "send_request"'),
    "flow_cost": Key(
        lambda value: _whole(value, COST_LIMIT),
        f"a whole number from 0 to {COST_LIMIT}",
        "flow_cost = 200",
    ),
    "journal_facts": Key(_names, "a string of names", 'journal_facts = "asked, answered"'),
    "journal_merge": Key(
        lambda value: isinstance(value, bool), "true or false", "journal_merge = true"
    ),
    "leak": Key(
        lambda value: _leaks(value) or _whole(value, COST_LIMIT),
        "classes of observers with whole numbers",
        'leak = "external: 3, neighbour: 1"',
    ),
    "timeout": Key(is_time, "a time above zero, and at most 366d", "timeout = 250ms"),
    "retry": Key(
        lambda value: retries(value) is not None,
        f"a number of attempts up to {ATTEMPTS_LIMIT}, and times",
        'retry = "3, base=100ms, cap=5s"',
    ),
    "priority": Key(
        lambda value: _name(value) or _whole(value, COST_LIMIT),
        "a string or a whole number",
        'priority = "high"',
    ),
    "compress": Key(
        lambda value: isinstance(value, bool) or value == "zlib",
        'true, false or "zlib"',
        "compress = true",
    ),
}


FLAGS = ("journal_merge", "compress")
ON_ARRIVAL = ("guard_capability",)
"""With `FLAGS`, what the receiver of a message acts on: it checks what the sender may do, and
reads what was packed."""


def effective(
    annotations: tuple[Annotation, ...], extension_keys: Collection[str] = (), *, sends: bool
) -> Mapping[str, Scalar]:
    """What annotations come to at the sender of a message or at its receiver: equal for two steps
    where nobody could tell the difference. An unknown key does nothing, but that the message then
    has a cost."""
    said = {annotation.key: annotation.value for annotation in annotations}
    flags = {key: True for key in FLAGS if said.pop(key, False)}
    if not sends:
        return {**flags, **{key: said[key] for key in ON_ARRIVAL if key in said}}
    cost = {"flow_cost": DEFAULT_COST} if annotations else {}
    known = {k: v for k, v in said.items() if k in KEYS or k in extension_keys}
    return {**cost, **flags, **known}


def value_text(annotation: Annotation) -> str:
    """The value as the author would write it."""
    value = annotation.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f'"{", ".join(value)}"'
    return f'"{value}"' if isinstance(value, str) else str(value)
