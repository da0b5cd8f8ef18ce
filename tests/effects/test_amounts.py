"""What messages cost and tell at the edges of what can be counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pavane.effects.errors import BudgetExhausted, LeakageExhausted
from pavane.language.machine import Action, Peer

if TYPE_CHECKING:
    from .conftest import Desk


@pytest.mark.parametrize("durable", [False, True])
async def test_a28_more_than_any_limit_for_all_copies_is_exhausted(
    desk: Desk, action: Callable[..., Action], durable: bool
) -> None:
    await desk.fund(2**53 - 1)
    context = replace(desk.context(), durable=durable, turn=int(durable))
    await desk.budgets.define_leakage(context.budget_context, "near", 2**53 - 1)
    peer = Peer("User", 0, 3, every=True)
    with pytest.raises(BudgetExhausted) as caught:
        await desk.pipeline.before_send(context, action(peer, flow_cost=2**53 - 1), 3)
    assert caught.value.cost == 3 * (2**53 - 1)
    with pytest.raises(LeakageExhausted):
        await desk.pipeline.before_send(
            context, action(peer, flow_cost=1, leak=f"near: {2**53 - 1}"), 3
        )
    assert (await desk.spent(), await desk.entries()) == (0, [])


@pytest.mark.parametrize("durable", [False, True])
async def test_a37_a_message_that_leaks_to_a_class_twice_is_charged_twice(
    desk: Desk, action: Callable[..., Action], durable: bool
) -> None:
    await desk.fund()
    context = replace(desk.context(), durable=durable, turn=int(durable))
    await desk.budgets.define_leakage(context.budget_context, "near", 100)
    send = action(flow_cost=1, leak="near: 1, near: 2")

    async def leaked() -> int:
        level = await desk.budgets.leakage(context.budget_context, "near")
        assert level is not None
        return level.spent

    await desk.pipeline.before_send(context, send)
    assert await leaked() == 3
    passed = await desk.pipeline.before_send(context, send)
    assert await leaked() == 6
    await passed.abandon("cut")
    assert await leaked() == 3
