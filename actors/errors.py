"""What can go wrong while a session runs.

PavaneError
├── ProtocolViolation         (language.errors) a peer or the role's own code left the protocol
│   ├── GuardRefused          the branch's guard does not hold
│   ├── NoBranch              no guard holds and there is no fallback
│   ├── TooEarly              the timeout branch, before its time
│   ├── TooLate               another branch, after it
│   └── Unfinished            a role function returned before its part was over
└── ActorError
    ├── MissingRole           a role has no implementation
    ├── UnknownRole           an implementation for a role that the protocol does not have
    ├── WrongIdentities       identities that do not fit the family they are given to
    ├── Unplayable            what was given for a role is no function of an endpoint
    ├── Conflict              the same protocol name registered twice
    ├── SessionExists         the same name for two sessions at once
    ├── SessionAborted        the session ended because of another role
    │   ├── PeerFailed        ... whose code raised
    │   └── SessionCancelled  ... or because somebody cancelled it
    ├── StepTimedOut          (also a TimeoutError) a role did not do its step in time
    ├── UnknownSession        no session of that name runs here
    ├── RoleFailed            a role function raised: what `run` raises from it
    ├── Absent                a role that another process should play is not there
    ├── CallFailed            what a role called with `me.run` raised
    ├── NotRecordable         a value that a log cannot hold
    ├── SessionLost           messages were lost beyond repair
    ├── NoTelemetry           the packages for traces and metrics are not installed
    ├── InvalidGrant          a grant, a token or a budget that cannot be one
    ├── UnknownGrantee        ... for a role that no protocol here has
    └── RuntimeClosed         used after its end
"""

from __future__ import annotations

from collections.abc import Sequence

from ..effects.resilience.policy import retryable
from ..language.errors import PavaneError, ProtocolViolation
from ..language.timing import duration


class GuardRefused(ProtocolViolation):
    """The guard of the branch is false. Nothing was sent; another branch can be taken."""

    code = "PV210"


class NoBranch(ProtocolViolation):
    """All guards are false and no branch is without one: the choice cannot be made."""

    code = "PV211"


class Unfinished(ProtocolViolation):
    """A role function returned while its machine still owed steps (`expected`)."""

    code = "PV212"


class TooEarly(ProtocolViolation):
    """The timeout branch of a choice was taken `wait` seconds before its time. Nothing was sent."""

    code = "PV542"

    def __init__(self, role: str, state: int, step: str, seconds: float, wait: float) -> None:
        self.seconds = seconds
        self.wait = wait
        super().__init__(
            f"{role} cannot do {step} yet: it is what happens when nothing else has within "
            f"{duration(seconds)}, which is in another {wait:.3g} s",
            role=role,
            state=state,
            got=step,
            hint="wait with `async with me.deadline() as late: ...`, and look at `late.passed`",
        )


class TooLate(ProtocolViolation):
    """A branch was begun after the choice's timeout of `seconds`. Nothing was sent; the timeout
    branch can be taken."""

    code = "PV543"

    def __init__(self, role: str, state: int, step: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"{role} cannot do {step} any more: the {duration(seconds)} in which to decide are over",
            role=role,
            state=state,
            got=step,
            hint='take the timeout branch, `await me.choose("timeout")` or its first message',
        )


class ActorError(PavaneError):
    """Root of what the runtime itself reports."""

    code = "PV500"


class MissingRole(ActorError):
    """`roles` have no implementation; nothing was started."""

    code = "PV501"

    def __init__(self, protocol: str, roles: Sequence[str]) -> None:
        self.protocol = protocol
        self.roles = tuple(roles)
        names = ", ".join(roles)
        super().__init__(
            f"{protocol}: no implementation for {names}",
            hint=f"give one to run(..., {roles[0]}=function) or register it with "
            f'@protocol.role("{roles[0]}")',
        )


class WrongIdentities(ActorError):
    """The identities given to the family `role` do not fit it."""

    code = "PV518"

    def __init__(self, role: str, problem: str) -> None:
        self.role = role
        super().__init__(
            f"{role}: {problem}",
            hint=f'give one name for each instance: identify({role}=["alice", "bob"])',
        )


class SessionExists(ActorError):
    """The name `session` is that of a session that this runtime is playing, with `role` in it."""

    code = "PV519"

    def __init__(self, session: str, role: str) -> None:
        self.session = session
        self.role = role
        super().__init__(
            f"session {session} is running, and {role} is played in it already",
            hint="give each session a name of its own, or none, to have one made",
        )


class Unplayable(ActorError):
    """What was given for `role` is no function that could play it."""

    code = "PV520"

    def __init__(self, role: str, problem: str) -> None:
        self.role = role
        super().__init__(
            f"{role} cannot be played by this: {problem}",
            hint=f"give a function of one endpoint: async def {role.lower()}(me): ...",
        )


class UnknownRole(ActorError):
    """`role` is not one of the protocol's `roles`."""

    code = "PV502"

    def __init__(self, protocol: str, role: str, roles: Sequence[str]) -> None:
        self.protocol = protocol
        self.role = role
        self.roles = tuple(roles)
        super().__init__(
            f"{protocol} has no role {role}", hint=f"its roles are {', '.join(self.roles)}"
        )


class Conflict(ActorError):
    """Two protocols of one runtime have the same full name; `first` and `second` say where."""

    code = "PV503"

    def __init__(self, protocol: str, first: str, second: str) -> None:
        self.protocol = protocol
        self.first = first
        self.second = second
        super().__init__(
            f"{protocol} is registered twice: in {first} and in {second}",
            hint="rename one, or give it a namespace of its own",
        )


