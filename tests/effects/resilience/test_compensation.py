from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.errors import BadSubject, NotPackable
from pavane.effects.errors import DuplicateEffect
from pavane.effects.resilience.compensation import Compensations
from pavane.effects.resilience.errors import (
    SagaExists,
    SagaFailed,
    TimedOut,
)
from pavane.effects.resilience.outcome import UndoFailure
from pavane.effects.resilience.saga import Saga, Visit

LogOf = Callable[[str], Awaitable[list[str]]]

if TYPE_CHECKING:
    from .conftest import Diary

Virtual = Callable[[Coroutine[Any, Any, Any]], Any]


async def test_a40_forward_in_order_each_step_recorded_first(
    broker: Broker, sagas: Compensations, unique: str, new_diary: type[Diary], log_of: LogOf
) -> None:
    diary = new_diary("a", "b")
    seen: list[list[str]] = []

    async def looks(visit: Visit) -> str:
        seen.append(await log_of(visit.id))
        return str(visit.results["a"])

    diary.saga.add("c", looks)
    outcome = await sagas.run(diary.saga, {"who": "Ada"}, id="one")
    assert diary.did == ["+a", "+b"]
    assert (outcome.status, outcome.results) == ("committed", {"a": "+a!", "b": "+b!", "c": "+a!"})
    before = ["begun", "doing a", "done a", "doing b", "done b", "doing c"]
    assert seen == [before]
    assert await log_of("one") == [*before, "done c", "ended"]
    assert await sagas.outcome("trip", "one") == outcome
    assert diary.visits["+b"].given == {"who": "Ada"}


async def test_a40_failure_compensates_in_reverse(
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b", "c", "d")
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
    broker: Broker, sagas: Compensations, unique: str, new_diary: type[Diary], log_of: LogOf
) -> None:
    diary = new_diary("a", "b", "c", "d")
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
    assert (await log_of("one"))[-5:] == [
        "undoing b",
        "stuck b",
        "undoing a",
        "undone a",
        "ended",
    ]


async def test_a40_what_cannot_be_undone_is_said_to_be_kept(
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b", "c", kept=("b",))
    diary.failing["+c"] = ValueError()
    with pytest.raises(SagaFailed) as caught:
        await sagas.run(diary.saga)
    assert (caught.value.outcome.undone, caught.value.outcome.kept) == (("a",), ("b",))
    assert diary.did == ["+a", "+b", "+c", "-a"]


@pytest.mark.parametrize("error", [TimedOut("b", 1.0), TimeoutError()])
async def test_a_step_that_may_have_happened_is_undone_too(
    sagas: Compensations, error: Exception, new_diary: type[Diary]
) -> None:
    diary = new_diary("a", "b")
    diary.failing["+b"] = error
    with pytest.raises(SagaFailed):
        await sagas.run(diary.saga)
    assert diary.did == ["+a", "+b", "-b", "-a"]
    assert not diary.visits["-b"].done
    assert "b" not in diary.visits["-b"].results


async def test_a_result_that_cannot_be_recorded_undoes_its_step(
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")

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
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")
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


async def of_another(visit: Visit) -> None:
    """Ends by a cancellation that nobody meant for the saga: what it waits for was cancelled."""
    other = asyncio.create_task(asyncio.sleep(99))
    other.cancel()
    await other


async def test_a40_a_compensation_that_waits_for_what_was_cancelled_does_not_stop_the_others(
    sagas: Compensations, unique: str, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")
    diary.saga.add("b", diary.saga["a"].forward, of_another)
    diary.saga.add("c", of_another)
    with pytest.raises(SagaFailed) as caught:
        await sagas.run(diary.saga, id="one")
    outcome = caught.value.outcome
    reason = "CancelledError: what it waited for was cancelled"
    assert (outcome.status, outcome.undone) == ("stuck", ("a",))
    assert outcome.failures == (UndoFailure("b", reason),)
    assert (outcome.failed, outcome.reason, outcome.kept) == ("c", reason, ("c",))
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert await sagas.unfinished() == ()


async def test_a40_in_a_saga_that_is_cancelled_too(
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")
    diary.saga.add("b", diary.saga["a"].forward, of_another)
    waiting = asyncio.Event()

    async def wait(visit: Visit) -> None:
        waiting.set()
        await asyncio.Event().wait()

    diary.saga.add("wait", wait)
    task = asyncio.create_task(sagas.run(diary.saga, id="one"))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    outcome = await sagas.outcome("trip", "one")
    assert outcome is not None
    assert (outcome.status, outcome.reason) == ("stuck", "cancelled")
    assert (outcome.undone, [f.step for f in outcome.failures]) == (("a",), ["b"])


async def test_a_saga_that_is_cancelled_while_it_undoes_undoes_again_and_is_cancelled(
    sagas: Compensations, new_diary: type[Diary]
) -> None:
    diary = new_diary("a")
    begun: list[asyncio.Event] = []

    async def failing(visit: Visit) -> None:
        raise ValueError("no c")

    async def undo(visit: Visit) -> None:
        begun.append(asyncio.Event())
        if len(begun) == 1:
            await begun[0].wait()

    diary.saga.add("b", diary.saga["a"].forward, undo)
    diary.saga.add("c", failing)
    task = asyncio.create_task(sagas.run(diary.saga, id="one"))
    while not begun:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    outcome = await sagas.outcome("trip", "one")
    assert outcome is not None and len(begun) == 2
    assert (outcome.status, outcome.undone) == ("compensated", ("b", "a"))


async def test_an_id_is_used_once(sagas: Compensations, new_diary: type[Diary]) -> None:
    diary = new_diary("a")
    await sagas.run(diary.saga, id="one")
    with pytest.raises(SagaExists):
        await sagas.run(diary.saga, id="one")
    assert diary.did == ["+a"]


async def test_what_was_given_must_be_plain(sagas: Compensations, new_diary: type[Diary]) -> None:
    diary = new_diary("a")
    with pytest.raises(NotPackable):
        await sagas.run(diary.saga, {"x": object()}, id="one")
    assert await sagas.outcome("trip", "one") is None


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
    virtual: Virtual, data: st.DataObject, steps: list[str], new_diary: type[Diary]
) -> None:
    """Any steps, the failing one and the stuck compensations anywhere: the outcome says exactly
    what was seen to happen."""
    failing = data.draw(st.none() | st.sampled_from(steps))
    kept = data.draw(st.sets(st.sampled_from(steps)))
    stuck = data.draw(st.sets(st.sampled_from(steps)))
    diary = new_diary(*steps, kept=tuple(kept))
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
