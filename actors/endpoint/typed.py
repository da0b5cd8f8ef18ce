"""What modules made by `pavane generate` are built on: states over an endpoint.

A state is good for one step. What enforces the protocol is the endpoint's own monitor; the
classes let a type checker see its states beforehand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from ...language.errors import ProtocolViolation
from ...language.generate.form import Form, Pairs, matched
from ...language.table import Table
from ..errors import ActorError
from .deadlines import TimeLimit
from .endpoint import Endpoint
from .listener import Received

PayloadT_co = TypeVar("PayloadT_co", covariant=True)
NextT_co = TypeVar("NextT_co", covariant=True)
RecordT = TypeVar("RecordT")

RoleFunction: TypeAlias = Callable[[Endpoint], Awaitable[Any]]
"""What `run` takes for a role."""


class StateUsed(ProtocolViolation):
    """A typed state was used a second time; the step that left it returned the next one."""

    code = "PV213"


class ModuleOutdated(ActorError):
    """The generated module does not belong to the protocol that is played."""

    code = "PV530"


class State:
    """A place in a role's protocol. Its steps each return the next state.

    A step that was refused, or cancelled while it waited, leaves the state as it was.
    """

    __slots__ = ("_left", "_me")

    def __init__(self, me: Endpoint) -> None:
        self._me = me
        self._left = ""

    @property
    def index(self) -> int:
        """Which instance of a family this is; 0 for a plain role."""
        return self._me.index

    @property
    def session(self) -> str:
        return self._me.session

    def size(self, role: str) -> int:
        """How many instances a family has; 1 for a plain role."""
        return self._me.size(role)

    def deadline(self) -> TimeLimit:
        """The time that the protocol leaves for the present choice, as a block: see
        `Endpoint.deadline`."""
        return self._me.deadline()

    @property
    def time_left(self) -> float | None:
        """Seconds until the next step or decision must have been made, if there is a time."""
        return self._me.time_left

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._me.name}{', used' if self._left else ''}>"

    # --- for the generated steps -----------------------------------------------------------

    def _use(self, step: str) -> Endpoint:
        if self._left:
            raise StateUsed(
                f"{self._me.name}: this {type(self).__name__} was left by {self._left}, "
                f"and cannot {step}",
                role=self._me.name,
                state=self._me.seat.monitor.state.number,
                expected=self._me.expected,
                got=step,
                hint="go on with the state that the first step returned",
            )
        self._left = step
        return self._me

    async def _send(
        self, label: str, *values: Any, place: int = -1, ranged: bool = False
    ) -> Endpoint:
        me = self._use(f"send {label}")
        if ranged and _is_empty(me, label, sends=True):
            return me
        try:
            await me.send(label, *values, to=_partner(me, label, place, sends=True))
        except BaseException:
            self._left = ""
            raise
        return me

    async def _choose(self, branch: str) -> Endpoint:
        me = self._use(f"choose {branch}")
        try:
            await me.choose(branch)
        except BaseException:
            self._left = ""
            raise
        return me

    async def _receive(
        self, label: str, place: int = -1, ranged: bool = False
    ) -> tuple[Any, Endpoint]:
        me = self._use(f"receive {label}")
        if ranged and _is_empty(me, label, sends=False):
            return {}, me
        try:
            return await me.receive(label, sender=_partner(me, label, place, sends=False)), me
        except BaseException:
            self._left = ""
            raise

    async def _offer(self) -> tuple[Received, Endpoint]:
        me = self._use("offer")
        try:
            return await me.offer(), me
        except BaseException:
            self._left = ""
            raise

    def _set(self, values: Mapping[str, object]) -> None:
        self._me.set(**values)


class Done:
    """The end of a role's part: what its function returns."""

    __slots__ = ("_me", "result")

    def __init__(self, me: Endpoint) -> None:
        self._me = me
        self.result: Any = None

    def returning(self, result: object) -> Done:
        """The same end with a value, which is then the role's in the session's outcome."""
        self.result = result
        return self


class Got(Generic[PayloadT_co, NextT_co]):
    """A branch that a peer took: what arrived, and the state that follows."""

    __slots__ = ("payload", "then")
    __match_args__ = ("payload", "then")

    def __init__(self, payload: PayloadT_co, then: NextT_co) -> None:
        self.payload = payload
        self.then = then

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.payload!r}, {self.then!r})"


def record(kind: Callable[..., RecordT], payload: Any) -> RecordT:
    """A payload with named fields as its generated class."""
    return kind(*msgspec.structs.astuple(payload))


def gathered(kind: Callable[..., RecordT], payloads: Mapping[int, Any]) -> dict[int, RecordT]:
    """The payloads of a gather as their generated class."""
    return {index: record(kind, payload) for index, payload in payloads.items()}


def next_state(me: Endpoint, form: str, *states: int) -> int:
    """Which of `states` of the form the monitor stands at: after a counter only it knows."""
    seat = me.seat
    pairs = _matched(seat.part.table, form)
    here = seat.monitor.state.number
    direct = [state for state in states if pairs.get((here, state))]
    return next(state for state in (*direct, *states) if (here, state) in pairs)


def role(name: str, variants: Mapping[str, Callable[[Endpoint], Awaitable[Done]]]) -> RoleFunction:
    """A role function that plays the variant whose form fits its instance's machine.

    It raises `ModuleOutdated` where none does, before the first step.
    """

    async def play(me: Endpoint) -> Any:
        table = me.seat.part.table
        for form, variant in variants.items():
            if _matched(table, form):
                return (await variant(me)).result
        raise ModuleOutdated(
            f"the typed states of {name} were generated for another protocol than {me.name} plays",
            hint="run `pavane generate` again; with --bind, where counts make a difference",
        )

    return play


async def finished(me: Endpoint) -> Done:
    """The part of an instance that has nothing to do."""
    return Done(me)


@lru_cache(maxsize=256)
def _matched(table: Table, form: str) -> Pairs:
    """Computed once for all instances of a class."""
    return matched(Form.of(table.machine), Form.read(form))


def _is_empty(me: Endpoint, label: str, *, sends: bool) -> bool:
    """Whether a step to or from a range is none: bound, the range has no instances."""
    state = me.seat.monitor.state
    return label not in (state.sends if sends else state.receives) and not state.selects


def _partner(me: Endpoint, label: str, place: int, *, sends: bool) -> str | None:
    """Who is meant by a step that its label does not tell, as `send` and `receive` take it."""
    if place < 0:
        return None
    seat = me.seat
    here = seat.monitor.state.sends if sends else seat.monitor.state.receives
    meant = here[label][place]
    if meant.collective or seat.part.sizes.get(meant.peer_role) is None:
        return meant.peer_role
    return f"{meant.peer_role}[{meant.partners(seat.role, seat.index)[0]}]"
