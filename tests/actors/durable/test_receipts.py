"""The receipts of a durable session: kept in the journal, and nowhere else."""

from __future__ import annotations

import pavane

TEXT = """#[namespace = "%s"]
choreography Shop {
    roles: Buyer, Shop;
    Buyer[flow_cost = 10, journal_facts = "asked"] -> Shop: Ask(n: int);
    Shop -> Buyer: Answer(n: int);
    Buyer[flow_cost = 5] -> Shop: Thanks;
}"""


async def buyer(me: pavane.Endpoint) -> None:
    await me.send("Ask", n=1)
    await me.receive("Answer")
    await me.send("Thanks")


async def shop(me: pavane.Endpoint) -> None:
    await me.receive("Ask")
    await me.send("Answer", n=2)
    await me.receive("Thanks")


async def test_the_journal_has_the_receipts_of_a_durable_session(
    broker_url: str, unique: str
) -> None:
    protocol = pavane.load(TEXT % unique)
    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(protocol, Buyer=buyer, Shop=shop, durable=True)
        tally = outcome.tallies["Buyer"]
        assert (tally.charged, tally.receipts) == (15, [])
        who = pavane.Identity(unique, "Shop", outcome.session, "Buyer")
        receipts, void = await runtime.journal.receipts(who)
        total = await runtime.budgets.verify(
            receipts, f"{unique}.Shop", "Buyer", writer=".".join(who.tokens()), void=void,
            signers=[receipt.signer for receipt in receipts],
        )  # fmt: skip
    assert total == tally.charged
