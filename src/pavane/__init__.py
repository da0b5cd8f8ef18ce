"""Choreographies on NATS: check a global protocol, project it, run every role as an actor."""

from __future__ import annotations

__version__ = "0.1.0"
