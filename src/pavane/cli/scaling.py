"""Workers kept by Pavane: what `pavane scale` does once its options are read."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..actors.workers.errors import Hosted, WorkerDied
from ..actors.workers.host import Host, Hosting, Told, telling
from ..actors.workers.roll import calling
from ..broker.contract import Broker
from ..broker.subjects import DEFAULT_NAMESPACE
from .errors import RunFailed, UsageError
from .escapes import printable
from .loop import run
from .operating import logged, operating, server
from .screen import complaints, plural, say, write_json
from .signals import ENDING, ignore
from .targets import choreography

PATIENCE = 30.0
"""Seconds until the workers have to be there, or gone."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The options of `pavane scale`, read."""

    target: str
    role: str
    count: int
    capacity: int
    url: str | None
    allow_remote: bool
    json: bool


def _role_of(order: Scaling) -> tuple[str, str, str]:
    """Namespace, protocol and role; raises `UsageError` where it could not be served."""
    if ":" not in order.target and not order.target.endswith(".py"):
        raise UsageError(
            f"{order.target} names no protocol", hint="write MODULE:PROTOCOL, like shop:orders"
        )
    found = choreography(order.target)
    found.require(order.role)
    if order.role not in found.implementations:
        raise UsageError(
            f"{order.target} has no function for {order.role}",
            hint=f'register one with @....role("{order.role}")',
        )
    return found.namespace or DEFAULT_NAMESPACE, found.name, order.role


# --- telling a host, or starting one -----------------------------------------------------


def scale_to(order: Scaling) -> None:
    """Have so many workers kept, and say so once they are there."""
    role = _role_of(order)

    async def tell() -> Hosting | None:
        async with (
            operating(order.url, allow_remote=order.allow_remote) as broker,
            telling(broker, role) as told,
        ):
            if await told.ask(order.count) is None and order.count:
                await _begin(order, told)
            said = await told.settled(order.count, PATIENCE)
            if said is not None and said.running == order.count:
                await _serving(broker, role[0], said)
            return said

    _conclude(order, run(tell))


async def _serving(broker: Broker, namespace: str, said: Hosting) -> None:
    """Wait until the processes are not only there, but serve."""
    async with calling(broker, namespace) as roll:
        await roll.until(
            lambda found: {*said.workers} <= {w.pid for w in found.values() if w.host == said.host},
            PATIENCE,
        )


async def _begin(order: Scaling, told: Told) -> None:
    """Start the host, and wait until it answers or ends."""
    log = _log_file(order)
    child = _spawned(order, log)
    while await told.ask() is None:
        if child.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines()
            raise UsageError(
                f"the host of {order.role} could not start: {said[-1] if said else 'it said nothing'}",
                hint=f"what it wrote is in {log}",
            )


def _spawned(order: Scaling, log: Path) -> subprocess.Popen[bytes]:
    """The host, which outlives this command and its terminal."""
    with log.open("ab") as written:
        return subprocess.Popen(
            _command("scale", order, str(order.count), "--foreground"),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )


def _command(verb: str, order: Scaling, *rest: str) -> list[str]:
    target = order.target if verb == "scale" else f"{order.target}.{order.role}"
    middle = [target, order.role] if verb == "scale" else [target]
    remote = ["--allow-remote"] if order.allow_remote else []
    options = ["--url", server(order.url), "--capacity", str(order.capacity), *remote]
    return [sys.executable, "-m", "pavane", verb, *middle, *rest, *options]


def _log_file(order: Scaling) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(state) / "pavane"
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "-" for c in f"{order.target}.{order.role}")
    return folder / f"{name}.log"


def _conclude(order: Scaling, said: Hosting | None) -> None:
    running = said.running if said is not None else 0
    if order.json:
        write_json(
            {"role": order.role, "wanted": order.count, "running": running,
             "abandoned": said.abandoned if said is not None else 0,
             "host": said.host if said is not None else "", "pid": said.pid if said else None}
        )  # fmt: skip
    elif running == order.count:
        by = f", kept by process {said.pid} on {said.host}" if said is not None and running else ""
        say(printable(f"{plural(running, 'worker')} of {order.role}{by}"))
    if running != order.count:
        problem = f"{running} of {plural(order.count, 'worker')} run"
        if not order.json:
            say(f"{problem}; what they wrote is in {_log_file(order)}", console=complaints())
        raise RunFailed(problem)


# --- being the host ----------------------------------------------------------------------


def host(order: Scaling) -> None:
    """Keep the workers until the number is 0 or a signal ends it, which drains them."""
    role = _role_of(order)
    logged()

    async def keep() -> None:
        async with operating(order.url, allow_remote=order.allow_remote) as broker:
            await _refuse_second(broker, role)
            kept = Host(broker, role, _command("worker", order), order.count)
            loop = asyncio.get_running_loop()
            for number in ENDING:
                loop.add_signal_handler(number, kept.scale, 0)
            await kept.run(lambda: say(f"keeping {plural(order.count, 'worker')} of {order.role}"))

    try:
        run(keep)
    except WorkerDied as died:
        raise RunFailed(died.message) from None
    finally:
        ignore()


async def _refuse_second(broker: Broker, role: tuple[str, str, str]) -> None:
    async with telling(broker, role) as told:
        said = await told.ask()
    if said is not None:
        raise Hosted(role[1], role[2], said.host, said.pid)
