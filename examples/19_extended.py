"""Effects of one's own: annotation keys that refuse, charge and record.

python examples/19_extended.py
pavane run examples/19_extended.choreo --registry examples/19_extended.py:registry --trace
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pavane

registry = pavane.standard_registry()


@dataclass(frozen=True)
class MaxBytes:
    limit: int
    stage: ClassVar[pavane.StageName] = "leakage"  # when it runs: with what may be learnt


@dataclass(frozen=True)
class Stamp:
    text: str
    stage: ClassVar[pavane.StageName] = "journal"


registry.annotation("max_bytes", lambda value: MaxBytes(int(str(value))))
registry.annotation("stamp", lambda value: Stamp(str(value)))


@registry.handles(MaxBytes)
def keep_short(effect: MaxBytes, message: pavane.Snapshot) -> Iterator[pavane.Command]:
    if len(message.payload["text"].encode()) > effect.limit:
        yield pavane.Deny(f"more than {effect.limit} bytes")


@registry.handles(Stamp, role="Clerk")
def stamped(effect: Stamp, message: pavane.Snapshot) -> Iterator[pavane.Command]:
    yield pavane.Charge(5)
    yield pavane.Record((f"stamped_{effect.text}",))


report = pavane.load(Path(__file__).with_suffix(".choreo"), extension_keys=registry.keys())


@report.role("Clerk")
async def clerk(me: pavane.Endpoint) -> None:
    try:
        await me.send("Statement", text="far more than anybody has to know")
    except pavane.EffectDenied as denied:
        print("denied:", denied.message)
    await me.send("Statement", text="all is well")


@report.role("Public")
async def public(me: pavane.Endpoint) -> str:
    return str((await me.receive("Statement")).text)


async def main() -> None:
    async with pavane.open(registry=registry) as runtime:
        outcome = await runtime.run(report)
        print(f"{outcome['Public']}; charged {outcome.charged}; facts: {', '.join(outcome.facts)}")
    try:
        async with pavane.open() as runtime:
            await runtime.run(report)
    except pavane.UnregisteredEffect as unknown:
        print("without the registry:", unknown.message.splitlines()[0])


if __name__ == "__main__":
    asyncio.run(main())
