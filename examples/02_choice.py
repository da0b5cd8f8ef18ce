"""A choice inside a loop: the buyer decides whether to go on, the seller whether to accept.

python examples/02_choice.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

negotiation = pavane.load(Path(__file__).with_suffix(".choreo"))


@negotiation.role("Buyer")
async def buyer(me: pavane.Endpoint) -> int | None:
    """Offer a little more each time, up to 100."""
    for price in range(60, 101, 20):
        await me.send("Offer", price=price)
        match await me.offer():
            case pavane.Received("Accept"):
                await me.choose("stop")
                return price
            case pavane.Received("Reject", refusal):
                print(f"{price}: {refusal.reason}")
            case other:
                raise AssertionError(other)
    await me.choose("stop")
    return None


@negotiation.role("Seller")
async def seller(me: pavane.Endpoint) -> None:
    while (got := await me.offer()).branch != "stop":
        if got.payload.price >= 90:
            await me.send("Accept")
        else:
            await me.send("Reject", reason="too low")


async def main() -> None:
    async with pavane.open() as runtime:
        outcome = await runtime.run(negotiation)
    print("sold for", outcome["Buyer"])


if __name__ == "__main__":
    asyncio.run(main())
