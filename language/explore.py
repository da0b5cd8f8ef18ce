"""Exploring composed automata with bounded first-in-first-out channels.

Breadth first, so that what is found comes with a short trace. Reduced by persistent sets
(Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, LNCS 1032, 1996,
chapter 4): a receive commutes with everything others do, and nobody can disable another's send,
so where possible one instance's steps are explored at a time (see `independence`). What that would
put off for ever is caught up with afterwards: where nothing leads out of a strongly connected
component in which a step is possible that is never done, one of its configurations is explored in full
(Valmari, The State Explosion Problem, LNCS 1491, 1998, section 7).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from .components import components
from .independence import Independence
from .system import Automaton, Step, System

Problem = Literal["deadlock", "orphan message", "unspecified reception", "starvation"]
Queues = tuple[tuple[str, ...], ...]
Configuration = tuple[tuple[int, ...], Queues]
"""Where every instance stands, and what is under way in every channel."""
CONFIGURATION_LIMIT = 200_000
CELL_LIMIT = 50_000_000
"""The most that is stored: a configuration has a cell for each instance and each channel."""
ROUNDS = 50
"""After so many rounds of catching up, components are explored in full at once."""

Move = tuple[int, Step, Configuration]
"""Whose step it is, the step, and what it leads to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at `instance`, and the steps `(who, what)` that lead to it.

    After the trace, a starved instance waits for ever whatever the others do, and an orphan
    message is never received.
    """

    problem: Problem
    instance: str
    trace: tuple[tuple[str, Step], ...]


@dataclass(slots=True)
class Exploration:
    """What was found. `complete` is False when the limit of configurations was reached, or the most
    that is stored (`needs_memory`), or when all waited for room in a channel (`needs_room`), so that
    larger buffers would show more."""

    findings: list[Finding] = field(default_factory=list[Finding])
    configurations: int = 0
    complete: bool = True
    needs_room: bool = False
    needs_memory: bool = False


def explore(composed: System, *, buffer: int = 2, limit: int = CONFIGURATION_LIMIT) -> Exploration:
    """Explore the system with at most `buffer` messages in each channel; stops at a finding.

    Starvation, and orphans that others' endless steps hide, are looked for when everything
    has been visited. Time and memory are bounded by `limit` times the size of a configuration, and
    memory by `CELL_LIMIT` as well.
    """
    return _Search(composed, buffer, limit).run()


class _Search:
    def __init__(self, composed: System, buffer: int, limit: int) -> None:
        self._names = tuple(composed)
        self._places = {name: place for place, name in enumerate(composed)}
        self._automata: tuple[Automaton, ...] = tuple(composed.values())
        self._independence = [Independence(automaton) for automaton in self._automata]
        self._buffer = buffer
        self._channels = _channels(composed)
        most = CELL_LIMIT // max(1, len(self._names) + len(self._channels))
        self._limit = min(limit, most)
        self._crowded = most < limit
        start: Configuration = ((0,) * len(self._names), ((),) * len(self._channels))
        self._numbers: dict[Configuration, int] = {start: 0}
        self._nodes: list[Configuration] = [start]
        self._came: list[tuple[int, int, Step] | None] = [None]
        self._moves: list[list[tuple[int, Step, int]] | None] = [None]
        self._whole = set[int]()
        self._waiting = deque([0])
        self._result = Exploration()

    def run(self) -> Exploration:
        result = self._result
        finding = self._visit_all()
        rounds = 0
        while finding is None and len(self._nodes) <= self._limit:
            ends = list(self._ends())
            rounds += 1
            if not self._catch_up(ends, rounds > ROUNDS):
                finding = self._endless(ends)
                break
            finding = self._visit_all()
        if finding is not None:
            result.findings.append(finding)
        result.configurations = len(self._nodes)
        result.complete = not self._waiting and not result.needs_room
        result.needs_memory = self._crowded and bool(self._waiting) and finding is None
        return result

    def _visit_all(self) -> Finding | None:
        while self._waiting and len(self._nodes) <= self._limit:
            finding = self._visit(self._waiting.popleft())
            if finding is not None:
                return finding
        return None

    def _visit(self, node: int) -> Finding | None:
        here = self._nodes[node]
        stuck = self._unspecified(here)
        if stuck is not None:
            return Finding("unspecified reception", stuck, self._trace(node))
        alone = self._alone(here)
        if alone:
            self._take(node, alone)
            return None
        self._whole.add(node)
        self._take(node, self._all(here))
        return None if self._moves[node] else self._ended(node)

    def _take(self, node: int, moves: Iterable[Move]) -> None:
        """Note where the moves lead, as far as the limit lets them."""
        taken = self._moves[node]
        if taken is None:
            taken = self._moves[node] = []
        for place, step, there in moves:
            number = self._numbers.setdefault(there, len(self._nodes))
            if number == len(self._nodes):
                if number > self._limit:
                    break
                self._nodes.append(there)
                self._came.append((node, place, step))
                self._moves.append(None)
                self._waiting.append(number)
            taken.append((place, step, number))

    # --- steps --------------------------------------------------------------------------

    def _alone(self, here: Configuration) -> list[Move]:
        """Steps of one instance that may be explored without the others', receives before sends;
        empty if there are none."""
        fallback = list[Move]()
        for place, name in enumerate(self._names):
            state = here[0][place]
            edges = self._automata[place].edges[state]
            if not edges:
                continue
            steps = self._persistent(here, place, state, name, edges)
            if steps and not steps[0].sends:
                return [self._move(here, place, step, edges[step]) for step in steps]
            if steps and not fallback:
                fallback = [self._move(here, place, step, edges[step]) for step in steps]
        return fallback

    def _persistent(
        self, here: Configuration, place: int, state: int, name: str, edges: dict[Step, int]
    ) -> list[Step]:
        enabled = [step for step in edges if self._enabled(here, name, step)]
        if not enabled:
            return []
        if len(edges) > 1:
            detached = self._independence[place].detached
            single = next((step for step in enabled if detached(state, step)), None)
            if single is not None:
                return [single]
            if any(self._may_come(here, name, step) for step in edges if step not in enabled):
                return []
        return enabled

    def _may_come(self, here: Configuration, name: str, step: Step) -> bool:
        """Whether others can enable a step that is not enabled: by making room, or by sending."""
        return step.sends or not here[1][self._channels[step.peer, name]]

    def _all(self, here: Configuration) -> Iterator[Move]:
        for place in range(len(self._names)):
            yield from self._of(here, place)

    def _of(self, here: Configuration, place: int) -> Iterator[Move]:
        name = self._names[place]
        for step, target in self._automata[place].edges[here[0][place]].items():
            if self._enabled(here, name, step):
                yield self._move(here, place, step, target)

    def _enabled(self, here: Configuration, name: str, step: Step) -> bool:
        if step.sends:
            return len(here[1][self._channels[name, step.peer]]) < self._buffer
        queue = here[1][self._channels[step.peer, name]]
        return bool(queue) and queue[0] == step.label

    def _move(self, here: Configuration, place: int, step: Step, target: int) -> Move:
        states, queues = here
        name = self._names[place]
        if step.sends:
            at = self._channels[name, step.peer]
            changed = (*queues[at], step.label)
        else:
            at = self._channels[step.peer, name]
            changed = queues[at][1:]
        there = (*states[:place], target, *states[place + 1 :])
        return place, step, (there, (*queues[:at], changed, *queues[at + 1 :]))

    # --- problems -----------------------------------------------------------------------

    def _unspecified(self, here: Configuration) -> str | None:
        """An instance that waits for a sender whose next message it cannot take."""
        for place, name in enumerate(self._names):
            edges = self._automata[place].edges[here[0][place]]
            for step in edges:
                if step.sends:
                    continue
                queue = here[1][self._channels[step.peer, name]]
                if (
                    queue
                    and queue[0] != step.label
                    and Step(False, step.peer, queue[0]) not in edges
                ):
                    return name
        return None

    def _ended(self, node: int) -> Finding | None:
        states, queues = self._nodes[node]
        stuck = [p for p, state in enumerate(states) if state not in self._automata[p].finals]
        if any(step.sends for p in stuck for step in self._automata[p].edges[states[p]]):
            return self._lacking_room(node)
        if stuck:
            return Finding("deadlock", self._names[stuck[0]], self._trace(node))
        for (_, receiver), queue in zip(self._channels, queues, strict=True):
            if queue:
                return Finding("orphan message", receiver, self._trace(node))
        return None

    def _lacking_room(self, node: int) -> Finding | None:
        """What is certain where more room would show more: a message that its receiver never takes,
        with the trace to where that is so first."""
        path = [node]
        while (came := self._came[path[-1]]) is not None:
            path.append(came[0])
        for passed in reversed(path):
            receiver = self._lost(passed)
            if receiver is not None:
                return Finding("orphan message", receiver, self._trace(passed))
        self._result.needs_room = True
        return None

    def _lost(self, node: int) -> str | None:
        """Who can never receive the next message in one of its channels."""
        states, queues = self._nodes[node]
        for (sender, receiver), queue in zip(self._channels, queues, strict=True):
            if queue and (sender, queue[0]) not in self._heard(receiver, states):
                return receiver
        return None

    def _heard(self, name: str, states: tuple[int, ...]) -> frozenset[tuple[str, str]]:
        """What an instance may still receive; nothing where there is none of that name."""
        place = self._places.get(name)
        return frozenset() if place is None else self._independence[place].hears(states[place])

    def _trace(self, node: int) -> tuple[tuple[str, Step], ...]:
        steps = list[tuple[str, Step]]()
        came = self._came[node]
        while came is not None:
            node, place, step = came
            steps.append((self._names[place], step))
            came = self._came[node]
        return tuple(reversed(steps))

    # --- endless runs -------------------------------------------------------------------

    def _ends(self) -> Iterator[set[int]]:
        """The strongly connected components that nothing leads out of, wholly visited."""
        left = set[int]()

        def following(node: int) -> list[int]:
            return [target for _, _, target in self._moves[node] or ()]

        for component in components([0], following):
            inside = set(component)
            targets = {target for node in component for target in following(node)}
            if any(self._moves[node] is None for node in component) or not targets:
                continue
            if targets <= inside:
                left |= inside
                yield inside

    def _catch_up(self, ends: list[set[int]], thoroughly: bool) -> bool:
        """Explore more where a step that is possible is never done; False if that is nowhere."""
        grown = False
        for inside in ends:
            done = {(place, step) for node in inside for place, step, _ in self._moves[node] or ()}
            behind = [n for n in sorted(inside) if self._ignored(n, done)]
            for node in behind if thoroughly else behind[:1]:
                here = self._nodes[node]
                self._take(node, self._all(here))
                self._whole.add(node)
                grown = True
        return grown

    def _ignored(self, node: int, done: set[tuple[int, Step]]) -> bool:
        """Whether a step is possible here that is none of those done."""
        if node in self._whole:
            return False
        here = self._nodes[node]
        return any(
            (place, step) not in done
            for place in range(len(self._names))
            for _, step, _ in self._of(here, place)
        )

    def _endless(self, ends: list[set[int]]) -> Finding | None:
        """Who never moves again, and what is never received, on fair runs that do not end."""
        for inside in sorted(ends, key=min):
            if self._lacks_room(inside):
                finding = self._lacking_room(min(inside))
                if finding is not None:
                    return finding
                continue
            movers = {place for node in inside for place, _, _ in self._moves[node] or ()}
            states, queues = self._nodes[min(inside)]
            for place, state in enumerate(states):
                if place not in movers and state not in self._automata[place].finals:
                    return Finding("starvation", self._names[place], self._first(inside, place))
            for at, channel in enumerate(self._channels):
                if queues[at] and self._is_left(inside, at):
                    return Finding("orphan message", channel[1], self._trace(min(inside)))
        return None

    def _lacks_room(self, inside: set[int]) -> bool:
        """Whether a channel is always full that somebody could send into."""
        return any(
            step.sends and self._is_full(inside, self._channels[self._names[place], step.peer])
            for place, automaton in enumerate(self._automata)
            for state in {self._nodes[node][0][place] for node in inside}
            for step in automaton.edges[state]
        )

    def _is_full(self, inside: set[int], at: int) -> bool:
        return all(len(self._nodes[node][1][at]) == self._buffer for node in inside)

    def _is_left(self, inside: set[int], at: int) -> bool:
        """Whether nothing is ever taken from the channel."""
        return len({self._nodes[node][1][at] for node in inside}) == 1

    def _first(self, inside: set[int], place: int) -> tuple[tuple[str, Step], ...]:
        """The trace to the first configuration after which the instance never moves."""
        before: list[list[int]] = [[] for _ in self._nodes]
        alive = set[int]()
        for node, moves in enumerate(self._moves):
            for who, _, target in moves or ():
                before[target].append(node)
                if who == place:
                    alive.add(node)
            if moves is None:
                alive.add(node)
        waiting = list(alive)
        while waiting:
            fresh = [node for node in before[waiting.pop()] if node not in alive]
            alive.update(fresh)
            waiting += fresh
        finals = self._automata[place].finals
        dead = (n for n in range(len(self._nodes)) if n not in alive)
        starved = (n for n in dead if self._nodes[n][0][place] not in finals)
        return self._trace(next(starved, min(inside)))


def _channels(composed: System) -> dict[tuple[str, str], int]:
    """Every channel that a step mentions, numbered in the order of the names."""
    found = {
        (name, step.peer) if step.sends else (step.peer, name)
        for name, automaton in composed.items()
        for edges in automaton.edges
        for step in edges
    }
    return {channel: number for number, channel in enumerate(sorted(found))}
