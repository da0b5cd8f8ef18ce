"""How a runtime is traced: what `pavane.open(telemetry=...)` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Telemetry:
    """OpenTelemetry's providers; the process's own ones where None is given.

    `messages` says what becomes of each message: an event of its role's span (cheap), a span
    of its own on both sides, or nothing but a number in the metrics.
    """

    tracer_provider: Any = None
    meter_provider: Any = None
    messages: Literal["events", "spans", "none"] = "events"
