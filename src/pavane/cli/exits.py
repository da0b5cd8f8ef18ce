"""How a verb ends: what was raised becomes a sentence and an exit code, in this one place.

| code | meaning |
|---|---|
| 0 | done |
| 1 | a protocol was refused, or a machine; exploring found a problem |
| 2 | the command was used wrongly: a file, an option, a binding |
| 3 | a run failed: a denial, a broken session, a server that is not there; or nothing can be written |
| 4 | `refine` or `explore` cannot decide |
| 129, 130, 131, 143 | ended by a closed terminal, by Ctrl-C, by SIGQUIT, by SIGTERM |
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec

import typer

from ..language.errors import ChoreographyError, PavaneError
from .errors import Refused, RunFailed, UsageError
from .screen import complain, complaints, say
from .signals import Terminated, heed, ignore

REFUSED = 1
USAGE = 2
FAILED = 3
UNDECIDED = 4

MISUSED = frozenset(
    {
        "PV181",
        "PV185",
        "PV303",
        "PV308",
        "PV309",
        "PV361",
        "PV363",
        "PV434",
        "PV435",
        "PV436",
        "PV471",
        "PV502",
    }
)
"""Errors of the floors below that are about what the command was given: a count that is not
bound or does not fit, an address that is none, or one beyond loopback without TLS, a name that
cannot be one, a fault, the configuration of a simulation, a grant, a file of keys, a role that the
protocol does not have."""

P = ParamSpec("P")


def verb(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command so that it never ends in a traceback for what a user can cause."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            try:
                heed()
                command(*args, **kwargs)
            finally:
                # When Python ends is too late: a reader that has gone would be complained of.
                sys.stdout.flush()
        except PavaneError as error:
            raise typer.Exit(_report(error)) from None
        except Terminated as ended:
            raise typer.Exit(_ended(ended)) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(0) from None
        except OSError as error:
            _discard_output()
            raise typer.Exit(_unwritten(error)) from None

    return guarded


def _report(error: PavaneError) -> int:
    """Write the error, unless the verb has done that, and return the exit code."""
    if not isinstance(error, Refused | RunFailed):
        with suppress(OSError):
            complain(error)
    return exit_code(error)


def _ended(ended: Terminated) -> int:
    """Say so, where there is still somebody to read it."""
    ignore()
    name = "Interrupted" if ended.number == signal.SIGINT else f"Ended by {ended}"
    with suppress(OSError):
        say(f"\n{name}; everything that was started has been ended.", console=complaints())
    with suppress(OSError):
        sys.stdout.flush()
    return 128 + ended.number


def _unwritten(error: OSError) -> int:
    """The disk is full, the terminal is gone: nothing more can be told, but why."""
    where = f"{error.filename} cannot be used" if error.filename else "the output cannot be written"
    with suppress(OSError):
        say(f"error: {where}: {error.strerror or error}", console=complaints())
    return FAILED


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
