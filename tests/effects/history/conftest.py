"""A journal on either driver, with a keyboard to write it by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from secrets import token_hex

import pytest

from pavane.broker.contract import Broker
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer


class Desk:
    """Writes messages with facts into a namespace of its own."""

    def __init__(self, broker: Broker, namespace: str, signer: Signer) -> None:
        self.broker = broker
        self.namespace = namespace
        self.signer = signer
        self.now = 1_000_000_000 * 10**9
        self.journal = Journal(broker, signer, clock=lambda: self.now)

    def who(self, role: str = "A", session: str = "s1", index: int | None = None) -> Identity:
        return Identity(self.namespace, "Proto", session, role, index)

    async def send(self, who: Identity, *facts: str, charge: int = 0) -> None:
        drafts = [Draft("sent", "", 1, "M", "B", charge=charge)]
        await self.journal.add(who, [*drafts, *(Draft("fact", f, 1, "M", "B") for f in facts)])

    async def finish(self) -> None:
        """All heads are written, as at the end of a runtime."""
        await self.journal.close()

    async def facts(self, **chosen: str) -> list[str]:
        found = self.journal.query(namespace=self.namespace, **chosen)  # type: ignore[arg-type]
        return [entry.name async for entry in found]


@pytest.fixture
async def desk(broker: Broker) -> AsyncIterator[Desk]:
    made = Desk(broker, f"t{token_hex(6)}", Signer())
    await made.journal.open()
    yield made
    await made.finish()
