"""A role played again from the log alone: the same as before, or a departure that says where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

import pavane
from pavane.actors.durable.errors import NoSuchSession
from pavane.actors.durable.replay import Replayed
from pavane.broker.payload import unpack

ORDERS = """
protocol Orders {
    roles: Buyer, Seller, Clerks[2];
    loop (count: 3) {
        Buyer[flow_cost = 7, journal_facts = "ordered"] -> Seller: Order(int)
        Seller -> Clerks[*]: Look(int)
        Clerks[*] -> Seller: Seen(int)
        Seller -> Buyer: Price(int)
    }
}
"""

Role = Callable[[pavane.Endpoint], Awaitable[object]]


async def buyer(me: pavane.Endpoint) -> list[int]:
    prices: list[int] = []
    for number in range(3):
        await me.send("Order", number)
        prices.append(await me.receive("Price"))
    return prices


CALLS: list[int] = []


def quote(order: int) -> int:
    CALLS.append(order)
    return 100 + len(CALLS)


async def seller(me: pavane.Endpoint) -> float:
    for _ in range(3):
        order = await me.receive("Order")
        await me.send("Look", order)
        await me.receive("Seen")
        await me.send("Price", await me.run(quote, order))
    return await me.now()


async def clerk(me: pavane.Endpoint) -> None:
    for _ in range(3):
        await me.send("Seen", await me.receive("Look"))


class Past:
    """A session that was, and a role of it played again."""

    def __init__(self, runtime: pavane.Runtime, session: str) -> None:
        self.runtime = runtime
        self.orders = pavane.load(ORDERS)
        self.session = session

    async def play(self, **others: Role) -> None:
        roles: dict[str, Role] = {"Buyer": buyer, "Seller": seller, "Clerks": clerk, **others}
        await self.runtime.run(self.orders, roles, durable=True, session=self.session)

    async def again(self, role: str, by: Role) -> list[Replayed]:
        return [found async for found in self.runtime.replay(self.orders, self.session, role, by)]

    async def spent(self) -> int:
        level = await self.runtime.budgets.level("default.Orders", "Buyer")
        assert level is not None
        return level.spent


@pytest.fixture
async def past(runtime: pavane.Runtime, unique: str) -> Past:
    past = Past(runtime, unique)
    await past.play()
    return past


@pytest.mark.parametrize(("role", "by", "count"), [("Buyer", buyer, 6), ("Seller", seller, 18)])
async def test_a_role_does_the_same_again_and_nothing_happens(
    past: Past, role: str, by: Role, count: int
) -> None:
    calls, spent = len(CALLS), await past.spent()
    first, second = [(await past.again(role, by))[0] for _ in range(2)]
    assert first == second
    assert (first.end, first.steps, first.is_faithful) == ("done", count, True)
    assert len(CALLS) == calls
    assert await past.spent() == spent


async def test_every_instance_of_a_family_is_played(past: Past) -> None:
    found = await past.again("Clerks", clerk)
    assert [one.instance for one in found] == ["Clerks[0]", "Clerks[1]"]
    assert all(one.is_faithful for one in found)
    assert len({one.hash for one in found}) == 2


async def test_other_code_departs_where_it_says_something_else(past: Past) -> None:
    async def dearer(me: pavane.Endpoint) -> None:
        for number in range(3):
            await me.send("Order", number * 2)
            await me.receive("Price")

    (found,) = await past.again("Buyer", dearer)
    assert found.departure is not None
    assert found.departure.step == "message 2 to Seller"
    for said, value in zip((found.departure.expected, found.departure.got), (1, 2), strict=True):
        assert said.startswith("Order of 1 byte ("), "that goes to logs"
        assert found.departure.payloads is not None
        assert unpack(found.departure.payloads[value - 1]) == value


async def test_other_code_departs_where_it_calls_something_else(past: Past) -> None:
    async def other(me: pavane.Endpoint) -> None:
        order = await me.receive("Order")
        await me.send("Look", order)
        await me.receive("Seen")
        await me.now()

    (found,) = await past.again("Seller", other)
    assert found.departure is not None
    assert (found.departure.step, found.departure.expected) == ("step 1", "a call of quote")


async def test_code_that_ends_too_early_departs(past: Past) -> None:
    async def lazy(me: pavane.Endpoint) -> float:
        for _ in range(3):
            order = await me.receive("Order")
            await me.send("Look", order)
            await me.receive("Seen")
            await me.send("Price", await me.run(quote, order))
        return 0.0

    (found,) = await past.again("Seller", lazy)
    assert found.departure is not None
    assert (found.departure.expected, found.departure.got) == ("a look at the clock", "its end")


async def test_it_stops_where_the_log_ends(runtime: pavane.Runtime, unique: str) -> None:
    async def killed(me: pavane.Endpoint) -> None:
        await me.receive("Order")
        raise RuntimeError("killed")

    past = Past(runtime, unique)
    with pytest.raises(pavane.RoleFailed):
        await past.play(Seller=killed)
    (found,) = await past.again("Buyer", buyer)
    assert (found.end, found.steps) == ("waits", 1)
    assert found.is_faithful
    (found,) = await past.again("Seller", seller)
    assert (found.end, found.is_faithful) == ("another message", True)


async def test_a_session_that_is_not_there(past: Past) -> None:
    past.session = "other"
    with pytest.raises(NoSuchSession):
        await past.again("Buyer", buyer)
