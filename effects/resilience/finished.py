"""Work whose outcome must be known: it ends before its caller's cancellation goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import anyio

from .policy import T


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """`work`, run to its end; a cancellation that came meanwhile is raised after it.

    For single requests to the broker, which end by themselves: a write that is cancelled may
    have happened or not. A scope's shield alone does not hold `Task.cancel` off.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen here, as the cancellation is what the caller gets
        raise
