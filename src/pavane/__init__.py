"""Choreographies on NATS: check a global protocol, project it, run every role as an actor.

Each name is loaded when it is first asked for: checking a protocol needs none of what runs it,
and a live session none of what durable ones, simulations and journals need.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .actors.choreography import Choreography, load, load_all
    from .actors.composition.adapter import Adapted, Adapter
    from .actors.composition.bridge import Bridged, CapabilityBridge
    from .actors.composition.delegation import Child, delegate, delegated
    from .actors.composition.early import early
    from .actors.composition.errors import (
        AdaptationFailed,
        AdapterRefused,
        CapabilityNotBridged,
        ChildFailed,
        InvalidComposition,
        ParallelFailed,
        ParallelTimedOut,
        PhaseFailed,
        QuorumMissed,
    )
    from .actors.composition.field_map import FieldMap, convert, default
    from .actors.composition.parallel import Parallel
    from .actors.composition.plan import SessionPlan
    from .actors.composition.ring import ring
    from .actors.composition.sequence import Sequence
    from .actors.composition.stage import Accumulated, ParallelOutcome
    from .actors.durable.errors import Departure, NoSuchSession, SessionFailed
    from .actors.durable.handle import SessionHandle
    from .actors.endpoint.endpoint import Endpoint
    from .actors.endpoint.listener import Received
    from .actors.errors import (
        ActorError,
        CallFailed,
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
    from .actors.opening import for_production, for_testing, open
    from .actors.outcome import Outcome
    from .actors.resilient import ResilientRuntime, resilient_role
    from .actors.runtime import Runtime
    from .actors.simulation.campaign import simulate
    from .actors.simulation.config import SimulationConfig
    from .actors.simulation.errors import PropertyBroken
    from .actors.simulation.runtime import SimulatedRuntime, for_simulation
    from .actors.simulation.state import SimulationState
    from .actors.telemetry.settings import Telemetry
    from .actors.workers.errors import NobodyServes
    from .actors.workers.restart import Restart
    from .actors.workers.worker import Worker
    from .broker.codec import About, Codec, PayloadCipher
    from .broker.errors import BrokerError, NotConnected, PayloadTooLarge, ServerUnreachable
    from .broker.options import ConnectOptions, Keeping
    from .broker.sim.faults import Fault
    from .effects.capability.revocation import Revocations
    from .effects.capability.tokens import Authority, Key, TokenLimits, endorsed, narrowed
    from .effects.capability.verifier import Verifier
    from .effects.errors import (
        BudgetExhausted,
        CapabilityDenied,
        DuplicateEffect,
        EffectDenied,
        EffectError,
        HandlerFailed,
        InvalidEffect,
        JournalBroken,
        KeyRefused,
        LeakageExhausted,
        ReceiptRefused,
        TokenRefused,
        UnknownBudget,
        UnknownLeakage,
        UnregisteredEffect,
    )
    from .effects.flow.budget import Budgets
    from .effects.identity import Identity
    from .effects.journal.entry import Entry
    from .effects.journal.findings import Findings
    from .effects.journal.history.archive import Archive
    from .effects.journal.history.errors import JournalDamaged
    from .effects.journal.history.keyfile import signer_from
    from .effects.journal.history.reading import History
    from .effects.journal.history.reducer import Reducer, reducer
    from .effects.journal.journal import Journal
    from .effects.keys import Signer
    from .effects.layers.budget_layers import BudgetLayer, BudgetLayers, LayeredReceipt
    from .effects.layers.capability_layers import (
        CapabilityLayer,
        CapabilityLayers,
        LayeredGrant,
        LayerRequest,
        LimitLayer,
        Refusal,
        TokenLayer,
    )
    from .effects.layers.errors import LayerChargeFailed, LayerDenied, LayerExhausted, LayerWidened
    from .effects.layers.scope import Scope
    from .effects.pipeline.command import (
        Charge,
        Command,
        Deny,
        Leak,
        Merge,
        Record,
        RequireCapability,
        Snapshot,
    )
    from .effects.pipeline.effect import StageName
    from .effects.pipeline.handlers import standard_registry
    from .effects.pipeline.registry import ExtensionRegistry
    from .effects.programs.errors import ProgramDeparts, ProgramError, ProgramTimedOut
    from .effects.programs.performance import Performance
    from .effects.programs.program import Program
    from .effects.programs.results import ProgramResult, Results
    from .effects.programs.stand_ins import Answer, RecordingHandler, ScriptedHandler
    from .effects.resilience.breaker import Breaker, Breakers, Fuse
    from .effects.resilience.bulkhead import Bulkhead, Bulkheads
    from .effects.resilience.compensation import Compensations
    from .effects.resilience.errors import (
        BulkheadFull,
        CircuitOpen,
        ResilienceError,
        SagaFailed,
        SagaTaken,
        TimedOut,
    )
    from .effects.resilience.outcome import SagaOutcome
    from .effects.resilience.resilient import Resilience, resilient
    from .effects.resilience.retry import Retry
    from .effects.resilience.saga import Saga, Visit
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

_HOME_OF: dict[str, str] = import_module(".homes", __name__).HOME_OF


def _load(name: str) -> object:
    """What is called `name`, which is a plain attribute from then on."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    found = globals()[name] = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:
    # To a type checker, a name that is not imported above is a mistake.
    __getattr__ = _load

