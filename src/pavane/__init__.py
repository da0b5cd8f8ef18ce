"""Choreographies on NATS: check a global protocol, project it, run every role as an actor."""

from __future__ import annotations

from .language.errors import ChoreographyError, Diagnostic, PavaneError, ProtocolViolation

__version__ = "0.1.0"

__all__ = ["ChoreographyError", "Diagnostic", "PavaneError", "ProtocolViolation"]
