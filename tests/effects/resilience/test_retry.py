from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.errors import BadSubject, NotConnected, Unconfirmed
from pavane.effects.errors import BudgetExhausted, CapabilityDenied, InvalidEffect
from pavane.effects.resilience.errors import TimedOut
from pavane.effects.resilience.policy import failing, retryable
from pavane.effects.resilience.resilient import resilient
from pavane.effects.resilience.retry import Attempt, Retry
from pavane.language.errors import ChoreographyError, PavaneError, PayloadError, ProtocolViolation

Virtual = Callable[[Coroutine[Any, Any, Any]], Any]

lost = NotConnected("nats://127.0.0.1:1", "cut")
seconds = st.floats(min_value=0.001, max_value=1e4)


def failing_times(times: int, error: Exception) -> tuple[list[float], Callable[[], Awaitable[str]]]:
    """An operation that raises `error` the first `times` times, and the times of its attempts."""
    begun: list[float] = []

    async def operation() -> str:
        begun.append(anyio.current_time())
        if len(begun) <= times:
            raise error
        return "done"

    return begun, operation


@given(
    attempts=st.integers(1, 20),
    failures=st.integers(0, 25),
    base=seconds,
    cap=seconds,
    seed=st.integers(),
)
def test_a38_attempts_and_delays_are_as_the_law_says(
    virtual: Virtual, attempts: int, failures: int, base: float, cap: float, seed: int
) -> None:
    retry = Retry(attempts=attempts, base=base, cap=cap, random=Random(seed))
    begun, operation = failing_times(failures, lost)

    async def main() -> str | Exception:
        try:
            return await retry.call(operation)
        except NotConnected as error:
            return error

    result = virtual(main())
    assert len(begun) == min(attempts, failures + 1)
    assert result == ("done" if failures < attempts else lost)
    for k, (before, after) in enumerate(pairwise(begun)):
        slack = 1e-9 * after + 1e-9  # of sums of floats, not of the delay
        assert min(cap, base * 2**k) - slack <= after - before
        assert after - before <= min(cap, base * 2**k * 1.25) + slack


@given(base=seconds, cap=seconds, number=st.integers(1, 10_000), seed=st.integers())
def test_a38_a_single_delay_keeps_its_bounds_exactly(
    base: float, cap: float, number: int, seed: int
) -> None:
    delay = Retry(base=base, cap=cap, random=Random(seed)).delay(number)
    doubled = base * 2.0 ** min(number - 1, 1000)
    assert min(cap, doubled) <= delay <= min(cap, doubled * 1.25)


def test_jitter_uses_the_whole_quarter_and_follows_its_seed() -> None:
    def delays(seed: int) -> list[float]:
        retry = Retry(base=1.0, random=Random(seed))
        return [retry.delay(1) for _ in range(500)]

    assert delays(7) == delays(7) != delays(8)
    assert min(delays(7)) < 1.01 and max(delays(7)) > 1.24


@pytest.mark.parametrize(
    "error",
    [
        ChoreographyError("bad"),
        ProtocolViolation("off"),
        PayloadError("unfit"),
        CapabilityDenied("n:x", "Admin", None, "no token"),
        BudgetExhausted("c", "Admin", limit=1, spent=1, cost=1),
        BadSubject("a..b", "empty"),
        ValueError("a bug"),
    ],
)
def test_a38_a_final_error_gets_no_second_attempt(virtual: Virtual, error: Exception) -> None:
    begun, operation = failing_times(1, error)
    with pytest.raises(type(error)) as caught:
        virtual(Retry(attempts=5).call(operation))
    assert caught.value is error
    assert len(begun) == 1
    assert not hasattr(error, "__notes__")


def test_a_final_error_ends_later_attempts_too(virtual: Virtual) -> None:
    errors: list[Exception] = [lost, ConnectionResetError(), ValueError("a bug"), lost]
    left = list(errors)

    async def operation() -> None:
        raise left.pop(0)

    with pytest.raises(ValueError):
        virtual(Retry(attempts=9).call(operation))
    assert left == [lost]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lost, True),
        (Unconfirmed("append", 5), True),
        (TimedOut("x", 1), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (FileNotFoundError(), False),
        (PavaneError("x"), False),
        (KeyboardInterrupt(), False),
        (asyncio.CancelledError(), False),
    ],
)
def test_an_error_says_whether_it_is_retryable(error: BaseException, expected: bool) -> None:
    assert retryable(error) is expected


def test_an_error_of_the_users_own_may_say_so_itself() -> None:
    class Busy(Exception):
        retryable = True

    assert retryable(Busy())


def test_what_tells_against_a_service() -> None:
    assert failing(ValueError()) and failing(lost)
    assert not failing(CapabilityDenied("n:x", "Admin", None, "no token"))
    assert not failing(asyncio.CancelledError())


