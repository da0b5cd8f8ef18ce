"""`pavane explore`: what can go wrong when machines run together."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from ..language.draw.trace import trace_mermaid, trace_text
from ..language.explore import CONFIGURATION_LIMIT, Exploration, Finding
from ..language.explore import explore as explored
from ..language.system import Step
from .errors import Refused
from .exits import UNDECIDED, verb
from .machines import Composed, composed, is_json, machines_of, small
from .options import Bind, File, Json, bindings
from .protocols import only
from .screen import plural, say, write_json
from .sources import read

STANDING = 6
"""How many instances are told of in a deadlock."""


class Format(StrEnum):
    """How a trace is drawn."""

    text = "text"
    mermaid = "mermaid"


def install(app: typer.Typer) -> None:
    app.command()(explore)


@verb
def explore(
    file: File,
    buffer: Annotated[
        int, typer.Option("--buffer", min=1, max=1000, help="Messages that a channel holds.")
    ] = 2,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000_000, help="Configurations to visit.")
    ] = CONFIGURATION_LIMIT,
    name: Annotated[
        str | None, typer.Option("--name", help="The protocol, where the file has several.")
    ] = None,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="How the trace is drawn.")
    ] = Format.text,
    bind: Bind = None,
    json: Json = False,
) -> None:
    """Run all machines of a protocol against each other, in every order that matters.

    FILE is a protocol, or JSON with hand-written machines by instance: `{"A": machine, ...}`, each
    as `project --json` has it or a local type as a string. Finds deadlocks, messages that nobody
    receives, messages that arrive where they cannot be received, and who waits for ever. Families
    of open size get three instances. Exits with 0, with 1 when something was found, and
    with 4 when nothing was found and not everything was visited.

    [dim]Examples:[/dim]
      pavane explore market.choreo
      pavane explore machines.json --buffer 4 --format mermaid
    """
    machines = _machines(file, name, bindings(bind))
    result = explored(machines.automata, buffer=buffer, limit=limit)
    if json:
        write_json(as_json(machines, result, buffer))
    else:
        _write(machines, result, buffer, format)
    if result.findings:
        raise Refused(plural(len(result.findings), "problem"))
    if not result.complete:
        raise typer.Exit(UNDECIDED)


def _machines(file: str, name: str | None, given: dict[str, int]) -> Composed:
    source = read(file) if file != "-" else None
    if source is not None and is_json(source):
        return machines_of(source)
    compiled = only(file, name, bindings=given)
    return composed(compiled, small(compiled, given))


def as_json(machines: Composed, result: Exploration, buffer: int) -> dict[str, Any]:
    """The answer to `explore --json`; a trace has `{"instance", "step"}` entries."""
    return {
        "complete": result.complete,
        "needs_room": result.needs_room,
        "needs_memory": result.needs_memory,
        "configurations": result.configurations,
        "buffer": buffer,
        "bindings": dict(machines.bindings),
        "findings": [_finding(machines, finding) for finding in result.findings],
    }


def _finding(machines: Composed, finding: Finding) -> dict[str, Any]:
    names = tuple(machines.automata)
    return {
        "problem": finding.problem,
        "instance": finding.instance,
        "explanation": explanation(machines, finding),
        "trace": [{"instance": who, "step": str(step)} for who, step in finding.trace],
        "text": trace_text(names, finding.trace),
        "mermaid": trace_mermaid(names, finding.trace),
    }


def explanation(machines: Composed, finding: Finding) -> str:
    """The problem in a sentence, with what the instance could do where it stands."""
    stands = standing(machines, finding)
    who = finding.instance
    waits = f"{who} waits for {stands[who]}" if who in stands else ""
    match finding.problem:
        case "deadlock":
            everyone = [f"{name} waits for {steps}" for name, steps in stands.items()]
            more = ", and others wait" if len(everyone) > STANDING else ""
            return f"nobody can go on: {', '.join(everyone[:STANDING])}{more}"
        case "starvation":
            return f"from here on {who} never moves again, whatever the others do: {waits}"
        case "unspecified reception":
            return f"a message has come to {who} that it cannot receive: {waits}"
        case "orphan message":
            return f"a message to {who} is never received"


def standing(machines: Composed, finding: Finding) -> dict[str, str]:
    """What every instance that has not ended could do after the trace."""
    states = dict.fromkeys(machines.automata, 0)
    for who, step in finding.trace:
        states[who] = machines.automata[who].edges[states[who]][step]
    return {
        name: _steps(machines.automata[name].edges[state])
        for name, state in states.items()
        if state not in machines.automata[name].finals
    }


def _steps(edges: dict[Step, int]) -> str:
    shown = [str(step) for step in edges]
    return " or ".join(shown[:4]) + (" or others" if len(shown) > 4 else "") or "nothing"


def _write(machines: Composed, result: Exploration, buffer: int, format: Format) -> None:
    names = tuple(machines.automata)
    for finding in result.findings:
        sentence = explanation(machines, finding)
        say(Text.assemble((finding.problem, "bold red"), f"  {sentence}"))
        draw = trace_text if format is Format.text else trace_mermaid
        say()
        say(draw(names, finding.trace) if finding.trace else "It is so from the beginning.")
        return
    visited = f"{plural(result.configurations, 'configuration')} with {_setting(machines, buffer)}"
    if result.complete:
        say(Text.assemble(("ok", "bold green"), f"  nothing goes wrong in {visited}"))
    elif result.needs_room:
        why = "some runs stop because channels are full; try a larger --buffer"
        say(Text.assemble(("cannot decide", "bold yellow"), f"  {visited}: {why}"))
    elif result.needs_memory:
        why = (
            "the most that is stored was reached, and nothing was found so far; try fewer instances"
        )
        say(Text.assemble(("cannot decide", "bold yellow"), f"  {visited}: {why}"))
    else:
        why = "the limit was reached, and nothing was found so far; try a larger --limit"
        say(Text.assemble(("cannot decide", "bold yellow"), f"  {visited}: {why}"))


def _setting(machines: Composed, buffer: int) -> str:
    counts = [f"{name}={value}" for name, value in sorted(machines.bindings.items())]
    return ", ".join([f"{plural(buffer, 'message')} to a channel", *counts])
