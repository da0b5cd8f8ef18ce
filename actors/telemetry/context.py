"""Trace contexts on the wire: W3C traceparents, from peers and so looked at before use."""

from __future__ import annotations

import re
from hashlib import blake2b

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")


def traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def span_context(text: str | None) -> SpanContext | None:
    """The context that a traceparent says, or None for what is none."""
    found = _FORM.match(text or "")
    if found is None:
        return None
    trace, span, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def under(parent: SpanContext) -> Context:
    """A context whose spans are children of `parent`, and of nothing that is here."""
    return set_span_in_context(NonRecordingSpan(parent), Context())


def agreed(namespace: str, protocol: str, session: str) -> SpanContext:
    """The same for all processes of a session, without a word between them: what they take for
    the parent where the process that should offer one is not traced."""
    name = f"{namespace}/{protocol}/{session}".encode()
    digest = blake2b(name, digest_size=24).digest()
    trace, span = int.from_bytes(digest[:16]), int.from_bytes(digest[16:])
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
