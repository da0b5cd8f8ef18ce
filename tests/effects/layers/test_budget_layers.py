from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from secrets import token_hex
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.broker.connect import connect
from pavane.broker.contract import Broker, Level
from pavane.broker.errors import NotConnected
from pavane.effects.errors import BudgetExhausted, InvalidEffect, UnknownLeakage
from pavane.effects.flow.budget import Budgets
from pavane.effects.flow.receipt import Receipt
from pavane.effects.keys import Signer
from pavane.effects.layers.budget_layers import BudgetLayer, BudgetLayers, LayerCharge
from pavane.effects.layers.errors import LayerChargeFailed, LayerExhausted

SIGNER = Signer()


def times(factor: int) -> Callable[[int], int]:
    return lambda base: base * factor


class Stack:
    """Three layers over a real broker: the base cost, three times and ten times as much."""

    def __init__(self, broker: Broker) -> None:
        self.context = f"t{token_hex(6)}.Query"
        self.budgets = Budgets(broker)
        self.plan = [
            BudgetLayer("user", self.context, "user", times(1)),
            BudgetLayer("group", self.context, "group", times(3), "leakage"),
            BudgetLayer("house", self.context, "house", times(10)),
        ]
        self.layers = BudgetLayers(self.budgets, self.plan, writer="w1", signer=SIGNER)

    async def limits(self, *limits: int) -> None:
        for layer, limit in zip(self.plan, limits, strict=True):
            define = self.budgets.define if layer.kind == "flow" else self.budgets.define_leakage
            await define(self.context, layer.peer, limit)

    async def spent(self) -> list[int]:
        return [(await layer.level(self.budgets)).spent for layer in self.plan]

    async def verified(self, charges: list[tuple[LayerCharge, ...]]) -> list[int]:
        """What the receipts of each layer come to, in order of issue."""
        sums: list[int] = []
        for index, layer in enumerate(self.plan):
            receipts = [c[index].receipt for c in charges if len(c) > index]
            sums.append(await self.layers.verify(layer, receipts, signers=[SIGNER.public]))
        return sums


@pytest.fixture
def stack(broker: Broker) -> Stack:
    return Stack(broker)


async def test_a42_each_layer_is_charged_its_own_cost(stack: Stack) -> None:
    await stack.limits(100, 100, 1000)
    receipt = await stack.layers.charge(7, step=4)
    assert [(c.layer, c.cost) for c in receipt.charges] == [
        ("user", 7),
        ("group", 21),
        ("house", 70),
    ]
    assert await stack.spent() == [7, 21, 70]
    assert [(c.receipt.cost, c.receipt.step) for c in receipt.charges] == [(7, 4), (21, 4), (70, 4)]


async def test_a42_base_and_summed_cost_are_reported(stack: Stack) -> None:
    await stack.limits(100, 100, 1000)
    receipt = await stack.layers.charge(2)
    assert (receipt.base, receipt.total) == (2, 28)


@pytest.mark.parametrize("exhausted", [0, 1, 2])
async def test_a42_exhaustion_gives_back_the_earlier_charges_and_voids_their_receipts(
    stack: Stack, exhausted: int
) -> None:
    limits = [100, 300, 1000]
    await stack.limits(*limits)
    first = await stack.layers.charge(10)
    spent = await stack.spent()
    lowered = [n if i != exhausted else spent[i] + 1 for i, n in enumerate(limits)]
    await stack.limits(*lowered)
    with pytest.raises(LayerExhausted) as caught:
        await stack.layers.charge(5)
    error = caught.value
    assert (error.index, error.layer) == (exhausted, stack.plan[exhausted].name)
    assert (error.base, error.cost) == (5, [5, 15, 50][exhausted])
    assert [c.layer for c in error.returned] == ["user", "group"][:exhausted][::-1]
    assert error.stuck == ()
    assert await stack.spent() == spent
    assert stack.layers.void == {c.receipt.hash for c in error.returned}
    assert await stack.verified([first.charges, error.returned[::-1]]) == spent


async def test_a42_the_budgets_own_refusal_is_the_cause(stack: Stack) -> None:
    await stack.limits(100, 300, 9)
    with pytest.raises(LayerExhausted) as caught:
        await stack.layers.charge(1)
    cause = caught.value.__cause__
    assert isinstance(cause, BudgetExhausted)
    assert (cause.limit, cause.cost) == (9, 10)


