"""The guide's sixteen protocols project to what `projections.tsv` says of every instance."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pavane.language.compiler import Compiled, compile_text
from pavane.language.machine import Action, Machine, Peer
from pavane.language.payload import Shape
from pavane.language.projection import Projection
from pavane.language.unroll import unrolled

GUIDE = Path(__file__).parents[1] / "data" / "guide"
BINDINGS = {"005.choreo": {"Signers": 3, "threshold": 2}, "006.choreo": {"Followers": 3}}
ROUNDS = 3

Trace = tuple[str, ...]


def rows() -> list[tuple[str, str, str]]:
    with (GUIDE / "projections.tsv").open() as file:
        table = csv.DictReader(file, delimiter="\t")
        return [(row["file"], row["role_instance"], row["local"]) for row in table]


def compiled(file: str) -> Compiled:
    (only,) = compile_text((GUIDE / file).read_text(), file)
    return only


# --- what the table says ---------------------------------------------------------------


def said(local: str) -> set[Trace]:
    """All complete traces of a local type of the table, loops that a role decides cut off."""
    if local == "end":
        return {()}
    traces, rest = _sequence(local.strip())
    assert not rest, rest
    return traces


def _sequence(text: str) -> tuple[set[Trace], str]:
    traces: set[Trace] = {()}
    while text and text[0] not in "|}]":
        step, text = _step(text)
        traces = {one + other for one in traces for other in step}
        text = text.lstrip()
    return traces, text


def _step(text: str) -> tuple[set[Trace], str]:
    if loop := re.match(r"loop\((count|decides):(\w+)\)\[", text):
        body, rest = _sequence(text[loop.end() :])
        counts = [int(loop[2])] if loop[1] == "count" else range(ROUNDS)
        return {t for n in counts for t in _power(body, n)}, rest[1:]
    if choice := re.match(r"(&\w+|\+)\{", text):
        result = set[Trace]()
        rest = "|" + text[choice.end() :]
        while rest[0] == "|":
            branch, rest = _sequence(rest[1:].split(":", 1)[1].lstrip())
            result |= branch
        return result, rest[1:]
    action = re.match(r"[!?][^\s|}\]]+", text)
    assert action, text
    return {(action[0],)}, text[action.end() :]


def _power(traces: set[Trace], times: int) -> set[Trace]:
    result: set[Trace] = {()}
    for _ in range(times):
        result = {one + other for one in result for other in traces}
    return result


# --- what the machine does -------------------------------------------------------------


def done(machine: Machine, projection: Projection) -> set[Trace]:
    """All complete traces of the machine, without the selections, each visit of a state at most
    `ROUNDS` times."""
    plain = unrolled(machine)
    assert plain is not None
    found = set[Trace]()
    waiting: list[tuple[int, Trace, tuple[int, ...]]] = [(plain.initial, (), (plain.initial,))]
    while waiting:
        state, trace, seen = waiting.pop()
        if state in plain.finals:
            found.add(trace)
        for step in plain.leaving(state):
            if seen.count(step.target) < ROUNDS:
                longer = trace + tuple(texts(step.action, projection))
                waiting.append((step.target, longer, (*seen, step.target)))
    return found


def texts(action: Action, projection: Projection) -> Iterator[str]:
    if action.selection:
        return
    mark = "!" if action.sends else "?"
    for name in instances(action.peer):
        yield f"{mark}{name}:{Shape.of(action.message).signature}"


def instances(peer: Peer) -> list[str]:
    if peer.start is None:
        return [peer.role]
    assert isinstance(peer.start, int)
    stop = peer.start + 1 if peer.stop is None else peer.stop
    assert isinstance(stop, int)
    return [f"{peer.role}#{index}" for index in range(peer.start, stop)]


@pytest.mark.parametrize(("file", "instance", "local"), rows(), ids=lambda value: value[:24])
def test_a1_the_guide_projects_to_its_table(file: str, instance: str, local: str) -> None:
    projection = compiled(file).project(BINDINGS.get(file, {}))
    role, _, index = instance.partition("#")
    machine = projection.machine(role, int(index) if index else None)
    assert done(machine, projection) == said(local)


def test_a1_every_protocol_of_the_guide_is_accepted_as_written() -> None:
    files = sorted(GUIDE.glob("*.choreo"))
    assert len(files) == 16
    for file in files:
        assert compile_text(file.read_text(), file.name, strict=True)
