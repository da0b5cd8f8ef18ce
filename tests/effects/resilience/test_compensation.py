from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.errors import BadSubject, NotConnected, NotPackable
from pavane.broker.payload import pack, unpack
from pavane.effects.errors import DuplicateEffect
from pavane.effects.resilience.compensation import Compensations
from pavane.effects.resilience.errors import (
    SagaExists,
    SagaFailed,
    SagaLogBroken,
    SagaTaken,
    TimedOut,
)
from pavane.effects.resilience.outcome import UndoFailure
from pavane.effects.resilience.saga import Saga, Visit
from pavane.effects.resilience.saga_log import FLOOR_STEP, STREAM, subject_of

Virtual = Callable[[Coroutine[Any, Any, Any]], Any]


class Dead(BaseException):
    """Nothing that a program would handle."""


class Diary:
    """A saga of named steps that writes down what it does, and fails where it is told to."""

    def __init__(self, *names: str, kept: tuple[str, ...] = ()) -> None:
        self.did: list[str] = []
        self.visits: dict[str, Visit] = {}
        self.failing: dict[str, BaseException] = {}
        self.saga = Saga("trip")
        for name in names:
            self._add(name, name in kept)

    def _add(self, name: str, kept: bool) -> None:
        async def forward(visit: Visit) -> str:
            return self._do(f"+{name}", visit)

        async def undo(visit: Visit) -> None:
            self._do(f"-{name}", visit)

        self.saga.add(name, forward, None if kept else undo)

    def _do(self, what: str, visit: Visit) -> str:
        self.visits[what] = visit
        self.did.append(what)
        if what in self.failing:
            raise self.failing[what]
        return f"{what}!"


@pytest.fixture
def sagas(broker: Broker, unique: str) -> Compensations:
    return Compensations(broker, unique)


async def kinds(broker: Broker, namespace: str, id: str) -> list[str]:
    """The log as a reader sees it: what was recorded, and of which step."""
    read = broker.read(STREAM, subject_of(namespace, "trip", id))
    entries = [unpack(record.payload) async for record in read]
    return [f"{entry[1]} {entry[3]}".strip() for entry in entries]


