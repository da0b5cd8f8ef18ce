"""Machines of single instances: what a projection becomes when every count is known.

A collective step is written out as one step per instance, so that a system is a set of plain
communicating automata; also systems that did not come from a projection have this form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .components import components
from .machine import Machine, Peer
from .projection import Projection
from .unroll import unrolled


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """`peer!label` or `peer?label`, the peer a single instance like `B` or `W[2]`."""

    sends: bool
    peer: str
    label: str

    def __str__(self) -> str:
        return f"{self.peer}{'!' if self.sends else '?'}{self.label}"


@dataclass(slots=True)
class Automaton:
    """The initial state is 0; `edges[state]` are the steps possible there."""

    edges: list[dict[Step, int]] = field(default_factory=lambda: [{}])
    finals: set[int] = field(default_factory=set[int])

    def add_state(self) -> int:
        """A new state without edges."""
        self.edges.append({})
        return len(self.edges) - 1


System = Mapping[str, Automaton]


class TooManyRounds(Exception):
    """A counted loop is too long to be written out."""


def system(projection: Projection) -> dict[str, Automaton]:
    """The automaton of every instance, by the instance's name. All counts must be bound."""
    result: dict[str, Automaton] = {}
    for role, machines in projection.machines.items():
        for machine in machines:
            if machine.start is None:
                result[role] = _automaton(machine, role, 0, projection)
                continue
            assert isinstance(machine.start, int) and isinstance(machine.stop, int)
            for index in range(machine.start, machine.stop):
                result[f"{role}[{index}]"] = _automaton(machine, role, index, projection)
    return result


def _automaton(machine: Machine, role: str, index: int, projection: Projection) -> Automaton:
    plain = unrolled(machine)
    if plain is None:
        raise TooManyRounds(machine.name)
    result = Automaton([{} for _ in plain.states], set(plain.finals))
    silent = list[tuple[int, int]]()
    for transition in plain.transitions:
        action = transition.action
        steps = [
            Step(action.sends, name, action.label)
            for name in peers(action.peer, index)
            if name != f"{role}[{index}]"
        ]
        if steps:
            _chain(result, transition.source, steps, transition.target)
        else:
            silent.append((transition.source, transition.target))
    _pass(result, silent)
    return result


def peers(peer: Peer, own: int) -> list[str]:
    """The instances that `peer` means to the instance `own`."""
    if peer.start is None:
        return [peer.role]
    assert isinstance(peer.start, int), "bound before it is written out"
    if peer.relative:
        return [f"{peer.role}[{own + peer.start}]"]
    stop = peer.start + 1 if peer.stop is None else peer.stop
    assert isinstance(stop, int), "bound before it is written out"
    return [f"{peer.role}[{index}]" for index in range(peer.start, stop)]


def _chain(automaton: Automaton, source: int, steps: list[Step], target: int) -> None:
    """One edge after the other."""
    for step in steps[:-1]:
        there = automaton.add_state()
        automaton.edges[source][step] = there
        source = there
    automaton.edges[source][steps[-1]] = target


def _pass(automaton: Automaton, silent: list[tuple[int, int]]) -> None:
    """A family of one that sends to all of itself sends to nobody: what follows is taken over. Where
    it can do so for ever it waits for nobody, as at an end."""
    following = dict[int, list[int]]()
    for source, target in silent:
        following.setdefault(source, []).append(target)
    for component in components(following, lambda state: following.get(state, [])):
        if len(component) > 1 or component[0] in following.get(component[0], []):
            automaton.finals |= set(component)
    changed = bool(silent)
    while changed:
        changed = False
        for source, target in reversed(silent):
            own, after = automaton.edges[source], automaton.edges[target]
            ends = target in automaton.finals and source not in automaton.finals
            if ends or after.keys() - own.keys():
                automaton.edges[source] = {**after, **own}
                automaton.finals |= {source} if ends else set()
                changed = True
