"""Sessions at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import pavane
from pavane import Endpoint, SessionPlan
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place

Count = Callable[[], Awaitable[int]]

WORK = """#[namespace = "{space}"]
choreography Work {{ roles: Lead, Worker; Lead -> Worker: Task(n: i32); Worker -> Lead: Done(n: i32); }}"""


async def lead(me: Endpoint) -> int:
    await me.send("Task", me.input)
    return int((await me.receive("Done")).n)


async def squaring(me: Endpoint) -> None:
    await me.send("Done", (await me.receive("Task")).n ** 2)


async def failing(me: Endpoint) -> None:
    await me.receive("Task")
    raise ValueError("broken tool")


async def sleeping(me: Endpoint) -> None:
    await me.receive("Task")
    await asyncio.sleep(60)


def work(n: int, worker: Any = squaring, space: str = "composed", **more: Any) -> SessionPlan:
    protocol = pavane.load(WORK.format(space=space))
    return SessionPlan(protocol, Lead=lead, Worker=worker, input=n, **more)


@pytest.mark.parametrize("count", [0, 1, 7])
async def test_a44_all_are_played_and_their_results_kept_in_order(
    runtime: pavane.Runtime, subscriptions: Count, count: int
) -> None:
    before = await subscriptions()
    done = await pavane.Parallel(*map(work, range(count))).run(runtime)
    assert [one["Lead"] for one in done.values()] == [n * n for n in range(count)]
    assert (dict(done.failures), done.cancelled, done.timed_out) == ({}, (), False)
    assert await subscriptions() == before


async def test_a44_a_thousand_really_run_at_once(
    runtime: pavane.Runtime, subscriptions: Count
) -> None:
    """Each worker waits until all of them have their tasks: one by one, none would ever end."""
    count = 1000
    before = await subscriptions()
    met = asyncio.Barrier(count)

    async def worker(me: Endpoint) -> None:
        task = await me.receive("Task")
        await met.wait()
        await me.send("Done", task.n)

    protocol = pavane.load(WORK.format(space="thousand"))
    plans = (SessionPlan(protocol, Lead=lead, Worker=worker, input=n) for n in range(count))
    async with asyncio.timeout(50):
        done = await pavane.Parallel(*plans).run(runtime)
    assert [one["Lead"] for one in done.values()] == list(range(count))
    assert await subscriptions() == before


async def test_a44_one_that_fails_cancels_the_others(
    runtime: pavane.Runtime, subscriptions: Count
) -> None:
    before = await subscriptions()
    cleaned: list[int] = []

    async def stuck(me: Endpoint) -> None:
        task = await me.receive("Task")
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(task.n)

    members = [work(n, stuck) for n in range(5)]
    begun = time.monotonic()
    with pytest.raises(
        pavane.ParallelFailed, match=r"bad failed: Worker raised ValueError"
    ) as caught:
        await pavane.Parallel(*members, bad=work(9, failing)).run(runtime)
    failed = caught.value
    assert time.monotonic() - begun < 5
    assert isinstance(failed.__cause__, pavane.RoleFailed)
    assert (list(failed.failures), dict(failed.results)) == (["bad"], {})
    assert failed.cancelled == ("Work", "Work-2", "Work-3", "Work-4", "Work-5")
    assert sorted(cleaned) == [0, 1, 2, 3, 4]
    assert await subscriptions() == before


async def test_a44_one_over_time_cancels_the_others(
    runtime: pavane.Runtime, subscriptions: Count
) -> None:
    before = await subscriptions()
    both = pavane.Parallel(quick=work(3), slow=work(4, sleeping), timeout=0.5)
    with pytest.raises(
        pavane.ParallelTimedOut, match=r"after 0.5 s 1 of 2 were done; not slow"
    ) as caught:
        await both.run(runtime)
    failed = caught.value
    assert isinstance(failed, TimeoutError)
    assert (failed.seconds, failed.retryable, failed.cancelled) == (0.5, True, ("slow",))
    assert failed.results["quick"]["Lead"] == 9
    assert await subscriptions() == before


async def test_a44_a_quorum_is_enough(runtime: pavane.Runtime, subscriptions: Count) -> None:
    before = await subscriptions()
    some = pavane.Parallel(a=work(1), b=work(2, failing), c=work(3), d=work(4, sleeping), quorum=2)
    done = await some.run(runtime)
    assert [done[name]["Lead"] for name in ("a", "c")] == [1, 9]
    assert "d" in done.cancelled
    assert set(done.failures) <= {"b"}
    assert await subscriptions() == before


async def test_a44_a_quorum_that_cannot_be_any_more_is_not_waited_for(
    runtime: pavane.Runtime, subscriptions: Count
) -> None:
    before = await subscriptions()
    members = [work(1, failing), work(2, failing), work(3, sleeping)]
    with pytest.raises(pavane.QuorumMissed, match="no quorum of 2: 2 of 3 failed") as caught:
        await pavane.Parallel(*members, quorum=2).run(runtime)
    assert (caught.value.quorum, caught.value.cancelled) == (2, ("Work-3",))
    assert await subscriptions() == before


async def test_a44_partial_results_are_those_in_time(
    runtime: pavane.Runtime, subscriptions: Count
) -> None:
    before = await subscriptions()
    some = pavane.Parallel(
        a=work(2), b=work(3, failing), c=work(4, sleeping), partial=True, timeout=0.5
    )
    done = await some.run(runtime)
    assert (done["a"]["Lead"], list(done.failures), done.cancelled) == (4, ["b"], ("c",))
    assert done.timed_out
    assert await subscriptions() == before
    none = await pavane.Parallel(work(1, failing), partial=True).run(runtime)
    assert (none.values(), list(none.failures), none.timed_out) == ([], ["Work"], False)


async def test_a44_cancelled_from_outside_it_leaves_nothing(
    runtime: pavane.Runtime, subscriptions: Count
) -> None:
    before = await subscriptions()
    with anyio.move_on_after(0.3) as limit:
        await pavane.Parallel(*(work(n, sleeping) for n in range(20)), partial=True).run(runtime)
    assert limit.cancelled_caught
    assert await subscriptions() == before


async def test_a44_a_durable_session_that_is_not_needed_is_over_in_its_log(
    runtime: pavane.Runtime, unique: str
) -> None:
    async def status(session: str) -> str:
        place = Place(unique, "Work", session)
        return (await SessionHandle(runtime.broker, place).status()).state

    first = pavane.Parallel(quick=work(3, space=unique), slow=work(4, sleeping, unique), quorum=1)
    async with asyncio.timeout(20):
        done = await first.run(runtime, session=unique, durable=True)
        assert (list(done.results), done.cancelled) == (["quick"], ("slow",))
        assert await status(f"{unique}-slow") == "cancelled"
        assert await status(f"{unique}-quick") == "done"
        # Once more, as after a crash: nothing is played again.
        again = await first.run(runtime, session=unique, durable=True)
    assert again["quick"]["Lead"] == 9


async def test_a44_sessions_of_workers_are_waited_for_and_given_up(
    runtime: pavane.Runtime, broker_url: str, unique: str
) -> None:
    """Two on the queue: one is done, and the other is over in its log when nobody needs it."""
    protocol = pavane.load(WORK.format(space=unique))

    async def quick_or_slow(me: Endpoint) -> None:
        task = await me.receive("Task")
        await me.sleep(0 if task.n == 3 else 60)
        await me.send("Done", task.n)

    def queued(n: int) -> SessionPlan:
        return SessionPlan(protocol, input=n, workers=True, patience=10)

    async with asyncio.timeout(20), pavane.open(broker_url) as elsewhere:
        worker = pavane.Worker(elsewhere)
        protocol.role("Lead")(lead)
        protocol.role("Worker")(quick_or_slow)
        worker.serve(protocol)
        serving = asyncio.create_task(worker.run())
        either = pavane.Parallel(quick=queued(3), slow=queued(4), quorum=1)
        done = await either.run(runtime, session=unique)
        assert (done["quick"]["Lead"], done.cancelled) == (3, ("slow",))
        slow = SessionHandle(runtime.broker, Place(unique, "Work", f"{unique}-slow"))
        status = await slow.status()
        assert (status.state, status.reason) == ("cancelled", "enough others are done")
        worker.drain()
        await serving


async def test_a44_rounds_meet_at_the_end_of_each(runtime: pavane.Runtime) -> None:
    """The guide's coordinator: workers at once, their results together, told to all of them."""

    def summed(so_far: pavane.Accumulated) -> int:
        return sum(one["Lead"] for one in so_far.last.values())

    def told(so_far: pavane.Accumulated) -> pavane.Parallel:
        return pavane.Parallel(*(work(so_far["summed"]) for _ in range(3)))

    flow = pavane.Sequence(pavane.Parallel(work(1), work(2), work(3)), summed, told)
    done = await flow.run(runtime)
    assert done["summed"] == 14
    assert [one["Lead"] for one in done["told"].values()] == [196, 196, 196]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quorum": 0}, "asks for 0 of 2"),
        ({"quorum": 3}, "asks for 3 of 2"),
        ({"quorum": 1.5}, "asks for 1.5 of 2"),
        ({"quorum": 1, "partial": True}, "is partial, too"),
        ({"timeout": 0}, "has 0 seconds"),
        ({"timeout": float("nan")}, "has nan seconds"),
    ],
)
def test_a44_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(pavane.InvalidComposition, match=said):
        pavane.Parallel(work(1), work(2), **options)
