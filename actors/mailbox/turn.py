"""What is to be done at the end of this turn of the event loop, for all sessions of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

Due = Callable[[], None]


class Soon(Protocol):
    """An event loop, or a `Turn` of it."""

    def call_soon(self, callback: Due, /) -> object:
        """Call `callback` once, after the code that runs now has made way."""
        ...


class Turn:
    """Shared by the sessions of a runtime: one handle of the loop for all who have asked."""

    __slots__ = ("_due", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: list[Due] = []

    def call_soon(self, callback: Due, /) -> None:
        if not self._due:
            self._loop.call_soon(self._end)
        self._due.append(callback)

    def _end(self) -> None:
        due, self._due = self._due, []
        for callback in due:
            try:
                callback()
            except Exception as error:  # noqa: BLE001
                # One session's bug is said aloud, and keeps no other from speaking.
                self._loop.call_exception_handler(
                    {"message": "the end of a turn raised", "exception": error}
                )