class SessionAborted(ActorError):
    """The session ended because of `role`; `reason` is what happened there."""

    code = "PV510"

    def __init__(self, session: str, role: str, reason: str) -> None:
        self.session = session
        self.role = role
        self.reason = reason
        super().__init__(f"session {session} ended: {of(role, reason)}")


class PeerFailed(SessionAborted):
    """The code of `role` raised; the other roles of the session see this."""

    code = "PV511"


class SessionCancelled(SessionAborted):
    """Somebody cancelled the session: `role` says who, `reason` what for."""

    code = "PV541"


def aborted(session: str, role: str, reason: str, code: str) -> SessionAborted:
    """What another process says has ended the session."""
    kind = SessionCancelled if code == SessionCancelled.code else SessionAborted
    return kind(session, role, reason)


class StepTimedOut(ActorError, TimeoutError):
    """`role` did not do `step` within the `seconds` that the protocol gives it; with `block`, not
    the whole block that the step is in. The session is over."""

    code = "PV540"
    retryable = True

    def __init__(
        self, session: str, role: str, step: str, seconds: float, *, block: bool = False
    ) -> None:
        self.session = session
        self.role = role
        self.step = step
        self.seconds = seconds
        self.block = block
        what = f"was still at {step}" if block else f"had not done {step}"
        whose = "the block it is in" if block else "the step"
        super().__init__(
            f"{role} {what} after the {duration(seconds)} that the protocol gives {whose}",
            hint="find out what it waited for, or give it more time in the protocol",
        )


class UnknownSession(ActorError):
    """No session `session` is being played by this runtime."""

    code = "PV544"

    def __init__(self, session: str) -> None:
        self.session = session
        super().__init__(
            f"no session {session} runs here",
            hint="cancel it in a runtime that plays one of its roles, while it runs",
        )


class RoleFailed(ActorError):
    """The function of `role` raised something that is not a PavaneError (see `__cause__`).

    It is retryable where that is: a lost connection of the user's own, say.
    """

    code = "PV512"

    def __init__(self, session: str, role: str, cause: BaseException) -> None:
        self.session = session
        self.role = role
        self.retryable = retryable(cause)
        self.__cause__ = cause
        said = f": {cause}" if str(cause) else ""
        super().__init__(
            f"{role} raised {type(cause).__name__}{said}",
            hint=f"mend the function that plays {role.partition('[')[0]}; "
            "what it raised is this error's __cause__",
        )


def interrupted(error: PavaneError) -> BaseException:
    """What a session ends with that is played where it was started: Ctrl-C as such, if that was
    what a role function met; and anything else as it is."""
    if isinstance(error, RoleFailed) and isinstance(error.__cause__, KeyboardInterrupt):
        return error.__cause__
    return error


def of(role: str, reason: str) -> str:
    """What happened at `role`, which `reason` may name itself."""
    named = reason.startswith((f"{role} ", f"{role}:"))
    return reason if named else f"{role}: {reason}"


class CallFailed(ActorError):
    """What `who` called as `name` with `me.run` raised `kind`, in the last of its attempts.

    In a durable session this is recorded, and the call is not made again. Only where it was
    made has this error a `__cause__`.
    """

    code = "PV562"

    def __init__(self, who: str, name: str, kind: str, reason: str) -> None:
        self.who = who
        self.name = name
        self.kind = kind
        self.reason = reason
        said = f": {reason}" if reason else ""
        super().__init__(
            f"{who}: {name} raised {kind}{said}",
            hint="catch CallFailed where the role can go on without it, or give run a retry",
        )


class NotRecordable(ActorError):
    """`what` came to a value that a log cannot hold, or not give back as it was declared."""

    code = "PV563"

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(
            f"what {what} came to cannot be recorded: {reason}",
            hint="return builtins, dataclasses, msgspec structs, dates, decimals or UUIDs",
        )


class SessionLost(ActorError):
    """Messages of a live session were lost and could not be sent again in time."""

    code = "PV513"
    retryable = True

    def __init__(self, session: str, reason: str) -> None:
        self.session = session
        self.reason = reason
        super().__init__(
            f"session {session} lost messages: {reason}",
            hint="start the session again; a live session does not outlast its broker",
        )


class Absent(ActorError):
    """`roles` are to be played by other processes, and nobody did."""

    code = "PV515"
    retryable = True

    def __init__(self, roles: Sequence[str], seconds: float) -> None:
        self.roles = tuple(roles)
        super().__init__(
            f"nobody came to play {', '.join(roles)} within {seconds:g} s",
            hint="join the session in the other processes too, with the same name of session",
        )


class NoTelemetry(ActorError):
    """Telemetry was asked for, and `package` is not installed."""

    code = "PV550"

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(
            f"telemetry needs {package}, which is not installed",
            hint='install it: pip install "pavane[telemetry]"',
        )


class RuntimeClosed(ActorError):
    """The runtime is closed, or was never opened."""

    code = "PV514"


class InvalidGrant(ActorError):
    """What `open` was given for a role. `what` is `grants`, `tokens` or `budgets`; a token is not
    quoted."""

    code = "PV435"

    def __init__(self, what: str, role: object, why: str, *, hint: str) -> None:
        super().__init__(f"{what}: what is given for {role} {why}", hint=hint)
        self.what = what
        self.role = role


class UnknownGrantee(ActorError):
    """`open` was given something for a role that none of the protocols known here has."""

    code = "PV436"

    def __init__(self, what: str, role: str, protocol: str, roles: Sequence[str]) -> None:
        super().__init__(
            f"{what}: {protocol} has no role {role}",
            hint=f"its roles are {', '.join(roles)}; if another protocol has {role}, "
            "let the runtime know it before: runtime.register(other)",
        )
        self.what = what
        self.role = role
