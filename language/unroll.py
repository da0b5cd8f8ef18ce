"""A machine without counters: every round of its counted loops written out."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from msgspec import structs

from .machine import Action, Machine, Peer, Transition

UNROLL_LIMIT = 4096

Registers = tuple[tuple[int, int], ...]


def unrolled(machine: Machine, limit: int = UNROLL_LIMIT) -> Machine | None:
    """The same traces without `counters`; None if a count is open or more than `limit` states
    would be needed."""
    if not machine.counters:
        return machine
    start = _settle(machine, machine.initial, ())
    if start is None:
        return None
    numbers = {start: 0}
    waiting = deque([start])
    transitions = list[Transition]()
    while waiting:
        here = waiting.popleft()
        for leaving in machine.leaving(here[0]):
            there = _settle(machine, leaving.target, here[1])
            if there is None or len(numbers) > limit:
                return None
            if there not in numbers:
                numbers[there] = len(numbers)
                waiting.append(there)
            action = _placed(machine, leaving.action, dict(here[1]))
            transitions.append(Transition(numbers[here], action, numbers[there]))
    finals = frozenset(number for (state, _), number in numbers.items() if state in machine.finals)
    return replace(machine, initial=0, finals=finals, transitions=tuple(transitions), counters={})


def _placed(machine: Machine, action: Action, registers: dict[int, int]) -> Action:
    """The action with the index that its loop has reached in place of the register."""
    loop = action.peer.register
    if not loop:
        return action
    counter = next(c for c in machine.counters.values() if c.loop == loop)
    assert isinstance(counter.count, int) and isinstance(counter.first, int)
    assert isinstance(action.peer.start, int)
    reached = counter.first + counter.count - registers[loop] - 1
    return structs.replace(action, peer=Peer(action.peer.role, reached + action.peer.start))


def _settle(machine: Machine, state: int, registers: Registers) -> tuple[int, Registers] | None:
    """Pass the counter states; a register at 0 is dropped when its loop is left."""
    values = dict(registers)
    while (counter := machine.counters.get(state)) is not None:
        if isinstance(counter.count, str):
            return None
        if counter.enters:
            values[counter.loop] = counter.count
        if values[counter.loop] > 0:
            values[counter.loop] -= 1
            state = counter.body
        else:
            del values[counter.loop]
            state = counter.exit
    return state, tuple(sorted(values.items()))
