"""A protocol in two versions: side by side, then the old one goes.

python examples/12_two_versions.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pavane
from pavane.broker.embedded import Server

TEXT = Path(__file__).with_suffix(".choreo").read_text()
old = pavane.load(TEXT)
new = pavane.load(TEXT.replace("gone:", "later: { Seller -> Buyer: Wait(days: int); }\n gone:"))


@old.role("Buyer")
async def old_buyer(me: pavane.Endpoint) -> str:
    await me.send("Order", "tea")
    return f"old buyer: {(await me.offer()).label}"


@old.role("Seller")
async def old_seller(me: pavane.Endpoint) -> None:
    await me.receive("Order")
    await me.send("Sorry")


@new.role("Buyer")
async def new_buyer(me: pavane.Endpoint) -> str:
    await me.send("Order", "tea")
    return f"new buyer: {(await me.offer()).label}"


@new.role("Seller")
async def new_seller(me: pavane.Endpoint) -> None:
    await me.receive("Order")
    await me.send("Wait", days=2)


@asynccontextmanager
async def serving(url: str, sale: pavane.Choreography, *roles: str) -> AsyncGenerator[None]:
    """What `pavane worker MODULE:SALE.ROLE` is in a process of its own."""
    async with pavane.open(url) as runtime:
        worker = pavane.Worker(runtime)
        worker.serve(sale, *roles)
        ready = asyncio.Event()
        working = asyncio.create_task(worker.run(ready.set))
        await ready.wait()
        yield
        worker.drain()
        await working


async def start(url: str, sale: pavane.Choreography) -> str:
    async with pavane.open(url) as runtime:
        handle = await runtime.start(sale)
        return str((await handle.result())["Buyer"])


async def main() -> None:
    async with Server() as server, serving(server.url, new):
        async with serving(server.url, old):
            print("both are served")
            print("  an old session:", await start(server.url, old))
            print("  a new session:", await start(server.url, new))
        print("only the new one is served")
        print("  a new session:", await start(server.url, new))
        async with serving(server.url, old, "Seller"):
            print("and the old seller, who may not be replaced alone")
            print("  an old session:", await start(server.url, old))
        try:
            await start(server.url, old)
        except pavane.ActorError as error:
            print("without him:", error.message)


if __name__ == "__main__":
    asyncio.run(main())
