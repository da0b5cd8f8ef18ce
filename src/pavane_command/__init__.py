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
    from pavane.cli import main as command

    try:
        command()
    finally:
        # All is written and closed; the interpreter may not be disturbed while it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def leave(_number: int, _frame: FrameType | None) -> None:
    """End at once, without a word from the interpreter: nothing has been opened yet."""
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nInterrupted.\n")
    os._exit(INTERRUPTED)
