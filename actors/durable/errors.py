"""What can go wrong with a durable session, besides what can with any.

ActorError
├── Departure        a role that was played again did something else than its log says
├── OtherSession     the session exists already, and is another one
├── NoSuchSession    nobody has started it
│   └── SessionPurged    it was over, and its log is removed
├── SessionFailed    it has ended, because of what happened to a role
├── StillRunning     it is not over, as it has to be for what is asked
├── LogDamaged       its log cannot be read
├── Overtaken        a unit was given to another worker later than to this one
├── Unreadable       it was stored with a codec, or a key, that is not here
└── BeyondLog        what an offline replay may not do: go on where the log ends
"""

from __future__ import annotations

from ..errors import ActorError, SessionAborted


class Departure(ActorError):
    """`instance` was played again and left its log at `step`: that has `expected`, it did `got`.

    `payloads` are those of the two messages, packed, where nothing else differs. They stand in no
    text, as that goes to logs and dead letters: `pavane replay` shows them.
    """

    code = "PV561"

    def __init__(
        self,
        session: str,
        instance: str,
        step: str,
        expected: str,
        got: str,
        payloads: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.session = session
        self.instance = instance
        self.step = step
        self.expected = expected
        self.got = got
        self.payloads = payloads
        super().__init__(
            f"{instance} left the log of session {session} at {step}: "
            f"the log has {expected}, the code did {got}",
            hint="give me.run(...) whatever is not the same each time; if the code was changed, "
            "let sessions that began before end on the old version",
        )


class OtherSession(ActorError):
    """A session `session` was started before, with another `what`."""

    code = "PV564"

    def __init__(self, session: str, what: str) -> None:
        self.session = session
        self.what = what
        super().__init__(
            f"session {session} was started before, with another {what}",
            hint="give each session an id of its own, or none, to have one made",
        )


class NoSuchSession(ActorError):
    """There is no log of `session`."""

    code = "PV565"

    def __init__(self, protocol: str, session: str) -> None:
        self.protocol = protocol
        self.session = session
        super().__init__(
            f"there is no durable session {session} of {protocol}",
            hint="`pavane sessions` lists those there are",
        )


class SessionPurged(NoSuchSession):
    """What `session` came to is not known any more, but that it is over."""

    code = "PV554"

    def __init__(self, protocol: str, session: str) -> None:
        super().__init__(protocol, session)
        self.message = f"session {session} of {protocol} is over, and its log was purged"
        self.args = (self.message,)
        self.hint = "give another session another id"


class SessionFailed(SessionAborted):
    """What its log says a session has ended of: `role`, `reason` and the error's `error_code`."""

    code = "PV566"

    def __init__(self, session: str, role: str, reason: str, error_code: str = "") -> None:
        super().__init__(session, role, reason)
        self.error_code = error_code


class StillRunning(ActorError):
    """The log of `session` cannot be removed: it is not over."""

    code = "PV553"

    def __init__(self, session: str) -> None:
        self.session = session
        super().__init__(
            f"session {session} is not over, and its log is what it goes on from",
            hint="wait for its end, or cancel it first",
        )


class LogDamaged(ActorError):
    """A record on `subject` cannot be read, or is missing."""

    code = "PV567"

    def __init__(self, subject: str, reason: str) -> None:
        self.subject = subject
        self.reason = reason
        super().__init__(
            f"the log of a durable session is damaged at {subject}: {reason}",
            hint="start the session anew under another id",
        )


class Overtaken(ActorError):
    """The queue has given `unit` to another worker later: this one's time with it is over."""

    code = "PV588"

    def __init__(self, session: str, unit: str) -> None:
        self.session = session
        self.unit = unit
        super().__init__(
            f"{unit} of session {session} was given to another worker since",
            hint="nothing to be done: the other goes on with it",
        )


class Unreadable(ActorError):
    """`what` the log of `session` has cannot be read in this process."""

    code = "PV551"

    def __init__(self, session: str, what: str, reason: str) -> None:
        self.session = session
        self.what = what
        self.reason = reason
        super().__init__(
            f"session {session} cannot be read here, {what} namely: {reason}",
            hint="give this process the payload codec, and the keys, that the session's others have "
            "(PAVANE_CIPHER, or codec= of pavane.open), and take them away where they have none",
        )


class BeyondLog(ActorError):
    """Everything recorded of `instance` was played again, and it went on with `step`."""

    code = "PV568"

    def __init__(self, instance: str, step: str) -> None:
        self.instance = instance
        self.step = step
        super().__init__(
            f"the log of {instance} ends before {step}",
            hint="that is as far as the session had come",
        )
