"""A family: one send reaches every follower, one receive gathers every vote.

python examples/03_family.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

election = pavane.load(Path(__file__).with_suffix(".choreo"))


@election.role("Leader")
async def leader(me: pavane.Endpoint) -> dict[int, bool]:
    await me.send("Proposal", motion="longer lunch breaks")
    votes: dict[int, bool] = await me.receive("Vote")  # waits for all, by index
    yes = sum(votes.values())
    await me.send("Result", yes=yes, no=len(votes) - yes)
    return votes


@election.role("Followers")
async def follower(me: pavane.Endpoint) -> None:
    proposal = await me.receive("Proposal")
    await me.send("Vote", me.index % 3 != 0)
    result = await me.receive("Result")
    if me.index == 0:
        print(f"{proposal.motion}: {result.yes} for, {result.no} against")


async def main() -> None:
    async with pavane.open() as runtime:
        for count in (1, 5, 100):
            outcome = await runtime.run(election.bind(Followers=count))
            print(f"{len(outcome['Leader'])} followers voted")


if __name__ == "__main__":
    asyncio.run(main())
