"""Sessions at once: all of them, a quorum, or as many as are done in time."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import Any

import anyio

from .errors import (
    InvalidComposition,
    ParallelFailed,
    ParallelTimedOut,
    QuorumMissed,
    said,
)
from .member import Member, named, perform
from .stage import Accumulated, ParallelOutcome, Playable, Stage


class Parallel(Playable[ParallelOutcome]):
    """Members, as those of a `Sequence`, played at the same time; its end is their barrier.

        done = await pavane.Parallel(*(plan(device) for device in devices), timeout=5).run(runtime)

    All of them are needed, unless `quorum` says how many are, or `partial` that any number is.
    As soon as it is decided (one has failed where all are needed, a quorum is done or cannot be
    any more, the `timeout` in seconds is over), the others are cancelled, and `run` returns when
    they have ended: a durable one is over in its log, too. Raises `ParallelFailed`,
    `QuorumMissed`, `ParallelTimedOut`; with `partial`, none of them.
    """

    def __init__(
        self,
        *members: Member,
        timeout: float | None = None,
        quorum: int | None = None,
        partial: bool = False,
        **named_members: Member,
    ) -> None:
        self.name = "parallel"
        self.members = named("Parallel", members, named_members)
        self.timeout = timeout
        self.quorum = quorum
        self.partial = partial
        self._check()

    def _check(self) -> None:
        count = len(self.members)
        fits = isinstance(self.quorum, int) and 1 <= self.quorum <= count
        if self.quorum is not None and (self.partial or not fits):
            problem = "is partial, too" if self.partial else f"asks for {self.quorum} of {count}"
            raise InvalidComposition(
                "a Parallel with a quorum",
                problem,
                hint=f"give a quorum from 1 to {count}" if count else "give it members",
            )
        if self.timeout is not None and not self.timeout > 0:
            raise InvalidComposition(
                "a Parallel", f"has {self.timeout} seconds", hint="give it a timeout above 0"
            )

    @property
    def needed(self) -> int:
        """How many have to be done."""
        if self.quorum is not None:
            return self.quorum
        return 0 if self.partial else len(self.members)

    async def play(self, stage: Stage, state: Accumulated) -> ParallelOutcome:
        return await _Round(self, stage, state).play()


class _Round:
    """One time that a `Parallel` is played."""

    def __init__(self, plan: Parallel, stage: Stage, state: Accumulated) -> None:
        self._plan = plan
        # One that can be given up without giving up what it is a part of.
        self._stage = Stage(stage.runtime, stage.session, stage.durable, stage)
        self._state = state
        self._results: dict[str, Any] = {}
        self._failures: dict[str, Exception] = {}
        self._scope = anyio.CancelScope()
        self._timed_out = False

    async def play(self) -> ParallelOutcome:
        timer = None
        if self._plan.timeout is not None:
            timer = asyncio.get_running_loop().call_later(self._plan.timeout, self._late)
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    for name, member in self._plan.members.items():
                        group.start_soon(self._member, name, member, name=f"pavane-{name}")
        finally:
            if timer is not None:
                timer.cancel()
        return self._verdict()

    async def _member(self, name: str, member: Member) -> None:
        try:
            result = await perform(name, member, self._stage.within(name), self._state)
        except Exception as error:  # noqa: BLE001  # it is the others' as well; see the verdict
            if not self._stage.given_up:
                self._failures[name] = error
        else:
            self._results[name] = result
        self._weigh(name)

    def _weigh(self, name: str) -> None:
        """Give the rest up where it is decided without them."""
        plan, done, failed = self._plan, len(self._results), len(self._failures)
        if plan.quorum is not None and done >= plan.quorum:
            self._give_up("enough others are done")
        elif plan.needed > len(plan.members) - failed:
            self._give_up(f"{name} failed beside it")

    def _late(self) -> None:
        self._timed_out = len(self._results) + len(self._failures) < len(self._plan.members)
        self._give_up(f"the {self._plan.timeout:g} s for it are over")

    def _give_up(self, reason: str) -> None:
        if not self._stage.given_up and not self._scope.cancel_called:
            self._stage.given_up = reason
            self._scope.cancel()

    # --- what it came to ---------------------------------------------------------------

    def _verdict(self) -> ParallelOutcome:
        plan, members = self._plan, self._plan.members
        results = {name: self._results[name] for name in members if name in self._results}
        failures = {name: self._failures[name] for name in members if name in self._failures}
        cancelled = tuple(n for n in members if n not in results and n not in failures)
        if len(results) < plan.needed:
            raise self._failure(results, failures, cancelled)
        return ParallelOutcome(
            MappingProxyType(results),
            MappingProxyType(failures),
            cancelled,
            self._timed_out and bool(cancelled),
        )

    def _failure(
        self, results: dict[str, Any], failures: dict[str, Exception], cancelled: tuple[str, ...]
    ) -> ParallelFailed:
        plan = self._plan
        first = next(iter(self._failures.items()), None)
        if plan.needed <= len(plan.members) - len(failures):
            assert plan.timeout is not None, "nothing else gives up what may still be done"
            late = ", ".join(cancelled[:5]) + (", ..." if len(cancelled) > 5 else "")
            after = f"after {plan.timeout:g} s {len(results)} of {plan.needed} were done"
            error = ParallelTimedOut(f"{after}; not {late}", results, failures, cancelled)
            error.seconds = plan.timeout
            return error
        assert first is not None
        name, cause = first
        if plan.quorum is None:
            failed = ParallelFailed(f"{name} failed: {said(cause)}", results, failures, cancelled)
        else:
            message = (
                f"no quorum of {plan.quorum}: {len(failures)} of {len(plan.members)} failed, "
                f"the first {name}: {said(cause)}"
            )
            failed = QuorumMissed(message, results, failures, cancelled)
            failed.quorum = plan.quorum
        failed.__cause__ = cause
        return failed
