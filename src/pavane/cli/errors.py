"""What the command line itself can refuse.

PavaneError
├── UsageError       the command was given something it cannot work with: exit code 2
│   └── KeyFileUnusable  a file of a key or token that cannot be read, or is there already
├── Refused          a protocol was refused, and its diagnostics are already written: 1
├── LogGone          a server came back without what it had stored: 3
├── KeysUnusable     a directory or file for keys cannot be used: 3
└── RunFailed        a run ended badly, and the reason is already written: 3
"""

from __future__ import annotations

from pathlib import Path

from ..language.errors import PavaneError


class UsageError(PavaneError):
    """A file, an option or a combination of them that cannot work."""

    code = "PV600"


class Refused(PavaneError):
    """At least one protocol was refused. The verb has shown why; nothing is left to write."""

    code = "PV601"


class KeysUnusable(PavaneError):
    """A directory or file for keys that cannot be read or written."""

    code = "PV620"

    def __init__(self, place: Path, reason: str) -> None:
        super().__init__(
            f"{place} cannot be used for keys: {reason}",
            hint="name a directory that is yours alone: --keys DIR",
        )
        self.place = place


class LogGone(PavaneError):
    """The log of a session that is waited for is not there any more."""

    code = "PV603"

    def __init__(self, session: str) -> None:
        super().__init__(
            f"the log of session {session} is gone with the server's store: nobody can go on with it",
            hint="start the session again, and give the server a store that it keeps (--store)",
        )
        self.session = session


class RunFailed(PavaneError):
    """The run did not end well. The verb has shown why; nothing is left to write."""

    code = "PV602"


class KeyFileUnusable(UsageError):
    """A file of a key or a token that cannot be read, or is not to be written over. What is in
    it is never quoted."""

    code = "PV625"

    def __init__(self, place: Path, reason: str, hint: str = "") -> None:
        super().__init__(
            f"{place} cannot be used: {reason}",
            hint=hint or "name another file, one made by `pavane capability`",
        )
        self.place = place
