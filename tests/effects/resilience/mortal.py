"""A process that runs or recovers one saga and kills itself with -9 at a given append.

    python mortal.py URL NAMESPACE ID FAILING POINT

POINT 2k kills it right before the k-th append of anything, 2k + 1 right after. With FAILING
`recover` it recovers; else the step of that name fails (`-` for none). The steps book in a
stream, under the key of their visit, so that what they did can be counted afterwards.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import cast

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.effects.resilience.compensation import Compensations
from pavane.effects.resilience.errors import SagaFailed
from pavane.effects.resilience.saga import Saga, Visit

STREAM = "BOOKINGS"
NAMES = ("flight", "car", "hotel", "visa")
KEPT = "visa"


class Mortal:
    """A broker that lives until its `point`; what is not an append is left to the real one."""

    def __init__(self, broker: Broker, point: int) -> None:
        self._broker = broker
        self._point = point

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        self._pass()
        sequence = await self._broker.append(
            stream, subject, payload, message_id=message_id, expected=expected
        )
        self._pass()
        return sequence

    def _pass(self) -> None:
        if self._point == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._point -= 1


async def book(broker: Broker, visit: Visit, what: str) -> None:
    subject = f"bookings.{visit.id}"
    await broker.append(STREAM, subject, what.encode(), message_id=visit.key)


async def bookings(broker: Broker, id: str) -> list[str]:
    return [r.payload.decode() async for r in broker.read(STREAM, f"bookings.{id}")]


def trip(broker: Broker, failing: str = "-") -> Saga:
    """Four steps; the one called `failing` raises, and the visa cannot be given back."""
    saga = Saga("trip")
    for name in NAMES:
        _add(saga, broker, name, failing)
    return saga


def _add(saga: Saga, broker: Broker, name: str, failing: str) -> None:
    async def forward(visit: Visit) -> str:
        if name == failing:
            raise ValueError(f"no {name}")
        await book(broker, visit, f"+{name}")
        return f"{name} for {visit.given['who']}"

    async def undo(visit: Visit) -> None:
        if visit.done or f"+{name}" in await bookings(broker, visit.id):
            await book(broker, visit, f"-{name}")

    saga.add(name, forward, None if name == KEPT else undo)


async def main(url: str, namespace: str, id: str, failing: str, point: str) -> None:
    broker = await connect(url)
    await broker.ensure_stream(STREAM, ["bookings.*"])
    mortal = cast(Broker, Mortal(broker, int(point)))
    compensations = Compensations(mortal, namespace)
    if failing == "recover":
        await compensations.recover(trip(mortal), idle=0.0)
    else:
        try:
            await compensations.run(trip(mortal, failing), {"who": "Ada"}, id=id)
        except SagaFailed:
            pass
    await broker.close()


if __name__ == "__main__":
    _, address, space, name, step, number = sys.argv
    asyncio.run(main(address, space, name, step, number))
