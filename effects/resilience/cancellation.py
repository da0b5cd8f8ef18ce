"""Whether a `CancelledError` is the end of the task that runs."""

from __future__ import annotations

import asyncio


def cancellations() -> int:
    """How often the task that runs has been cancelled, and gone on. A `CancelledError` that comes
    while this stays the same is an error like others: of something that was awaited, and that
    somebody has cancelled."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
