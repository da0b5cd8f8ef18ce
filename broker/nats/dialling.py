"""The ends of a task that dials a server, and of what it has dialled."""

from __future__ import annotations

import asyncio

from .library import LibraryClient, drop_transport, reconnecting_of

CLOSING = 2.0
"""Seconds for the library to close a client: it waits for what a connection may never say again."""


async def ended(dialling: asyncio.Task[None]) -> None:
    """Cancel until it is over: the library may swallow one cancellation, and dial on."""
    while not dialling.done():
        dialling.cancel()
        await asyncio.wait([dialling], timeout=0.1)
    if not dialling.cancelled():
        dialling.exception()  # seen, so that the loop says nothing of it


async def shut(client: LibraryClient) -> None:
    """Close a client, without what a lost connection has not sent: the library would write that to
    a transport that is closed, which uvloop refuses with a `RuntimeError`, and end nothing more."""
    if not client.is_connected:
        vars(client).update(_pending=[], _pending_data_size=0)
    try:
        async with asyncio.timeout(CLOSING):
            await client.close()
    except TimeoutError:
        drop_transport(client)
    except asyncio.CancelledError:
        # Not ours: the library has cancelled its own task, which waited for the end of a transport that
        # was lost, and with it that end, for which it then waits itself.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
    reconnecting = reconnecting_of(client)
    if reconnecting is not None:
        await ended(reconnecting)
