"""The sending side of an endpoint, where there is more to do than to pack and put."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ...broker.frame import Parts
from ...broker.payload import pack
from ...effects.errors import EffectError
from ...effects.pipeline.pipeline import Passed
from ...language.errors import ProtocolViolation
from ...language.monitor import Whom
from ...language.table import Step
from ..around import sealed
from ..events import Denied, MessageSent
from ..log import record
from ..mailbox.outlet import Outlet
from ..part import Move
from .guard import require
from .seat import Seat
from .spread import lanes, meant, rest

NIL = pack(None)


class Speaker:
    """Sends for one seat. Its lock keeps the effects of two sends apart."""

    __slots__ = ("_lock", "_seat", "_shown")

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._lock: asyncio.Lock | None = None
        self._shown: dict[Outlet, bytes] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a send is on its way that waits for something."""
        return self._lock is not None and self._lock.locked()

    def _alone(self) -> asyncio.Lock:
        """Made when it is first needed: most instances of many sessions never do."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def send(self, label: str, whom: Whom | None, pack_for: Callable[[Move], Any]) -> None:
        """Send `label` with what `pack_for` makes of its shape, and before it the selections
        that lead there. A broadcast (`A ->* : M`) goes to one role after the other."""
        async with self._alone():
            step = await self._send(label, whom, pack_for)
            told = {step.peer_role}
            while whom is None and (following := self._rest(step, told)) is not None:
                step = following
                await self._send(label, Whom(step.peer_role), pack_for)
                told.add(step.peer_role)

    async def _send(self, label: str, whom: Whom | None, pack_for: Callable[[Move], Any]) -> Step:
        route = self._route(label, whom)
        await self._seat.check_time(route[0])
        move = self._move(route[-1])
        raw = pack_for(move)
        payload = self._seal(move.step, move.write(raw))
        known = route
        route = await self._room(lambda: self._again(known, label, whom))
        for step in route:
            require(step, self._seat.monitor, self._seat.values)
        passed = await self._pass(route[-1], raw)
        try:
            route = self._again(route, label, whom)
            self._depart(route, payload, passed)
        except Exception as error:
            if passed is not None:
                await passed.abandon(str(error))
            raise
        if self._seat.part.guarded:
            self._seat.note(label, move.unpack(raw))
        return route[-1]

    def _seal(self, step: Step, payload: bytes) -> bytes:
        seat = self._seat
        return sealed(seat.codec, seat.context.identity, step.peer_role, step.label, payload)

    def _rest(self, step: Step, told: set[str]) -> Step | None:
        return rest(self._seat.monitor.state, step, told)

    async def choose(self, branch: str) -> None:
        """Announce `branch` to those who need to be told, and keep the next send to it."""
        async with self._alone():
            self._seat.check()
            options = [s for ss in self._seat.monitor.state.sends.values() for s in ss]
            first = [s for s in options if branch in s.branches][:1]
            route = await self._room(lambda: self._chosen(branch))
            for step in route[:1] or first:
                await self._seat.check_time(step)
            for step in first:
                require(step, self._seat.monitor, self._seat.values)
            for step in route:
                self._put(step, NIL, None)
                self._tell(step, None)
            self._seat.chosen = "" if route else branch
            if not route and self._seat.deadlines is not None:
                self._seat.deadlines.pin()

    # --- which way ---------------------------------------------------------------------

    def _route(self, label: str, whom: Whom | None) -> Sequence[Step]:
        self._seat.check()
        return self._seat.monitor.route(label, whom, self._seat.chosen)

    def _chosen(self, branch: str) -> Sequence[Step]:
        self._seat.check()
        return self._seat.monitor.chosen(branch)

    def _again(self, route: Sequence[Step], label: str, whom: Whom | None) -> Sequence[Step]:
        """The route after an await: in `parallel` a receive may have moved the machine."""
        if self._seat.monitor.state is route[0].source:
            self._seat.check()
            return route
        return self._route(label, whom)

    def _move(self, step: Step) -> Move:
        return self._seat.part.moves[step.number]

    # --- what has to come first --------------------------------------------------------

    async def _room(self, find: Callable[[], Sequence[Step]]) -> Sequence[Step]:
        """Find the route, and wait until every lane of it has room. Who speaks to nobody gives way to
        others once: one that does so for ever must not keep them from their turn."""
        gave_way = False
        while True:
            route = find()
            outlets = [outlet for step in route for outlet in lanes(self._seat, step)]
            full = [outlet for outlet in outlets if outlet.room < len(route)]
            if full:
                await full[0].has_room()
            elif outlets or gave_way or not route:
                return route
            else:
                await asyncio.sleep(0)
                gave_way = True

    async def _pass(self, step: Step, raw: object) -> Passed | None:
        """Do what the effects ask for; raises their refusal, which leaves nothing behind."""
        move = self._move(step)
        if move.plan is None:
            return None
        seat = self._seat
        seat.renew_token()
        copies = len(step.partners(seat.role, seat.index))
        if seat.ahead is not None and move.retry is None:
            passed = await seat.ahead.passes(seat.context, move.plan, copies)
            if passed is not None:
                return passed

        async def attempt() -> Passed:
            before = seat.session.pipeline.before_send
            return await before(seat.context, step.action, copies, raw)

        try:
            return await (move.retry.call(attempt, name=str(step)) if move.retry else attempt())
        except EffectError as error:
            seat.tally.denials.append(f"{step}: {error.message}")
            denied = self._denied(step, error)
            record(denied)
            if seat.observe is not None:
                seat.observe(denied)
            raise

    # --- out ---------------------------------------------------------------------------

    def _depart(self, route: Sequence[Step], payload: bytes, passed: Passed | None) -> None:
        for step in route[:-1]:
            self._put(step, NIL, None)
            self._tell(step, None)
        self._put(route[-1], payload, passed)
        if passed is not None:
            passed.confirm()
            self._seat.tally.count(passed.charge, passed.facts, passed.receipt)
            self._seat.session.limits.charged(self._seat.role, passed.charges)
        self._tell(route[-1], passed)

    def _put(self, step: Step, payload: bytes, passed: Passed | None) -> None:
        seat = self._seat
        for outlet in lanes(seat, step):
            parts = self._parts(step, outlet, passed)
            outlet.put(step.label, payload, step.branches, parts)
            if parts is not None and parts.token is not None:
                self._has_shown(outlet, parts.token)
        seat.advance(step)
        if not step.selection:
            seat.tally.sent += len(step.partners(seat.role, seat.index))

    def _parts(self, step: Step, outlet: Outlet, passed: Passed | None) -> Parts | None:
        """The range of a message to `all` that not all get; the token, where it is another than before."""
        token = self._to_show(outlet) if passed is not None else None
        trace = self._trace(step, outlet)
        span = meant(self._seat, step, outlet)
        if span is not None:
            return Parts(*span, token, trace)
        return Parts(token=token, trace=trace) if token is not None or trace is not None else None

    def _to_show(self, outlet: Outlet) -> bytes | None:
        """The token, unless it was shown there. What the log has was said with that of another worker."""
        token = self._seat.context.token
        before = self._shown.get(outlet) if self._shown else None
        return token if token and token != before and not outlet.is_recalling else None

    def _has_shown(self, outlet: Outlet, token: bytes) -> None:
        if self._shown is None:
            self._shown = {}
        self._shown[outlet] = token

    def _trace(self, step: Step, outlet: Outlet) -> str | None:
        seat = self._seat
        if seat.trace is None:
            return None
        first = outlet.next == 1
        return seat.trace.departing(seat.name, self._receiver(step), step.label, first=first)

    # --- observers -----------------------------------------------------------------------

    def _tell(self, step: Step, passed: Passed | None) -> None:
        seat = self._seat
        if seat.observe is None:
            return
        seat.observe(
            MessageSent(
                session=seat.session.id,
                sender=seat.name,
                receiver=self._receiver(step),
                label=step.label,
                step=step.action.step,
                copies=len(step.partners(seat.role, seat.index)),
                selection=step.selection,
                stages=passed.stages if passed is not None else (),
                charged=passed.charge if passed is not None else 0,
                facts=passed.facts if passed is not None else (),
            )
        )

    def _denied(self, step: Step, error: EffectError) -> Denied:
        seat = self._seat
        last = seat.session.pipeline.audit.last
        return Denied(
            session=seat.session.id,
            sender=seat.name,
            receiver=self._receiver(step),
            label=step.label,
            step=step.action.step,
            stage=last.stage if last is not None else "capability",
            reason=error.message,
            code=error.code,
        )

    def _receiver(self, step: Step) -> str:
        if step.collective:
            return str(step.action.peer)
        return self._seat.part.instance_name(
            step.peer_role, step.partners(self._seat.role, self._seat.index)[0]
        )


def whom(to: str | None) -> Whom | None:
    """`"Role"` or `"Role[2]"` as the user writes it."""
    if to is None:
        return None
    role, bracket, rest = to.partition("[")
    if not bracket:
        return Whom(role)
    if rest.endswith("]") and rest[:-1].isdigit():
        return Whom(role, int(rest[:-1]))
    raise ProtocolViolation(
        f"{to!r} does not name a role or an instance", got=to, hint='write "Role" or "Role[2]"'
    )
