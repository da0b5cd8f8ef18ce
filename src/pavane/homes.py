"""Where the names of the face are from, as its imports for type checkers say; the tests see to it that
both say the same."""

from __future__ import annotations

HOMES = {
    "actors.choreography": "Choreography load load_all",
    "actors.composition.adapter": "Adapted Adapter",
    "actors.composition.bridge": "Bridged CapabilityBridge",
    "actors.composition.delegation": "Child delegate delegated",
    "actors.composition.early": "early",
    "actors.composition.errors": (
        "AdaptationFailed AdapterRefused CapabilityNotBridged ChildFailed InvalidComposition "
        "ParallelFailed ParallelTimedOut PhaseFailed QuorumMissed"
    ),
    "actors.composition.field_map": "FieldMap convert default",
    "actors.composition.parallel": "Parallel",
    "actors.composition.plan": "SessionPlan",
    "actors.composition.ring": "ring",
    "actors.composition.sequence": "Sequence",
    "actors.composition.stage": "Accumulated ParallelOutcome",
    "actors.durable.errors": "Departure NoSuchSession SessionFailed",
    "actors.durable.handle": "SessionHandle",
    "actors.endpoint.endpoint": "Endpoint",
    "actors.errors": (
        "ActorError CallFailed GuardRefused InvalidGrant MissingRole NoBranch PeerFailed "
        "RoleFailed SessionAborted SessionCancelled StepTimedOut TooEarly TooLate Unfinished "
        "UnknownGrantee"
    ),
    "actors.endpoint.listener": "Received",
    "actors.opening": "for_production for_testing open",
    "actors.outcome": "Outcome",
    "actors.resilient": "ResilientRuntime resilient_role",
    "actors.runtime": "Runtime",
    "actors.simulation.campaign": "simulate",
    "actors.simulation.config": "SimulationConfig",
    "actors.simulation.errors": "PropertyBroken",
    "actors.simulation.runtime": "SimulatedRuntime for_simulation",
    "actors.simulation.state": "SimulationState",
    "actors.telemetry.settings": "Telemetry",
    "actors.workers.errors": "NobodyServes",
    "actors.workers.restart": "Restart",
    "actors.workers.worker": "Worker",
    "broker.codec": "About Codec PayloadCipher",
    "broker.errors": "BrokerError NotConnected PayloadTooLarge ServerUnreachable",
    "broker.options": "ConnectOptions Keeping",
    "broker.sim.faults": "Fault",
    "effects.flow.budget": "Budgets",
    "effects.capability.tokens": "Authority Key TokenLimits endorsed narrowed",
    "effects.identity": "Identity",
    "effects.journal.entry": "Entry",
    "effects.errors": (
        "BudgetExhausted CapabilityDenied DuplicateEffect EffectDenied EffectError HandlerFailed "
        "InvalidEffect JournalBroken KeyRefused LeakageExhausted ReceiptRefused TokenRefused "
        "UnknownBudget UnknownLeakage UnregisteredEffect"
    ),
    "effects.journal.findings": "Findings",
    "effects.journal.history.archive": "Archive",
    "effects.journal.history.errors": "JournalDamaged",
    "effects.journal.history.keyfile": "signer_from",
    "effects.journal.history.reading": "History",
    "effects.journal.history.reducer": "Reducer reducer",
    "effects.journal.journal": "Journal",
    "effects.keys": "Signer",
    "effects.layers.budget_layers": "BudgetLayer BudgetLayers LayeredReceipt",
    "effects.layers.capability_layers": (
        "CapabilityLayer CapabilityLayers LayeredGrant LayerRequest LimitLayer Refusal TokenLayer"
    ),
    "effects.layers.errors": "LayerChargeFailed LayerDenied LayerExhausted LayerWidened",
    "effects.layers.scope": "Scope",
    "effects.pipeline.command": "Charge Command Deny Leak Merge Record RequireCapability Snapshot",
    "effects.pipeline.effect": "StageName",
    "effects.pipeline.handlers": "standard_registry",
    "effects.pipeline.registry": "ExtensionRegistry",
    "effects.programs.errors": "ProgramDeparts ProgramError ProgramTimedOut",
    "effects.programs.performance": "Performance",
    "effects.programs.program": "Program",
    "effects.programs.results": "ProgramResult Results",
    "effects.programs.stand_ins": "Answer RecordingHandler ScriptedHandler",
    "effects.resilience.breaker": "Breaker Breakers Fuse",
    "effects.resilience.bulkhead": "Bulkhead Bulkheads",
    "effects.resilience.compensation": "Compensations",
    "effects.resilience.errors": (
        "BulkheadFull CircuitOpen ResilienceError SagaFailed SagaTaken TimedOut"
    ),
    "effects.resilience.outcome": "SagaOutcome",
    "effects.resilience.resilient": "Resilience resilient",
    "effects.resilience.retry": "Retry",
    "effects.resilience.saga": "Saga Visit",
    "effects.capability.revocation": "Revocations",
    "effects.capability.verifier": "Verifier",
    "language.bindings": "BindingError",
    "language.errors": "ChoreographyError Diagnostic PavaneError PayloadError ProtocolViolation",
}

HOME_OF = {name: home for home, names in HOMES.items() for name in names.split()}
