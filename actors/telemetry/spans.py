"""The spans of one session in one process.

    session Market                 one for each process, below that of the process that leads
    └── role Buyer                 one for each instance, current while its function runs
        ├── send Offer             for each message, where that is asked for
        └── receive Accept         ... linked to the span that sent it

The process that plays the session's first role leads: its span is below whatever span is current
where the session is started, and the others are told of it before the first message.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from ...language.errors import PavaneError
from .context import agreed, span_context, traceparent, under

Attributes = dict[str, str | int]


class SessionSpans:
    """Implements `SessionTrace`. `messages` as in `Telemetry`."""

    def __init__(
        self,
        tracer: trace.Tracer,
        messages: str,
        where: tuple[str, str, str],
        *,
        leads: bool,
        parent: str,
    ) -> None:
        self._protocol = where[1]
        self._tracer = tracer
        self._messages = messages
        self._agreed = agreed(*where)
        self._attributes = attributes(*where)
        self._roles: dict[str, Span] = {}
        self._span: Span | None = None
        known = span_context(parent)
        if known is not None:
            self._begin(under(known))
        elif leads:
            self._begin(None)

    def _begin(self, parent: Context | None) -> None:
        name = f"session {self._protocol}"
        self._span = self._tracer.start_span(name, parent, attributes=self._attributes)

    @property
    def offer(self) -> str:
        return "" if self._span is None else traceparent(self._span.get_span_context())

    def begin(self, offered: Mapping[str, str]) -> None:
        if self._span is None:
            contexts = (span_context(text) for text in offered.values())
            self._begin(under(next((c for c in contexts if c is not None), self._agreed)))

    # --- roles ---------------------------------------------------------------------------

    @contextmanager
    def playing(self, instance: str) -> Generator[None]:
        assert self._span is not None, "a session begins before its roles"
        span = self._tracer.start_span(
            f"role {instance}",
            trace.set_span_in_context(self._span),
            attributes={**self._attributes, "pavane.role": instance},
        )
        self._roles[instance] = span
        token = attach(trace.set_span_in_context(span))
        try:
            yield
        except BaseException as error:
            # Its type alone: what it says may have a payload in it.
            span.set_status(Status(StatusCode.ERROR, _kind(error)))
            raise
        finally:
            detach(token)
            del self._roles[instance]
            span.end()

    # --- messages ------------------------------------------------------------------------

    def departing(self, sender: str, receiver: str, label: str, *, first: bool) -> str | None:
        role = self._roles.get(sender)
        if role is None:
            return None
        about: Attributes = {"pavane.label": label, "pavane.peer": receiver}
        if self._messages == "spans":
            span = self._tracer.start_span(
                f"send {label}",
                trace.set_span_in_context(role),
                kind=SpanKind.PRODUCER,
                attributes={**self._attributes, "pavane.role": sender, **about},
            )
            span.end()
            return traceparent(span.get_span_context())
        if self._messages == "events":
            role.add_event(f"send {label}", about)
        return traceparent(role.get_span_context()) if first else None

    def arrived(self, receiver: str, sender: str, label: str, context: str | None) -> None:
        role = self._roles.get(receiver)
        if role is None:
            return
        about: Attributes = {"pavane.label": label, "pavane.peer": sender}
        origin = span_context(context)
        if self._messages == "spans":
            self._tracer.start_span(
                f"receive {label}",
                trace.set_span_in_context(role),
                kind=SpanKind.CONSUMER,
                attributes={**self._attributes, "pavane.role": receiver, **about},
                links=[Link(origin)] if origin is not None else [],
            ).end()
        elif self._messages == "events":
            role.add_event(f"receive {label}", about)

    def end(self, error: PavaneError | None) -> None:
        if self._span is not None:
            if error is not None:
                self._span.set_status(Status(StatusCode.ERROR, _kind(error)))
            self._span.end()


def attributes(namespace: str, protocol: str, session: str) -> Attributes:
    return {
        "pavane.session": session,
        "pavane.protocol": protocol,
        "pavane.namespace": namespace,
    }


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    return f"{error.code} {name}" if isinstance(error, PavaneError) else name
