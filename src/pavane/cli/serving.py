"""A worker in the foreground: what `pavane worker` does once its options are read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.text import Text

from ..actors.opening import open as open_runtime
from ..actors.workers.worker import Worker
from .brokers import options
from .departure import DEPARTURE
from .entitlements import refuse_unknown_roles
from .loop import perform
from .operating import authority, logged, reaching, server
from .screen import complaints, plural, say, write_json_line
from .signals import attend
from .targets import registry, targets

PARTING = 30.0
"""Seconds beyond the grace within which a worker that was told to end is gone, whatever it plays."""

HURRY = 3.0
"""Seconds for the same after a second signal."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The options of one worker, read."""

    served: Sequence[str]
    url: str | None
    capacity: int
    name: str
    grace: float
    lease: float | None
    attempts: int
    grants: Mapping[str, tuple[str, ...]]
    budgets: Mapping[str, int]
    registry: str | None
    telemetry: bool
    allow_remote: bool
    json: bool


def serve(order: Serving) -> None:
    """Load the user's modules and work until a signal; returns when all is given back."""
    where = server(order.url)
    logged()
    wanted = targets(order.served)
    effects = registry(order.registry)
    roles = dict.fromkeys(role for target in wanted for role in target.choreography.roles)
    refuse_unknown_roles("--grant", order.grants, roles)
    refuse_unknown_roles("--budget", order.budgets, roles)

    async def main() -> None:
        settings = options(None, allow_remote=order.allow_remote)
        async with open_runtime(
            where, options=settings, grants=order.grants, budgets=order.budgets,
            registry=effects, authority=authority(), telemetry=order.telemetry,
        ) as runtime:  # fmt: skip
            worker = Worker(
                runtime, name=order.name, capacity=order.capacity, lease=order.lease,
                attempts=order.attempts,
            )  # fmt: skip
            for target in wanted:
                worker.serve(target.choreography, *target.roles)
            _heed(worker, order)
            await worker.run(lambda: _announce(worker, where, json=order.json))
            _part(worker, json=order.json)

    with reaching():
        perform(main)


def _heed(worker: Worker, order: Serving) -> None:
    """Drain at the first signal, hurry at the second; what the caller ignores stays ignored. The
    process ends in any case, also where the code of a role keeps the loop, or us, from being heard."""
    loop = asyncio.get_running_loop()
    limits = [order.grace + PARTING]
    DEPARTURE.word = f"worker {worker.name} ends, and leaves what it plays to others\n"

    def drain(name: str) -> None:
        if not order.json:
            waiting = plural(worker.running, "instance")
            say(f"{name}: draining, {waiting} running", console=complaints())
        worker.drain(order.grace)

    def end(name: str) -> None:
        DEPARTURE.within(limits.pop() if limits else HURRY)
        with suppress(RuntimeError):  # The loop is closed: there is nothing to be drained.
            loop.call_soon_threadsafe(drain, name)

    attend(end)


def _announce(worker: Worker, where: str, *, json: bool) -> None:
    served = [f"{part.choreography.full_name}.{part.role}" for part in worker.parts]
    if json:
        write_json_line({"event": "serving", "worker": worker.name, "url": where, "roles": served})
        return
    said = Text.assemble(("serving ", "bold green"), ", ".join(served), f" on {where}")
    say(said)
    say(Text(f"  worker {worker.name}, room for {plural(worker.capacity, 'instance')}", "dim"))
    sys.stdout.flush()


def _part(worker: Worker, *, json: bool) -> None:
    if json:
        write_json_line(
            {"event": "drained", "worker": worker.name, "ended": worker.ended,
             "handed_over": worker.handed_over, "left": worker.left}
        )  # fmt: skip
        return
    said = f"drained: {plural(worker.ended, 'unit')} ended here, {worker.handed_over} handed over"
    if worker.left:
        said += f", {worker.left} left, which others take when the lease is over"
    say(said)
