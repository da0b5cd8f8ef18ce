"""The end of a task that dials a server."""

from __future__ import annotations

import asyncio


async def ended(dialling: asyncio.Task[None]) -> None:
    """Cancel until it is over: the library may swallow one cancellation, and dial on."""
    while not dialling.done():
        dialling.cancel()
        await asyncio.wait([dialling], timeout=0.1)
    if not dialling.cancelled():
        dialling.exception()  # seen, so that the loop says nothing of it