async def test_a_layer_without_a_budget_refuses(stack: Stack) -> None:
    await stack.budgets.define(stack.context, "user", 100)
    with pytest.raises(LayerExhausted) as caught:
        await stack.layers.charge(1)
    assert isinstance(caught.value.__cause__, UnknownLeakage)
    level = await stack.budgets.level(stack.context, "user")
    assert level is not None and level.spent == 0


class Faulty:
    """A broker on which nothing can be given back to one counter, or spent from another."""

    def __init__(self, broker: Broker, *, keeps: str = "", refuses: str = "") -> None:
        self._broker = broker
        self.keeps = keeps
        self._refuses = refuses

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def give_back(self, counter: str, amount: int, *, epoch: int) -> Level:
        if self.keeps and counter.endswith(self.keeps):
            raise NotConnected("nats://127.0.0.1:1", "cut")
        return await self._broker.give_back(counter, amount, epoch=epoch)

    async def spend(self, counter: str, amount: int) -> Level:
        if self._refuses and counter.endswith(self._refuses):
            raise NotConnected("nats://127.0.0.1:1", "cut")
        return await self._broker.spend(counter, amount)


async def test_a42_a_failing_give_back_is_reported(broker: Broker) -> None:
    stack = Stack(cast(Broker, Faulty(broker, keeps="group")))
    await stack.limits(100, 300, 9)
    with pytest.raises(LayerExhausted) as caught:
        await stack.layers.charge(4)
    error = caught.value
    assert [(s.charge.layer, s.charge.cost) for s in error.stuck] == [("group", 12)]
    assert "cut" in error.stuck[0].reason
    assert "group keeps 12" in error.message
    assert [c.layer for c in error.returned] == ["user"], "the rest is given back all the same"
    assert await stack.spent() == [0, 12, 0]
    assert stack.layers.void == {error.returned[0].receipt.hash}
    assert await stack.verified([(error.returned[0], error.stuck[0].charge)]) == [0, 12, 0]


async def test_a_broker_that_fails_is_no_exhaustion(broker: Broker) -> None:
    stack = Stack(cast(Broker, Faulty(broker, refuses="house")))
    await stack.limits(100, 300, 900)
    with pytest.raises(LayerChargeFailed) as caught:
        await stack.layers.charge(4)
    assert not isinstance(caught.value, LayerExhausted)
    assert isinstance(caught.value.__cause__, NotConnected)
    assert await stack.spent() == [0, 0, 0]


async def test_a42_concurrent_charges_are_given_back_exactly(broker: Broker) -> None:
    """Two hundred at once, for a house that can pay for seventeen of them."""
    stack = Stack(broker)
    await stack.limits(10_000, 10_000, 17 * 20 + 3)

    async def one() -> tuple[LayerCharge, ...]:
        try:
            return (await stack.layers.charge(2)).charges
        except LayerExhausted as error:
            assert error.stuck == ()
            return error.returned[::-1]

    results = await asyncio.gather(*(one() for _ in range(200)))
    done = [charges for charges in results if len(charges) == 3]
    assert len(done) == 17
    assert await stack.spent() == [34, 102, 340]
    for index, layer in enumerate(stack.plan):
        receipts = [c[index].receipt for c in results if len(c) > index]
        receipts.sort(key=by_number)
        total = await stack.layers.verify(layer, receipts, signers=[SIGNER.public])
        assert total == [34, 102, 340][index]


def by_number(receipt: Receipt) -> int:
    return receipt.number


async def test_a42_a_charge_that_is_cancelled_leaves_nothing(broker: Broker) -> None:
    stack = Stack(broker)
    await stack.limits(10_000, 10_000, 10_000)
    for turns in range(40):
        task = asyncio.create_task(stack.layers.charge(3))
        for _ in range(turns):
            await asyncio.sleep(0)
        before = task.done()
        task.cancel()
        try:
            receipt = await task
        except asyncio.CancelledError:
            assert not before
        else:
            assert await stack.layers.give_back(receipt) == ()
        assert await stack.spent() == [0, 0, 0]


