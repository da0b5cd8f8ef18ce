"""Exploring composed automata with bounded first-in-first-out channels.

Breadth first, so that what is found comes with a shortest trace. Reduced by persistent sets
(Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, LNCS 1032, 1996,
chapter 4): a receive commutes with everything others do, and nobody can disable another's send,
so one instance's steps are explored at a time; where that would close a cycle, all are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from .system import Automaton, Step, System

Problem = Literal["deadlock", "orphan message", "unspecified reception"]
Channel = tuple[str, str]
CONFIGURATION_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where every instance stands and what is under way, channels without messages left out."""

    states: tuple[int, ...]
    channels: tuple[tuple[Channel, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at `instance`, and the steps `(who, what)` that lead to it."""

    problem: Problem
    instance: str
    trace: tuple[tuple[str, Step], ...]


@dataclass(slots=True)
class Exploration:
    """What was found. `complete` is False when the limit of configurations was reached."""

    findings: list[Finding] = field(default_factory=list[Finding])
    configurations: int = 0
    complete: bool = True


def explore(composed: System, *, buffer: int = 2, limit: int = CONFIGURATION_LIMIT) -> Exploration:
    """Explore the system with at most `buffer` messages in each channel; stops at a finding."""
    return _Search(composed, buffer, limit).run()


class _Search:
    def __init__(self, composed: System, buffer: int, limit: int) -> None:
        self._names = tuple(composed)
        self._automata: tuple[Automaton, ...] = tuple(composed.values())
        self._buffer = buffer
        self._limit = limit
        start = Configuration((0,) * len(self._names), ())
        self._came: dict[Configuration, tuple[Configuration, str, Step] | None] = {start: None}
        self._waiting = deque([start])

    def run(self) -> Exploration:
        result = Exploration()
        while self._waiting:
            here = self._waiting.popleft()
            finding = self._visit(here)
            if finding is not None:
                result.findings.append(finding)
                break
            if len(self._came) > self._limit:
                result.complete = False
                break
        result.configurations = len(self._came)
        return result

    def _visit(self, here: Configuration) -> Finding | None:
        channels = dict(here.channels)
        stuck = self._unspecified(here, channels)
        if stuck is not None:
            return Finding("unspecified reception", stuck, self._trace(here))
        groups = [group for group in self._groups(here, channels) if group]
        if not groups:
            return self._ended(here, channels)
        groups.sort(key=lambda group: group[0][1].sends)
        fresh = False
        for who, step, there in groups[0]:
            fresh |= self._reach(here, who, step, there)
        if not fresh:
            for group in groups[1:]:
                for who, step, there in group:
                    self._reach(here, who, step, there)
        return None

    def _reach(self, here: Configuration, who: str, step: Step, there: Configuration) -> bool:
        if there in self._came:
            return False
        self._came[there] = (here, who, step)
        self._waiting.append(there)
        return True

    def _groups(
        self, here: Configuration, channels: dict[Channel, tuple[str, ...]]
    ) -> Iterator[list[tuple[str, Step, Configuration]]]:
        """For each instance its enabled steps and where they lead."""
        for place, name in enumerate(self._names):
            edges = self._automata[place].edges[here.states[place]]
            yield [
                (name, step, self._after(here, channels, place, step, target))
                for step, target in edges.items()
                if self._enabled(channels, name, step)
            ]

    def _enabled(self, channels: dict[Channel, tuple[str, ...]], name: str, step: Step) -> bool:
        if step.sends:
            return len(channels.get((name, step.peer), ())) < self._buffer
        return channels.get((step.peer, name), ("",))[0] == step.label

    def _after(
        self,
        here: Configuration,
        channels: dict[Channel, tuple[str, ...]],
        place: int,
        step: Step,
        target: int,
    ) -> Configuration:
        changed = dict(channels)
        name = self._names[place]
        if step.sends:
            channel = (name, step.peer)
            changed[channel] = (*changed.get(channel, ()), step.label)
        else:
            channel = (step.peer, name)
            changed[channel] = changed[channel][1:]
            if not changed[channel]:
                del changed[channel]
        states = (*here.states[:place], target, *here.states[place + 1 :])
        return Configuration(states, tuple(sorted(changed.items())))

    def _unspecified(
        self, here: Configuration, channels: dict[Channel, tuple[str, ...]]
    ) -> str | None:
        """An instance that waits for a sender whose next message it cannot take."""
        for place, name in enumerate(self._names):
            edges = self._automata[place].edges[here.states[place]]
            for sender in {step.peer for step in edges if not step.sends}:
                queue = channels.get((sender, name))
                if queue and Step(False, sender, queue[0]) not in edges:
                    return name
        return None

    def _ended(
        self, here: Configuration, channels: dict[Channel, tuple[str, ...]]
    ) -> Finding | None:
        for place, name in enumerate(self._names):
            if here.states[place] not in self._automata[place].finals:
                return Finding("deadlock", name, self._trace(here))
        if channels:
            (_, receiver), *_ = channels
            return Finding("orphan message", receiver, self._trace(here))
        return None

    def _trace(self, here: Configuration) -> tuple[tuple[str, Step], ...]:
        steps = list[tuple[str, Step]]()
        came = self._came[here]
        while came is not None:
            before, who, step = came
            steps.append((who, step))
            came = self._came[before]
        return tuple(reversed(steps))
