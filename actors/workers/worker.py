"""A worker: takes instances that were started somewhere, plays them, and can be stopped any time.

    worker = Worker(runtime, capacity=200)
    worker.serve(shop, "Seller")
    await worker.run()          # until worker.drain()

Set-up: the queue, the protocol's text, a beacon. Running: one taker for each role, which asks for
the next unit whenever there is room. Tear-down: nothing new is taken, what runs gets some time
to end, and is given back then.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
import msgspec

from ...broker.contract import LEASE, Broker, WorkItem
from ...broker.errors import BrokerError
from ...broker.subjects import token
from ...effects.errors import InvalidEffect
from ..choreography import Choreography
from ..durable.assignment import unpacked
from ..durable.names import Place
from ..errors import MissingRole
from ..runtime import Runtime
from . import places
from .admission import guards_of
from .announcement import Announcement, Service
from .beacon import Beacon
from .job import Job, Tools
from .keeping import Keeper
from .leasing import agree, confirm, shortest
from .part import Part
from .relief import Relief
from .room import Room
from .shelf import Shelf

CAPACITY = 1000
"""Instances at once, unless it is said otherwise."""

GRACE = 10.0
"""Seconds that running instances get to end when a worker is drained."""

ATTEMPTS = 5
"""How often a unit may be taken without an end before it is buried."""

POLL = 5.0
"""Seconds that a taker waits for the next unit before it asks once more."""

_PARTING = 5.0
"""Seconds that units get to stop and to be handed over, and as many to be cancelled."""
_RUSH = 0.5
"""The same when somebody has asked twice."""
_PAUSE = 0.5

_log = logging.getLogger("pavane.workers")


class Worker:
    """Use it once. `capacity` counts instances; a block is taken while there is any room, so that
    the last one may exceed it, and so is one unit of each role, see `Room`. A unit of which nothing is heard for `lease` seconds goes to
    another worker; that is one length for all workers of a namespace, see `leasing.agree`."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        name: str = "",
        capacity: int = CAPACITY,
        lease: float | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        if capacity < 1:
            raise InvalidEffect("capacity", capacity, "a whole number from 1")
        self.name = token(name or _named())
        self.capacity = capacity
        self._runtime = runtime
        self._broker: Broker = runtime.broker
        self._since = time.time()
        self.ended = 0
        self.handed_over = 0
        self.left = 0
        """Units that could neither end nor be handed over: others take them after the lease."""
        self.parts: list[Part] = []
        self._lease = lease
        self._keeper = Keeper(LEASE if lease is None else lease, ask=self._ask)
        self._tools = Tools(runtime, self._keeper, Shelf(self._broker), self.name, attempts)
        self._jobs: dict[Job, asyncio.Task[None]] = {}
        self._units: dict[tuple[Place, str, int], Job] = {}
        self._room = Room(capacity, self.parts)
        self._relief = Relief(self._room, lambda: self._jobs)
        self._draining = asyncio.Event()
        self._grace = GRACE
        self._hurry = asyncio.Event()
        self._rush = asyncio.Event()
        self._beacon: Beacon | None = None

    # --- what it does --------------------------------------------------------------------

    def serve(self, choreography: Choreography, *roles: str) -> None:
        """Play these roles, or all that have an implementation registered with
        `@choreography.role`. Several versions of a protocol may be served side by side. Raises
        `UnknownRole`, `MissingRole`."""
        for role in roles:
            choreography.require(role)
        wanted = roles or tuple(r for r in choreography.roles if r in choreography.implementations)
        missing = [role for role in wanted if role not in choreography.implementations]
        if missing or not wanted:
            raise MissingRole(choreography.full_name, missing or choreography.roles)
        known = {(part.namespace, part.topic) for part in self.parts}
        lacking = self._runtime.lacking(guards_of(choreography.compiled))
        for role in wanted:
            part = Part(choreography, role, lacking.get(role, ()))
            if (part.namespace, part.topic) not in known:
                self.parts.append(part)

    @property
    def running(self) -> int:
        """The instances that are played now."""
        return self._room.running

    def announcement(self, namespace: str) -> Announcement:
        """What it says of itself to a namespace."""
        parts = [p for p in self.parts if p.namespace == namespace]
        return Announcement(
            name=self.name,
            namespace=namespace,
            host=platform.node()[:200],
            pid=os.getpid(),
            since=self._since,
            capacity=self.capacity,
            running=self.running,
            leaving=self._draining.is_set(),
            authority=self._runtime.root_key,
            services=tuple(
                Service(p.choreography.name, p.role, p.fingerprint.hex(), p.running, p.lacks)
                for p in parts
            ),
        )

    # --- running -------------------------------------------------------------------------

    async def run(self, began: Callable[[], None] = lambda: None) -> None:
        """Work until `drain` has been called and what runs has ended or is given back. `began` is
        called when it is there to be found.

        Cancelled, it gives everything back at once.
        """
        await self._open()
        began()
        takers = [asyncio.create_task(self._take(part), name=part.topic) for part in self.parts]
        takers.append(asyncio.create_task(self._relief.run(), name="pavane-relief"))
        draining = asyncio.create_task(self._draining.wait())
        ends: list[BaseException | None] = []
        try:
            # A taker that ends by itself has met a bug: serving on without it would hide that.
            await asyncio.wait({draining, *takers}, return_when="FIRST_COMPLETED")
        except asyncio.CancelledError:
            self.drain(0)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                for task in (draining, *takers):
                    task.cancel()
                ends = await asyncio.gather(*takers, return_exceptions=True)
                await self._leave()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def drain(self, grace: float = GRACE) -> None:
        """Take nothing any more, and let `run` end after at most `grace` seconds, and as long as it
        takes to hand over what runs. A second call ends it at once: what is not handed over by then
        is left. May be called from a signal handler of the event loop."""
        if self._draining.is_set():
            self._rush.set()
        if self._draining.is_set() or grace <= 0:
            self._hurry.set()
        self._grace = grace
        self._draining.set()
        if self._beacon is not None:
            self._beacon.say()

    async def _open(self) -> None:
        namespaces = self._namespaces()
        leases = [await agree(self._broker, namespace, self._lease) for namespace in namespaces]
        for part in self.parts:
            await self._tools.shelf.put(part.choreography.compiled)
        self._beacon = Beacon(self._broker, namespaces, self.announcement)
        await self._beacon.open()
        agreed = zip(namespaces, leases, strict=True)
        leases = [await confirm(self._broker, n, self._lease) or lease for n, lease in agreed]
        self._keeper.lease = min(leases, default=self._keeper.lease)

    def _namespaces(self) -> dict[str, None]:
        return dict.fromkeys(part.namespace for part in self.parts)

    async def _ask(self) -> float | None:
        return await shortest(self._broker, self._namespaces())

    async def _take(self, part: Part) -> None:
        queue = places.queue(part.namespace)
        told = ""
        while True:
            await self._room.wait(part)
            try:
                item = await self._broker.take(queue, topic=part.topic, timeout=POLL)
                told = ""
                if item is not None:
                    await self._begin(part, item)
            except BrokerError as error:
                # It comes back by itself, and what we hold is kept as long as it can be.
                if error.message != told:
                    _log.warning("%s: cannot take from %s: %s", self.name, queue, error.message)
                told = error.message
                await asyncio.sleep(_PAUSE)

    async def _begin(self, part: Part, item: WorkItem) -> None:
        if not self._room.has(part) and not await self._relief.make_way(part):
            # Another role was quicker: let a worker have it that has room.
            await item.again()
            return
        try:
            unit = unpacked(item.payload)
        except msgspec.MsgspecError as error:
            _log.error("%s: an item of %s is no unit: %s", self.name, part.topic, error)
            await item.done()
            return
        job = Job(self._tools, part, unit, item)
        self._room.take(part, job.size)
        before = self._units.get(job.key)
        task = asyncio.create_task(self._run(job, before), name=f"{unit.session}/{unit.name}")
        self._jobs[job] = task
        self._units[job.key] = job
        self._changed()
        task.add_done_callback(lambda _: self._over(part, job))

    async def _run(self, job: Job, before: Job | None) -> None:
        """Play a unit, once what plays it here still has ended: its lease was lost, and the server
        has given the unit to us once more."""
        with suppress(BrokerError):
            await self._keeper.look()
        if before is not None and (playing := self._jobs.get(before)) is not None:
            await before.displace(job)
            await asyncio.wait([playing])
        await job.run()

    def _over(self, part: Part, job: Job) -> None:
        del self._jobs[job]
        if self._units.get(job.key) is job:
            del self._units[job.key]
        match job.outcome:
            case "ended":
                self.ended += 1
            case "handed over":
                self.handed_over += 1
            case "left":
                self.left += 1
        self._relief.wake(job)
        self._room.give(part, job.size)
        self._changed()

    def _changed(self) -> None:
        if self._beacon is not None:
            self._beacon.changed()

    # --- tear-down -----------------------------------------------------------------------

    async def _leave(self) -> None:
        await self._settle()
        for job in list(self._jobs):
            await job.leave()
        await self._wait_for_jobs()
        for task in self._jobs.values():
            task.cancel()
        await self._wait_for_jobs()
        await self._abandon()
        self._keeper.close()
        if self._beacon is not None:
            await self._beacon.close()

    async def _settle(self) -> None:
        """Give what runs its time, unless somebody is in a hurry."""
        if self._jobs and not self._hurry.is_set():
            await _either(self._hurry.wait(), self._room.until_empty(), self._grace)

    async def _wait_for_jobs(self) -> None:
        jobs = list(self._jobs.values())
        if jobs:
            await _either(self._rush.wait(), asyncio.wait(jobs), _PARTING)
        if jobs and self._rush.is_set():
            await asyncio.wait(jobs, timeout=_RUSH)

    async def _abandon(self) -> None:
        """Hand over what does not end here, whatever is done: nothing of it is stored from then on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * _RUSH):
                await asyncio.gather(*(job.abandon() for job in self._jobs), return_exceptions=True)
        for job in self._jobs:
            given = job.outcome == "handed over"
            self.handed_over += given
            self.left += not given


async def _either(
    one: Coroutine[Any, Any, Any], other: Coroutine[Any, Any, Any], seconds: float
) -> None:
    """Wait until one of the two has come to its end, but for so long at most."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
    await asyncio.wait(tasks, timeout=seconds, return_when="FIRST_COMPLETED")
    for task in tasks:
        task.cancel()


def _named() -> str:
    """A name that no other worker has, and that says where it runs."""
    host = "".join(c if c.isalnum() and c.isascii() else "-" for c in platform.node().split(".")[0])
    return f"{host[:60] or 'worker'}-{os.getpid()}-{secrets.token_hex(2)}"
