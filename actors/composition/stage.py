"""What the members of a composition share while it is played: a runtime, and their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from ..durable.names import Place
from ..outcome import Outcome
from ..player import Player

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Accumulated:
    """What a sequence was `given` and what its phases have come to, in order, by name."""

    given: Any = None
    results: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, phase: str) -> Any:
        return self.results[phase]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    @property
    def last(self) -> Any:
        """What the phase before this one came to; what was given, if there is none."""
        return list(self.results.values())[-1] if self.results else self.given

    @property
    def handed_on(self) -> Any:
        """`last` as the roles of the next phase find it in `me.input`: of a session the values of
        its roles, of several at once those by their names."""
        return _plain(self.last)

    def and_(self, phase: str, result: Any) -> Accumulated:
        """The same with one result more."""
        return Accumulated(self.given, MappingProxyType({**self.results, phase: result}))


@dataclass(frozen=True, slots=True)
class ParallelOutcome:
    """What members that were played at once came to, in the order in which they were given.

    `cancelled` are those that were not waited for; `timed_out` says that time was the reason.
    """

    results: Mapping[str, Any]
    failures: Mapping[str, Exception]
    cancelled: tuple[str, ...]
    timed_out: bool = False

    def __getitem__(self, member: str) -> Any:
        return self.results[member]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def values(self) -> list[Any]:
        """The results without their names."""
        return list(self.results.values())


def _plain(result: Any) -> Any:
    match result:
        case Outcome():
            return dict(result.values)
        case Accumulated():
            return result.handed_on
        case ParallelOutcome():
            return {name: _plain(one) for name, one in result.results.items()}
        case _:
            return result


@dataclass(slots=True)
class Stage:
    """Where a member is played. `session` is what its session, or those inside it, are called
    after; `given_up` why it is not waited for once it is cancelled, if so. `hand_on` is told of its
    durable sessions before they are begun."""

    runtime: Player
    session: str | None = None
    durable: bool = False
    parent: Stage | None = None
    given_up: str = ""
    hand_on: Callable[[Place], Awaitable[None]] | None = None

    def within(self, name: str) -> Stage:
        """That of a member `name`."""
        session = f"{self.session}-{name}" if self.session else None
        return Stage(self.runtime, session, self.durable, self)

    async def begins(self, place: Place) -> None:
        """A durable session is about to be begun there: whoever plays this as a part of its own is
        told, and ends it should it end before."""
        stage: Stage | None = self
        while stage is not None:
            if stage.hand_on is not None:
                await stage.hand_on(place)
            stage = stage.parent

    @property
    def is_abandoned(self) -> str:
        """Why this member, or one that it is a part of, is not waited for; empty if it is."""
        stage: Stage | None = self
        while stage is not None:
            if stage.given_up:
                return stage.given_up
            stage = stage.parent
        return ""


class Playable(ABC, Generic[R]):
    """What can be played: one session, a sequence, several at once. They nest."""

    name: str

    @abstractmethod
    async def play(self, stage: Stage, state: Accumulated) -> R:
        """Play it as a part of something larger; `run` is for the outermost one."""

    async def run(
        self,
        runtime: Player,
        given: Any = None,
        *,
        session: str | None = None,
        durable: bool = False,
    ) -> R:
        """Play it to its end. `given` is what the first sessions find in `me.input`.

        `session` names it, and its sessions after it: `trip-flight`. With `durable` all of them are
        kept in a stream: run once more under the same `session` and with the same `given`, after a
        crash, what is done is not done again, and what was under way goes on.
        """
        return await self.play(Stage(runtime, session, durable), Accumulated(given))
