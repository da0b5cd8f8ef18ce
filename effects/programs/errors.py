"""What can be wrong with a program, or with how it went.

PavaneError
├── ProtocolViolation         (language.errors)
│   └── ProgramDeparts        it does not fit its role's machine; nothing was sent
└── ProgramError
    ├── ProgramTimedOut       (also a TimeoutError) an operation was not done in its time
    ├── ProgramClosed         something was added after `end`
    ├── InvalidOperation      an operation with arguments that it cannot have
    ├── NoArm                 no arm for what a peer or a function of the program's own decided
    ├── NotReceived           a result is asked for that there is not (yet)
    ├── OffScript             a scripted handler was asked for what its script does not have
    └── ProgramTooLarge       too many ways through it to look at all of them
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...language.errors import PavaneError, ProtocolViolation
from ...language.spelling import nearest


class ProgramDeparts(ProtocolViolation):
    """A program does something that its role's machine does not allow, or leaves undone what it
    asks for. Found before anything was sent.

    `operation` is the one that departs, `place` where it stands in the program (`3`,
    `2.accept.1`), and `trail` the steps of the machine that lead to it.
    """

    code = "PV490"

    def __init__(
        self,
        why: str,
        *,
        role: str,
        operation: str,
        place: str,
        state: int | None,
        expected: Sequence[str],
        got: str,
        trail: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        self.operation = operation
        self.place = place
        self.trail = tuple(trail)
        where = f"operation {place}, {operation}" if place else operation
        after = f" after {', '.join(trail[-6:])}" if trail else ""
        super().__init__(
            f"the program of {role} departs from its protocol at {where}{after}: {why}",
            role=role,
            state=state,
            expected=expected,
            got=got,
            hint=hint or "make the program follow the role's machine (`pavane project` prints it)",
        )


class ProgramError(PavaneError):
    """Root of what programs themselves report."""

    code = "PV491"


class ProgramTimedOut(ProgramError, TimeoutError):
    """The `seconds` that a `timeout` gives were over at `operation`; the program ended there."""

    code = "PV492"
    retryable = True

    def __init__(self, role: str, operation: str, seconds: float) -> None:
        self.role = role
        self.operation = operation
        self.seconds = seconds
        super().__init__(
            f"the program of {role} was still at {operation} after {seconds:g} s",
            hint="find out what it waited for, or give it more time",
        )


class ProgramClosed(ProgramError):
    """Something was added to a program that is closed by `end`."""

    code = "PV493"

    def __init__(self, added: str) -> None:
        self.added = added
        super().__init__(
            f"{added} comes after the end of the program",
            hint="put it before end(), or go on with another program: first.then(second)",
        )


class InvalidOperation(ProgramError):
    """An operation was given what it cannot have."""

    code = "PV494"

    def __init__(self, operation: str, problem: str, *, hint: str) -> None:
        self.operation = operation
        super().__init__(f"{operation}: {problem}", hint=hint)


class NoArm(ProgramError):
    """`operation` has no arm for `got`."""

    code = "PV495"

    def __init__(self, operation: str, got: object, arms: Iterable[object]) -> None:
        self.operation = operation
        self.got = got
        self.arms = tuple(arms)
        there = ", ".join(map(str, self.arms))
        super().__init__(
            f"{operation} has no arm for {got!r}; there are {there}",
            hint="add an arm for it, or see what decides",
        )


class NotReceived(ProgramError, KeyError):
    """A function of the program asks for `label`, which it has not received."""

    code = "PV496"

    def __init__(self, label: str, there: Iterable[str]) -> None:
        self.label = label
        known = list(dict.fromkeys(there))
        near = nearest(label, known)
        said = f"; there are {', '.join(known)}" if known else ""
        super().__init__(
            f"nothing called {label} has come{said}",
            hint=f"did you mean {near}?" if near else "use it after the operation that gets it",
        )

    def __str__(self) -> str:
        return ProgramError.__str__(self)


class OffScript(ProgramError):
    """A scripted handler was asked for `wanted`, and its script has something else, or nothing."""

    code = "PV497"

    def __init__(self, wanted: str, found: str) -> None:
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"the program waits for {wanted}, and the script has {found}",
            hint="write the script's answers in the order in which the program asks for them",
        )


class ProgramTooLarge(ProgramError):
    """There are more than `limit` ways through a program of `role`, as far as they differ."""

    code = "PV498"

    def __init__(self, role: str, limit: int) -> None:
        self.role = role
        self.limit = limit
        super().__init__(
            f"the program of {role} has more than {limit} stages to check",
            hint="write shorter counted loops, or play the role by a function",
        )
