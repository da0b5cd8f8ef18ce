"""Local machines from outside: JSON as `pavane project --json` writes it, or local types as text.

A machine is `{"initial": 0, "final": [2], "transitions": [[0, "B!Ask", 1], [1, "B?Answer", 2]]}`.
A collective step (`W[*]!Go`) becomes one step per instance, in the order of the indices, and an
index like `W[i+1]` is worked out for the instance whose machine it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from .local_types import LocalTypeError, parse_local
from .machine import INDEX_LIMIT
from .system import Automaton, Step

STEP = re.compile(
    r"(?P<peer>[A-Za-z_]\w*)(?:\[(?P<index>[^\[\]]*)\])?(?P<sign>[!?])(?P<label>@?\w+)"
)
INSTANCE = re.compile(r"[^\[]*(?:\[\d+\])?")
NAME = re.compile(r"(?P<role>[A-Za-z_]\w*)(?:\[(?P<start>\d{1,5})(?:\.\.(?P<stop>\d{1,5}))?\])?")
SHAPE = 'a machine is {"initial": 0, "final": [1], "transitions": [[0, "B!Ask", 1]]}'
STEP_LIMIT = 200_000
"""Steps of one machine after its collective steps are written out."""


@dataclass(frozen=True, slots=True)
class Whose:
    """The instance that a machine belongs to, and the sizes of the families it may speak to."""

    name: str = ""
    index: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])


def decoded(text: str) -> object:
    """The JSON value of a text. Raises `LocalTypeError`, also for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise LocalTypeError("the JSON is nested too deeply", hint=SHAPE) from None
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        column = getattr(error, "colno", 0)
        reason = getattr(error, "msg", str(error))
        message = f"this is not JSON: {reason}"
        raise LocalTypeError(message, line=line, column=column, hint=SHAPE) from None


def read_machine(value: object, whose: Whose) -> Automaton:
    """The automaton of one JSON machine, or of a local type given as a string.

    Raises `LocalTypeError` where the value has not the form of a machine.
    """
    if isinstance(value, str):
        return placed(parse_local(value), whose)
    table = _table(value)
    if table.get("loops"):
        raise LocalTypeError(
            "the machine counts rounds that are not written out",
            hint="give the count a value with --bind when projecting",
        )
    return _Builder(table, whose).build()


def placed(automaton: Automaton, whose: Whose) -> Automaton:
    """A local type as that of one instance: collective steps written out, indices worked out.

    Raises `LocalTypeError` where an index has no value, or makes two steps of one state alike.
    """
    if all(INSTANCE.fullmatch(step.peer) for edges in automaton.edges for step in edges):
        return automaton
    return _Builder({}, whose).rebuilt(automaton)


def read_roles(value: object) -> dict[str, object]:
    """The machines of a JSON file by name: `{"A": machine}`, `{"roles": {...}}`, or the whole
    answer of `pavane project --json` with one protocol. Raises `LocalTypeError`."""
    table = _table(value)
    if "protocols" in table:
        protocols = table["protocols"]
        if not isinstance(protocols, list) or len(cast("list[object]", protocols)) != 1:
            raise LocalTypeError("the file has not exactly one protocol", hint=SHAPE)
        table = _table(cast("list[object]", protocols)[0])
    return _table(table["roles"]) if "roles" in table else table


def read_system(value: object) -> dict[str, Automaton]:
    """The automata of all instances of a file of machines.

    A name is an instance (`A`, `W[2]`) or some of a family (`W[0..3]`); a bare name whose machine has
    `instances` is the whole family. Raises `LocalTypeError`.
    """
    roles = read_roles(value)
    families = set(re.findall(r"([A-Za-z_]\w*)\[", json.dumps(list(roles.values()))))
    found: dict[str, tuple[str, int | None, object]] = {}
    sizes: dict[str, int] = {}
    for name, machine in roles.items():
        for role, index in _instances(name, machine, families):
            if index is not None:
                sizes[role] = max(sizes.get(role, 0), index + 1)
            full = role if index is None else f"{role}[{index}]"
            if full in found:
                raise LocalTypeError(f"{full} has two machines")
            found[full] = role, index, machine
    return {
        full: read_machine(machine, Whose(full, index, sizes))
        for full, (_, index, machine) in found.items()
    }


