"""Choreographies on NATS: check a global protocol, project it, run every role as an actor."""

from __future__ import annotations

import logging

from .actors.choreography import Choreography, load, load_all
from .actors.composition.errors import (
    InvalidComposition,
    ParallelFailed,
    ParallelTimedOut,
    PhaseFailed,
    QuorumMissed,
)
from .actors.composition.parallel import Parallel
from .actors.composition.plan import SessionPlan
from .actors.composition.sequence import Sequence
from .actors.composition.stage import Accumulated, ParallelOutcome
from .actors.endpoint import Endpoint
from .actors.errors import (
    ActorError,
    GuardRefused,
    InvalidGrant,
    MissingRole,
    NoBranch,
    PeerFailed,
    RoleFailed,
    SessionAborted,
    SessionCancelled,
    StepTimedOut,
    TooEarly,
    TooLate,
    Unfinished,
    UnknownGrantee,
)
from .actors.listener import Received
from .actors.opening import for_production, for_testing, open
from .actors.outcome import Outcome
from .actors.resilient import ResilientRuntime, resilient_role
from .actors.runtime import Runtime
from .actors.simulation.config import SimulationConfig
from .actors.simulation.errors import PropertyBroken
from .actors.simulation.runtime import SimulatedRuntime, for_simulation
from .actors.telemetry.settings import Telemetry
from .actors.workers.restart import Restart
from .actors.workers.worker import Worker
from .broker.codec import About, Codec, PayloadCipher
from .broker.errors import BrokerError
from .effects.budget import Budgets
from .effects.capability import Authority, Key, TokenLimits, endorsed, narrowed
from .effects.entry import Entry
from .effects.errors import (
    BudgetExhausted,
    CapabilityDenied,
    EffectError,
    JournalBroken,
    LeakageExhausted,
    TokenRefused,
)
from .effects.findings import Findings
from .effects.history.archive import Archive
from .effects.history.errors import JournalDamaged
from .effects.history.keyfile import signer_from
from .effects.history.reading import History
from .effects.history.reducer import Reducer, reducer
from .effects.journal import Journal
from .effects.keys import Signer
from .effects.resilience.breaker import Breaker, Breakers, Fuse
from .effects.resilience.bulkhead import Bulkhead, Bulkheads
from .effects.resilience.compensation import Compensations
from .effects.resilience.errors import (
    BulkheadFull,
    CircuitOpen,
    ResilienceError,
    SagaFailed,
    TimedOut,
)
from .effects.resilience.outcome import SagaOutcome
from .effects.resilience.resilient import Resilience, resilient
from .effects.resilience.retry import Retry
from .effects.resilience.saga import Saga, Visit
from .effects.revocation import Revocations
from .effects.verifier import Verifier
from .language.bindings import BindingError
from .language.errors import (
    ChoreographyError,
    Diagnostic,
    PavaneError,
    PayloadError,
    ProtocolViolation,
)

__version__ = "0.1.0"

# Whoever uses the package says where its logs go; until then, nowhere.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "About",
    "Accumulated",
    "ActorError",
    "Archive",
    "Authority",
    "BindingError",
    "Breaker",
    "Breakers",
    "BrokerError",
    "BudgetExhausted",
    "Budgets",
    "Bulkhead",
    "BulkheadFull",
    "Bulkheads",
    "CapabilityDenied",
    "Choreography",
    "ChoreographyError",
    "CircuitOpen",
    "Codec",
    "Compensations",
    "Diagnostic",
    "EffectError",
    "Endpoint",
    "Entry",
    "Findings",
    "Fuse",
    "GuardRefused",
    "History",
    "InvalidComposition",
    "InvalidGrant",
    "Journal",
    "JournalBroken",
    "JournalDamaged",
    "Key",
    "LeakageExhausted",
    "MissingRole",
    "NoBranch",
    "Outcome",
    "Parallel",
    "ParallelFailed",
    "ParallelOutcome",
    "ParallelTimedOut",
    "PavaneError",
    "PayloadCipher",
    "PayloadError",
    "PeerFailed",
    "PhaseFailed",
    "PropertyBroken",
    "ProtocolViolation",
    "QuorumMissed",
    "Received",
    "Reducer",
    "Resilience",
    "ResilienceError",
    "ResilientRuntime",
    "Restart",
    "Retry",
    "Revocations",
    "RoleFailed",
    "Runtime",
    "Saga",
    "SagaFailed",
    "SagaOutcome",
    "Sequence",
    "SessionAborted",
    "SessionCancelled",
    "SessionPlan",
    "Signer",
    "SimulatedRuntime",
    "SimulationConfig",
    "StepTimedOut",
    "Telemetry",
    "TimedOut",
    "TokenLimits",
    "TokenRefused",
    "TooEarly",
    "TooLate",
    "Unfinished",
    "UnknownGrantee",
    "Verifier",
    "Visit",
    "Worker",
    "endorsed",
    "for_production",
    "for_simulation",
    "for_testing",
    "load",
    "load_all",
    "narrowed",
    "open",
    "reducer",
    "resilient",
    "resilient_role",
    "signer_from",
]