def test_a38_a_timed_out_attempt_is_cancelled(virtual: Virtual) -> None:
    cancelled: list[float] = []

    async def operation() -> None:
        try:
            await anyio.sleep(3600)
        finally:
            cancelled.append(anyio.current_time())

    async def main() -> list[str]:
        with pytest.raises(TimedOut) as caught:
            await Retry(attempts=3, base=1.0, timeout=5.0, random=Random(1)).call(
                operation, name="the bank"
            )
        assert (caught.value.operation, caught.value.seconds) == ("the bank", 5.0)
        return caught.value.__notes__

    (note,) = virtual(main())
    assert len(cancelled) == 3
    assert cancelled[0] == 5.0
    assert 5 + 1 <= cancelled[1] - cancelled[0] <= 5 + 1.25
    assert 5 + 2 <= cancelled[2] - cancelled[1] <= 5 + 2.5
    assert note.startswith("attempt 3 of the bank") and note.count("TimedOut") == 2


def test_a_timeout_of_the_operations_own_is_not_taken_for_ours(virtual: Virtual) -> None:
    async def operation() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        virtual(Retry(attempts=1, timeout=5.0).call(operation))


def test_a38_the_last_error_comes_back_on_exhaustion(virtual: Virtual) -> None:
    errors = [NotConnected("a", str(n)) for n in range(4)]
    left = list(errors)

    async def operation() -> None:
        raise left.pop(0)

    with pytest.raises(NotConnected) as caught:
        virtual(Retry(attempts=4).call(operation, name="it"))
    assert caught.value is errors[3]
    (note,) = errors[3].__notes__
    assert [line.strip()[:2] for line in note.splitlines()[1:]] == ["1.", "2.", "3."]


def test_every_failed_attempt_that_is_followed_by_another_is_told(virtual: Virtual) -> None:
    told: list[Attempt] = []
    begun, operation = failing_times(2, lost)
    virtual(Retry(attempts=5, observe=told.append).call(operation, name="it"))
    assert [(t.operation, t.number, t.error) for t in told] == [("it", 1, lost), ("it", 2, lost)]
    waited = [after - before for before, after in pairwise(begun)]
    assert waited == pytest.approx([t.delay for t in told])


def test_cancelling_the_caller_ends_it_at_once(virtual: Virtual) -> None:
    begun, operation = failing_times(99, lost)

    async def main() -> float:
        with anyio.move_on_after(2.5) as scope:
            await Retry(attempts=99, base=1.0, timeout=9.0).call(operation)
        assert scope.cancelled_caught
        return anyio.current_time()

    assert virtual(main()) == 2.5
    assert len(begun) == 2


def test_whoever_is_cancelled_does_not_try_again_whatever_on_says(virtual: Virtual) -> None:
    begun: list[float] = []

    async def operation() -> None:
        begun.append(anyio.current_time())
        await anyio.sleep(5.0)

    async def main() -> float:
        with anyio.move_on_after(2.5) as scope:
            await Retry(attempts=9, base=0.0, on=lambda error: True).call(operation)
        assert scope.cancelled_caught
        return anyio.current_time()

    assert virtual(main()) == 2.5
    assert begun == [0.0]


def test_calls_that_share_a_retry_do_not_disturb_each_other(virtual: Virtual) -> None:
    retry = Retry(attempts=6, base=0.5)
    operations = [failing_times(n % 6, lost) for n in range(60)]

    async def main() -> list[str]:
        return await asyncio.gather(*(retry.call(op) for _, op in operations))

    assert virtual(main()) == ["done"] * 60
    assert [len(begun) for begun, _ in operations] == [n % 6 + 1 for n in range(60)]


def test_an_injected_sleep_is_the_only_one_used() -> None:
    slept: list[float] = []

    async def sleep(delay: float) -> None:
        slept.append(delay)

    _, operation = failing_times(3, lost)
    before = time.monotonic()
    asyncio.run(Retry(attempts=4, base=1000.0, cap=2000.0, sleep=sleep).call(operation))
    assert time.monotonic() - before < 10
    assert 1000 <= slept[0] <= 1250 and slept[1:] == [2000, 2000]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"attempts": 0}, {"attempts": 1.5}, {"attempts": True}, {"timeout": 0}, {"timeout": "1"}),
        *({"base": -1.0}, {"base": float("nan")}, {"base": float("inf")}, {"cap": -1}),
    ],
)
def test_a_retry_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidEffect):
        Retry(**wrong)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), "1"])
def test_a38_a_timeout_that_cannot_be_is_refused(timeout: Any) -> None:
    with pytest.raises(InvalidEffect, match="above 0"):
        resilient(timeout=timeout)


async def test_the_decorator_keeps_name_arguments_and_result() -> None:
    calls: list[tuple[str, int]] = []

    @resilient(retry=Retry(attempts=3, base=0.0))
    async def pay(account: str, cents: int = 5) -> str:
        calls.append((account, cents))
        if len(calls) < 3:
            raise ConnectionError
        return f"{account}: {cents}"

    assert await pay("ada", cents=7) == "ada: 7"
    assert calls == [("ada", 7)] * 3
    assert pay.__name__ == "pay"
