"""Roles played again: what `pavane replay` does once its options are read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from rich.text import Text

from ..actors import opening
from ..actors.choreography import Choreography
from ..actors.durable.errors import Departure
from ..actors.durable.replay import Replayed
from ..actors.runtime import Runtime
from ..actors.workers.errors import Unfit, UnknownVersion
from ..broker.options import ConnectOptions
from ..broker.payload import unpack
from .errors import RunFailed, UsageError
from .escapes import printable
from .loop import play
from .operating import server
from .screen import complaints, plural, say, write_json
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
            return [one for pair in pairs for one in await _replayed(runtime, session, *pair)]

    done = _played(ask)
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


async def _replayed(
    runtime: Runtime, session: str, choreography: Choreography, role: str
) -> list[Replayed]:
    """All instances of a role, or the role as a whole where its code is of a version that does
    not fit."""
    try:
        return [one async for one in runtime.replay(choreography, session, role)]
    except (Unfit, UnknownVersion) as error:
        return [Replayed(role, 0, "unfit", "", error=error)]


def _played(ask: Callable[[], Coroutine[Any, Any, list[Replayed]]]) -> list[Replayed]:
    """What `ask` finds. Raises `RunFailed` where a task of the code that is played ends the
    process: that is no end of ours."""
    try:
        return play(ask)
    except (SystemExit, KeyboardInterrupt) as error:
        said = f"a task that the code began raised {type(error).__name__}"
        say(Text.assemble(("failed", "red"), f": {said}"), console=complaints())
        raise RunFailed(said) from None


def _line(one: Replayed) -> Text:
    head = Text.assemble((one.instance, "cyan"), f": {plural(one.steps, 'message')}, ")
    if one.departure is not None:
        gone = one.departure
        said = printable(f" at {gone.step}: the log has {gone.expected}, it did {gone.got}")
        return head + Text.assemble(("departs", "red"), said, *_payloads(gone))
    if one.error is not None:
        return head + Text.assemble(("failed", "red"), f": {printable(one.error.message)}")
    end = {"done": "to its end", "waits": "and waits, as it does in the session"}
    told = end.get(one.end, f"as far as the log goes; then it would do {one.end}")
    return head + Text.assemble(told, (f"  {one.hash[:16]}", "dim"))


def _payloads(gone: Departure) -> list[str]:
    """What the log has and what the code said, for the user's own eyes."""
    if gone.payloads is None:
        return []
    return [
        f"\n  {who}: {printable(f'{unpack(payload)!s:.500}')}"
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
