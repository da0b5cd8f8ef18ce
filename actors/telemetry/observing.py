"""What traces and counts the sessions of a runtime, through OpenTelemetry's API."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind

from ..events import (
    Denied,
    Event,
    FrameRefused,
    LimitNear,
    MessageReceived,
    MessageSent,
    SessionEnded,
    SessionOpened,
)
from .context import traceparent
from .settings import Telemetry
from .spans import SessionSpans, attributes

NAME = "pavane"


class Observing:
    """Implements `Tracer`. Metrics have the role and the label as attributes, never the session,
    of which there is no end."""

    def __init__(self, settings: Telemetry) -> None:
        self._messages = settings.messages
        self._tracer = trace.get_tracer(NAME, tracer_provider=settings.tracer_provider)
        meter = metrics.get_meter(NAME, meter_provider=settings.meter_provider)
        self._sent = meter.create_counter("pavane.messages.sent", "{message}")
        self._received = meter.create_counter("pavane.messages.received", "{message}")
        self._charged = meter.create_counter("pavane.charged", "{unit}")
        self._denied = meter.create_counter("pavane.denied", "{message}")
        self._refused = meter.create_counter("pavane.frames.refused", "{frame}")
        self._near = meter.create_counter("pavane.limits.near", "{limit}")
        self._active = meter.create_up_down_counter("pavane.sessions.active", "{session}")
        self._duration = meter.create_histogram("pavane.session.duration", "s")
        self._wait = meter.create_histogram("pavane.step.wait", "s")

    def session(
        self, session: str, namespace: str, protocol: str, *, leads: bool, parent: str = ""
    ) -> SessionSpans:
        where = (namespace, protocol, session)
        return SessionSpans(self._tracer, self._messages, where, leads=leads, parent=parent)

    @contextmanager
    def starting(self, session: str, namespace: str, protocol: str) -> Generator[str]:
        about = attributes(namespace, protocol, session)
        name = f"start {protocol}"
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.PRODUCER, attributes=about, record_exception=False
        ) as span:
            yield traceparent(span.get_span_context())

    def observe(self, event: Event) -> None:
        match event:
            case MessageSent():
                about = {"pavane.role": _role(event.sender), "pavane.label": event.label}
                self._sent.add(event.copies, about)
                if event.charged:
                    self._charged.add(event.charged, about)
            case MessageReceived():
                about = {"pavane.role": _role(event.receiver), "pavane.label": event.label}
                self._received.add(1, about)
                self._wait.record(event.waited, about)
            case Denied():
                about = {"pavane.role": _role(event.sender), "pavane.stage": event.stage}
                self._denied.add(1, about)
            case LimitNear():
                self._near.add(1, {"pavane.limit": event.limit})
            case FrameRefused():
                self._refused.add(1)
            case SessionOpened():
                self._active.add(1, {"pavane.protocol": event.protocol})
            case SessionEnded():
                self._ended(event)

    def _ended(self, event: SessionEnded) -> None:
        about = {"pavane.protocol": event.protocol}
        if event.opened:
            self._active.add(-1, about)
        outcome = "failed" if event.error else "done"
        self._duration.record(event.seconds, {**about, "pavane.outcome": outcome})


def _role(instance: str) -> str:
    return instance.partition("[")[0]
