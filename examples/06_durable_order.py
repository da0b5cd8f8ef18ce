"""An order that is killed with -9 again and again, in front of your eyes, and comes through.

python examples/06_durable_order.py
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pavane
from pavane.broker.embedded import Server

order = pavane.load(Path(__file__).with_suffix(".choreo"))


@order.role("Customer")
async def customer(me: pavane.Endpoint) -> str:
    await me.send("Order", "teapot", 3)
    invoice = await me.receive("Invoice")
    return f"invoice {invoice.number}, {invoice.total} to pay"


@order.role("Shop")
async def shop(me: pavane.Endpoint) -> int:
    wanted = await me.receive("Order")
    pieces = 0
    for shelf in range(3):
        await me.send("Pick", shelf)
        pieces += (await me.receive("Picked")).pieces
    # Another number each time it is asked for. Recorded, it stays the one that was given first.
    number = await me.run(lambda: secrets.randbelow(10**6), name="number the invoice")
    await me.send("Invoice", number, pieces * wanted.count)
    return number


@order.role("Warehouse")
async def warehouse(me: pavane.Endpoint) -> None:
    for _ in range(3):
        shelf = (await me.receive("Pick")).shelf
        await me.run(walk, shelf)
        await me.send("Picked", 1)


async def walk(shelf: int) -> None:
    print(f"  walking to shelf {shelf}", flush=True)
    await asyncio.sleep(0.2)


async def handle(url: str) -> None:
    """What each of the processes does: play the session from wherever it stands."""
    async with pavane.open(url) as runtime:
        outcome = await runtime.run(order, durable=True, session="order-1")
        print(
            f"  {outcome['Customer']}; charged {outcome.charged}; facts: {', '.join(outcome.facts)}"
        )


async def process(url: str) -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, __file__, url, stdout=PIPE)


async def main() -> None:
    async with Server() as server:
        for shelf in range(3):
            handling = await process(server.url)
            assert handling.stdout is not None
            print(f"process {shelf + 1}")
            async for line in handling.stdout:
                print(line.decode(), end="", flush=True)
                if f"shelf {shelf}" in line.decode():
                    break
            handling.kill()
            await handling.wait()
            print("  killed with -9")
        print("process 4")
        out, _ = await (await process(server.url)).communicate()
        print(out.decode(), end="")
        async with pavane.open(server.url) as runtime:
            outcome = await runtime.run(order, durable=True, session="order-1")
            print(f"still the same: {outcome['Customer']}")


if __name__ == "__main__":
    asyncio.run(handle(sys.argv[1]) if len(sys.argv) > 1 else main())
