"""A hundred sales under crashes, lost connections and lost answers, in no real time.

python examples/18_simulated.py
pavane simulate examples/18_simulated.choreo examples/18_simulated.py:sale --durable --seeds 1000
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

sale = pavane.load(Path(__file__).with_suffix(".choreo"))

config = pavane.SimulationConfig(
    durable=True, faults=("crash", "loss", "answer", "duplicate", "delay", "journal")
)


@config.check
def charged_once(state: pavane.SimulationState) -> bool:
    """After every step of every session."""
    return state.sent("Charge") <= 1 and state.sent("Parcel") <= state.received("Receipt")


@sale.role("Buyer")
async def buyer(me: pavane.Endpoint) -> str:
    await me.send("Order", item="tea")
    parcel = await me.receive("Parcel")
    return str(parcel.item)


@sale.role("Seller")
async def seller(me: pavane.Endpoint) -> None:
    order = await me.receive("Order")
    await me.send("Charge", cents=450)
    await me.receive("Receipt")
    await me.send("Parcel", item=order.item)


@sale.role("Bank")
async def bank(me: pavane.Endpoint) -> None:
    await me.receive("Charge")
    await me.send("Receipt", number=1)


async def one() -> None:
    """A single session: a runtime like any other, with a trace."""
    async with pavane.for_simulation(seed=3) as runtime:
        outcome = await runtime.run(sale)
        print("one session:", outcome["Buyer"])
        print(runtime.trace.splitlines()[0])


def main() -> None:
    asyncio.run(one())
    report = pavane.simulate(sale, seeds=100, config=config)
    print("sessions:", report.seeds, "of which done:", report.ended["done"])
    print("went wrong:", report.failure)


if __name__ == "__main__":
    main()
