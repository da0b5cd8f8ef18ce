from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.effects.errors import InvalidEffect
from pavane.effects.resilience.bulkhead import Bulkhead, Bulkheads
from pavane.effects.resilience.errors import BulkheadFull

Virtual = Callable[[Coroutine[Any, Any, Any]], Any]


@given(
    limit=st.integers(1, 5),
    queue=st.integers(0, 5),
    calls=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=40),
)
def test_never_more_than_the_limit_run_and_never_one_too_few(
    virtual: Virtual, limit: int, queue: int, calls: list[tuple[int, int]]
) -> None:
    """Each call comes at a time and takes a time; a queue simulated by hand says what happens."""

    async def main() -> tuple[list[int], int]:
        bulkhead = Bulkhead("bank", limit, queue)
        order: list[int] = []
        most = 0

        async def one(number: int, start: int, length: int) -> None:
            nonlocal most
            # A little apart, so that no two come, or come and go, at the same moment.
            await anyio.sleep(start + number / 1000)

            async def operation() -> None:
                nonlocal most
                order.append(number)
                most = max(most, bulkhead.running)
                assert bulkhead.waiting <= queue
                await anyio.sleep(length + number / 7000)

            try:
                await bulkhead.call(operation)
            except BulkheadFull as full:
                assert (full.running, full.waiting) == (limit, queue)

        await asyncio.gather(*(one(n, s, t) for n, (s, t) in enumerate(calls)))
        assert (bulkhead.running, bulkhead.waiting) == (0, 0)
        return order, most

    order, most = virtual(main())
    assert order == expected_order(limit, queue, calls)
    assert most <= limit


def expected_order(limit: int, queue: int, calls: list[tuple[int, int]]) -> list[int]:
    arrivals = sorted((s + n / 1000, n, t + n / 7000) for n, (s, t) in enumerate(calls))
    ends: list[float] = []  # of those that run or wait, by when their place is free again
    begun: list[tuple[float, int]] = []
    for arrival, number, length in arrivals:
        ends = [end for end in ends if end > arrival]
        if len(ends) >= limit + queue:
            continue
        free = sorted(ends, reverse=True)[limit - 1] if len(ends) >= limit else arrival
        start = max(arrival, free)
        begun.append((start, number))
        ends.append(start + length)
    return [number for _, number in sorted(begun)]


async def test_who_is_cancelled_while_waiting_leaves_the_place_to_the_next() -> None:
    bulkhead = Bulkhead("bank", 1, 1)
    gate = asyncio.Event()
    first = asyncio.create_task(bulkhead.call(gate.wait))
    await asyncio.sleep(0)
    second = asyncio.create_task(bulkhead.call(gate.wait))
    await asyncio.sleep(0)
    assert (bulkhead.running, bulkhead.waiting) == (1, 1)
    with pytest.raises(BulkheadFull):
        await bulkhead.call(gate.wait)
    second.cancel()
    await asyncio.wait([second])
    third = asyncio.create_task(bulkhead.call(gate.wait))
    await asyncio.sleep(0)
    gate.set()
    assert await first and await third
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_who_fails_leaves_too() -> None:
    bulkhead = Bulkhead("bank", 1)

    async def fail() -> None:
        raise ValueError

    for _ in range(3):
        with pytest.raises(ValueError):
            await bulkhead.call(fail)


def test_each_service_has_its_own() -> None:
    bulkheads = Bulkheads(2, 1, sizes={"bank": (5, 0)})
    assert (bulkheads["bank"].limit, bulkheads["bank"].queue) == (5, 0)
    assert (bulkheads["post"].limit, bulkheads["post"].queue) == (2, 1)
    assert bulkheads["bank"] is bulkheads["bank"]
    assert sorted(bulkheads) == ["bank", "post"]


@pytest.mark.parametrize(("limit", "queue"), [(0, 1), (-1, 1), (1, -1), (1.5, 1), (1, 0.5)])
def test_a_bulkhead_that_cannot_be_is_refused(limit: Any, queue: Any) -> None:
    with pytest.raises(InvalidEffect):
        Bulkhead("bank", limit, queue)
