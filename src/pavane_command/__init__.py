"""What the installed command `pavane` calls first.

To load Pavane takes a moment, in which Ctrl-C would be answered with a traceback from wherever
the interpreter stands. So this package, which is beside `pavane` and imports nothing that takes
time, answers it until the command line does so itself.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """The entry point. An interrupt that the caller ignores (`nohup`, `&`) stays ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    open_closed_streams()
    from pavane.cli import main as command

    try:
        command()
    finally:
        # All is written and closed; the interpreter may not be disturbed while it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def open_closed_streams() -> None:
    """Give what was started with `<&-` or `>&-` an empty input, and an output that goes nowhere.

    Otherwise the first file or socket that is opened would be the standard output of the rest.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  # for good
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def leave(_number: int, _frame: FrameType | None) -> None:
    """End at once, without a word from the interpreter: nothing has been opened yet."""
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nInterrupted.\n")
    os._exit(INTERRUPTED)
