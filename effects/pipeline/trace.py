"""What observers see: the stages that a message passed, and the refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import EffectError
from ..identity import SendContext
from .effect import StageName


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that an annotated message passed.

    Every annotated message passes all five, in order; `detail` is empty where it asks for
    nothing there. `step` and `label` say which message of `context` it is.
    """

    name: StageName
    detail: str
    context: SendContext
    step: int
    label: str


@dataclass(frozen=True, slots=True)
class Denial:
    """One refusal, as the local audit keeps it. `time` is in ns since 1970.

    `arriving` marks a message that this process refused to take from `context`'s instance.
    """

    context: SendContext
    stage: StageName
    step: int
    label: str
    error: EffectError
    time: int
    arriving: bool = False


Observer = Callable[[Stage | Denial], None]
"""Called at once, on the event loop, in order. It must not block and must not raise."""
