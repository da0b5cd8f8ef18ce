"""What a runtime tells its observers, as it happens. Observers are plain callables; payloads
and tokens are not in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..effects.pipeline.trace import Stage


@dataclass(frozen=True, slots=True)
class SessionOpened:
    session: str
    protocol: str
    namespace: str
    roles: tuple[str, ...]
    """The instances played here: `Leader`, `Followers[0]`, ..."""


@dataclass(frozen=True, slots=True)
class MessageSent:
    """`receiver` is a role, one instance or a collective (`Followers[*]`), `copies` how many
    instances get the message; `stages` what the effects did, in order."""

    session: str
    sender: str
    receiver: str
    label: str
    step: int
    copies: int = 1
    selection: bool = False
    stages: tuple[Stage, ...] = ()
    charged: int = 0
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageReceived:
    session: str
    receiver: str
    sender: str
    label: str
    step: int
    selection: bool = False
    waited: float = field(default=0.0, compare=False)
    """Seconds that the receiver had been waiting."""


@dataclass(frozen=True, slots=True)
class LimitNear:
    """More than four fifths of something are used: `limit` is `budget`, `leakage`, `mailbox`, `log`
    or `history`, `name` says which one. Said once for each."""

    session: str
    limit: str
    name: str
    role: str
    used: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Denied:
    """An effect refused a message at `stage`: nothing left the sender."""

    session: str
    sender: str
    receiver: str
    label: str
    step: int
    stage: str
    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """Bytes that were not for anyone here, or not a frame: dropped. `reason` says which."""

    session: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """`error` is empty when the session ran to its end; it does not repeat what the exception of a
    role function says."""

    session: str
    protocol: str
    error: str = ""
    seconds: float = field(default=0.0, compare=False)
    opened: bool = True
    """False for a session that failed before all its roles were there."""


Event = (
    SessionOpened | MessageSent | MessageReceived | Denied | LimitNear | FrameRefused | SessionEnded
)
