"""What can go wrong where sessions are put together.

ActorError
├── InvalidComposition        what was put together cannot be played; nothing was
├── PhaseFailed               a phase of a sequence failed; the later ones were not begun
├── ParallelFailed            sessions played at once: one failed, where all are needed
│   ├── QuorumMissed          ... or so many that the rest are too few
│   └── ParallelTimedOut      (also a TimeoutError) ... or they were not done in time
├── ChildFailed               the session that a role was handed on to failed
├── AdapterRefused            a mapping that does not fit the messages it is between
├── AdaptationFailed          a payload that could not be mapped
└── CapabilityNotBridged      a capability that the bridge does not know, or does not give
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ...effects.resilience.policy import retryable
from ...language.errors import PavaneError
from ..errors import ActorError

Results = Mapping[str, Any]


def said(error: BaseException) -> str:
    """An error in one line: what it says itself, or its kind where that could say nothing."""
    if isinstance(error, PavaneError):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class InvalidComposition(ActorError):
    """`where` of a composition is nothing that can be played. Nothing was started."""

    code = "PV521"

    def __init__(self, where: str, problem: str, *, hint: str) -> None:
        self.where = where
        super().__init__(f"{where} {problem}", hint=hint)


class PhaseFailed(ActorError):
    """`phase` of a sequence failed (see `__cause__`). `results` are those of the phases before
    it; of those after it, `left`, no message was sent."""

    code = "PV522"

    def __init__(
        self, phase: str, cause: BaseException, results: Results, left: Sequence[str]
    ) -> None:
        self.phase = phase
        self.results: Results = MappingProxyType(dict(results))
        self.left = tuple(left)
        self.retryable = retryable(cause)
        super().__init__(
            f"phase {phase} failed: {said(cause)}",
            hint=f"done before it: {', '.join(results) or 'nothing'}; "
            f"not begun: {', '.join(left) or 'nothing'}",
        )


class ParallelFailed(ActorError):
    """Sessions that were played at once did not come to what was asked of them.

    `results` are those of the members that were done, `failures` what the others raised, and
    `cancelled` those that were still at it and were cancelled.
    """

    code = "PV523"

    def __init__(
        self,
        message: str,
        results: Results,
        failures: Mapping[str, Exception],
        cancelled: Sequence[str],
    ) -> None:
        self.results: Results = MappingProxyType(dict(results))
        self.failures: Mapping[str, Exception] = MappingProxyType(dict(failures))
        self.cancelled = tuple(cancelled)
        self.retryable = all(retryable(error) for error in failures.values())
        super().__init__(
            message,
            hint=f"{len(results)} done, {len(failures)} failed, {len(self.cancelled)} cancelled; "
            "if fewer are enough, say so: Parallel(..., quorum=2) or partial=True",
        )


class QuorumMissed(ParallelFailed):
    """So many members failed that `quorum` could not be done any more."""

    code = "PV524"
    quorum: int = 0


class ParallelTimedOut(ParallelFailed, TimeoutError):
    """The `seconds` were over before enough members were done."""

    code = "PV525"
    seconds: float = 0.0


class ChildFailed(ActorError):
    """`role` had handed its work on to the session `child` of `protocol`, which failed.

    `kind` is the class of what it failed with: that error is the `__cause__` where the child was
    played by this process in this life; a role played again from a log has `kind` and `reason`.
    """

    code = "PV526"

    def __init__(self, role: str, protocol: str, child: str, kind: str, reason: str) -> None:
        self.role = role
        self.protocol = protocol
        self.child = child
        self.kind = kind
        self.reason = reason
        super().__init__(
            f"{role}: its session {child} of {protocol} failed: {kind}: {reason}",
            hint="catch ChildFailed in the role, where its own protocol has a branch for that",
        )


class AdapterRefused(ActorError):
    """The mapping between two protocols has `problems`, all of them; `fields` are those that are
    wrong. Nothing was started."""

    code = "PV527"

    def __init__(self, what: str, problems: Sequence[str], fields: Collection[str] = ()) -> None:
        self.what = what
        self.problems = tuple(problems)
        self.fields = tuple(fields)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            f"{what}: {problems[0]}{more}",
            hint="\n  ".join(problems[1:])
            or "map each field of the target, and use or drop each of the source",
        )


class AdaptationFailed(ActorError):
    """A payload could not be mapped: `field` of `message` is wrong. Values are not quoted."""

    code = "PV528"

    def __init__(self, message: str, field: str, problem: str) -> None:
        self.label = message
        self.field = field
        super().__init__(
            f"{message}.{field} {problem}" if field else f"{message} {problem}",
            hint="send what the message declares, or let the mapping know this field",
        )


class CapabilityNotBridged(ActorError):
    """`capabilities` are unknown to the bridge, or what it gives does not include them."""

    code = "PV529"

    def __init__(self, capabilities: Collection[str], problem: str, *, hint: str) -> None:
        self.capabilities = tuple(sorted(capabilities))
        super().__init__(f"{', '.join(self.capabilities)}: {problem}", hint=hint)
