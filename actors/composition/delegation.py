"""A role whose work another session does: hierarchies of protocols."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...broker.subjects import TOKEN_LIMIT
from ...language.errors import PavaneError
from ..choreography import Choreography
from ..durable.calls import RecordedCalls
from ..endpoint.endpoint import Endpoint
from ..errors import CallFailed
from ..outcome import Outcome
from ..playing import Implementation
from .errors import ChildFailed, said
from .plan import SessionPlan
from .saying import say
from .stage import Accumulated, ParallelOutcome, Playable, Stage

_lasting: ContextVar[Stage | None] = ContextVar("_lasting", default=None)
"""What the durable role has begun in whose call this happens, if it does in any."""


@dataclass(frozen=True, slots=True)
class Child:
    """What a session that a role was handed on to came to, in plain values.

    `value` has the values of its roles, by role: `child["Lead"]`. Of a composition it has those of
    its sessions by name, of a sequence those of its last phase. `charged` and `facts` are of
    all its sessions.
    """

    session: str
    value: Any
    charged: int = 0
    facts: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.value[name]


async def delegate(me: Endpoint, child: Playable[Any] | Choreography, *, name: str = "") -> Child:
    """Play `child` on the runtime that plays this role, in a session named after this one and this
    role, and return what it came to.

    It is a call that the role makes (`me.run`): a durable role that is played again gets what is
    recorded, and if the child is durable too, it goes on where it stood. When the role, or its
    session, has ended before the child, that is cancelled; a durable role that only is played
    elsewhere from now on has not. One role that hands on several sessions without a step in between gives each a
    `name`. Raises `ChildFailed`.
    """
    plan = SessionPlan(child) if isinstance(child, Choreography) else child
    session = _session(me, name or plan.name)

    call = f"{plan.name} ({session})"

    async def played() -> Child:
        # Asked for once more under its name, a session that workers play is waited for again.
        me.seat.rests = isinstance(plan, SessionPlan) and plan.workers
        stage = _stage(me, session, call)
        before = _lasting.set(stage if stage.hand_on is not None else _lasting.get())
        try:
            result = await plan.play(stage, Accumulated(me.input))
        finally:
            _lasting.reset(before)
            me.seat.rests = False
        outcomes = list(_outcomes(result))
        return Child(
            session,
            Accumulated(result).handed_on,
            sum(one.charged for one in outcomes),
            tuple(fact for one in outcomes for fact in one.facts),
        )

    try:
        found: Child = await me.run(played, name=call)
    except CallFailed as failed:
        cause = failed.__cause__
        reason = said(cause) if isinstance(cause, PavaneError) else failed.reason
        raise ChildFailed(
            me.name, plan.name, session, failed.kind, reason.partition("\n")[0]
        ) from cause
    return found


def delegated(
    request: str,
    answer: str,
    *,
    to: Callable[[Any], Playable[Any] | Choreography],
    result: Callable[[Child], Any],
) -> Implementation:
    """Who plays a role that hears a `request`, has the session `to(payload)` do the work, and
    gives its `result` as the `answer`; as often as its protocol goes round.

        runtime.run(company, Desk=pavane.delegated(
            "Order", "Receipt", to=lambda order: SessionPlan(...),
            result=lambda child: child["Lead"],
        ))
    """

    async def play(me: Endpoint) -> None:
        while me.seat.monitor.state.receives:
            heard = await me.offer()
            if heard.label == request:
                child = await delegate(me, to(heard.payload))
                await say(me, answer, result(child))

    return play


def _stage(me: Endpoint, session: str, call: str) -> Stage:
    """A durable role that is cancelled may be played again, and ask for the child once more, as may
    a live one that it has begun: what they begin stands in its log, and ends with it. Any other
    live role is over, and so is its child."""
    calls, lasting = me.seat.session.calls, _lasting.get()
    if isinstance(calls, RecordedCalls):
        return Stage(me.runtime, session, hand_on=partial(calls.hand_on, me.seat, call))
    if lasting is not None:
        return Stage(me.runtime, session, parent=lasting)
    reason = f"{me.name} of session {me.session}, which it was played for, is over"
    return Stage(me.runtime, session, given_up=reason)


def _session(me: Endpoint, name: str) -> str:
    """The same whenever this role is played again at this step."""
    tally = me.seat.tally
    written = f"{me.session}-{me.role}{me.index}-{tally.sent + tally.received}-{name}"
    if len(written) <= TOKEN_LIMIT:
        return written
    digest = hashlib.sha256(written.encode()).hexdigest()[:24]
    return f"{name[:64]}-{digest}"


def _outcomes(result: Any) -> Iterator[Outcome]:
    match result:
        case Outcome():
            yield result
        case Accumulated() | ParallelOutcome():
            for one in result.results.values():
                yield from _outcomes(one)
        case _:
            return
