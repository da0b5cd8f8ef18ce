"""One thread that does what may take long, so that the server always answers."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """Runs jobs one after the other. The thread is a daemon: a job that still runs when the
    editor has gone does not keep the process alive."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None

    async def run(self, job: Callable[[], T]) -> T:
        """The job's result, or what it raised. Cancelled before it begins, it is never run."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="pavane-lsp", daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, job))
        return await future

    def _work(self) -> None:
        while True:
            future, job = self._jobs.get()
            if future.cancelled():
                continue
            outcome: tuple[Any, Exception | None]
            try:
                outcome = (job(), None)
            except Exception as error:  # noqa: BLE001 (whoever asked for the job gets it)
                outcome = (None, error)
            try:
                future.get_loop().call_soon_threadsafe(_settle, future, *outcome)
            except RuntimeError:
                return  # the loop has been closed: nobody waits any more


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
