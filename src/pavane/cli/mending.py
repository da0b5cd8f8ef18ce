"""Sessions put right: what `pavane cancel` and `pavane retry` do once their options are read."""

from __future__ import annotations

from ..actors.durable.handle import SessionHandle
from ..actors.workers.dead import DeadLetter, letters, revive
from .errors import RunFailed
from .inspecting import find
from .loop import play
from .operating import namespaces, operating
from .screen import say, write_json


def retry_dead(
    url: str | None, namespace: str | None, session: str, *, allow_remote: bool, json: bool
) -> None:
    async def mend() -> list[DeadLetter]:
        async with operating(url, allow_remote=allow_remote) as broker:
            if session:
                waiting = (await find(broker, namespace, session)).dead
            else:
                spaces = await namespaces(broker, namespace)
                waiting = [letter for n in spaces for letter in await letters(broker, n)]
            for letter in waiting:
                await revive(broker, letter)
            return waiting

    revived = play(mend)
    if json:
        write_json([{"session": d.assignment.session, "unit": d.assignment.name} for d in revived])
    else:
        for letter in revived:
            unit = letter.assignment
            say(f"{unit.name} of session {unit.session} is on the queue again")
        if not revived and not session:
            say("no session has dead units")
    if not revived and session:
        raise_nothing(session, json=json)


def raise_nothing(session: str, *, json: bool) -> None:
    if not json:
        say(f"session {session} has no dead units; `pavane sessions show {session}` says more")
    raise RunFailed(f"session {session} has no dead units")


def cancel_session(
    url: str | None,
    namespace: str | None,
    session: str,
    reason: str,
    *,
    allow_remote: bool,
    json: bool,
) -> None:
    async def mend() -> str:
        async with operating(url, allow_remote=allow_remote) as broker:
            summary = await find(broker, namespace, session)
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
