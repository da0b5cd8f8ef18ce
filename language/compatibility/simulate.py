"""Whether one local machine can stand in for another: it sends no more and hears no less.

Synchronous subtyping of session types (Gay and Hole, Acta Informatica 42, 2005), for several
peers and on transition tables: a simulation, found by walking through both machines together,
breadth first, so that what is wrong comes with a shortest trace. Beyond that theory a machine that
leaves out some of its own choices must keep a way out of every cycle it can stay in, so that
nobody is left waiting for ever. Time and memory are bounded by the product of the machines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..components import components
from ..machine import Action, Counter, Machine
from ..unroll import unrolled
from .difference import Difference, Kind
from .payloads import fits

PAIR_LIMIT = 200_000

Party = tuple[str, int | str, int | str, bool, int]
Key = tuple[Party, str]
Steps = dict[Key, tuple[Action, int]]
Pair = tuple[int, int]


@dataclass(slots=True)
class State:
    sends: Steps = field(default_factory=dict[Key, tuple[Action, int]])
    receives: Steps = field(default_factory=dict[Key, tuple[Action, int]])
    final: bool = False
    counter: Counter | None = None

    def first(self) -> Action | None:
        """Any step of the state."""
        steps = [*self.sends.values(), *self.receives.values()]
        return steps[0][0] if steps else None


def _party(action: Action) -> Party:
    """Whom a step is with. `W[2]` and `W[2..3]` are the same."""
    peer = action.peer
    start = -1 if peer.start is None else peer.start
    stop: int | str = start if peer.stop is None else peer.stop
    if peer.stop is None and isinstance(start, int) and start >= 0:
        stop = start + 1
    return peer.role, start, stop, peer.relative, peer.register


def _states(machine: Machine) -> list[State]:
    found = [State(final=n in machine.finals) for n in machine.states]
    for number, counter in machine.counters.items():
        found[number].counter = counter
    for step in machine.transitions:
        source, action = found[step.source], step.action
        side = source.sends if action.sends else source.receives
        side[_party(action), action.label] = (action, step.target)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """`difference` is None if the candidate can stand in. `common` are the steps that both have, the
    candidate's first, as far as was looked."""

    difference: Difference | None
    common: tuple[tuple[Action, Action], ...]


def stand_in(candidate: Machine, original: Machine, names: tuple[str, str]) -> Outcome:
    """Whether `candidate` can take part in the sessions that `original` is made for.

    `names` are what the two are called in a difference.
    """
    one, other = unrolled(candidate), unrolled(original)
    if one is None or other is None:
        one, other = candidate, original
    return _Walk(one, other, names).run()


