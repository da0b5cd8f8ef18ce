"""A trip of several protocols: when a later one fails, the earlier ones are undone.

    python examples/13_compensating.py

Every step is recorded before it is done. A process that dies in between leaves the trip open, and
`recover` in the next one undoes it. So the suppliers are given a key, the same however often a
step is tried: a thing is booked under it once, and given back if it was booked at all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

FILE = Path(__file__).with_suffix(".choreo")
reserve = pavane.load(FILE, name="Reserve")
release = pavane.load(FILE, name="Release")

FREE = {"flight": 10, "car": 10, "hotel": 1}
BOOKED: dict[str, str] = {}  # codes by the key they were booked under


class SoldOut(Exception):
    pass


# --- the suppliers' side ---------------------------------------------------------------------


@reserve.role("Supplier")
async def reserving(me: pavane.Endpoint) -> None:
    order = await me.receive("Wanted")
    if order.key not in BOOKED:
        if FREE[order.thing] == 0:
            await me.send("SoldOut", order.thing)
            return
        BOOKED[order.key] = f"{order.thing}-{FREE[order.thing]}"
        FREE[order.thing] -= 1
    await me.send("Booked", BOOKED[order.key])


@release.role("Supplier")
async def releasing(me: pavane.Endpoint) -> None:
    order = await me.receive("Unwanted")
    if BOOKED.pop(order.booking, None):
        FREE[order.thing] += 1
    await me.send("Released")


# --- the agency's side -------------------------------------------------------------------------


def agency(runtime: pavane.Runtime) -> pavane.Saga:
    """A trip: one step for each thing, each with what undoes it."""
    trip = pavane.Saga("trip")

    def thing(name: str) -> None:
        async def book(visit: pavane.Visit) -> str:
            async def part(me: pavane.Endpoint) -> str:
                await me.send("Wanted", name, visit.key)
                match await me.offer():
                    case pavane.Received("Booked", booking):
                        return str(booking.code)
                    case _:
                        raise SoldOut(f"no {name} left")

            outcome = await runtime.run(reserve, Agency=part)
            return str(outcome["Agency"])

        async def cancel(visit: pavane.Visit) -> None:
            async def part(me: pavane.Endpoint) -> None:
                await me.send("Unwanted", name, visit.undoes)
                await me.receive("Released")

            await runtime.run(release, Agency=part)

        trip.add(name, book, cancel)

    for name in FREE:
        thing(name)
    return trip


async def main() -> None:
    async with pavane.open() as runtime:
        trip = agency(runtime)
        trips = pavane.Compensations(runtime.broker)
        await trips.recover(trip)  # whatever an earlier process has left open
        for who in ("Ada", "Bob"):
            try:
                outcome = await trips.run(trip, {"who": who})
                print(f"{who}: {', '.join(outcome.results.values())}")
            except pavane.SagaFailed as failed:
                print(f"{who}: {failed.outcome.status}; {failed.outcome.summary}")
        print("left:", FREE)


if __name__ == "__main__":
    asyncio.run(main())
