"""Annotations: a capability, a cost and a fact around one message, and a denial handled.

python examples/04_annotated.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

launch = pavane.load(Path(__file__).with_suffix(".choreo"))


@launch.role("Pilot")
async def pilot(me: pavane.Endpoint) -> str:
    try:
        await me.send("Ignite", seconds=3)
    except pavane.CapabilityDenied as denied:
        # Nothing was sent, charged or journaled: the other branch is still open.
        print("denied:", denied.message)
        await me.send("Hold", reason="no permission")
        return "on hold"
    await me.receive("LiftOff")
    return "launched"


@launch.role("Rocket")
async def rocket(me: pavane.Endpoint) -> None:
    match await me.offer():
        case pavane.Received("Ignite"):
            await me.send("LiftOff")
        case pavane.Received("Hold", order):
            print("the rocket waits:", order.reason)
        case other:
            raise AssertionError(other)


async def fly(grants: dict[str, list[str]] | None) -> None:
    async with pavane.open(grants=grants) as runtime:
        outcome = await runtime.run(launch)
        facts = ", ".join(outcome.facts) or "none"
        print(f"{outcome['Pilot']}; charged {outcome.charged}; facts: {facts}")


async def main() -> None:
    await fly(None)  # every role may do what its own steps ask for
    await fly({"Pilot": []})  # the capability taken away


if __name__ == "__main__":
    asyncio.run(main())
