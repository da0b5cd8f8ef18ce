"""Two roles by hand: each is a function, and neither knows how the other is written.

python examples/01_two_roles.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

greeting = pavane.load(Path(__file__).with_suffix(".choreo"))


@greeting.role("Guest")
async def guest(me: pavane.Endpoint) -> None:
    await me.send("Hello", name="Ada")
    print("the host said:", await me.receive("Welcome"))


@greeting.role("Host")
async def host(me: pavane.Endpoint) -> None:
    hello = await me.receive("Hello")
    await me.send("Welcome", f"Come in, {hello.name}.")


async def main() -> None:
    async with pavane.open() as runtime:  # starts a nats-server, and stops it
        await runtime.run(greeting)


if __name__ == "__main__":
    asyncio.run(main())
