"""What the effect pipeline can refuse.

PavaneError
└── EffectError
    ├── UnregisteredEffect, DuplicateEffect, InvalidEffect     how effects are set up
    ├── CapabilityDenied, TokenRefused, KeyRefused, InvalidName authority
    ├── BudgetExhausted, UnknownBudget, ReceiptRefused         flow budgets
    ├── LeakageExhausted, UnknownLeakage                       leakage budgets
    ├── EffectDenied, HandlerFailed                            a handler's own refusal, or failure
    └── JournalBroken                                          the journal
"""

from __future__ import annotations

from ..language.errors import PavaneError


class EffectError(PavaneError):
    """Root of what can go wrong around a message; nothing was sent where one is raised."""

    code = "PV400"


class UnregisteredEffect(EffectError):
    """An effect has no handler. It is never skipped instead."""

    code = "PV401"

    def __init__(self, name: str, *, role: str = "", how: str = "register") -> None:
        where = f" at role {role}" if role else ""
        one = {
            "register": f"registry.register({name}, handler)",
            "annotation": f'registry.annotation("{name}", factory)',
        }.get(how, f"@registry.{how}({name})")
        super().__init__(f"effect {name} has no handler{where}", hint=f"register one: `{one}`")
        self.name = name
        self.role = role


class DuplicateEffect(EffectError):
    """An effect or an annotation key is registered a second time."""

    code = "PV402"

    def __init__(self, name: str, *, role: str = "") -> None:
        where = f" for role {role}" if role else ""
        super().__init__(
            f"{name} is already registered{where}",
            hint="register each effect and annotation key once, or make another registry",
        )
        self.name = name
        self.role = role


class InvalidEffect(EffectError):
    """An effect with a value it cannot have."""

    code = "PV403"

    def __init__(self, key: str, value: object, wanted: str) -> None:
        super().__init__(f"{key} = {value!r} is not {wanted}", hint=f"write {key} as {wanted}")
        self.key = key
        self.value = value


class EffectDenied(EffectError):
    """A registered handler refused the message. `effect` is the name of its type."""

    code = "PV404"

    def __init__(self, effect: str, instance: str, reason: str) -> None:
        super().__init__(
            f"{effect} refused a message of {instance}: {reason}",
            hint="see the handler registered for this effect",
        )
        self.effect = effect
        self.instance = instance
        self.reason = reason


class HandlerFailed(EffectError):
    """A handler raised, or yielded what is no command: the message is not sent. `effect` is the name
    of its type."""

    code = "PV405"

    def __init__(self, effect: str, reason: str) -> None:
        super().__init__(
            f"the handler of {effect} failed: {reason}",
            hint=f"mend the handler that is registered for {effect}; the role that sends is not at fault",
        )
        self.effect = effect
        self.reason = reason


class CapabilityDenied(EffectError):
    """A role instance cannot show a capability that a step asks for."""

    code = "PV410"

    def __init__(
        self, capability: str, role: str, index: int | None, reason: str, *, hint: str = ""
    ) -> None:
        who = role if index is None else f"{role}[{index}]"
        super().__init__(
            f"{who} lacks the capability {capability}: {reason}",
            hint=hint
            or f"grant {capability} to {role} when the session is started, or give it a token "
            "that shows it",
        )
        self.capability = capability
        self.role = role
        self.index = index
        self.instance = who
        self.reason = reason


class TokenRefused(EffectError):
    """Bytes that are no token we accept. `reason` never quotes the token."""

    code = "PV411"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"token refused: {reason}", hint="use a token issued by this deployment's authority"
        )
        self.reason = reason


class KeyRefused(EffectError):
    """A key that is none, or not the one that is needed. `what` is what it was given as; the key is
    not quoted."""

    code = "PV412"

    def __init__(self, what: str, reason: str, *, hint: str) -> None:
        super().__init__(f"{what} is refused: {reason}", hint=hint)
        self.what = what
        self.reason = reason


class InvalidName(EffectError):
    """Something that cannot be written into a token."""

    code = "PV434"

    def __init__(self, what: str, given: object, why: str, *, hint: str = "change it") -> None:
        super().__init__(f"{what} {given!r:.82} cannot be in a token: {why}", hint=hint)
        self.what = what
        self.given = given


class BudgetExhausted(EffectError):
    """A charge that would exceed the limit. Nothing was charged."""

    code = "PV420"

    def __init__(self, context: str, peer: str, *, limit: int, spent: int, cost: int) -> None:
        super().__init__(
            f"the flow budget of {peer} in {context} is exhausted: "
            f"{spent} of {limit} spent, {cost} more asked for",
            hint=f"raise the limit of {peer} or begin its next epoch",
        )
        self.context = context
        self.peer = peer
        self.limit = limit
        self.spent = spent
        self.cost = cost


class UnknownBudget(EffectError):
    """There is no budget to charge, which means refusal."""

    code = "PV421"

    def __init__(self, context: str, peer: str) -> None:
        super().__init__(
            f"{peer} has no flow budget in {context}",
            hint=f"set one before the session starts, for example {peer}=1000",
        )
        self.context = context
        self.peer = peer


class ReceiptRefused(EffectError):
    """A chain of receipts does not verify. `position` counts from 0 in what was given."""

    code = "PV422"

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(
            f"receipt {position} is refused: {reason}",
            hint="compare it with the receipts in the journal",
        )
        self.position = position
        self.reason = reason


class LeakageExhausted(EffectError):
    """A message would tell one class of observers more than it may learn."""

    code = "PV430"

    def __init__(self, context: str, observer: str, *, limit: int, spent: int, cost: int) -> None:
        super().__init__(
            f"the leakage budget for {observer} observers in {context} is exhausted: "
            f"{spent} of {limit} leaked, {cost} more asked for",
            hint=f"raise the limit for {observer}, or send this message less often",
        )
        self.context = context
        self.observer = observer
        self.limit = limit
        self.spent = spent
        self.cost = cost


class UnknownLeakage(EffectError):
    """There is no leakage budget for a class of observers, which means refusal."""

    code = "PV431"

    def __init__(self, context: str, observer: str) -> None:
        super().__init__(
            f"there is no leakage budget for {observer} observers in {context}",
            hint=f"set a limit for {observer} before the session starts",
        )
        self.context = context
        self.observer = observer


class JournalBroken(EffectError):
    """The journal cannot be written or read on. `where` is a writer, with a number if known."""

    code = "PV440"

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            f"the journal of {where} is broken: {why}",
            hint="run `pavane journal verify` before anything is replayed from it",
        )
        self.where = where
        self.why = why
