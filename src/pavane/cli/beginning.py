"""A durable session started: what `pavane start` does once its options are read."""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from ..actors.choreography import Choreography
from ..actors.durable.names import Place
from ..actors.opening import open as open_runtime
from ..language.errors import PavaneError
from .brokers import options
from .errors import RunFailed, UsageError
from .loop import play
from .operating import authority, reaching, server
from .protocols import only, refuse_strangers
from .scope import named
from .screen import complain, complaints, say, write_json_line
from .signals import Terminated, ignore
from .targets import choreography, is_module, registry
from .waiting import outcome


@dataclass(frozen=True, slots=True)
class Beginning:
    """The options of one start, read."""

    protocol: str
    name: str | None
    bindings: Mapping[str, int]
    session: str | None
    given: str | None
    wait: bool
    patience: float
    url: str | None
    registry: str | None
    telemetry: bool
    allow_remote: bool
    json: bool


def begin(order: Beginning) -> None:
    """Start it and say its id; with `wait`, stay until it is over."""
    chosen = _choreography(order)
    refuse_strangers(order.bindings, [chosen.compiled])
    given = _input(order.given)
    where = server(order.url)
    effects = registry(order.registry)

    begun: list[str] = []

    async def main() -> PavaneError | None:
        settings = options(None, allow_remote=order.allow_remote)
        async with open_runtime(
            where, options=settings, registry=effects, authority=authority(),
            telemetry=order.telemetry,
        ) as runtime:  # fmt: skip
            handle = await runtime.start(
                chosen, session=order.session, bindings=order.bindings, input=given,
                patience=order.patience,
            )  # fmt: skip
            begun.append(handle.id)
            _say_started(order, chosen, handle.place)
            if not order.wait:
                return None
            try:
                found = await outcome(runtime.broker, handle, json=order.json)
            except PavaneError as error:
                return error
            _say_result(order, found.values)
        return None

    try:
        with reaching():
            failure = play(main)
    except Terminated as ended:
        if not begun:
            raise
        ignore()
        say(f"\nsession {begun[0]} goes on without this command", console=complaints())
        raise typer.Exit(128 + ended.number) from None
    if failure is not None:
        _say_failure(order, failure)
        raise RunFailed(failure.message)


def _choreography(order: Beginning) -> Choreography:
    """From a file of protocols, or from a variable of a module, with its types and bindings."""
    text = order.protocol
    if ":" in text or text.endswith(".py") or _is_module(text):
        if order.name is not None:
            raise UsageError(
                f"--name {order.name} is for files of protocols, and {text} is a module",
                hint="write MODULE:PROTOCOL",
            )
        return choreography(text)
    return Choreography(only(text, order.name, bindings=order.bindings))


def _is_module(text: str) -> bool:
    """As with `pavane worker`, unless it is a file, or called as one of ours."""
    return is_module(text) and not text.endswith(".choreo") and not Path(text).exists()


def _input(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return jsons.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"--input is no JSON: {error}", hint="""write it like this: --input '{"order": 17}'"""
        ) from None


def _say_started(order: Beginning, chosen: Choreography, place: Place) -> None:
    session = place.session
    if order.json:
        write_json_line({"event": "started", "session": session, "protocol": chosen.full_name})
    else:
        say(Text.assemble(("started ", "bold green"), f"{chosen.full_name}, session {session}"))
        if not order.wait:
            say(Text(f"  pavane sessions show {named(place)}", "dim"))


def _say_result(order: Beginning, values: Mapping[str, Any]) -> None:
    if order.json:
        write_json_line({"event": "done", "values": values})
        return
    say(Text("done", "bold green"))
    for role, value in values.items():
        if value is not None:
            say(f"  {role}: {value!r}")


def _say_failure(order: Beginning, failure: PavaneError) -> None:
    if order.json:
        write_json_line({"event": "failed", "code": failure.code, "error": failure.message})
    else:
        complain(failure)
