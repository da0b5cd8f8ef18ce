"""Everything the language can refuse, and the root of every error in Pavane.

PavaneError
├── ChoreographyError     the protocol's author: diagnostics with code, place and hint
├── ProtocolViolation     a peer, or the role's own code, left the protocol
└── (the surroundings: see broker.errors, effects.errors and actors.errors)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the source; lines and columns count from 1, `end_column` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to say about a protocol: what, where, and what to write instead."""

    code: str
    severity: Severity
    message: str
    span: Span
    hint: str = ""


class PavaneError(Exception):
    """Root of all errors a user can meet. `code` is stable; `hint` says what to do.

    `retryable` says of a class whether trying the same again may end otherwise: so it is where
    the surroundings failed, not where an author, a peer or a denial is the reason.
    """

    code: str = "PV000"
    retryable: bool = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ChoreographyError(PavaneError):
    """A protocol was refused. `diagnostics` holds every error found, in source order."""

    code = "PV100"

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        diagnostics: Sequence[Diagnostic] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.diagnostics = tuple(diagnostics)


class ProtocolViolation(PavaneError):
    """A step that the local machine does not allow.

    `role` left the protocol (`Role` or `Role[3]`); `state` is where its machine stood,
    `expected` the steps allowed there as text, `got` the step taken.
    """

    code = "PV200"

    def __init__(
        self,
        message: str,
        *,
        role: str = "",
        state: int | None = None,
        expected: Sequence[str] = (),
        got: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.role = role
        self.state = state
        self.expected = tuple(expected)
        self.got = got


class PayloadError(PavaneError):
    """A payload does not fit the message's declaration.

    `label` is the message, `field` the path to the part that is wrong (`items[2].price`, empty
    for the whole), `expected` the declared type as written, `got` what stands there.
    """

    code = "PV203"

    def __init__(
        self,
        message: str,
        *,
        label: str = "",
        field: str = "",
        expected: str = "",
        got: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.label = label
        self.field = field
        self.expected = expected
        self.got = got
