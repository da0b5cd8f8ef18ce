"""One instance played: its function called, and its part brought to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..effects.resilience.cancellation import cancellations
from ..language.errors import PavaneError
from .endpoint.endpoint import Endpoint
from .endpoint.seat import Seat
from .errors import RoleFailed, Unfinished, Unplayable
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


def failure_of(error: BaseException, session: str, role: str) -> PavaneError:
    """What it is to a session that the code of `role` has raised `error`: `RoleFailed` where that is no
    `PavaneError`, as it ends this session, and not the process and its others. Raises `error` again
    where it is the end of the task itself: a cancellation, unless the code has awaited something else
    that was cancelled."""
    if isinstance(error, PavaneError):
        return error
    ends = isinstance(error, asyncio.CancelledError) and cancellations() > 0
    if ends or isinstance(error, GeneratorExit):
        raise error
    return RoleFailed(session, role, error)


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