def _instances(name: str, machine: object, families: set[str]) -> list[tuple[str, int | None]]:
    match = NAME.fullmatch(name)
    if match is None:
        raise LocalTypeError(f"{name!r} does not name an instance", hint="write A, W[2] or W[0..3]")
    role = match["role"]
    start = int(match["start"] or 0)
    if match["stop"] is not None:
        stop = int(match["stop"])
    elif match["start"] is not None:
        stop = start + 1
    elif role in families and isinstance(machine, dict):
        count = cast("dict[str, object]", machine).get("instances", 1)
        stop = count if isinstance(count, int) else 0
    else:
        return [(role, None)]
    if not start < stop <= INDEX_LIMIT:
        raise LocalTypeError(f"{name} names no instance, or more than {INDEX_LIMIT}")
    return [(role, index) for index in range(start, stop)]


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise LocalTypeError("an object was expected", hint=SHAPE)
    return cast("dict[str, object]", value)


class _Builder:
    def __init__(self, table: dict[str, object], whose: Whose) -> None:
        self._table = table
        self._whose = whose
        self._automaton = Automaton()
        self._numbers: dict[int, int] = {}
        self._written = 0

    def build(self) -> Automaton:
        initial = self._state(self._table.get("initial", 0), "initial")
        self._numbers[initial] = 0
        for transition in self._list("transitions"):
            self._transition(transition)
        for final in self._list("final"):
            self._automaton.finals.add(self._number(self._state(final, "final")))
        return self._automaton

    def rebuilt(self, automaton: Automaton) -> Automaton:
        self._numbers[0] = 0
        for state, edges in enumerate(automaton.edges):
            for step, target in edges.items():
                steps = [step] if INSTANCE.fullmatch(step.peer) else self._steps(str(step))
                self._between(self._number(state), steps, self._number(target))
        self._automaton.finals |= {self._number(state) for state in automaton.finals}
        return self._automaton

    def _list(self, key: str) -> list[object]:
        value = self._table.get(key)
        if not isinstance(value, list):
            raise LocalTypeError(f"`{key}` is not a list", hint=SHAPE)
        return cast("list[object]", value)

    def _state(self, value: object, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise LocalTypeError(f"a state in `{where}` is not a whole number", hint=SHAPE)
        return value

    def _number(self, state: int) -> int:
        if state not in self._numbers:
            self._numbers[state] = self._automaton.add_state()
        return self._numbers[state]

    def _transition(self, value: object) -> None:
        parts = cast("list[object]", value) if isinstance(value, list) else []
        if len(parts) != 3 or not isinstance(parts[1], str):
            raise LocalTypeError("a transition is not [state, step, state]", hint=SHAPE)
        source = self._number(self._state(parts[0], "transitions"))
        target = self._number(self._state(parts[2], "transitions"))
        self._between(source, self._steps(parts[1]), target)

    def _between(self, source: int, steps: list[Step], target: int) -> None:
        """One after the other."""
        self._written += len(steps)
        if self._written > STEP_LIMIT:
            raise LocalTypeError(f"the machine has more than {STEP_LIMIT} steps")
        for step in steps[:-1]:
            there = self._automaton.add_state()
            self._edge(source, step, there)
            source = there
        self._edge(source, steps[-1], target)

    def _edge(self, source: int, step: Step, target: int) -> None:
        if self._automaton.edges[source].setdefault(step, target) != target:
            raise LocalTypeError(f"{step} leads to two states from one and the same state")

    def _steps(self, text: str) -> list[Step]:
        match = STEP.fullmatch(text)
        if match is None:
            raise LocalTypeError(f"{text!r} is not a step", hint="write it like B!Ask or W[*]?Vote")
        role, sends = match["peer"], match["sign"] == "!"
        index = match["index"]
        if index is None:
            return [Step(sends, role, match["label"])]
        names = [f"{role}[{i}]" for i in self._indices(role, index, text)]
        steps = [Step(sends, n, match["label"]) for n in names if n != self._whose.name]
        if not steps:
            raise LocalTypeError(f"{text}: nobody is meant")
        return steps

    def _indices(self, role: str, index: str, text: str) -> range:
        if index == "*":
            if role not in self._whose.sizes:
                raise LocalTypeError(f"{text}: the size of {role} is not known")
            return range(self._whose.sizes[role])
        if match := re.fullmatch(r"(\d{1,5})\.\.(\d{1,5})", index):
            return range(int(match[1]), int(match[2]))
        if match := re.fullmatch(r"\d{1,5}", index):
            return range(int(index), int(index) + 1)
        match = re.fullmatch(r"[A-Za-z_]\w*([+-]\d{1,5})?", index)
        if match and self._whose.index is not None:
            own = self._whose.index + int(match[1] or 0)
            return range(own, own + 1)
        raise LocalTypeError(f"{text}: {index} has no value here")