class _Walk:
    def __init__(self, candidate: Machine, original: Machine, names: tuple[str, str]) -> None:
        self._ours, self._theirs = _states(candidate), _states(original)
        self._names = names
        start = (candidate.initial, original.initial)
        self._came: dict[Pair, tuple[Pair, Action | None] | None] = {start: None}
        self._waiting = deque([start])
        self._next: dict[Pair, list[tuple[Pair, bool]]] = {}
        self._dropped: dict[Pair, Action | None] = {}
        self._common: dict[tuple[int, int], tuple[Action, Action]] = {}
        self._loops: dict[int, int] = {}

    def run(self) -> Outcome:
        difference = self._all() or self._endless()
        return Outcome(difference, tuple(self._common.values()))

    def _all(self) -> Difference | None:
        while self._waiting:
            pair = self._waiting.popleft()
            if len(self._came) > PAIR_LIMIT:
                return self._say("too large", pair, detail="the machines are too large to compare")
            difference = self._visit(pair)
            if difference is not None:
                return difference
        return None

    def _visit(self, pair: Pair) -> Difference | None:
        ours, theirs = self._ours[pair[0]], self._theirs[pair[1]]
        if ours.counter or theirs.counter:
            return self._count(pair, ours.counter, theirs.counter)
        difference = (
            self._sending(pair, ours, theirs)
            or self._hearing(pair, ours, theirs)
            or self._ending(pair, ours, theirs)
            or self._payloads(pair, ours, theirs)
        )
        if difference is None:
            self._onwards(pair, ours, theirs)
        return difference

    # --- what may differ at one pair of states ---

    def _sending(self, pair: Pair, ours: State, theirs: State) -> Difference | None:
        more = [key for key in ours.sends if key not in theirs.sends]
        if more:
            return self._say("unexpected send", pair, ours.sends[more[0]][0])
        fewer = [key for key in theirs.sends if key not in ours.sends]
        if not fewer:
            return None
        stops = ours.final and theirs.final
        if theirs.receives or not (ours.sends or stops):
            return self._say("missing send", pair, theirs.sends[fewer[0]][0])
        self._dropped[pair] = theirs.sends[fewer[0]][0]
        return None

    def _ending(self, pair: Pair, ours: State, theirs: State) -> Difference | None:
        """To end is a choice of one's own where one sends, and a choice of others elsewhere."""
        if ours.final and not theirs.final and (ours.sends or not ours.receives):
            return self._say("early end", pair, theirs.first())
        if theirs.final and not ours.final:
            if not ours.sends:
                return self._say("late end", pair, ours.first())
            self._dropped.setdefault(pair, None)
        return None

    def _hearing(self, pair: Pair, ours: State, theirs: State) -> Difference | None:
        for key, (action, _) in theirs.receives.items():
            if key not in ours.receives:
                return self._say("missing receive", pair, action)
        over = theirs.final and not theirs.sends and not theirs.receives
        heard = {party for party, _ in theirs.receives}
        for (party, _), (action, _) in ours.receives.items():
            if party not in heard and not over:
                return self._say("unexpected receive", pair, action)
        return None

    def _payloads(self, pair: Pair, ours: State, theirs: State) -> Difference | None:
        for action, other in self._shared(ours, theirs):
            one, two = (action, other) if action.sends else (other, action)
            if not fits(one.message, two.message):
                return self._say("payload", pair, action, other)
            self._common[id(action), id(other)] = (action, other)
        return None

    def _shared(self, ours: State, theirs: State) -> Iterator[tuple[Action, Action]]:
        yield from ((step, theirs.sends[key][0]) for key, (step, _) in ours.sends.items())
        yield from ((ours.receives[key][0], step) for key, (step, _) in theirs.receives.items())

    def _count(self, pair: Pair, ours: Counter | None, theirs: Counter | None) -> Difference | None:
        """Loops too long to be written out have to be the same in both."""
        if ours is None or theirs is None or not self._same(ours, theirs):
            counts = [f"{c.count} rounds" if c else "no counted loop" for c in (ours, theirs)]
            detail = f"{self._names[0]} has {counts[0]}, {self._names[1]} {counts[1]}"
            return self._say("rounds", pair, detail=detail)
        self._next[pair] = []
        self._reach(pair, None, (ours.body, theirs.body))
        self._reach(pair, None, (ours.exit, theirs.exit))
        return None

    def _same(self, ours: Counter, theirs: Counter) -> bool:
        shape = (ours.enters, ours.count, ours.first) == (
            theirs.enters,
            theirs.count,
            theirs.first,
        )
        return shape and self._loops.setdefault(ours.loop, theirs.loop) == theirs.loop

    # --- walking ---

    def _onwards(self, pair: Pair, ours: State, theirs: State) -> None:
        self._next[pair] = []
        self._follow(pair, ours.sends, theirs.sends)
        self._follow(pair, theirs.receives, ours.receives, swapped=True)

    def _follow(self, pair: Pair, some: Steps, all_: Steps, *, swapped: bool = False) -> None:
        """Both machines take each of `some` steps."""
        for key, (action, target) in some.items():
            other = all_[key][1]
            self._reach(pair, action, (other, target) if swapped else (target, other))

    def _reach(self, pair: Pair, action: Action | None, there: Pair) -> None:
        self._next[pair].append((there, action is not None and action.sends))
        if there not in self._came:
            self._came[there] = (pair, action)
            self._waiting.append(there)

    def _endless(self) -> Difference | None:
        """Where choices were left out, an own send must lead out of the cycle that they stand in."""
        if not self._dropped:
            return None
        pairs = list(self._next)
        numbers = {pair: number for number, pair in enumerate(pairs)}

        def following(number: int) -> list[int]:
            return [numbers[there] for there, _ in self._next[pairs[number]]]

        for component in components([0], following):
            inside = {pairs[number] for number in component}
            left = [pair for pair in self._dropped if pair in inside]
            if left and self._cycles(inside) and not self._leaves(inside):
                return self._say("endless", left[0], self._dropped[left[0]])
        return None

    def _cycles(self, inside: set[Pair]) -> bool:
        return len(inside) > 1 or any(
            there in inside for pair in inside for there, _ in self._next[pair]
        )

    def _leaves(self, inside: set[Pair]) -> bool:
        """By an own send, or by ending where it is the machine's own choice."""
        return any(
            (self._ours[pair[0]].final and bool(self._ours[pair[0]].sends))
            or any(sends and there not in inside for there, sends in self._next[pair])
            for pair in inside
        )

    def _say(
        self,
        kind: Kind,
        pair: Pair,
        action: Action | None = None,
        other: Action | None = None,
        detail: str = "",
    ) -> Difference:
        return Difference(kind, *self._names, self._trace(pair), action, other, detail)

    def _trace(self, pair: Pair) -> tuple[Action, ...]:
        steps: list[Action] = []
        came = self._came[pair]
        while came is not None:
            pair, action = came
            if action is not None:
                steps.append(action)
            came = self._came[pair]
        return tuple(reversed(steps))
