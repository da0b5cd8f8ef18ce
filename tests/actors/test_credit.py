"""Credit of a whole family: in runs at the sender, in one word at the listeners."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

import pavane
from pavane import Endpoint
from pavane.actors.mailbox.credit import Credit
from pavane.actors.mailbox.inlet import MANY, WINDOW
from pavane.broker.contract import Broker
from pavane.broker.frame import decode

indices = st.integers(0, 12)
words = st.lists(
    st.tuples(indices, indices, st.integers(0, 50), st.integers(WINDOW - 10, WINDOW + 50)),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(listeners=st.sets(st.integers(0, 11), min_size=1), words=words)
def test_runs_know_what_single_counters_know(
    listeners: set[int], words: list[tuple[int, int, int, int]]
) -> None:
    credit = Credit([range(i, i + 1) for i in listeners])
    received = dict.fromkeys(listeners, 0)
    allowed = dict.fromkeys(listeners, WINDOW)
    for start, stop, has, allows in words:
        before = min(allowed.values())
        for index in listeners.intersection(range(start, stop)):
            received[index] = max(received[index], has)
            allowed[index] = max(allowed[index], allows)
        moved = credit.tell(start, stop, has, allows)
        assert moved == (min(allowed.values()) > before)
        assert credit.lowest == min(allowed.values())
        if moved:
            assert credit.everywhere == min(received.values())


def test_those_in_step_are_one_run_again() -> None:
    credit = Credit([range(400), range(400, 1000)])
    for index in range(1000):
        assert not credit.tell(index, index + 1, 5, WINDOW + 1) or index == 999
    assert credit.tell(0, 1000, 5, WINDOW + 2)
    assert (credit.lowest, credit.everywhere) == (WINDOW + 2, 5)
    assert len(credit._runs) == 1  # pyright: ignore[reportPrivateUsage]


async def test_a_family_gives_credit_in_one_word(
    runtime: pavane.Runtime, outsider: Broker, unique: str
) -> None:
    """Of 50 listeners one is slow: the sender hears once of them all, when that one has read."""
    count, size = 8 * MANY, 50
    text = f"""#[namespace = "{unique}"]
    protocol Fan {{ roles: A, W[{size}]; loop (count: {count}) {{ A -> W[*]: Tick(int); }} }}"""
    acks: list[tuple[str, int]] = []

    def hear(subject: str, data: bytes) -> None:
        if (ack := decode(data).ack) is not None:
            acks.append((subject, ack.credit))

    async def a(me: Endpoint) -> None:
        for number in range(count):
            await me.send("Tick", number)

    async def w(me: Endpoint) -> None:
        for number in range(count):
            assert await me.receive("Tick") == number
            if me.index == 7 and number % 100 == 0:
                await asyncio.sleep(0.001)

    await outsider.subscribe(f"{unique}.>", hear)
    await runtime.run(pavane.load(text), session="s", A=a, W=w)
    await outsider.drained()
    assert {subject for subject, _ in acks} == {f"{unique}.Fan.A.0.s.W.0"}
    assert [credit for _, credit in acks] == [
        n * MANY + WINDOW for n in range(1, count // MANY + 1)
    ]
