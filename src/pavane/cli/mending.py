"""Sessions put right: what `pavane cancel` and `pavane retry` do once their options are read."""

from __future__ import annotations

from ..actors.durable.handle import SessionHandle
from ..actors.workers.dead import DeadLetter, revive
from ..actors.workers.overview import Summary, summaries
from ..broker.contract import Broker
from .errors import RunFailed
from .escapes import printable
from .inspecting import find
from .loop import play
from .operating import operating
from .scope import Scope, asking, named
from .screen import say, write_json


def retry_dead(
    url: str | None, scope: Scope, session: str, *, allow_remote: bool, json: bool
) -> None:
    async def mend() -> tuple[list[DeadLetter], list[Summary]]:
        async with operating(url, allow_remote=allow_remote) as broker:
            found = [await find(broker, scope, session)] if session else await _all(broker, scope)
            waiting = [letter for summary in found for letter in summary.dead]
            for letter in waiting:
                await revive(broker, letter)
            return waiting, found

    revived, found = play(mend)
    if json:
        write_json([{"session": d.assignment.session, "unit": d.assignment.name} for d in revived])
    else:
        for letter in revived:
            unit = letter.assignment
            say(printable(f"{unit.name} of session {unit.session} is on the queue again"))
        if not revived and not session:
            say("no session has dead units")
    if not revived and session:
        raise_nothing(found[0], json=json)


async def _all(broker: Broker, scope: Scope) -> list[Summary]:
    """Those that are not over."""
    with asking():
        return [
            summary
            for namespace in await scope.namespaces(broker)
            for summary in await summaries(broker, namespace, ended=False, protocol=scope.protocol)
        ]


def raise_nothing(summary: Summary, *, json: bool) -> None:
    """There is nothing to be put back, as the session is over, or as nothing of it is dead."""
    problem = f"is over already: {summary.state}" if summary.is_over else "has no dead units"
    more = "" if summary.is_over else f"; `pavane sessions show {named(summary.place)}` says more"
    if not json:
        say(printable(f"session {summary.session} {problem}{more}"))
    raise RunFailed(f"session {summary.session} {problem}")


def cancel_session(
    url: str | None,
    scope: Scope,
    session: str,
    reason: str,
    *,
    allow_remote: bool,
    json: bool,
) -> None:
    async def mend() -> str:
        async with operating(url, allow_remote=allow_remote) as broker:
            summary = await find(broker, scope, session)
            if not summary.is_over:
                await SessionHandle(broker, summary.place).cancel(reason)
                return ""
            return summary.state

    over = play(mend)
    if json:
        write_json({"session": session, "cancelled": not over, "state": over or "cancelled"})
    elif over:
        say(f"session {session} is over already: {over}")
    else:
        say(f"session {session} is cancelled")
    if over:
        raise RunFailed(f"session {session} is over already")
