"""A durable session whose process dies at any of its writes goes on where it stood."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane.actors.durable.audit import Audit, audit
from pavane.actors.durable.names import Place
from pavane.actors.outcome import Outcome
from pavane.broker.contract import Broker

Dying = Callable[..., Awaitable[Any]]

ORDERS = """
protocol Orders {
    roles: Buyer, Seller, Bank;
    loop (count: 3) {
        Buyer[guard_capability = "order", flow_cost = 7, journal_facts = "ordered"] -> Seller: Order(int)
        Seller -> Buyer: Price(int)
    }
    Buyer -> Bank: Pay(int)
    choice Bank {
        paid { Bank -> Buyer: Receipt(str) Bank -> Seller: Paid }
        broke { Bank -> Buyer: Refused Bank -> Seller: Unpaid }
    }
}
"""


class Shop:
    """The roles, and what they did to the world outside."""

    def __init__(self) -> None:
        self.quotes: list[int] = []
        self.payments: list[int] = []

    async def buyer(self, me: pavane.Endpoint) -> str:
        total = 0
        for _ in range(3):
            await me.send("Order", me.random().randint(1, 100))
            total += await me.receive("Price")
        await me.send("Pay", total)
        got = await me.offer()
        return str(got.payload)

    async def seller(self, me: pavane.Endpoint) -> str:
        for _ in range(3):
            order = await me.receive("Order")
            await me.send("Price", await me.run(self.quote, order))
        return (await me.offer()).label

    def quote(self, order: int) -> int:
        """Another answer each time it is asked."""
        self.quotes.append(order)
        return 10 * order + len(self.quotes)

    async def bank(self, me: pavane.Endpoint) -> float:
        total = await me.receive("Pay")
        when = await me.now()
        await me.run(self.pay, total)
        await me.sleep(0.001)
        await me.send("Receipt", f"{total} at {when}")
        await me.send("Paid")
        return when

    async def pay(self, total: int) -> None:
        self.payments.append(total)


async def run(runtime: pavane.Runtime, shop: Shop, session: str) -> Outcome:
    orders = pavane.load(ORDERS)
    return await runtime.run(
        orders, Buyer=shop.buyer, Seller=shop.seller, Bank=shop.bank, durable=True, session=session
    )


async def spent(broker: Broker) -> int:
    level = await broker.level("flow.default.Orders.Buyer")
    return level.spent if level is not None else 0


class Told:
    """What the attempt that came to the end has found."""

    def __init__(self, shop: Shop, session: str) -> None:
        self.shop = shop
        self.session = session
        self.outcome: Outcome | None = None
        self.audit: Audit | None = None

    async def attempt(self, runtime: pavane.Runtime) -> None:
        self.outcome = await run(runtime, self.shop, self.session)
        place = Place("", "Orders", self.session)
        self.audit = await audit(runtime.broker, place, runtime.journal)

    def check(self) -> None:
        assert self.audit is not None
        assert self.outcome is not None
        assert not self.audit.faults, self.audit.faults
        assert self.audit.is_over
        assert (self.audit.charged, self.audit.facts) == (21, 3)
        assert self.outcome["Seller"] == "Paid"
        assert self.outcome["Buyer"] == f"{self.shop.payments[-1]} at {self.outcome['Bank']}"
        assert self.outcome.tallies["Buyer"].charged == 21


@pytest.mark.parametrize("stores", [True, False], ids=["stored", "lost"])
async def test_a49_killed_at_any_write_a_session_ends_as_if_nothing_had_been(
    dying: Dying, hub: Broker, stores: bool
) -> None:
    whole = await dying(Told(Shop(), "whole").attempt)
    assert whole.writes > 25
    for lives in range(1, whole.writes + 1):
        told = Told(Shop(), f"s{lives}")
        await dying(told.attempt, lives, stores=stores)
        await dying(told.attempt)
        told.check()
        assert await spent(hub) == 21 * (lives + 1)


async def test_a49_killed_again_and_again_it_ends_all_the_same(dying: Dying, hub: Broker) -> None:
    told = Told(Shop(), "s")
    lives = 8
    while (await dying(told.attempt, lives)).is_dead:
        lives += 1
    told.check()
    assert told.audit is not None
    assert told.audit.takeovers > 3
    assert await spent(hub) == 21
