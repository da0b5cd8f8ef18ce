"""The tasks that play a session's instances in this process, and the end of the last of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import anyio

AGAIN = 0.25
"""Seconds after which a task that was cancelled and goes on is cancelled once more."""


async def play_together(players: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Return when all have ended. When this is cancelled they are, and it still waits for them.

    As a task group, at a fraction of its memory, for players that catch their own errors: what
    one raises all the same is raised here, at once.
    """
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    tasks = [loop.create_task(player, name="pavane-play") for player in players]
    left = len(tasks)

    def ended(task: asyncio.Task[None]) -> None:
        nonlocal left
        left -= 1
        bug = None if task.cancelled() else task.exception()
        if over.done():
            return
        if bug is not None:
            over.set_exception(bug)
        elif not left:
            over.set_result(None)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        await over
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _end(tasks)
        raise


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended. Who cleans up has the time to do so."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN)