async def test_an_operation_that_did_not_happen_is_given_back(stack: Stack) -> None:
    await stack.limits(100, 300, 900)
    kept, back = await stack.layers.charge(1), await stack.layers.charge(2)
    assert await stack.layers.give_back(back) == ()
    assert await stack.spent() == [1, 3, 10]
    assert await stack.verified([kept.charges, back.charges]) == [1, 3, 10]


@pytest.mark.parametrize("at_once", [False, True])
async def test_a42_an_operation_is_given_back_once(stack: Stack, at_once: bool) -> None:
    await stack.limits(100, 300, 900)
    first, second = await stack.layers.charge(2), await stack.layers.charge(2)
    if at_once:
        given = await asyncio.gather(*(stack.layers.give_back(first) for _ in range(5)))
    else:
        given = [await stack.layers.give_back(first) for _ in range(2)]
    assert set(given) == {()}
    assert await stack.spent() == [2, 6, 20], "the second stands"
    assert await stack.verified([first.charges, second.charges]) == [2, 6, 20]
    assert await stack.layers.give_back(copy.deepcopy(first)) == ()
    assert await stack.spent() == [2, 6, 20]
    assert await stack.layers.give_back(second) == ()
    assert await stack.spent() == [0, 0, 0]


async def test_a42_what_was_stuck_can_be_given_back_later_and_the_rest_is_left(
    broker: Broker,
) -> None:
    faulty = Faulty(broker, keeps="group")
    stack = Stack(cast(Broker, faulty))
    await stack.limits(100, 300, 900)
    back, _ = await stack.layers.charge(4), await stack.layers.charge(1)
    assert [s.charge.layer for s in await stack.layers.give_back(back)] == ["group"]
    assert await stack.spent() == [1, 15, 10]
    faulty.keeps = ""
    for _ in range(2):
        assert await stack.layers.give_back(back) == ()
        assert await stack.spent() == [1, 3, 10]


async def test_a_rotated_epoch_has_nothing_to_be_given_back(stack: Stack) -> None:
    await stack.limits(100, 300, 900)
    old = await stack.layers.charge(5)
    await stack.budgets.rotate(stack.context, "user")
    new = await stack.layers.charge(1)
    assert await stack.layers.give_back(old) == ()
    assert await stack.spent() == [1, 3, 10]
    assert await stack.layers.give_back(new) == ()
    assert await stack.spent() == [0, 0, 0]


@pytest.mark.parametrize("cost", [-1, 1.5, True, 1 << 60])
async def test_a_cost_that_cannot_be_charges_nothing(stack: Stack, cost: int) -> None:
    await stack.limits(100, 300, 900)
    odd = BudgetLayer("odd", stack.context, "user", lambda base: cost)
    layers = BudgetLayers(stack.budgets, [*stack.plan, odd], writer="w2", signer=SIGNER)
    with pytest.raises(InvalidEffect, match="layer odd"):
        await layers.charge(1)
    assert await stack.spent() == [0, 0, 0]


async def test_layers_without_any_are_refused(broker: Broker) -> None:
    with pytest.raises(InvalidEffect):
        BudgetLayers(Budgets(broker), [], writer="w", signer=SIGNER)


@settings(max_examples=60, deadline=None)
@given(
    limits=st.tuples(*[st.integers(0, 200)] * 3),
    costs=st.lists(st.integers(0, 30), min_size=1, max_size=12),
)
def test_a42_exact_whatever_is_asked_for(limits: tuple[int, int, int], costs: list[int]) -> None:
    """What is spent in each layer is the sum over the operations that every layer could pay."""

    async def main() -> None:
        broker = await connect(f"memory://{token_hex(6)}")
        stack = Stack(broker)
        await stack.limits(*limits)
        expected = [0, 0, 0]
        issued: list[tuple[LayerCharge, ...]] = []
        for base in costs:
            own = [base, base * 3, base * 10]
            fits = [e + o <= n for e, o, n in zip(expected, own, limits, strict=True)]
            try:
                receipt = await stack.layers.charge(base)
            except LayerExhausted as error:
                assert error.index == fits.index(False)
                issued.append(error.returned[::-1])
            else:
                assert all(fits)
                assert receipt.total == sum(own)
                issued.append(receipt.charges)
                expected = [e + o for e, o in zip(expected, own, strict=True)]
            assert await stack.spent() == expected
        assert await stack.verified(issued) == expected
        await broker.close()

    asyncio.run(main())
