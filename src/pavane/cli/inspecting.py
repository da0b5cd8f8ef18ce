"""Durable sessions looked at: what `pavane sessions` does once its options are read."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..actors.workers.errors import UnknownVersion
from ..actors.workers.overview import State, Summary, counts, history, summaries
from ..actors.workers.roll import present
from ..actors.workers.shelf import Shelf
from ..actors.workers.standing import Stand, stands
from ..broker.contract import Broker
from ..broker.subjects import token
from ..language.bindings import BindingError
from .ages import age
from .errors import UsageError
from .escapes import printable
from .loop import play
from .operating import operating
from .protocols import relevant
from .scope import Scope, asking, named
from .screen import output, plural, say, shown, write_json

COLOURS = {
    "dead": "bold red",
    "waiting": "yellow",
    "running": "green",
    "failed": "red",
    "cancelled": "magenta",
    "done": "dim",
}

SHOWN = 50
"""Instances shown of one role; the JSON has them all."""


def list_all(url: str | None, scope: Scope, *, ended: bool, allow_remote: bool, json: bool) -> None:
    async def ask() -> tuple[list[Summary], dict[State, int]]:
        async with operating(url, allow_remote=allow_remote) as broker:
            everything = await _all(broker, scope)
            found = [s for s in everything if ended or not s.is_over]
            await _look_for_workers(broker, found)
            return found, counts(s for s in everything if s.is_over)

    found, over = play(ask)
    if json:
        write_json([as_json(summary) for summary in found])
    elif found:
        output().print(_table(found))
        for summary in found:
            if why := _why(summary):
                say(Text.assemble((printable(summary.session), "cyan"), f": {why}"))
    else:
        say("no sessions" if ended else "no sessions are running")
    if over and not (ended or json):
        told = ", ".join(f"{number} {state}" for state, number in over.items())
        say(f"those that are over are not shown ({told}): --all shows them")


def show(url: str | None, scope: Scope, session: str, *, allow_remote: bool, json: bool) -> None:
    async def ask() -> tuple[Summary, list[Stand], str]:
        async with operating(url, allow_remote=allow_remote) as broker:
            summary = await find(broker, scope, session)
            await _look_for_workers(broker, [summary])
            return (summary, *await _stands(broker, summary))

    summary, found, problem = play(ask)
    if json:
        write_json({**as_json(summary), "instances": [_stand_json(s) for s in found]})
        return
    _print(summary)
    if problem:
        say(f"where its roles stand cannot be told: {printable(problem)}")
    else:
        output().print(_stand_table(found))


async def _all(broker: Broker, scope: Scope, session: str = "") -> list[Summary]:
    """All of the scope, or those that are called `session`."""
    with asking():
        return [
            summary
            for namespace in await scope.namespaces(broker)
            for summary in await summaries(
                broker, namespace, session=session, protocol=scope.protocol
            )
        ]


async def _look_for_workers(broker: Broker, found: list[Summary]) -> None:
    """Say of what runs whether those who have taken its units are workers that are there."""
    for namespace in {s.namespace for s in found if not s.is_over}:
        here = {worker.name for worker in await present(broker, namespace)}
        for summary in found:
            if summary.namespace == namespace and not summary.is_over:
                units = [u for u in summary.units.values() if u.taken and not u.done]
                gone = dict.fromkeys(u.role for u in units if u.worker not in here)
                if gone:
                    summary.reason = f"no worker that is here plays {', '.join(gone)}"


async def find(broker: Broker, scope: Scope, session: str) -> Summary:
    """The session of this id; raises `UsageError` where there is none, or more than one, and
    `BadSubject` for what is no id."""
    token(session)
    found = await _all(broker, scope, session)
    if not found:
        spaces = await scope.namespaces(broker)
        where = f" in {', '.join(spaces)}" if spaces else ": none was ever started here"
        raise UsageError(
            f"there is no session {session}{where}",
            hint="`pavane sessions list --all` shows those that there are",
        )
    if len(found) > 1:
        names = ", ".join(f"{s.namespace}.{s.protocol}" for s in found)
        raise UsageError(
            f"several sessions are called {session}: {names}",
            hint=f"say which is meant: --protocol {names.partition(',')[0]}",
        )
    return found[0]


async def _stands(broker: Broker, summary: Summary) -> tuple[list[Stand], str]:
    """Where its instances stand, or why that cannot be told."""
    started = summary.started
    try:
        compiled = await Shelf(broker).get(summary.namespace, summary.protocol, started.fingerprint)
        projection = compiled.project(relevant(started.bindings, compiled))
    except (UnknownVersion, BindingError) as error:
        return [], error.message
    return stands(projection, await history(broker, summary)), ""


def as_json(summary: Summary) -> dict[str, Any]:
    started = summary.started
    return {
        "session": summary.session,
        "namespace": summary.namespace,
        "protocol": summary.protocol,
        "fingerprint": started.fingerprint.hex(),
        "state": summary.state,
        "reason": summary.reason,
        "began": summary.began,
        "touched": summary.touched,
        "ended": summary.ended or None,
        "bindings": started.bindings,
        "units": [
            {
                "role": unit.role,
                "start": unit.start,
                "stop": unit.stop,
                "worker": unit.worker,
                "taken": unit.taken,
                "done": unit.done,
            }
            for unit in summary.units.values()
        ],
        "dead": [
            {"unit": d.assignment.name, "code": d.code, "reason": d.reason, "attempts": d.attempts,
             "worker": d.worker, "time": d.time}
            for d in summary.dead
        ],
    }  # fmt: skip


def _stand_json(stand: Stand) -> dict[str, Any]:
    return {
        "instance": stand.name,
        "state": stand.state,
        "expected": list(stand.expected),
        "over": stand.over,
        "sent": stand.sent,
        "received": stand.received,
    }


def _table(found: list[Summary]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Session", style="cyan", overflow="fold")
    table.add_column("Protocol", overflow="fold")
    table.add_column("State", no_wrap=True)
    table.add_column("Age", justify="right", no_wrap=True)
    table.add_column("Silent", justify="right", no_wrap=True)
    table.add_column("Units done", justify="right", no_wrap=True)
    for summary in found:
        done = sum(unit.done for unit in summary.units.values())
        state = Text(summary.state, COLOURS[summary.state])
        silent = "-" if summary.is_over else age(summary.touched)
        table.add_row(
            *shown(summary.session, f"{summary.namespace}.{summary.protocol}"), state,
            age(summary.began), silent, f"{done}/{len(summary.units)}",
        )  # fmt: skip
    return table


def _why(summary: Summary) -> str:
    return printable(_said(summary))


def _said(summary: Summary) -> str:
    if summary.state == "dead":
        return summary.dead[0].reason
    if summary.state == "waiting":
        roles = dict.fromkeys(unit.role for unit in summary.units.values() if not unit.taken)
        return f"no worker has taken {', '.join(roles)}"
    return summary.reason


def _print(summary: Summary) -> None:
    bound = ", ".join(
        f"{printable(name)}={count}" for name, count in summary.started.bindings.items()
    )
    state = Text(summary.state, COLOURS[summary.state])
    name = printable(f"{summary.namespace}.{summary.protocol}")
    session = printable(summary.session)
    say(Text.assemble(("session ", "dim"), (session, "cyan"), f" of {name}: ", state))
    if why := _why(summary):
        say(f"  {why}")
    say(f"  version {summary.started.fingerprint.hex()}{', ' + bound if bound else ''}")
    say(f"  began {age(summary.began)} ago, last heard of {age(summary.touched)} ago")
    for letter in summary.dead:
        unit = printable(letter.assignment.name)
        say(Text(f"  {unit} is dead after {plural(letter.attempts, 'attempt')}"))
    if summary.dead:
        told = f"  pavane retry {printable(named(summary.place))} puts it back on the queue"
        say(Text(told, "dim"))
    workers = dict.fromkeys(unit.worker for unit in summary.units.values() if unit.worker)
    say(
        printable(f"  taken by {', '.join(workers)}")
        if workers
        else "  not taken by any worker yet"
    )


def _stand_table(found: list[Stand]) -> Table:
    """Whoever has something left to do comes first; of many, the first ones are shown."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Instance", style="cyan", overflow="fold")
    table.add_column("State", justify="right", no_wrap=True)
    table.add_column("Sent", justify="right", no_wrap=True)
    table.add_column("Received", justify="right", no_wrap=True)
    table.add_column("Next", overflow="fold")
    for stand in sorted(found, key=lambda s: s.over)[:SHOWN]:
        coming = ", ".join(stand.expected)
        table.add_row(
            *shown(stand.name), str(stand.state), str(stand.sent), str(stand.received),
            Text("over", "dim") if stand.over else Text(printable(coming)),
        )  # fmt: skip
    if len(found) > SHOWN:
        table.caption = f"and {len(found) - SHOWN} more; --json has them all"
    return table
