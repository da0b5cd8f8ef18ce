"""Which failures are followed by a restart, and when there were too many."""

from __future__ import annotations

import pytest

from pavane.actors.errors import StepTimedOut
from pavane.actors.workers.restart import Kind, Restart, Supervisor
from pavane.effects.errors import InvalidEffect
from pavane.effects.resilience.retry import Retry


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def supervisor(kind: Kind, intensity: int = 3) -> tuple[Supervisor, Watch]:
    watch = Watch()
    policy = Restart(kind, intensity=intensity, period=60, pause=Retry(base=1.0, cap=3.0))
    return Supervisor(policy, watch), watch


@pytest.mark.parametrize(
    ("kind", "of_the_world", "of_the_code"),
    [("permanent", True, True), ("transient", True, False), ("temporary", False, False)],
)
def test_each_kind_restarts_after_its_own_failures(
    kind: Kind, of_the_world: bool, of_the_code: bool
) -> None:
    assert (supervisor(kind)[0].after(ConnectionError()) is not None) == of_the_world
    assert (supervisor(kind)[0].after(ZeroDivisionError()) is not None) == of_the_code


@pytest.mark.parametrize("kind", ["permanent", "transient", "temporary"])
def test_what_the_protocol_says_of_time_is_followed_by_none(kind: Kind) -> None:
    late = StepTimedOut("s", "Teller", "Asker?Ask", 3.0)
    assert late.retryable
    assert supervisor(kind)[0].after(late) is None


def test_too_many_restarts_in_a_period_are_the_end() -> None:
    decides, watch = supervisor("permanent")
    for _ in range(3):
        assert decides.after(ValueError()) is not None
        watch.time += 10
    assert decides.after(ValueError()) is None


def test_old_restarts_are_forgotten() -> None:
    decides, watch = supervisor("permanent")
    for _ in range(20):
        assert decides.after(ValueError()) is not None
        watch.time += 21


def test_pauses_grow_up_to_their_cap() -> None:
    decides, _ = supervisor("permanent", intensity=5)
    pauses = [decides.after(ValueError()) or 0.0 for _ in range(5)]
    assert 1.0 <= pauses[0] < 1.3 < pauses[1] < 2.6 < pauses[2] <= 3.0
    assert max(pauses) <= 3.0


@pytest.mark.parametrize("wrong", [{"kind": "always"}, {"intensity": -1}, {"period": 0.0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidEffect):
        Restart(**wrong)  # type: ignore[arg-type]  # that is the point
