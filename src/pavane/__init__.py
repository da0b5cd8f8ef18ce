"""Choreographies on NATS: check a global protocol, project it, run every role as an actor."""

from __future__ import annotations

from .actors.choreography import Choreography, load, load_all
from .actors.endpoint import Endpoint
from .actors.errors import (
    ActorError,
    GuardRefused,
    MissingRole,
    NoBranch,
    PeerFailed,
    RoleFailed,
    SessionAborted,
    Unfinished,
)
from .actors.listener import Received
from .actors.opening import for_production, for_testing, open
from .actors.outcome import Outcome
from .actors.runtime import Runtime
from .broker.errors import BrokerError
from .effects.errors import BudgetExhausted, CapabilityDenied, EffectError
from .language.bindings import BindingError
from .language.errors import (
    ChoreographyError,
    Diagnostic,
    PavaneError,
    PayloadError,
    ProtocolViolation,
)

__version__ = "0.1.0"

__all__ = [
    "ActorError",
    "BindingError",
    "BrokerError",
    "BudgetExhausted",
    "CapabilityDenied",
    "Choreography",
    "ChoreographyError",
    "Diagnostic",
    "EffectError",
    "Endpoint",
    "GuardRefused",
    "MissingRole",
    "NoBranch",
    "Outcome",
    "PavaneError",
    "PayloadError",
    "PeerFailed",
    "ProtocolViolation",
    "Received",
    "RoleFailed",
    "Runtime",
    "SessionAborted",
    "Unfinished",
    "for_production",
    "for_testing",
    "load",
    "load_all",
    "open",
]
