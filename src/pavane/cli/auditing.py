"""The log of a session looked through: what `pavane sessions verify` does."""

from __future__ import annotations

from dataclasses import asdict

from ..actors.durable.audit import Audit, audit
from ..actors.durable.names import Place
from ..actors.workers.overview import Summary
from ..effects.journal.journal import Journal
from ..effects.keys import Signer
from .errors import RunFailed
from .escapes import printable
from .inspecting import find
from .loop import play
from .operating import operating
from .scope import Scope
from .screen import plural, say, write_json


def verify(url: str | None, scope: Scope, session: str, *, allow_remote: bool, json: bool) -> None:
    """Raises `RunFailed` where the log has a fault."""

    async def ask() -> tuple[Audit, Summary]:
        async with operating(url, allow_remote=allow_remote) as broker:
            summary = await find(broker, scope, session)
            place = Place(summary.namespace, summary.protocol, session)
            return await audit(broker, place, Journal(broker, Signer())), summary

    found, summary = play(ask)
    # What came to its end while it was looked through is told as it was found there.
    over = found.is_over or summary.is_over
    if json:
        write_json({**asdict(found), "is_over": over})
    else:
        state = summary.outcome if summary.is_over else "over" if over else "not over"
        say(
            f"{session} is {state}: {plural(found.messages, 'message')}, "
            f"{plural(found.steps, 'step')}, {found.charged} charged, "
            f"{plural(found.facts, 'fact')}; taken over {plural(found.takeovers, 'time')}"
        )
        for fault in found.faults:
            say(f"  {printable(str(fault))}")
    if found.faults:
        raise RunFailed(
            f"the log of {session} has {plural(len(found.faults), 'fault')}",
            hint="run `pavane journal verify` too; a session whose log is damaged cannot go on",
        )
