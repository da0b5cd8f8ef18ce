"""A program laid out: one list of stages with jumps, which is played and checked alike.

Positions are indices into the list. Every arm ends with `Halt`, or with a `Jump` to what follows.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from .operations import (
    Branch,
    Call,
    Choose,
    Extend,
    Loop,
    Offer,
    Operation,
    Parallel,
    Receive,
    Send,
    Set,
    Timeout,
)
from .program import Program


@dataclass(frozen=True, slots=True)
class Do:
    """One operation; then the next stage."""

    operation: Send | Receive | Choose | Extend | Call | Set


@dataclass(frozen=True, slots=True)
class Pick:
    """`Choose` with arms, `Offer` or `Branch`: where each arm begins. `otherwise` is -1 if none."""

    operation: Choose | Offer | Branch
    arms: Mapping[Hashable, int]
    otherwise: int = -1


@dataclass(frozen=True, slots=True)
class Enter:
    """Begin the loop `slot`."""

    operation: Loop
    slot: int


@dataclass(frozen=True, slots=True)
class Round:
    """One more round of the loop `slot`, or on to `exit`."""

    operation: Loop
    slot: int
    exit: int


@dataclass(frozen=True, slots=True)
class Split:
    """Play the arms at once, and go on at `join` when all have halted."""

    operation: Parallel
    arms: tuple[int, ...]
    join: int


@dataclass(frozen=True, slots=True)
class Begin:
    """From here to its `Finish` the time runs."""

    operation: Timeout


@dataclass(frozen=True, slots=True)
class Finish:
    pass


@dataclass(frozen=True, slots=True)
class Jump:
    target: int


@dataclass(frozen=True, slots=True)
class Halt:
    pass


Stage = Do | Pick | Enter | Round | Split | Begin | Finish | Jump | Halt


class Layout:
    """The stages of one program. `places` says for each where its operation stands (`2.accept.1`);
    `ends` which loops end with a branch or message of that name."""

    def __init__(self, program: Program) -> None:
        self.stages: list[Stage] = []
        self.places: list[str] = []
        self.ends: dict[str, tuple[int, ...]] = {}
        self._slots = 0
        self._lay(program, "")
        self._put(Halt(), "")

    def heeded(self, label: str) -> tuple[int, ...]:
        """The loops that end with `label`."""
        return self.ends.get(label, ())

    def extensions(self) -> set[type]:
        """The types of effects that it may perform."""
        found = (stage.operation for stage in self.stages if isinstance(stage, Do))
        return {operation.kind for operation in found if isinstance(operation, Extend)}

    def _put(self, stage: Stage, place: str) -> int:
        self.stages.append(stage)
        self.places.append(place)
        return len(self.stages) - 1

    def _lay(self, program: Program, place: str) -> None:
        for number, operation in enumerate(program.operations, start=1):
            self._lay_one(operation, f"{place}{number}")

    def _lay_one(self, operation: Operation, place: str) -> None:
        match operation:
            case Loop():
                self._lay_loop(operation, place)
            case Parallel():
                self._lay_parallel(operation, place)
            case Timeout(body=body):
                self._put(Begin(operation), place)
                self._lay(body, f"{place}.")
                self._put(Finish(), place)
            case Choose(arms=arms) if arms is not None:
                self._lay_arms(operation, arms, None, place)
            case Offer(arms=arms):
                self._lay_arms(operation, arms, None, place)
            case Branch(arms=arms, otherwise=otherwise):
                self._lay_arms(operation, arms, otherwise, place)
            case _:
                self._put(Do(operation), place)

    def _lay_arms(
        self,
        operation: Choose | Offer | Branch,
        arms: Mapping[str, Program] | Mapping[Hashable, Program],
        otherwise: Program | None,
        place: str,
    ) -> None:
        pick = self._put(Halt(), place)
        begins: dict[Hashable, int] = {}
        jumps: list[int] = []
        for name, arm in arms.items():
            begins[name] = len(self.stages)
            self._lay(arm, f"{place}.{name}.")
            jumps.append(self._put(Halt(), place))
        other = -1
        if otherwise is not None:
            other = len(self.stages)
            self._lay(otherwise, f"{place}.otherwise.")
            jumps.append(self._put(Halt(), place))
        self.stages[pick] = Pick(operation, begins, other)
        for jump in jumps:
            self.stages[jump] = Jump(len(self.stages))

    def _lay_loop(self, operation: Loop, place: str) -> None:
        slot = self._slots
        self._slots += 1
        if isinstance(operation.until, str):
            self.ends[operation.until] = (*self.heeded(operation.until), slot)
        self._put(Enter(operation, slot), place)
        again = self._put(Halt(), place)
        self._lay(operation.body, f"{place}.")
        self._put(Jump(again), place)
        self.stages[again] = Round(operation, slot, len(self.stages))

    def _lay_parallel(self, operation: Parallel, place: str) -> None:
        split = self._put(Halt(), place)
        begins: list[int] = []
        for number, arm in enumerate(operation.arms, start=1):
            begins.append(len(self.stages))
            self._lay(arm, f"{place}.{number}.")
            self._put(Halt(), place)
        self.stages[split] = Split(operation, tuple(begins), len(self.stages))
