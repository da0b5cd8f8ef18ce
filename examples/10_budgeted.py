"""Budgets: charged exactly, exhausted, renewed, and proved by receipts; leakage by observer.

python examples/10_budgeted.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

budgeted = pavane.load(Path(__file__).with_suffix(".choreo"))
CONTEXT = "budgeted.BudgetedProtocol"


@budgeted.role("Sender")
async def sender(me: pavane.Endpoint) -> None:
    await me.send("HighCostMessage", data="a picture")
    await me.receive("LowCostAck")
    await me.send("DefaultCostMessage", data="its name")


@budgeted.role("Receiver")
async def receiver(me: pavane.Endpoint) -> None:
    await me.receive("HighCostMessage")
    await me.send("LowCostAck", ack="seen")
    await me.receive("DefaultCostMessage")


async def play(runtime: pavane.Runtime) -> pavane.Outcome | None:
    try:
        outcome = await runtime.run(budgeted)
    except pavane.EffectError as denied:
        print("denied:", denied.message)
        return None
    level = await runtime.budgets.level(CONTEXT, "Sender")
    assert level is not None
    print(f"charged {outcome.charged}; Sender has spent {level.spent} of {level.limit}")
    return outcome


async def main() -> None:
    signer = pavane.Signer()
    async with pavane.open(budgets={"Sender": 650}, signer=signer) as runtime:
        budgets = runtime.budgets
        # A class of observers that has no budget may learn nothing: the session does not start.
        await play(runtime)
        await budgets.define_leakage(CONTEXT, "neighbor", 2, window=3600)

        await play(runtime)
        last = await play(runtime)
        await play(runtime)

        assert last is not None
        receipts = last.tallies["Sender"].receipts
        writer = f"{CONTEXT}.{last.session}.Sender.0"
        proved = await budgets.verify(
            receipts, CONTEXT, "Sender", writer=writer, signers=[signer.public]
        )
        print(f"the receipts of the last session prove {proved}")

        await budgets.rotate(CONTEXT, "Sender")
        await budgets.define_leakage(CONTEXT, "neighbor", 3)
        await play(runtime)


if __name__ == "__main__":
    asyncio.run(main())
