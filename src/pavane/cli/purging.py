"""Logs of sessions that are over removed: what `pavane sessions purge` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rich.text import Text

from ..actors.workers.overview import Summary
from ..actors.workers.retention import ended, sweep
from ..actors.workers.retention import purge as purge_one
from ..broker.contract import Broker
from .ages import age, seconds
from .errors import RunFailed, UsageError
from .escapes import printable
from .inspecting import find
from .loop import play
from .operating import operating
from .scope import Scope, asking, named
from .screen import plural, say, write_json_line

SOONEST = 1.0
"""Seconds between two looks, at least."""


@dataclass(frozen=True, slots=True)
class Purging:
    """The options of one purge."""

    sessions: list[str]
    older_than: str | None
    every: str | None
    dry_run: bool
    scope: Scope
    url: str | None
    allow_remote: bool
    json: bool

    def check(self) -> None:
        """Raises `UsageError`."""
        if bool(self.sessions) == (self.older_than is not None):
            raise UsageError(
                "which sessions? give their ids, or --older-than, and not both",
                hint="pavane sessions purge --older-than 30d",
            )
        if self.every is not None and (self.older_than is None or self.dry_run):
            raise UsageError("--every goes with --older-than, and not with --dry-run")


def purge(order: Purging) -> None:
    """Raises `RunFailed` for a session that is not over."""
    order.check()
    pause = None if order.every is None else max(SOONEST, seconds("--every", order.every))

    async def main() -> None:
        async with operating(order.url, allow_remote=order.allow_remote) as broker:
            while True:
                await _once(broker, order)
                if pause is None:
                    return
                await asyncio.sleep(pause)

    play(main)


async def _once(broker: Broker, order: Purging) -> None:
    count = 0
    async for summary in _chosen(broker, order):
        records = 0 if order.dry_run else await purge_one(broker, summary)
        _say(order, summary, records)
        count += 1
    if order.older_than is not None:
        if not order.dry_run:
            for namespace in await order.scope.namespaces(broker):
                await sweep(broker, namespace)
        if not count and not order.json and order.every is None:
            say(f"no session ended more than {order.older_than} ago")


async def _chosen(broker: Broker, order: Purging) -> AsyncIterator[Summary]:
    if order.older_than is not None:
        length = seconds("--older-than", order.older_than)
        with asking():
            for namespace in await order.scope.namespaces(broker):
                for summary in await ended(broker, namespace, length):
                    if order.scope.has(summary.protocol):
                        yield summary
    for session in order.sessions:
        summary = await find(broker, order.scope, session)
        if not summary.is_over:
            raise_running(summary, json=order.json)
        yield summary


def raise_running(summary: Summary, *, json: bool) -> None:
    session = summary.session
    if json:
        write_json_line({"event": "kept", "session": session, "state": summary.state})
    else:
        say(
            f"session {session} is not over: it is {summary.state}; "
            f"`pavane cancel {named(summary.place)}` ends it"
        )
    raise RunFailed(f"session {session} is not over")


def _say(order: Purging, summary: Summary, records: int) -> None:
    if order.json:
        write_json_line(
            {"event": "would purge" if order.dry_run else "purged", "session": summary.session,
             "namespace": summary.namespace, "protocol": summary.protocol,
             "state": summary.state, "ended": summary.ended, "records": records}
        )  # fmt: skip
        return
    done = "would purge" if order.dry_run else "purged"
    kept = "" if order.dry_run else f", {plural(records, 'record')}"
    whose = printable(f"{summary.namespace}.{summary.protocol}")
    what = f" of {whose}, {summary.state} {age(summary.ended)} ago"
    say(Text.assemble(f"{done} ", (printable(summary.session), "cyan"), what, kept))
