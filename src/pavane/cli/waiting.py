"""A session waited for: what it comes to, and meanwhile which of its units nobody could play.

Such a unit may be put back, and then the session goes on; so the command goes on waiting.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ..actors.durable.handle import SessionHandle
from ..actors.outcome import Outcome
from ..actors.workers.dead import DeadLetter, letters
from ..broker.contract import Broker
from ..broker.errors import BrokerError, Forbidden, StreamRefused
from ..broker.subjects import namespace_token
from .errors import LogGone
from .escapes import printable
from .scope import named
from .screen import complaints, tell, write_json_line

LOOK = 1.0
"""Seconds between two looks for dead units."""


async def outcome(broker: Broker, handle: SessionHandle, *, json: bool) -> Outcome:
    """As `handle.result()`; what keeps the session from going on is told on the standard error, or
    as JSON among the events."""
    looking = asyncio.create_task(_look(broker, handle, json=json))
    try:
        return await handle.result()
    except StreamRefused:
        if await _is_there(broker, handle):
            raise
        raise LogGone(handle.id) from None
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _is_there(broker: Broker, handle: SessionHandle) -> bool:
    """Whether the server has the logs of the namespace, as far as we may see that."""
    with suppress(BrokerError):
        return handle.place.stream in await broker.streams(handle.place.stream)
    return True


async def _look(broker: Broker, handle: SessionHandle, *, json: bool) -> None:
    """Until it is cancelled, or where these records may not be read."""
    place = handle.place
    waiting: dict[str, DeadLetter] = {}
    while True:
        with suppress(BrokerError):
            try:
                space = namespace_token(place.namespace)
                found = await letters(broker, space, place.session, place.protocol)
            except Forbidden:
                return
            now = {letter.assignment.name: letter for letter in found}
            for unit, letter in now.items():
                if waiting.get(unit) != letter:
                    _say_dead(handle, letter, json=json)
            for unit in waiting.keys() - now.keys():
                _say_back(unit, json=json)
            waiting = now
        await asyncio.sleep(LOOK)


def _say_dead(handle: SessionHandle, letter: DeadLetter, *, json: bool) -> None:
    unit, code, reason = letter.assignment.name, letter.code, letter.reason
    if json:
        write_json_line({"event": "dead", "unit": unit, "code": code, "reason": reason})
        return
    lines = (
        f"{unit} is set aside as dead [{code}]: {reason}",
        f"  mend that, then `pavane retry {named(handle.place)}`; waiting for it, until Ctrl-C",
    )
    for line in lines:
        tell(printable(line), console=complaints())


def _say_back(unit: str, *, json: bool) -> None:
    if json:
        write_json_line({"event": "retried", "unit": unit})
    else:
        tell(printable(f"{unit} is on the queue again"), console=complaints())
