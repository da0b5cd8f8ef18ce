"""A stream that several connections widen in the same moment takes what each of them wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker

ROUNDS = 40
"""In about one of twenty, updates cross so that the server leaves off listening to a subject."""


@pytest.fixture
async def connections(nats_url: str) -> AsyncIterator[list[Broker]]:
    async with AsyncExitStack() as stack:
        made = [await connect(nats_url) for _ in range(4)]
        for broker in made:
            stack.push_async_callback(broker.close)
        yield made


async def test_crossing_updates_lose_no_subject_and_no_record(
    connections: list[Broker], unique: str
) -> None:
    for number in range(ROUNDS):
        stream = f"{unique}-{number}"
        subjects = [f"{stream}.{n}" for n in range(8)]
        users = [(connections[n % 4], subject) for n, subject in enumerate(subjects)]
        await asyncio.gather(*(broker.ensure_stream(stream, [s]) for broker, s in users))
        await asyncio.gather(*(broker.append(stream, s, s.encode()) for broker, s in users))
        stored = [record.payload.decode() async for record in connections[0].read(stream)]
        assert sorted(stored) == subjects
