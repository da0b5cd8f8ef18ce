"""The journal: an audit query, a state rebuilt from facts, and a damaged copy found.

python examples/11_auditable.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pavane

order = pavane.load(Path(__file__).with_suffix(".choreo"))
PRICES = {"tea": 4, "cup": 9}


@order.role("Client")
async def client(me: pavane.Endpoint) -> None:
    await me.send("Buy", item="tea")
    await me.receive("Goods")


@order.role("Shop")
async def shop(me: pavane.Endpoint) -> None:
    bought = await me.receive("Buy")
    await me.send("Goods", price=PRICES[bought.item])


@pavane.reducer
def charges(state: dict[str, int], entry: pavane.Entry) -> dict[str, int]:
    """What each role was charged: entries of messages that were sent after all, in order."""
    state[entry.role] = state.get(entry.role, 0) + entry.charge
    return state


async def audit(copy: Path) -> None:
    """A copy is verified like the journal itself."""
    findings = await pavane.History(pavane.Archive(copy)).verify()
    print(f"{copy.name}: {findings.entries} entries, faults: {len(findings.faults)}")
    for fault in findings.faults:
        print("  ", fault.kind, "at entry", fault.number)


async def main() -> None:
    async with pavane.for_testing() as runtime:
        journal = runtime.journal
        for _ in range(3):
            await runtime.run(order)

        billed = [fact async for fact in journal.query(fact="billed", role="Shop")]
        print(f"billed {len(billed)} times, last at entry {billed[-1].number} of its writer")

        await journal.snapshot(charges)
        await runtime.run(order)
        books = await journal.rebuild(charges)
        print(f"charges {books.state}; {books.before} entries by a snapshot, {books.reduced} read")

        with tempfile.TemporaryDirectory() as folder:
            copy, forged = Path(folder, "copy.jsonl"), Path(folder, "forged.jsonl")
            await journal.export(copy)
            await audit(copy)
            forged.write_text(copy.read_text().replace('"charge":10', '"charge":1', 1))
            await audit(forged)


if __name__ == "__main__":
    asyncio.run(main())
