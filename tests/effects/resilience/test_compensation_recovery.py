"""Sagas that somebody has left open, and who ends them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.errors import NotConnected
from pavane.broker.payload import pack, unpack
from pavane.effects.resilience import saga_log
from pavane.effects.resilience.compensation import Compensations
from pavane.effects.resilience.errors import (
    SagaLogBroken,
    SagaTaken,
)
from pavane.effects.resilience.saga import Saga, Visit
from pavane.effects.resilience.saga_log import STREAM, subject_of

LogOf = Callable[[str], Awaitable[list[str]]]

if TYPE_CHECKING:
    from .conftest import Diary


async def left_open(broker: Broker, url: str, unique: str, diary: Diary, what: str) -> None:
    """Run `diary` as "one" in a process, as it were, that dies when `what` is done."""
    dying = await connect(url)
    diary.failing[what] = diary.Dead()
    with pytest.raises(diary.Dead):
        await Compensations(dying, unique).run(diary.saga, id="one")
    await dying.close()
    del diary.failing[what]
    diary.did.clear()


async def test_a40_an_interrupted_saga_is_undone_by_recover(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b", "c")
    await left_open(broker, broker_url, unique, diary, "+b")
    (still,) = await sagas.unfinished()
    assert (still.status, still.results) == ("open", {"a": "+a!"})
    (outcome,) = await sagas.recover(diary.saga, idle=0.0)
    assert diary.did == ["-b", "-a"]
    assert not diary.visits["-b"].done and diary.visits["-a"].done
    assert (outcome.status, outcome.failed, outcome.undone) == ("compensated", "b", ("b", "a"))
    assert await sagas.recover(diary.saga, idle=0.0) == ()
    assert await sagas.unfinished() == ()


async def test_a40_recover_goes_on_behind_a_compensation_that_waits_for_what_was_cancelled(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b", "c")
    await left_open(broker, broker_url, unique, diary, "+c")
    diary.failing["-b"] = asyncio.CancelledError()
    (outcome,) = await sagas.recover(diary.saga, idle=0.0)
    assert diary.did == ["-c", "-b", "-a"]
    assert (outcome.status, outcome.undone) == ("stuck", ("c", "a"))
    assert await sagas.unfinished() == ()


async def test_a40_an_interrupted_compensation_goes_on_under_the_same_key(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b", "c")
    diary.failing["+c"] = ValueError("no c")
    await left_open(broker, broker_url, unique, diary, "-b")
    first = diary.visits["-b"].key
    (outcome,) = await sagas.recover(diary.saga, idle=0.0)
    assert diary.did == ["-b", "-a"]
    assert diary.visits["-b"].key == first != diary.visits["-a"].key
    assert diary.visits["-b"].undoes == diary.visits["+b"].key != first
    assert (outcome.failed, outcome.reason) == ("c", "ValueError: no c")


async def test_recover_leaves_alone_what_is_not_its_own(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b")
    await left_open(broker, broker_url, unique, diary, "+b")
    assert await sagas.recover(Saga("other"), idle=0.0) == ()
    assert await sagas.recover(new_diary("a", "c").saga, idle=0.0) == ()
    assert await sagas.recover(diary.saga, idle=60.0) == ()
    assert await Compensations(broker, f"{unique}x").recover(diary.saga, idle=0.0) == ()
    later = Compensations(broker, unique, clock=lambda: time.time() + 61)
    assert len(await later.recover(diary.saga, idle=60.0)) == 1


async def test_recover_keeps_its_hands_off_what_runs_here(
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")

    async def recovering(visit: Visit) -> None:
        assert await sagas.recover(diary.saga, idle=0.0) == ()

    diary.saga.add("recovering", recovering)
    assert (await sagas.run(diary.saga)).status == "committed"


async def test_who_has_lost_a_saga_does_nothing_more(
    broker: Broker, sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")

    async def stolen(visit: Visit) -> None:
        await Compensations(broker, unique).recover(diary.saga, idle=0.0)

    diary.saga.add("stolen", stolen)
    diary.saga.add("after", stolen)
    with pytest.raises(SagaTaken):
        await sagas.run(diary.saga, id="one")
    assert diary.did == ["+a", "-a"]
    outcome = await sagas.outcome("trip", "one")
    assert outcome is not None and outcome.status == "compensated"


async def test_a40_many_that_recover_at_once_undo_everything_once(
    broker: Broker, unique: str, new_diary: type[Diary], log_of: LogOf
) -> None:
    diary = new_diary("a", "b")
    for number in range(5):
        diary.failing["+b"] = new_diary.Dead()
        with pytest.raises(new_diary.Dead):
            await Compensations(broker, unique).run(diary.saga, id=f"n{number}")
    diary.failing.clear()
    diary.did.clear()
    rivals = [Compensations(broker, unique) for _ in range(8)]
    found = await asyncio.gather(*(r.recover(diary.saga, idle=0.0) for r in rivals))
    # One that is taken while it is taken over may be undone twice, under the same key; what is
    # counted here is the log: each saga ended once, by one of them.
    assert sorted(o.id for outcomes in found for o in outcomes) == [f"n{n}" for n in range(5)]
    for number in range(5):
        log = await log_of(f"n{number}")
        assert [log.count(k) for k in ("undone a", "undone b", "ended")] == [1, 1, 1]


async def test_a_log_that_makes_no_sense_is_named_and_stops_no_other(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b")
    await left_open(broker, broker_url, unique, diary, "+b")
    bad = subject_of(unique, "trip", "bad")
    forged = await broker.append(STREAM, bad, pack([0, "done", "me", "a", None]))
    with pytest.raises(SagaLogBroken) as caught:
        await sagas.recover(diary.saga, idle=0.0)
    assert (caught.value.id, caught.value.sequence) == ("bad", forged)
    assert diary.did == ["-b", "-a"]


async def test_a_lost_connection_leaves_it_open_and_says_so(
    broker: Broker, broker_url: str, unique: str, new_diary: type[Diary]
) -> None:
    mine = await connect(broker_url)
    diary = new_diary("a")

    async def cut(visit: Visit) -> None:
        await mine.close()

    diary.saga.add("cut", cut)
    with pytest.raises(NotConnected):
        await Compensations(mine, unique).run(diary.saga, id="one")
    (outcome,) = await Compensations(broker, unique).recover(diary.saga, idle=0.0)
    assert (outcome.status, diary.did) == ("compensated", ["+a", "-a"])


async def test_reading_begins_at_the_floor(
    broker: Broker,
    broker_url: str,
    unique: str,
    new_diary: type[Diary],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An open saga keeps the floor where it is; one that spans it is read without complaint."""
    monkeypatch.setattr(saga_log, "FLOOR_STEP", 1)
    sagas = Compensations(broker, unique)
    diary, slow = new_diary("a"), Saga("slow")
    going = asyncio.Event()

    async def wait(visit: Visit) -> None:
        await going.wait()

    slow.add("wait", wait)
    spanning = asyncio.create_task(sagas.run(slow, id="spanning"))
    while not await sagas.unfinished():
        await asyncio.sleep(0.001)
    await left_open(broker, broker_url, unique, diary, "+a")
    going.set()
    await spanning

    for _ in range(2):
        (still,) = await sagas.unfinished()
        assert still.id == "one"
        last = await broker.last(STREAM, f"compensation.floor.{unique}")
        reading = broker.read(STREAM, subject_of(unique, "trip", "one"))
        begun, *_ = [record.sequence async for record in reading]
        assert last is not None and unpack(last.payload) == begun
    (outcome,) = await Compensations(broker, unique).recover(diary.saga, idle=0.0)
    assert outcome.id == "one"
    assert await Compensations(broker, unique).unfinished() == ()
