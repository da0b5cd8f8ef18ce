"""Publish and subscribe, on every driver."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.errors import BadSubject, NotConnected, PayloadTooLarge

Until = Callable[[Callable[[], bool]], Awaitable[None]]
Got = list[tuple[str, bytes]]


async def listen(broker: Broker, subject: str) -> Got:
    got: Got = []
    await broker.subscribe(subject, lambda s, p: got.append((s, p)))
    return got


async def test_a_message_reaches_every_subscription_once(
    broker: Broker, other: Broker, unique: str, until: Until
) -> None:
    mine = await listen(broker, f"{unique}.a")
    theirs = await listen(other, f"{unique}.a")
    broker.publish(f"{unique}.a", b"1")
    await until(lambda: len(mine) == len(theirs) == 1)
    assert mine == theirs == [(f"{unique}.a", b"1")]


@pytest.mark.parametrize(
    ("pattern", "reached"),
    [
        ("a.b.c", {"a.b.c"}),
        ("a.*.c", {"a.b.c", "a.x.c"}),
        ("a.>", {"a.b", "a.b.c", "a.x.c", "a.b.c.d"}),
        ("*.b", {"a.b"}),
        (">", {"a", "a.b", "a.b.c", "a.x.c", "a.b.c.d"}),
    ],
)
async def test_wildcards_mean_what_they_mean_to_nats(
    broker: Broker, unique: str, until: Until, pattern: str, reached: set[str]
) -> None:
    got = await listen(broker, f"{unique}.{pattern}")
    end = await listen(broker, f"{unique}-end")
    for subject in ("a", "a.b", "a.b.c", "a.x.c", "a.b.c.d"):
        broker.publish(f"{unique}.{subject}", b"")
    broker.publish(f"{unique}-end", b"")
    await until(lambda: len(end) == 1 and len(got) >= len(reached))
    assert {subject.partition(".")[2] for subject, _ in got} == reached
    assert len(got) == len(reached)


async def test_order_holds_per_publisher(
    broker: Broker, other: Broker, unique: str, until: Until
) -> None:
    got = await listen(other, f"{unique}.>")
    for number in range(5000):
        broker.publish(f"{unique}.{number % 7}", number.to_bytes(2, "big"))
        if number % 100 == 0:
            await asyncio.sleep(0)
    await until(lambda: len(got) == 5000)
    assert [int.from_bytes(payload, "big") for _, payload in got] == list(range(5000))


async def test_what_is_published_after_subscribe_returned_arrives(
    broker: Broker, other: Broker, unique: str, until: Until
) -> None:
    async def one(subject: str) -> None:
        got = await listen(broker, subject)
        other.publish(subject, b"x")
        await until(lambda: len(got) == 1)

    for number in range(50):
        await one(f"{unique}.{number}")


async def test_delivery_never_happens_inside_publish(broker: Broker, unique: str) -> None:
    got = await listen(broker, unique)
    broker.publish(unique, b"")
    assert got == []


async def test_a_closed_subscription_gets_nothing_more(
    broker: Broker, unique: str, until: Until
) -> None:
    got: Got = []
    subscription = await broker.subscribe(unique, lambda s, p: got.append((s, p)))
    rest = await listen(broker, unique)
    broker.publish(unique, b"1")
    await until(lambda: len(got) == len(rest) == 1)
    broker.publish(unique, b"2")
    await subscription.close()
    await subscription.close()
    broker.publish(unique, b"3")
    await until(lambda: len(rest) == 3)
    assert len(got) == 1


async def test_drained_means_that_a_later_subscription_is_too_late(
    broker: Broker, other: Broker, unique: str, until: Until
) -> None:
    broker.publish(f"{unique}.x", b"early")
    await broker.drained()
    got = await listen(other, f"{unique}.x")
    broker.publish(f"{unique}.x", b"late")
    await until(lambda: len(got) == 1)
    assert got[0][1] == b"late"


async def test_a_subscriber_that_raises_harms_nobody_and_is_reported(
    broker: Broker, unique: str, until: Until
) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: reported.append(context["message"])
    )

    def bad(_subject: str, _payload: bytes) -> None:
        raise RuntimeError("my own fault")

    await broker.subscribe(unique, bad)
    got = await listen(broker, unique)
    broker.publish(unique, b"1")
    broker.publish(unique, b"2")
    await until(lambda: len(got) == len(reported) == 2)
    assert unique in reported[0]


BAD_SUBJECTS = ["", "a..b", ".a", "a.", "a b", "a\tb", "a.*", "a.>", "ä", "a\n", "x" * 2000]
SERVERS_OWN = ["$JS.API.INFO", "$SYS.x", "_INBOX.x"]


@pytest.mark.parametrize("subject", [*BAD_SUBJECTS, *SERVERS_OWN])
async def test_bad_subjects_are_refused_before_the_wire(broker: Broker, subject: str) -> None:
    with pytest.raises(BadSubject):
        broker.publish(subject, b"")
    with pytest.raises(BadSubject):
        await broker.append("S", subject, b"")


@pytest.mark.parametrize("pattern", ["", "a..b", "a.>.b", "a*", "a.b>", "$SYS.>", "a b", "*x.a"])
async def test_bad_patterns_are_refused(broker: Broker, pattern: str) -> None:
    with pytest.raises(BadSubject):
        await broker.subscribe(pattern, lambda _s, _p: None)


async def test_a_payload_at_the_limit_passes_and_one_more_byte_does_not(
    broker: Broker, unique: str, until: Until
) -> None:
    got = await listen(broker, unique)
    with pytest.raises(PayloadTooLarge) as caught:
        broker.publish(unique, b"x" * (broker.max_payload + 1))
    assert (caught.value.size, caught.value.limit) == (broker.max_payload + 1, broker.max_payload)
    broker.publish(unique, b"x" * broker.max_payload)
    await until(lambda: len(got) == 1)
    assert len(got[0][1]) == broker.max_payload


async def test_close_delivers_what_was_published_and_is_final(
    broker_url: str, broker: Broker, unique: str, until: Until
) -> None:
    got = await listen(broker, unique)
    leaving = await connect(broker_url)
    for _ in range(1000):
        leaving.publish(unique, b"bye")
    await leaving.close()
    await leaving.close()
    await until(lambda: len(got) == 1000)
    with pytest.raises(NotConnected):
        leaving.publish(unique, b"")
    with pytest.raises(NotConnected):
        await leaving.subscribe(unique, lambda _s, _p: None)
    with pytest.raises(NotConnected):
        await leaving.append("S", unique, b"")
