"""The end of a process that plays the code of others, which need not let it end.

A task that heeds no cancellation, a thread that sleeps on, a loop that nothing interrupts: Python waits
for all of them. So a thread of ours, which needs nobody's leave, ends the process when its
time has come; what registered itself for that (`atexit`) is called before, as ever.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec

import typer

PATIENCE = 1.0
"""Seconds that tasks and threads get once the command is done."""

LAST_WORDS = 2.0
"""Seconds for what is called, and for what has still to be written, at the very end."""

NEVER = math.inf

P = ParamSpec("P")


class Departure:
    """Of this process, and so there is one: `DEPARTURE`. `close` is what is done when the command
    is over, and may take for ever; `word` is said where the process ends before."""

    def __init__(self) -> None:
        self.code = 0
        self.word = ""
        self.close: Callable[[], None] = lambda: None
        self._deadlines: SimpleQueue[float] = SimpleQueue()
        self._watched = False

    def watch(self) -> None:
        """From now on there is somebody who ends it."""
        if not self._watched:
            self._watched = True
            threading.Thread(target=self._watch, name="pavane-departure", daemon=True).start()

    def within(self, seconds: float) -> None:
        """End the process in so many seconds, or earlier if that was said before. May be called from
        a signal handler, wherever the main thread stands."""
        self._deadlines.put(time.monotonic() + seconds)

    def conclude(self, code: int) -> None:
        """The command is over, and `code` what the process ends with. What is called when nothing
        keeps Python from ending any more may take its time, unless another signal comes."""
        self.code, self.word = code, ""
        if self._watched:
            atexit.register(self._deadlines.put, NEVER)
            self.within(PATIENCE)
        self.close()

    def _watch(self) -> None:
        deadline = NEVER
        while (left := deadline - time.monotonic()) > 0:
            with suppress(Empty):
                said = self._deadlines.get(timeout=min(left, threading.TIMEOUT_MAX))
                deadline = said if said == NEVER else min(deadline, said)
        self._end()

    def _end(self) -> None:
        speaking = threading.Thread(target=_last_words, args=(self.word,), daemon=True)
        speaking.start()
        speaking.join(LAST_WORDS)
        # Last: with the children gone, the main thread may have nothing left to wait for, and end too.
        for child in _children():
            child.kill()
            child.join(LAST_WORDS)
        os._exit(self.code)


def _children() -> list[Any]:
    if "multiprocessing" not in sys.modules:
        return []
    found: list[Any] = import_module("multiprocessing").active_children()
    return found


def _last_words(word: str) -> None:
    if _children():
        # It would wait for them.
        atexit.unregister(import_module("multiprocessing.util")._exit_function)
    with suppress(OSError, ValueError):
        sys.stderr.write(word)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # There is no other way to have called what Python calls when it ends.
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]


DEPARTURE = Departure()


def departing(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a verb, outside of `exits.verb`, that plays the code of others."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        code = 1
        try:
            command(*args, **kwargs)
            code = 0
        except typer.Exit as ended:
            code = ended.exit_code
            raise
        finally:
            DEPARTURE.conclude(code)

    return guarded
