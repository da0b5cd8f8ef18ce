"""What modules made by `pavane generate` are built on: states over an endpoint.

A state is good for one step. What enforces the protocol is the endpoint's own monitor; the
classes let a type checker see its states beforehand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from ..language.errors import ProtocolViolation
from ..language.generate.shape import shape
from ..language.table import Table
from .endpoint import Endpoint
from .errors import ActorError
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

    code = "PV515"


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

    async def _send(self, label: str, *values: Any, step: int = -1) -> Endpoint:
        me = self._use(f"send {label}")
        try:
            await me.send(label, *values, to=_partner(me, step))
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

    async def _receive(self, label: str, step: int = -1) -> tuple[Any, Endpoint]:
        me = self._use(f"receive {label}")
        try:
            return await me.receive(label, sender=_partner(me, step)), me
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


def next_state(me: Endpoint) -> int:
    """The number of the state where the monitor stands: after a counter only it knows."""
    return me.seat.monitor.state.number


def role(name: str, variants: Mapping[str, Callable[[Endpoint], Awaitable[Done]]]) -> RoleFunction:
    """A role function that plays the variant of its instance's machine, known by its shape.

    It raises `ModuleOutdated` where there is none, before the first step.
    """

    async def play(me: Endpoint) -> Any:
        variant = variants.get(_shape(me.seat.part.table))
        if variant is None:
            raise ModuleOutdated(
                f"the typed states of {name} were generated for another protocol than {me.name} plays",
                hint="run `pavane generate` again; with --bind, where counts make a difference",
            )
        return (await variant(me)).result

    return play


async def finished(me: Endpoint) -> Done:
    """The part of an instance that has nothing to do."""
    return Done(me)


@lru_cache(maxsize=64)
def _shape(table: Table) -> str:
    """Computed once for all instances of a class."""
    return shape(table.machine)


def _partner(me: Endpoint, step: int) -> str | None:
    """Who is meant by a step that its label does not tell, as `send` and `receive` take it."""
    if step < 0:
        return None
    seat = me.seat
    meant = seat.part.table.steps[step]
    if meant.collective or seat.part.sizes.get(meant.peer_role) is None:
        return meant.peer_role
    return f"{meant.peer_role}[{meant.partners(seat.role, seat.index)[0]}]"
