"""`pavane workers`: who serves what, and how full they are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .exits import verb
from .operating import Namespace, ServerUrl
from .options import AllowRemote, Json


def install(app: typer.Typer) -> None:
    app.command()(workers)


@verb
def workers(
    namespace: Namespace = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    least: Annotated[
        int, typer.Option("--least", min=0, help="Exit with 3 where there are fewer workers.")
    ] = 0,
    json: Json = False,
) -> None:
    """Show the workers that are there: what they serve, in which version, and how full they are.

    [dim]Example:[/dim]
      pavane workers --url nats://127.0.0.1:4222
    """
    from ..actors.workers.announcement import Announcement
    from ..actors.workers.roll import present
    from .errors import RunFailed
    from .loop import play
    from .operating import operating
    from .screen import output, plural, say, write_json

    async def ask() -> list[Announcement]:
        async with operating(url, allow_remote=allow_remote) as broker:
            return await present(broker, namespace)

    found = play(ask)
    if json:
        write_json([_as_json(worker) for worker in found])
    elif found:
        output().print(_table(found))
    else:
        say("no workers; start one with `pavane worker MODULE:PROTOCOL`")
    if len(found) < least:
        raise RunFailed(f"{plural(len(found), 'worker')}, and there should be {least}")


def _as_json(worker: Any) -> dict[str, Any]:
    return {
        "worker": worker.name,
        "namespace": worker.namespace,
        "host": worker.host,
        "pid": worker.pid,
        "since": worker.since,
        "capacity": worker.capacity,
        "running": worker.running,
        "leaving": worker.leaving,
        "roles": [
            {
                "protocol": s.protocol,
                "role": s.role,
                "fingerprint": s.fingerprint,
                "running": s.running,
                "lacks": list(s.lacks),
            }
            for s in worker.services
        ],
    }


def _table(found: list[Any]) -> Any:
    """One row for each role of each worker; the worker itself stands beside the first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from .ages import age
    from .screen import shown

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Worker", style="cyan", overflow="fold")
    table.add_column("Process", overflow="fold")
    table.add_column("Up", justify="right", no_wrap=True)
    table.add_column("Full", justify="right", no_wrap=True)
    table.add_column("Serves", overflow="fold")
    table.add_column("Version", no_wrap=True)
    table.add_column("Runs", justify="right", no_wrap=True)
    for worker in found:
        leaving = " (draining)" if worker.leaving else ""
        head = shown(
            worker.name + leaving, f"{worker.host} {worker.pid}", age(worker.since),
            f"{worker.running}/{worker.capacity}",
        )  # fmt: skip
        for number, service in enumerate(worker.services):
            own = f"{service.protocol}.{service.role}"
            rest = shown(own, service.fingerprint[:8], str(service.running))
            table.add_row(*(head if not number else ("", "", "", "")), *rest)
    return table
