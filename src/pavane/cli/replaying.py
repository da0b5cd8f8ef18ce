"""Roles played again: what `pavane replay` does once its options are read."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..actors import opening
from ..actors.durable.errors import Departure
from ..actors.durable.replay import Replayed
from ..broker.options import ConnectOptions
from ..broker.payload import unpack
from .errors import RunFailed, UsageError
from .loop import play
from .operating import server
from .screen import plural, say, write_json
from .targets import FORMS, registry, targets


def replay_all(
    session: str,
    target: str,
    extensions: str | None,
    url: str | None,
    *,
    allow_remote: bool,
    json: bool,
) -> None:
    found = targets([target])
    pairs = [(t.choreography, role) for t in found for role in t.roles]
    if not pairs:
        raise UsageError(f"{target} names no role", hint=FORMS)

    effects = registry(extensions)

    async def ask() -> list[Replayed]:
        options = ConnectOptions(allow_remote=allow_remote)
        async with opening.open(server(url), options=options, registry=effects) as runtime:
            return [
                replayed
                for choreography, role in pairs
                async for replayed in runtime.replay(choreography, session, role)
            ]

    done = play(ask)
    if json:
        write_json([_as_json(one) for one in done])
    else:
        for one in done:
            say(_line(one))
    wrong = [one for one in done if not one.is_faithful]
    if wrong:
        raise RunFailed(
            f"{plural(len(wrong), 'instance')} of {len(done)} did not do what the log has",
            hint="give me.run(...) whatever is not the same each time; let sessions that began "
            "before end on the code that they began with",
        )


def _line(one: Replayed) -> Text:
    head = Text.assemble((one.instance, "cyan"), f": {plural(one.steps, 'message')}, ")
    if one.departure is not None:
        gone = one.departure
        said = f" at {gone.step}: the log has {gone.expected}, it did {gone.got}"
        return head + Text.assemble(("departs", "red"), said, *_payloads(gone))
    if one.error is not None:
        return head + Text.assemble(("failed", "red"), f": {one.error.message}")
    end = {"done": "to its end", "waits": "and waits, as it does in the session"}
    told = end.get(one.end, f"as far as the log goes; then it would do {one.end}")
    return head + Text.assemble(told, (f"  {one.hash[:16]}", "dim"))


def _payloads(gone: Departure) -> list[str]:
    """What the log has and what the code said, for the user's own eyes."""
    if gone.payloads is None:
        return []
    return [
        f"\n  {who}: {unpack(payload)!s:.500}"
        for who, payload in zip(("log ", "code"), gone.payloads, strict=True)
    ]


def _as_json(one: Replayed) -> dict[str, Any]:
    departure = one.departure
    return {
        "instance": one.instance,
        "messages": one.steps,
        "end": one.end,
        "hash": one.hash,
        "departure": departure
        and {
            "step": departure.step,
            "expected": departure.expected,
            "got": departure.got,
            "payloads": departure.payloads and [unpack(p) for p in departure.payloads],
        },
        "error": one.error.message if one.error is not None else None,
    }
