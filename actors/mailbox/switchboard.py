"""Who hears what of the broker in this process: sessions share subscriptions where they are many.

A session by itself has one subscription for each role that it plays here. From some number of
sessions on, the next ones of a role share a single one to all that is said to that role,
and it is sorted by session here: they start without asking the server for anything, and cost it
and us nothing. Whoever has a subscription keeps it.

What is said to a role in other processes' sessions comes along. If that is most of what comes, the
sharing does not pay: each session gets its own again. For a moment it then hears things twice,
which the numbers of the messages tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ...broker import subjects
from ...broker.contract import Broker, Deliver, Lost, Subscription
from ...broker.errors import BrokerError
from .turn import Turn

FEW = 4
"""Sessions of a role that have subscriptions of their own; those that come after share one."""

STRANGE = 2048
"""Frames for nobody here after which it is looked at how many were for somebody."""

KNOWN = 256
"""Subjects of which it is kept who hears them, and four more for each session."""

LINGER = 1.0
"""Seconds that both ways are open when sessions part. The server may still be delivering on the
old one what was said before the new one was there."""

SESSION = 4
"""Where in a subject the session stands."""


class Ear:
    """Who listens to one role of one session. `deliver` and `lost` are as for `subscribe`."""

    __slots__ = ("_trunk", "deliver", "is_open", "lost", "own", "session")

    def __init__(self, trunk: Trunk, session: str, deliver: Deliver, lost: Lost) -> None:
        self._trunk = trunk
        self.session = session
        self.deliver = deliver
        self.lost = lost
        self.own: Subscription | None = None
        self.is_open = True

    def joins(self) -> bool:
        """Whether it hears at once; else `open` has to be awaited."""
        return self._trunk.add(self)

    async def open(self) -> None:
        """Returns once all that is said from then on is heard."""
        await self._trunk.open(self)

    async def close(self) -> None:
        """Nothing is delivered once this has returned. May be called twice."""
        self.is_open = False
        await self._trunk.remove(self)


class Trunk:
    """All that is said to one role, live or in the log of durable sessions."""

    def __init__(
        self, broker: Broker, role: str, suffix: str, on_idle: Callable[[Trunk], None]
    ) -> None:
        self._broker = broker
        self._pattern = f"{role}.*.{{}}.*.*{suffix}"
        self._on_idle = on_idle
        self._alone: dict[str, list[Ear]] = {}
        self._sharing: dict[str, list[Ear]] = {}
        self._shared: asyncio.Task[Subscription] | None = None
        self._spreading: asyncio.Task[None] | None = None
        self._known: dict[str, Deliver] = {}
        """Who is to have what comes on a subject, of those that share; emptied when one comes or goes."""
        self._crowded = False
        self._strange = 0
        self._heard = 0

    def add(self, ear: Ear) -> bool:
        """Take `ear` in; whether it hears already."""
        share = not self._crowded and (self._sharing or len(self._alone) >= FEW)
        ears = self._sharing if share else self._alone
        ears.setdefault(ear.session, []).append(ear)
        self._known.clear()
        return bool(share) and self._is_shared()

    def _is_shared(self) -> bool:
        shared = self._shared
        return shared is not None and shared.done() and shared.exception() is None

    async def open(self, ear: Ear) -> None:
        """Ask the server for what `ear` needs. Of those that share, one asks and all wait."""
        if ear in self._alone.get(ear.session, ()):
            await self._subscribe(ear)
            return
        if self._shared is None:
            self._shared = asyncio.create_task(self._ask(), name="pavane-share")
        await asyncio.shield(self._shared)

    async def _ask(self) -> Subscription:
        pattern = self._pattern.format("*")
        return await self._broker.subscribe(pattern, self._sort, lost=self._lose)

    async def _subscribe(self, ear: Ear) -> None:
        pattern = self._pattern.format(ear.session)
        own = await self._broker.subscribe(pattern, ear.deliver, lost=ear.lost)
        if ear.is_open:
            ear.own = own
        else:
            await own.close()

    async def remove(self, ear: Ear) -> None:
        """Forget `ear`, and what it alone needed."""
        for ears in (self._alone, self._sharing):
            found = ears.get(ear.session, [])
            if ear in found:
                found.remove(ear)
                self._known.clear()
                if not found:
                    del ears[ear.session]
        own, ear.own = ear.own, None
        if own is not None:
            await own.close()
        if not self._sharing:
            await self._unshare()
        if not self._sharing and not self._alone:
            self._on_idle(self)

    async def _unshare(self) -> None:
        shared, self._shared = self._shared, None
        if shared is not None:
            try:
                subscription = await asyncio.shield(shared)
            except BrokerError:
                return
            await subscription.close()

    # --- what comes ----------------------------------------------------------------------

    def _sort(self, subject: str, data: bytes) -> None:
        """What the shared subscription delivers."""
        self._heard += 1
        deliver = self._known.get(subject)
        if deliver is not None:
            deliver(subject, data)
        else:
            self._sort_anew(subject, data)

    def _sort_anew(self, subject: str, data: bytes) -> None:
        """As `_sort`, for a subject of which it is not known who shares what comes there."""
        session = subject.split(".", SESSION + 1)[SESSION]
        ears = self._sharing.get(session)
        if ears is None:
            if session not in self._alone:
                self._count_stranger()
        elif len(ears) == 1:
            if len(self._known) > KNOWN + 4 * len(self._sharing):
                self._known.clear()
            deliver = self._known[subject] = ears[0].deliver
            deliver(subject, data)
        else:
            for ear in tuple(ears):
                ear.deliver(subject, data)

    def _count_stranger(self) -> None:
        """Something has come that is for nobody here. Where most is, sharing does not pay."""
        self._strange += 1
        if self._strange < STRANGE:
            return
        if self._strange > self._heard // 2 and self._spreading is None:
            self._crowded = True
            self._spreading = asyncio.create_task(self._spread(), name="pavane-spread")
        self._strange = self._heard = 0

    async def _spread(self) -> None:
        """Give each session that shares a subscription of its own, and end the shared one."""
        try:
            for ear in [ear for ears in self._sharing.values() for ear in ears]:
                if ear.is_open:
                    await self._subscribe(ear)
            await asyncio.sleep(LINGER)
            parting, self._sharing = self._sharing, {}
            self._known.clear()
            for session, ears in parting.items():
                self._alone.setdefault(session, []).extend(ears)
            await self._unshare()
        except BrokerError:
            # The connection is gone: what is shared comes back with it, and is looked at again.
            self._crowded = False
        finally:
            self._spreading = None

    def _lose(self, reason: str) -> None:
        for ears in list(self._sharing.values()):
            for ear in list(ears):
                ear.lost(reason)


class Switchboard:
    """One for each connection. `turn` is what its sessions do at the end of a turn of the loop."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.turn = Turn()
        self._trunks: dict[tuple[str, str], Trunk] = {}

    async def listen(
        self,
        namespace: str,
        protocol: str,
        roles: Iterable[str],
        session: str,
        deliver: Deliver,
        lost: Lost,
        *,
        suffix: str = "",
    ) -> list[Ear]:
        """Hear what is said to `roles` in one session from now on; the caller closes each.

        `suffix` is what the subjects have after those of live sessions (`.log`).
        """
        subjects.token(session)
        ears = [
            Ear(
                self._trunk(subjects.family(namespace, protocol, role), suffix),
                session,
                deliver,
                lost,
            )
            for role in roles
        ]
        asking = [ear for ear in ears if not ear.joins()]
        try:
            if asking:
                await asyncio.gather(*(ear.open() for ear in asking))
        except BaseException:
            await silence(ears)
            raise
        return ears

    def _trunk(self, role: str, suffix: str) -> Trunk:
        key = role, suffix
        found = self._trunks.get(key)
        if found is None:
            found = self._trunks[key] = Trunk(self.broker, role, suffix, self._forget)
        return found

    def _forget(self, idle: Trunk) -> None:
        self._trunks = {key: trunk for key, trunk in self._trunks.items() if trunk is not idle}


async def silence(ears: Iterable[Ear]) -> None:
    """Close all of `ears`."""
    for ear in ears:
        await ear.close()
