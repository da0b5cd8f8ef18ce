from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from secrets import token_hex

import pytest

from pavane.broker.contract import Broker
from pavane.effects.capability.tokens import Authority
from pavane.effects.capability.verifier import Verifier
from pavane.effects.flow.budget import Budgets
from pavane.effects.identity import Identity, SendContext
from pavane.effects.journal.entry import Entry
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer
from pavane.effects.pipeline.handlers import standard_registry
from pavane.effects.pipeline.pipeline import Pipeline
from pavane.effects.pipeline.registry import ExtensionRegistry
from pavane.effects.pipeline.trace import Denial, Stage
from pavane.effects.pipeline.transaction import BrokerDriver
from pavane.language.machine import Action, Peer
from pavane.language.tree import Annotation, Message, Scalar


class Desk:
    """A whole pipeline over a real broker, in a namespace of its own."""

    def __init__(self, broker: Broker, registry: ExtensionRegistry | None = None) -> None:
        self.broker = broker
        self.namespace = f"t{token_hex(6)}"
        self.authority = Authority()
        self.signer = Signer()
        self.budgets = Budgets(broker)
        self.journal = Journal(broker, self.signer)
        self.verifier = Verifier(self.authority.public)
        self.seen: list[Stage | Denial] = []
        self.pipeline = Pipeline(
            registry or standard_registry(),
            BrokerDriver(self.verifier, self.budgets, self.journal, self.signer),
            observers=[self.seen.append],
        )

    def identity(self, role: str = "Admin", index: int | None = None) -> Identity:
        return Identity(self.namespace, "Proto", "s1", role, index)

    def context(
        self, role: str = "Admin", capabilities: Collection[str] = (), index: int | None = None
    ) -> SendContext:
        who = self.identity(role, index)
        token = self.authority.issue(who, capabilities, time.time() + 60) if capabilities else b""
        return SendContext(who, token)

    async def fund(self, limit: int = 1000, role: str = "Admin") -> None:
        await self.budgets.define(f"{self.namespace}.Proto", role, limit)

    async def spent(self, role: str = "Admin") -> int:
        level = await self.budgets.level(f"{self.namespace}.Proto", role)
        assert level is not None
        return level.spent

    async def entries(self, role: str = "") -> Sequence[Entry]:
        return [e async for e in self.journal.entries(namespace=self.namespace, role=role)]

    async def facts(self, role: str = "", fact: str = "") -> list[str]:
        found = self.journal.query(namespace=self.namespace, role=role, fact=fact)
        return [entry.name async for entry in found]


def _action(peer: Peer | str = "User", step: int = 1, **annotations: Scalar) -> Action:
    return Action(
        sends=True,
        peer=Peer(peer) if isinstance(peer, str) else peer,
        message=Message("Command"),
        step=step,
        annotations=tuple(Annotation(key, value) for key, value in annotations.items()),
    )


@pytest.fixture
def action() -> Callable[..., Action]:
    return _action


@pytest.fixture
async def desk(broker: Broker) -> AsyncIterator[Desk]:
    made = Desk(broker)
    await made.journal.open()
    yield made
    await made.pipeline.close()


@pytest.fixture
def make_desk(broker: Broker) -> Callable[[ExtensionRegistry], Desk]:
    return lambda registry: Desk(broker, registry)
