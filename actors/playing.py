"""One instance played: its function called, and its part brought to the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .endpoint.endpoint import Endpoint
from .endpoint.seat import Seat
from .errors import Unfinished, Unplayable
from .programs.roles import admit_whole

Implementation = Callable[[Endpoint], Awaitable[Any]]


async def play(seat: Seat, implementation: Implementation) -> Any:
    """What the function returns. Raises what it raises; `Unplayable` for one that is not async,
    `Unfinished` where it returns before its part is over."""
    me = Endpoint(seat)
    admit_whole(seat, me.identity, implementation)
    if seat.deadlines is not None:
        seat.deadlines.begin()
    playing = implementation(me)
    _refuse_plain(seat, playing)
    value = await playing
    await me.finish()
    if not seat.monitor.is_final:
        raise _unfinished(seat)
    return value


def _refuse_plain(seat: Seat, playing: object) -> None:
    """Raise `Unplayable` where calling the role function has given nothing to await."""
    if not isinstance(playing, Awaitable):
        raise Unplayable(seat.role, "the function is not async")


def _unfinished(seat: Seat) -> Unfinished:
    expected = seat.monitor.expected()
    return Unfinished(
        f"{seat.name} returned, but still has to do: {', '.join(expected)}",
        role=seat.name,
        state=seat.monitor.state.number,
        expected=expected,
        got="return",
        hint=seat.monitor.undecided
        or "let the role function go on until its part of the protocol is over",
    )
