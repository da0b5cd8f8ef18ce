"""What the resilience around an operation reports by itself.

PavaneError
└── ResilienceError
    ├── TimedOut              an attempt took too long and was cancelled
    ├── CircuitOpen           a breaker refused the call; nothing was begun
    ├── BulkheadFull          too many calls are in there already; nothing was begun
    └── SagaError
        ├── SagaFailed        a step failed; its outcome says what was undone and what was not
        ├── SagaTaken         another process goes on with it
        ├── SagaExists        an id that was used before
        └── SagaLogBroken     a record that cannot stand where it stands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...language.errors import PavaneError

if TYPE_CHECKING:
    from .outcome import SagaOutcome


class ResilienceError(PavaneError):
    """Root of what retries, breakers, bulkheads and compensation report."""

    code = "PV450"


class TimedOut(ResilienceError):
    """`operation` took longer than `seconds` and was cancelled; what it began may have happened."""

    code = "PV451"
    retryable = True

    def __init__(self, operation: str, seconds: float) -> None:
        super().__init__(
            f"{operation} took longer than {seconds:g} s and was cancelled",
            hint="give it more time, or find out what it waits for",
        )
        self.operation = operation
        self.seconds = seconds


class CircuitOpen(ResilienceError):
    """The breaker of `service` lets nothing through; nothing was begun.

    `until` is the time, on the breaker's clock, from which probes are let through, `wait` the
    seconds from now until then: 0 while the probes are under way.
    """

    code = "PV452"

    def __init__(self, service: str, until: float, wait: float) -> None:
        when = f"for another {wait:.3g} s" if wait > 0 else "until its probes are back"
        super().__init__(
            f"the circuit of {service} is open {when}",
            hint=f"do without {service} until then; it has failed too often in a row",
        )
        self.service = service
        self.until = until
        self.wait = wait


class BulkheadFull(ResilienceError):
    """`running` calls are in the bulkhead of `service` and `waiting` before it; all it takes."""

    code = "PV453"
    retryable = True

    def __init__(self, service: str, running: int, waiting: int) -> None:
        super().__init__(
            f"{service} has {running} calls running and {waiting} waiting, which is all it takes",
            hint="come back later, or give its bulkhead more room",
        )
        self.service = service
        self.running = running
        self.waiting = waiting


class SagaError(ResilienceError):
    """Root of what can go wrong around a saga. `saga` is its name, `id` which run of it."""

    code = "PV455"

    def __init__(self, saga: str, id: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{saga} {id}: {message}", hint=hint)
        self.saga = saga
        self.id = id


class SagaFailed(SagaError):
    """A step failed (see `__cause__`). `outcome` says what was undone and what could not be."""

    code = "PV456"

    def __init__(self, outcome: SagaOutcome) -> None:
        stuck = ", ".join(failure.step for failure in outcome.failures)
        super().__init__(
            outcome.saga,
            outcome.id,
            outcome.summary,
            hint=f"undo by hand: {stuck}" if stuck else "",
        )
        self.outcome = outcome


class SagaTaken(SagaError):
    """Another process has written to the log: it goes on with this saga, and we must not."""

    code = "PV457"

    def __init__(self, saga: str, id: str) -> None:
        super().__init__(
            saga,
            id,
            "another process has taken it over",
            hint="recover with an `idle` that is longer than any step takes",
        )


class SagaExists(SagaError):
    """A saga with this id was begun before; nothing was done."""

    code = "PV458"

    def __init__(self, saga: str, id: str) -> None:
        super().__init__(saga, id, "it was begun before", hint="look at its `outcome`, or recover")


class SagaLogBroken(SagaError):
    """The log has a record, at `sequence`, that cannot stand there."""

    code = "PV459"

    def __init__(self, saga: str, id: str, sequence: int, why: str) -> None:
        super().__init__(
            saga,
            id,
            f"record {sequence} of its log {why}",
            hint="somebody else writes to the log's subjects: find out who before going on",
        )
        self.sequence = sequence
        self.why = why
