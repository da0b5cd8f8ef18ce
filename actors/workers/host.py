"""A host: a small process that keeps a number of workers for one role, as subprocesses.

It starts those that are missing, lets those that are too many drain, and starts again what died,
unless that happens too often. It hears over the broker how many there are to be.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import msgspec

from ...broker.contract import Broker
from ...broker.errors import BrokerError
from . import places
from .errors import WorkerDied
from .restart import Restart, Supervisor
from .roll import ANSWER

LIMIT = 256
"""The largest number of workers that one host keeps."""

_PR_SET_PDEATHSIG = 1
_log = logging.getLogger("pavane.workers")


class Hosting(msgspec.Struct, array_like=True, frozen=True):
    """What a host says: how many workers it is to keep, which run, how many it gave up."""

    host: Annotated[str, msgspec.Meta(max_length=256)]
    pid: int
    wanted: Annotated[int, msgspec.Meta(ge=0, le=LIMIT)]
    workers: Annotated[tuple[int, ...], msgspec.Meta(max_length=2 * LIMIT)] = ()
    """The processes that run."""
    abandoned: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def running(self) -> int:
        return len(self.workers)


_told = msgspec.msgpack.Decoder(Annotated[int, msgspec.Meta(ge=0, le=LIMIT)])
_said = msgspec.msgpack.Decoder(Hosting)


class Host:
    """Keeps `wanted` processes of `command`; `run` returns when it has been told to keep none
    (or `stop` was called), and the last has ended."""

    def __init__(
        self,
        broker: Broker,
        role: tuple[str, str, str],
        command: Sequence[str],
        wanted: int,
        restart: Restart | None = None,
    ) -> None:
        self._broker = broker
        self._role = role
        self._command = tuple(command)
        self._wanted = wanted
        self._abandoned = 0
        self._supervisor = Supervisor(restart or Restart("permanent", intensity=10), time.monotonic)
        self._children: dict[asyncio.subprocess.Process, asyncio.Task[None]] = {}
        self._asked: set[asyncio.subprocess.Process] = set()
        self._changed = asyncio.Event()

    async def run(self, began: Callable[[], None] = lambda: None) -> None:
        subscription = await self._broker.subscribe(places.scale(*self._role), self._hear)
        try:
            await self._adjust()
            began()
            while self._wanted - self._abandoned > 0 or self._children:
                await self._changed.wait()
                self._changed.clear()
                await self._adjust()
        finally:
            for child in self._children:
                self._dismiss(child)
            await asyncio.gather(*self._children.values(), return_exceptions=True)
            await subscription.close()
            self._say()
        if self._abandoned:
            raise WorkerDied(self._role[1], self._role[2], self._abandoned)

    def scale(self, wanted: int) -> None:
        self._wanted = wanted
        self._abandoned = 0
        self._changed.set()

    # --- the workers ---------------------------------------------------------------------

    async def _adjust(self) -> None:
        """Start what is missing, dismiss what is too much, the youngest first."""
        staying = [child for child in self._children if child not in self._asked]
        target = max(0, self._wanted - self._abandoned)
        for child in staying[target:]:
            self._dismiss(child)
        for _ in range(target - len(staying)):
            await self._spawn()
        self._say()

    async def _spawn(self) -> None:
        child = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, preexec_fn=_with_host()
        )
        self._children[child] = asyncio.create_task(self._watch(child))

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        code = await child.wait()
        if child not in self._asked:
            error = WorkerDied(self._role[1], self._role[2], 1, code)
            delay = self._supervisor.after(error)
            if delay is None:
                _log.error("%s; too often, it is not started again", error.message)
                self._abandoned += 1
            else:
                _log.warning("%s; it is started again in %.1f s", error.message, delay)
                await asyncio.sleep(delay)
        self._asked.discard(child)
        del self._children[child]
        self._changed.set()

    def _dismiss(self, child: asyncio.subprocess.Process) -> None:
        self._asked.add(child)
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)

    # --- over the broker -----------------------------------------------------------------

    def _hear(self, _subject: str, payload: bytes) -> None:
        if payload:
            try:
                self.scale(_told.decode(payload))
            except msgspec.MsgspecError:
                return
        self._say()

    def _say(self) -> None:
        running = tuple(child.pid for child in self._children if child.returncode is None)
        said = Hosting(platform.node()[:200], os.getpid(), self._wanted, running, self._abandoned)
        with suppress(BrokerError):
            self._broker.publish(places.host(*self._role), msgspec.msgpack.encode(said))


class Told:
    """The other side: who hosts a role, and what it says when it is told a number."""

    def __init__(self, broker: Broker, role: tuple[str, str, str]) -> None:
        self._broker = broker
        self._role = role
        self._last: Hosting | None = None
        self._heard = asyncio.Event()

    def note(self, _subject: str, payload: bytes) -> None:
        with suppress(msgspec.MsgspecError):
            self._last = _said.decode(payload)
            self._heard.set()

    async def ask(self, wanted: int | None = None, seconds: float = ANSWER) -> Hosting | None:
        """Tell the host a number, or only ask; None where there is no host."""
        payload = b"" if wanted is None else msgspec.msgpack.encode(wanted)
        self._heard.clear()
        self._broker.publish(places.scale(*self._role), payload)
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return None
        return self._last

    async def settled(self, wanted: int, seconds: float) -> Hosting | None:
        """What the host says once it keeps `wanted`, or in the end."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            said = await self.ask()
            if (said.running if said is not None else 0) == wanted:
                return said
            await asyncio.sleep(0.1)
        return self._last


@asynccontextmanager
async def telling(broker: Broker, role: tuple[str, str, str]) -> AsyncGenerator[Told]:
    """For as long as somebody wants to talk to the host of a role (namespace, protocol, role)."""
    told = Told(broker, role)
    subscription = await broker.subscribe(places.host(*role), told.note)
    try:
        yield told
    finally:
        await subscription.close()


def _with_host() -> Callable[[], None] | None:
    """Workers drain when their host is killed: on Linux, the kernel tells them."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
