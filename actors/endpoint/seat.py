"""One instance's place in a session: where it stands, what it has received, what it knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ...broker.surroundings import now
from ...effects.identity import Identity, SendContext
from ...effects.pipeline.pipeline import Passed, Pipeline, Plan
from ...effects.pipeline.series import Series
from ...language.errors import PavaneError
from ...language.monitor import Monitor
from ...language.table import Step
from ..around import Around, SessionTrace
from ..events import Event
from ..limits import Limits
from ..mailbox.mailbox import Mailbox
from ..mailbox.outlet import Outbox, Outlet
from ..outcome import Tally
from ..part import Part
from ..wallet import NOTHING_HELD
from .calls import Calls
from .clock import Clock
from .deadlines import Deadlines
from .guard import names_in


class Host(Protocol):
    """What a seat needs of its session."""

    @property
    def id(self) -> str: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def devices(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def around(self) -> Around: ...
    @property
    def trace(self) -> SessionTrace | None: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def calls(self) -> Calls: ...
    @property
    def input(self) -> Any: ...

    def fail(self, error: PavaneError, culprit: str) -> None: ...

    def outlet(self, seat: Seat, role: str, index: int | None) -> Outlet:
        """The lane from `seat` to one instance of `role`, or to all with None."""
        ...


Source = tuple[str, int]
"""An instance that is heard: role and index."""


class Ahead(Protocol):
    """Does what comes before an annotated send, but for the journal, for which the seat's frames wait."""

    async def passes(self, context: SendContext, plan: Plan, copies: int) -> Passed | None:
        """None, and nothing has happened, where it cannot."""
        ...

    def series(self, context: SendContext, plan: Plan) -> Series | None:
        """Begin a series of messages like the one that was just sent; None where there can be none."""
        ...

    def close_series(self) -> None:
        """End the series of this turn, if there is one."""
        ...


Settle = Callable[[Callable[[], Source | None]], Awaitable[Source]]
"""Settles who is heard first where several may be: `await settle(who_is_ready_now)`."""


class Seat:
    """Owned by the session, shared by the endpoint's two sides; ends with the session.

    `observe` is None when nobody watches. `chosen` is the branch that the role has announced
    and not yet begun. It `rests` while it waits for a session that others play.
    `deadlines` is None where the machine measures no time. `values` are the
    names that guards may use. `held` is what its token in `context` came from.
    `ahead` is None where an annotated send has to wait for its journal. `settle` is None where who is heard first is a matter of who comes first.
    """

    __slots__ = (
        "ahead",
        "chosen",
        "codec",
        "context",
        "deadlines",
        "held",
        "index",
        "mailbox",
        "monitor",
        "name",
        "observe",
        "outbox",
        "part",
        "rests",
        "role",
        "session",
        "settle",
        "tally",
        "trace",
        "values",
    )

    def __init__(
        self,
        session: Host,
        part: Part,
        index: int,
        mailbox: Mailbox,
        outbox: Outbox,
        context: SendContext,
        observe: Callable[[Event], None] | None,
        clock: Clock,
    ) -> None:
        self.session = session
        self.part = part
        self.role = part.role
        self.index = index
        self.name = part.name_of(index)
        self.mailbox = mailbox
        self.outbox = outbox
        self.monitor = Monitor(part.table, index if part.is_family else None)
        self.observe = observe
        self.codec = session.around.codec
        self.trace = session.trace
        self.context = context
        self.held = NOTHING_HELD
        self.chosen = ""
        self.rests = False
        self.settle: Settle | None = None
        self.ahead: Ahead | None = None
        self.values: dict[str, Any] = {}
        self.tally = Tally()
        self.deadlines: Deadlines | None = None
        if part.times:
            self.deadlines = Deadlines(
                session.id, self.name, self.monitor, mailbox, clock,
                lambda error: session.fail(error, self.name), part.times,
            )  # fmt: skip

    def check(self) -> None:
        """Raise the session's failure, if it has failed."""
        if self.mailbox.failure is not None:
            raise self.mailbox.failure

    def count_all(self) -> None:
        """Have all that was sent in the tally: a series counts what it came to when it ends."""
        if self.ahead is not None:
            self.ahead.close_series()

    def advance(self, step: Step) -> None:
        """Take `step`; the branch announced for it is begun with its first message."""
        self.monitor.advance(step)
        if self.deadlines is not None:
            self.deadlines.advance(step)
        if self.chosen and not step.selection:
            self.chosen = ""

    def renew_token(self) -> None:
        """Hold the next token, where this process issues it and it is due; but not in the place of one
        that was revoked."""
        if self.held.due > now() or self.held.renewed is None:
            return
        if not self.session.pipeline.is_revoked(self.context):
            self.held = self.held.renewed()
            self.context = replace(self.context, token=self.held.token)

    async def check_time(self, step: Step) -> None:
        """Raise `TooLate` or `TooEarly` where a timeout forbids the branch that `step` begins."""
        if self.deadlines is not None:
            await self.deadlines.judge(step)

    def note(self, label: str, payload: object) -> None:
        """Remember a payload for the guards: its fields by name, and itself by its label."""
        if self.part.guarded:
            self.values.update(names_in(payload))
            self.values[label] = payload

    def identity_of(self, role: str, index: int) -> Identity:
        """A peer in this session."""
        family = self.part.sizes.get(role) is not None
        return self.context.identity.peer(role, index if family else None)
