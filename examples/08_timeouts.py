"""A long-running session with timeouts: reminders, a last deadline, and a cancellation. With
`durable=True` the times would run on wherever it is played.

python examples/08_timeouts.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

claims = pavane.load(Path(__file__).with_suffix(".choreo"))


@claims.role("Customer")
async def customer(me: pavane.Endpoint) -> str:
    await me.send("Claim", amount=120)
    reminders = 0
    while True:
        answer = await me.offer()
        match answer.label:
            case "Patience":
                reminders += 1
            case "Paid":
                return f"paid {answer.payload.amount} after {reminders} reminders"
            case _:
                return f"refused after {reminders} reminders: {answer.payload.reason}"


@claims.role("Desk")
async def desk(me: pavane.Endpoint) -> None:
    claim = await me.receive("Claim")
    await me.send("Decide", claim.amount)
    while True:
        decision = await me.offer()
        match decision.label:
            case "Approve":
                return await me.send("Paid", claim.amount)
            case "Reject":
                return await me.send("Refused", decision.payload.reason)
            case _:
                await me.send("Patience")


class Manager:
    """Somebody who takes their time. `me.deadline()` is what the protocol leaves of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __call__(self, me: pavane.Endpoint) -> None:
        await me.receive("Decide")
        thinking = asyncio.create_task(asyncio.sleep(self.seconds))
        try:
            while True:
                async with me.deadline() as late:
                    await asyncio.shield(thinking)
                if not late.passed:
                    break
                await me.send("Undecided")
        finally:
            thinking.cancel()
        await me.send("Approve")


async def claim(runtime: pavane.Runtime, seconds: float, session: str) -> None:
    try:
        outcome = await runtime.run(claims, session=session, Manager=Manager(seconds))
        print(f"{session}: {outcome['Customer']}")
    except pavane.StepTimedOut as late:
        print(f"{session}: nobody decided within {late.seconds:g} s")
    except pavane.SessionCancelled as cancelled:
        print(f"{session}: cancelled by {cancelled.role}: {cancelled.reason}")


async def main() -> None:
    async with pavane.open() as runtime:
        await claim(runtime, 0.02, "quick")
        await claim(runtime, 0.4, "slow")
        await claim(runtime, 9.0, "forgotten")
        waiting = asyncio.create_task(claim(runtime, 9.0, "withdrawn"))
        await asyncio.sleep(0.2)
        runtime.cancel("withdrawn", "I found the receipt", who="the customer")
        await waiting


if __name__ == "__main__":
    asyncio.run(main())
