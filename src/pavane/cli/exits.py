"""How a verb ends: what was raised becomes a sentence and an exit code, in this one place.

| code | meaning |
|---|---|
| 0 | done |
| 1 | a protocol was refused, or a machine; exploring found a problem |
| 2 | the command was used wrongly: a file, an option, a binding |
| 3 | a run failed: a denial, a broken session, a server that is not there |
| 4 | `refine` or `explore` cannot decide |
| 130 | interrupted with Ctrl-C |
| 143 | ended by SIGTERM |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from ..language.errors import ChoreographyError, PavaneError
from .errors import Refused, RunFailed, UsageError
from .screen import complain, complaints, say

REFUSED = 1
USAGE = 2
FAILED = 3
UNDECIDED = 4
INTERRUPTED = 130
TERMINATED = 143

MISUSED = frozenset({"PV181", "PV185", "PV303", "PV308"})
"""Errors of the floors below that are about what the command was given: a count that is not
bound or does not fit, an address that is none, or one beyond loopback without TLS."""

P = ParamSpec("P")


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt, nobody but the command line may catch it."""


def verb(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command so that it never ends in a traceback for what a user can cause."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            try:
                command(*args, **kwargs)
            finally:
                # When Python ends is too late: a reader that has gone would be complained of.
                sys.stdout.flush()
        except PavaneError as error:
            raise typer.Exit(_report(error)) from None
        except KeyboardInterrupt:
            say("\nInterrupted; everything that was started has been ended.", console=complaints())
            raise typer.Exit(INTERRUPTED) from None
        except Terminated:
            say(
                "Ended by SIGTERM; everything that was started has been ended.",
                console=complaints(),
            )
            raise typer.Exit(TERMINATED) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(0) from None

    return guarded


def _report(error: PavaneError) -> int:
    """Write the error, unless the verb has done that, and return the exit code."""
    if not isinstance(error, Refused | RunFailed):
        complain(error)
    return exit_code(error)


def exit_code(error: PavaneError) -> int:
    """Which of the table's codes an error ends with."""
    codes = {error.code}
    if isinstance(error, ChoreographyError):
        codes |= {diagnostic.code for diagnostic in error.diagnostics}
    if isinstance(error, UsageError) or codes & MISUSED:
        return USAGE
    return REFUSED if isinstance(error, ChoreographyError | Refused) else FAILED


def _discard_output() -> None:
    # The reader of our pipe has gone (`| head`): nothing more can be written, and Python
    # must not try to flush what is left when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