__all__ = [
    "About",
    "Accumulated",
    "ActorError",
    "AdaptationFailed",
    "Adapted",
    "Adapter",
    "AdapterRefused",
    "Answer",
    "Archive",
    "Authority",
    "BindingError",
    "Breaker",
    "Breakers",
    "Bridged",
    "BrokerError",
    "BudgetExhausted",
    "BudgetLayer",
    "BudgetLayers",
    "Budgets",
    "Bulkhead",
    "BulkheadFull",
    "Bulkheads",
    "CallFailed",
    "CapabilityBridge",
    "CapabilityDenied",
    "CapabilityLayer",
    "CapabilityLayers",
    "CapabilityNotBridged",
    "Charge",
    "Child",
    "ChildFailed",
    "Choreography",
    "ChoreographyError",
    "CircuitOpen",
    "Codec",
    "Command",
    "Compensations",
    "ConnectOptions",
    "Deny",
    "Departure",
    "Diagnostic",
    "DuplicateEffect",
    "EffectDenied",
    "EffectError",
    "Endpoint",
    "Entry",
    "ExtensionRegistry",
    "Fault",
    "FieldMap",
    "Findings",
    "Fuse",
    "GuardRefused",
    "HandlerFailed",
    "History",
    "Identity",
    "InvalidComposition",
    "InvalidEffect",
    "InvalidGrant",
    "Journal",
    "JournalBroken",
    "JournalDamaged",
    "Keeping",
    "Key",
    "KeyRefused",
    "LayerChargeFailed",
    "LayerDenied",
    "LayerExhausted",
    "LayerRequest",
    "LayerWidened",
    "LayeredGrant",
    "LayeredReceipt",
    "Leak",
    "LeakageExhausted",
    "LimitLayer",
    "Merge",
    "MissingRole",
    "NoBranch",
    "NoSuchSession",
    "NobodyServes",
    "NotConnected",
    "Outcome",
    "Parallel",
    "ParallelFailed",
    "ParallelOutcome",
    "ParallelTimedOut",
    "PavaneError",
    "PayloadCipher",
    "PayloadError",
    "PayloadTooLarge",
    "PeerFailed",
    "Performance",
    "PhaseFailed",
    "Program",
    "ProgramDeparts",
    "ProgramError",
    "ProgramResult",
    "ProgramTimedOut",
    "PropertyBroken",
    "ProtocolViolation",
    "QuorumMissed",
    "ReceiptRefused",
    "Received",
    "Record",
    "RecordingHandler",
    "Reducer",
    "Refusal",
    "RequireCapability",
    "Resilience",
    "ResilienceError",
    "ResilientRuntime",
    "Restart",
    "Results",
    "Retry",
    "Revocations",
    "RoleFailed",
    "Runtime",
    "Saga",
    "SagaFailed",
    "SagaOutcome",
    "SagaTaken",
    "Scope",
    "ScriptedHandler",
    "Sequence",
    "ServerUnreachable",
    "SessionAborted",
    "SessionCancelled",
    "SessionFailed",
    "SessionHandle",
    "SessionPlan",
    "Signer",
    "SimulatedRuntime",
    "SimulationConfig",
    "SimulationState",
    "Snapshot",
    "StageName",
    "StepTimedOut",
    "Telemetry",
    "TimedOut",
    "TokenLayer",
    "TokenLimits",
    "TokenRefused",
    "TooEarly",
    "TooLate",
    "Unfinished",
    "UnknownBudget",
    "UnknownGrantee",
    "UnknownLeakage",
    "UnregisteredEffect",
    "Verifier",
    "Visit",
    "Worker",
    "convert",
    "default",
    "delegate",
    "delegated",
    "early",
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
    "ring",
    "signer_from",
    "simulate",
    "standard_registry",
]