async def test_a40_forward_in_order_each_step_recorded_first(
    broker: Broker, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a", "b")
    seen: list[list[str]] = []

    async def looks(visit: Visit) -> str:
        seen.append(await kinds(broker, unique, visit.id))
        return str(visit.results["a"])

    diary.saga.add("c", looks)
    outcome = await sagas.run(diary.saga, {"who": "Ada"}, id="one")
    assert diary.did == ["+a", "+b"]
    assert (outcome.status, outcome.results) == ("committed", {"a": "+a!", "b": "+b!", "c": "+a!"})
    before = ["begun", "doing a", "done a", "doing b", "done b", "doing c"]
    assert seen == [before]
    assert await kinds(broker, unique, "one") == [*before, "done c", "ended"]
    assert await sagas.outcome("trip", "one") == outcome
    assert diary.visits["+b"].given == {"who": "Ada"}


async def test_a40_failure_compensates_in_reverse(sagas: Compensations) -> None:
    diary = Diary("a", "b", "c", "d")
    diary.failing["+c"] = ValueError("no c")
    with pytest.raises(SagaFailed) as caught:
        await sagas.run(diary.saga, id="one")
    assert diary.did == ["+a", "+b", "+c", "-b", "-a"]
    outcome = caught.value.outcome
    assert (outcome.status, outcome.failed) == ("compensated", "c")
    assert outcome.reason == "ValueError: no c"
    assert (outcome.undone, outcome.kept, outcome.failures) == (("b", "a"), (), ())
    assert caught.value.__cause__ is diary.failing["+c"]
    assert diary.visits["-b"].done
    assert diary.visits["-b"].results == {"a": "+a!", "b": "+b!"}
    assert await sagas.outcome("trip", "one") == outcome


async def test_a40_a_failing_compensation_is_recorded_and_the_rest_still_run(
    broker: Broker, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a", "b", "c", "d")
    diary.failing = {"+d": ValueError("no d"), "-b": RuntimeError("b is stuck")}
    with pytest.raises(SagaFailed) as caught:
        await sagas.run(diary.saga, id="one")
    assert diary.did[4:] == ["-c", "-b", "-a"]
    outcome = caught.value.outcome
    assert outcome.status == "stuck"
    assert outcome.undone == ("c", "a")
    assert outcome.failures == (UndoFailure("b", "RuntimeError: b is stuck"),)
    assert "b could not be undone" in str(caught.value)
    assert "undo by hand: b" in str(caught.value)
    assert (await kinds(broker, unique, "one"))[-5:] == [
        "undoing b",
        "stuck b",
        "undoing a",
        "undone a",
        "ended",
    ]


async def test_a40_what_cannot_be_undone_is_said_to_be_kept(sagas: Compensations) -> None:
    diary = Diary("a", "b", "c", kept=("b",))
    diary.failing["+c"] = ValueError()
    with pytest.raises(SagaFailed) as caught:
        await sagas.run(diary.saga)
    assert (caught.value.outcome.undone, caught.value.outcome.kept) == (("a",), ("b",))
    assert diary.did == ["+a", "+b", "+c", "-a"]


@pytest.mark.parametrize("error", [TimedOut("b", 1.0), TimeoutError()])
async def test_a_step_that_may_have_happened_is_undone_too(
    sagas: Compensations, error: Exception
) -> None:
    diary = Diary("a", "b")
    diary.failing["+b"] = error
    with pytest.raises(SagaFailed):
        await sagas.run(diary.saga)
    assert diary.did == ["+a", "+b", "-b", "-a"]
    assert not diary.visits["-b"].done
    assert "b" not in diary.visits["-b"].results


async def test_a_result_that_cannot_be_recorded_undoes_its_step(sagas: Compensations) -> None:
    diary = Diary("a")

    async def odd(visit: Visit) -> object:
        return object()

    undone: list[bool] = []

    async def undo(visit: Visit) -> None:
        undone.append(visit.done)

    diary.saga.add("odd", odd, undo)
    with pytest.raises(SagaFailed) as caught:
        await sagas.run(diary.saga)
    assert isinstance(caught.value.__cause__, NotPackable)
    assert (undone, diary.did) == ([False], ["+a", "-a"])


async def test_a_saga_that_is_cancelled_is_undone_before_the_cancellation_goes_on(
    sagas: Compensations,
) -> None:
    diary = Diary("a")
    waiting = asyncio.Event()

    async def wait(visit: Visit) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def undo(visit: Visit) -> None:
        diary.did.append("-wait")

    diary.saga.add("wait", wait, undo)
    task = asyncio.create_task(sagas.run(diary.saga, id="one"))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert diary.did == ["+a", "-wait", "-a"]
    outcome = await sagas.outcome("trip", "one")
    assert outcome is not None
    assert (outcome.status, outcome.reason) == ("compensated", "cancelled")


async def test_an_id_is_used_once(sagas: Compensations) -> None:
    diary = Diary("a")
    await sagas.run(diary.saga, id="one")
    with pytest.raises(SagaExists):
        await sagas.run(diary.saga, id="one")
    assert diary.did == ["+a"]


async def test_what_was_given_must_be_plain(sagas: Compensations) -> None:
    diary = Diary("a")
    with pytest.raises(NotPackable):
        await sagas.run(diary.saga, {"x": object()}, id="one")
    assert await sagas.outcome("trip", "one") is None


# --- recovery --------------------------------------------------------------------------------


async def left_open(broker: Broker, url: str, unique: str, diary: Diary, what: str) -> None:
    """Run `diary` as "one" in a process, as it were, that dies when `what` is done."""
    dying = await connect(url)
    diary.failing[what] = Dead()
    with pytest.raises(Dead):
        await Compensations(dying, unique).run(diary.saga, id="one")
    await dying.close()
    del diary.failing[what]
    diary.did.clear()


async def test_a40_an_interrupted_saga_is_undone_by_recover(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a", "b", "c")
    await left_open(broker, broker_url, unique, diary, "+b")
    (still,) = await sagas.unfinished()
    assert (still.status, still.results) == ("open", {"a": "+a!"})
    (outcome,) = await sagas.recover(diary.saga, idle=0.0)
    assert diary.did == ["-b", "-a"]
    assert not diary.visits["-b"].done and diary.visits["-a"].done
    assert (outcome.status, outcome.failed, outcome.undone) == ("compensated", "b", ("b", "a"))
    assert await sagas.recover(diary.saga, idle=0.0) == ()
    assert await sagas.unfinished() == ()


async def test_a40_an_interrupted_compensation_goes_on_under_the_same_key(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a", "b", "c")
    diary.failing["+c"] = ValueError("no c")
    await left_open(broker, broker_url, unique, diary, "-b")
    first = diary.visits["-b"].key
    (outcome,) = await sagas.recover(diary.saga, idle=0.0)
    assert diary.did == ["-b", "-a"]
    assert diary.visits["-b"].key == first != diary.visits["-a"].key
    assert (outcome.failed, outcome.reason) == ("c", "ValueError: no c")


async def test_recover_leaves_alone_what_is_not_its_own(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a", "b")
    await left_open(broker, broker_url, unique, diary, "+b")
    assert await sagas.recover(Saga("other"), idle=0.0) == ()
    assert await sagas.recover(Diary("a", "c").saga, idle=0.0) == ()
    assert await sagas.recover(diary.saga, idle=60.0) == ()
    assert await Compensations(broker, f"{unique}x").recover(diary.saga, idle=0.0) == ()
    later = Compensations(broker, unique, clock=lambda: time.time() + 61)
    assert len(await later.recover(diary.saga, idle=60.0)) == 1


async def test_recover_keeps_its_hands_off_what_runs_here(sagas: Compensations) -> None:
    diary = Diary("a")

    async def recovering(visit: Visit) -> None:
        assert await sagas.recover(diary.saga, idle=0.0) == ()

    diary.saga.add("recovering", recovering)
    assert (await sagas.run(diary.saga)).status == "committed"


async def test_who_has_lost_a_saga_does_nothing_more(
    broker: Broker, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a")

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
    broker: Broker, unique: str
) -> None:
    diary = Diary("a", "b")
    for number in range(5):
        diary.failing["+b"] = Dead()
        with pytest.raises(Dead):
            await Compensations(broker, unique).run(diary.saga, id=f"n{number}")
    diary.failing.clear()
    diary.did.clear()
    rivals = [Compensations(broker, unique) for _ in range(8)]
    found = await asyncio.gather(*(r.recover(diary.saga, idle=0.0) for r in rivals))
    # One that is taken while it is taken over may be undone twice, under the same key; what is
    # counted here is the log: each saga ended once, by one of them.
    assert sorted(o.id for outcomes in found for o in outcomes) == [f"n{n}" for n in range(5)]
    for number in range(5):
        log = await kinds(broker, unique, f"n{number}")
        assert [log.count(k) for k in ("undone a", "undone b", "ended")] == [1, 1, 1]


async def test_a_log_that_makes_no_sense_is_named_and_stops_no_other(
    broker: Broker, broker_url: str, sagas: Compensations, unique: str
) -> None:
    diary = Diary("a", "b")
    await left_open(broker, broker_url, unique, diary, "+b")
    bad = subject_of(unique, "trip", "bad")
    forged = await broker.append(STREAM, bad, pack([0, "done", "me", "a", None]))
    with pytest.raises(SagaLogBroken) as caught:
        await sagas.recover(diary.saga, idle=0.0)
    assert (caught.value.id, caught.value.sequence) == ("bad", forged)
    assert diary.did == ["-b", "-a"]


async def test_a_lost_connection_leaves_it_open_and_says_so(
    broker: Broker, broker_url: str, unique: str
) -> None:
    mine = await connect(broker_url)
    diary = Diary("a")

    async def cut(visit: Visit) -> None:
        await mine.close()

    diary.saga.add("cut", cut)
    with pytest.raises(NotConnected):
        await Compensations(mine, unique).run(diary.saga, id="one")
    (outcome,) = await Compensations(broker, unique).recover(diary.saga, idle=0.0)
    assert (outcome.status, diary.did) == ("compensated", ["+a", "-a"])


async def test_reading_begins_at_the_floor(broker: Broker, broker_url: str, unique: str) -> None:
    """An open saga keeps the floor where it is; sagas that span it are read without complaint."""
    sagas = Compensations(broker, unique)
    diary = Diary("a")
    for number in range(FLOOR_STEP // 4):
        await sagas.run(diary.saga, id=f"n{number}")
    await left_open(broker, broker_url, unique, diary, "+a")
    assert len(await sagas.unfinished()) == 1
    last = await broker.last(STREAM, f"compensation.floor.{unique}")
    assert last is not None
    reading = broker.read(STREAM, subject_of(unique, "trip", "one"))
    begun, *_ = [record.sequence async for record in reading]
    assert unpack(last.payload) == begun
    (outcome,) = await Compensations(broker, unique).recover(diary.saga, idle=0.0)
    assert outcome.id == "one"
    assert await Compensations(broker, unique).unfinished() == ()


# --- the definition, and the law -------------------------------------------------------------


def test_a_step_and_its_compensation_are_given_once() -> None:
    saga = Saga("trip")

    @saga.step
    async def flight(visit: Visit) -> None: ...

    @flight.compensation
    async def cancel(visit: Visit) -> None: ...

    assert saga.shape == (("flight", True),)
    with pytest.raises(DuplicateEffect):
        flight.compensation(cancel)
    with pytest.raises(DuplicateEffect):
        saga.add("flight", cancel)
    with pytest.raises(BadSubject):
        saga.add("no good", cancel)


names = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)


@given(data=st.data(), steps=names)
def test_a40_the_outcome_tells_the_truth(
    virtual: Virtual, data: st.DataObject, steps: list[str]
) -> None:
    """Any steps, the failing one and the stuck compensations anywhere: the outcome says exactly
    what was seen to happen."""
    failing = data.draw(st.none() | st.sampled_from(steps))
    kept = data.draw(st.sets(st.sampled_from(steps)))
    stuck = data.draw(st.sets(st.sampled_from(steps)))
    diary = Diary(*steps, kept=tuple(kept))
    diary.failing = {f"-{name}": RuntimeError(name) for name in stuck}
    if failing:
        diary.failing[f"+{failing}"] = ValueError(failing)

    async def main() -> None:
        broker = await connect(f"memory://{token_hex(6)}")
        sagas = Compensations(broker)
        try:
            outcome = await sagas.run(diary.saga, id="one")
        except SagaFailed as error:
            outcome = error.outcome
        done = [d[1:] for d in diary.did if d[0] == "+" and d[1:] != failing]
        tried = [d[1:] for d in diary.did if d[0] == "-"]
        assert done == (steps[: steps.index(failing)] if failing else steps)
        assert list(outcome.results) == done
        assert tried == ([n for n in reversed(done) if n not in kept] if failing else [])
        assert outcome.undone == tuple(n for n in tried if n not in stuck)
        assert [f.step for f in outcome.failures] == [n for n in tried if n in stuck]
        assert list(outcome.kept) == ([n for n in done if n in kept] if failing else [])
        expected = "stuck" if outcome.failures else "compensated"
        assert outcome.status == (expected if failing else "committed")
        assert await sagas.outcome("trip", "one") == outcome
        await broker.close()

    virtual(main())
