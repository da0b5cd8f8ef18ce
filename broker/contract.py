"""The broker contract: every verb that the floors above may use, and nothing else.

A driver implements `Broker`; one suite in `tests/contract/` is run against each of them.
Payloads are bytes. Subjects are validated by `broker.subjects` before they come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from .room import Room

Deliver = Callable[[str, bytes], None]
"""What a subscription calls, in order, on the event loop: `deliver(subject, payload)`.
It must not block and must not raise."""

Lost = Callable[[str], None]
"""Called with a reason when messages may have been lost (a cut connection, an overflow)."""

DEDUPE_WINDOW = 120.0
"""For how many seconds, at least, a stream or a queue knows a message id again."""

LEASE = 30.0
"""Seconds after which an item that was taken, and of which nothing is heard, goes to another."""


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a stream. `sequence` counts from 1; `time` is the broker's, in ns since 1970."""

    subject: str
    sequence: int
    payload: bytes
    time: int


class Level(msgspec.Struct, frozen=True):
    """A bounded counter: `0 <= spent <= limit`, in the units of whoever counts.

    `epoch` never goes back; a rotation raises it and sets `spent` to 0.
    `revision` changes with every write.
    """

    limit: int
    spent: int
    epoch: int
    revision: int
    held: tuple[Hold, ...] = ()
    """What has been reserved and not yet released; all of it counts as spent."""

    window: float = 0.0
    """After how many seconds the next epoch begins by itself; 0 for never."""

    began: float = 0.0
    """When the epoch began, in seconds since 1970, of a counter with a window."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What `account` has drawn from a counter in this epoch, and how much of that its `owner` has
    said it needs: less, if it drew ahead. Both count from the account's own beginning."""

    account: str
    owner: str
    drawn: int
    used: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What an account wants to be able to use: see `Broker.reserve`.

    `used` is what it has used in `epoch` until now, `need` what it must get beyond, `ahead` what
    it would like to have on top. With `take_over` the hold of another owner becomes its own,
    unless that one has come later: of owners called `7/...` and `8/...` the second has.
    """

    account: str
    owner: str
    epoch: int
    used: int
    need: int
    ahead: int = 0
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class Fence:
    """A record is stored only while the last one on `subject` is still number `sequence`.

    `subject` is one that the fenced records themselves are not written on.
    """

    subject: str
    sequence: int


class Subscription(Protocol):
    async def close(self) -> None:
        """End the subscription; nothing is delivered once this has returned."""
        ...


class WorkItem(Protocol):
    """One item taken from a work queue. Not acknowledged in time, it goes to another taker."""

    @property
    def payload(self) -> bytes: ...
    @property
    def attempt(self) -> int:
        """1 on the first delivery."""
        ...

    @property
    def number(self) -> int:
        """From 1; the item's own in its queue, whoever takes it and however often."""
        ...

    async def in_progress(self) -> None:
        """Restart the lease."""
        ...

    async def done(self) -> None:
        """Remove the item for good."""
        ...

    async def again(self, delay: float = 0.0) -> None:
        """Give the item back; it is delivered again after `delay` seconds."""
        ...


class Broker(Protocol):
    """A connection. Made by `broker.connect(url)`, ended by `close`."""

    @property
    def max_payload(self) -> int:
        """The largest payload in bytes that `publish` and `append` take."""
        ...

    # live ---------------------------------------------------------------------------

    async def subscribe(
        self, subject: str, deliver: Deliver, *, lost: Lost | None = None
    ) -> Subscription:
        """Deliver everything published on `subject` (wildcards `*` and `>` allowed).

        When this returns, the broker has the subscription: what anyone publishes from
        then on arrives. (In a cluster that is the node we are connected to; the others hear
        of it a moment later.) Order holds per publisher within one subscription.
        """
        ...

    def publish(self, subject: str, payload: bytes) -> None:
        """Hand a message over; never waits. Raises `BrokerError` when not connected."""
        ...

    async def drained(self) -> None:
        """Wait until everything published so far has reached the broker."""
        ...

    # streams ------------------------------------------------------------------------

    async def ensure_stream(self, stream: str, subjects: list[str]) -> None:
        """Create `stream`, which captures `subjects`, or widen it to capture them too."""
        ...

    async def streams(self, prefix: str) -> list[str]:
        """The names of the streams that begin with `prefix`, in order."""
        ...

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        """Append and return the sequence once it is stored. Live subscriptions get it too, as
        a stream gets what is published on a subject that it captures.

        The same `message_id` again within `DEDUPE_WINDOW` appends nothing and returns the first
        sequence. With an id or `expected` it is tried again when the connection fails; without,
        it may raise `Unconfirmed`. Concurrent appends may be stored in any order.
        `expected` is the sequence of the last record on this very subject (0 for none);
        if it is another one, raises `WrongSequence` and appends nothing.
        """
        ...

    def submit(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        fence: Fence | None = None,
    ) -> asyncio.Future[int]:
        """As `append`, without waiting: what is handed over in order is stored in order, as long
        as the connection lasts. The future has the sequence, or raises `Fenced` (nothing was
        stored, or it was and then another writer raised the fence), `Unconfirmed`, `StreamRefused`.

        While the connection is gone, or the server does not answer, it is handed over again
        with all that followed it. So it may then be stored after one that came later. Cancelling
        the future does not take the record back. Raises `PayloadTooLarge`, `BadSubject`.
        """
        ...

    def read(
        self, stream: str, subject: str = ">", *, start: int = 1, follow: bool = False
    ) -> AsyncIterator[Record]:
        """The records on `subject` (wildcards allowed) from sequence `start` on, in order.

        Ends at the record that was last when reading began, or never with `follow`. What is
        removed meanwhile may be left out.
        """
        ...

    async def last(self, stream: str, subject: str) -> Record | None:
        """The last record on `subject` (wildcards allowed), or None."""
        ...

    async def purge(self, stream: str, subject: str, *, keep: int = 0) -> int:
        """Remove the records on `subject` (wildcards allowed) that are there now, but for the last
        `keep` of them, and say how many that were. Their sequences and message ids are not free again; what is expected of a
        subject without records is 0. Raises `StreamRefused` where there is no such stream."""
        ...

    async def room(self, stream: str) -> Room:
        """How full the stream is, by its own limits or those of the account, as far as we may see
        them. Raises `StreamRefused` where there is none."""
        ...

    # work ---------------------------------------------------------------------------

    async def ensure_queue(self, queue: str, *, lease: float | None = None) -> None:
        """Create the work queue; an item taken and silent for `lease` seconds goes to another.
        Without, it stays as it is: `LEASE` for a new one."""
        ...

    async def lease(self, queue: str) -> float | None:
        """The lease of a queue in seconds; None where there is no such queue."""
        ...

    async def put(
        self, queue: str, payload: bytes, *, topic: str = "", message_id: str | None = None
    ) -> None:
        """Add an item once; the same `message_id` again adds nothing, whatever its topic.

        `topic` is a name, or several joined by dots; it needs no preparation.
        """
        ...

    async def take(self, queue: str, *, topic: str = "", timeout: float) -> WorkItem | None:
        """The next item of exactly this topic, or None after `timeout` seconds."""
        ...

    # bounded counters -----------------------------------------------------------------

    async def set_limit(self, counter: str, limit: int, *, window: float | None = None) -> Level:
        """Create the counter or change its limit; what is spent stays.

        With a `window` in seconds an epoch is so long, from now on; 0 ends that, and None leaves
        it as it is. Epochs turn by the clocks of those who use the counter. Here and below, what is
        no amount (an int from 0 to `level.LIMIT_MAX`) or no window is a `ValueError`.
        """
        ...

    async def spend(self, counter: str, amount: int) -> Level:
        """Add `amount` (>= 0) if the limit allows and return the level after it; exact under
        any concurrency. Raises `LimitExceeded` (nothing is spent) or `UnknownCounter`.

        Who is cancelled, or gets `Unconfirmed`, does not know whether it was spent.
        """
        ...

    async def give_back(self, counter: str, amount: int, *, epoch: int) -> Level:
        """Undo a `spend` of `epoch`; once that is over there is nothing to be undone."""
        ...

    async def reserve(self, counter: str, claim: Claim) -> Level:
        """Let an account draw what it needs, and ahead as far as there is plenty.

        It draws up to `used + need` in all, so the same claim twice draws once, from whatever
        process. Raises `LimitExceeded` (nothing is drawn), `UnknownCounter`, `EpochOver`, or
        `HoldTaken` where the account has another owner by now.
        """
        ...

    async def release(
        self, counter: str, account: str, *, owner: str, epoch: int, used: int
    ) -> Level:
        """Give back what the account has drawn beyond `used`, and forget it. Does nothing where it
        holds nothing (any more), or for another owner, or another epoch.

        An owner of a second or later turn (`2/...`) leaves a trace, a hold of `2/`: until 64
        others have come after it, no owner of an earlier turn can reserve for the account."""
        ...

    async def rotate(self, counter: str) -> Level:
        """Begin the next epoch with nothing spent, and nothing held."""
        ...

    async def level(self, counter: str) -> Level | None:
        """The counter as it is now, or None."""
        ...

    # end ----------------------------------------------------------------------------

    async def close(self) -> None:
        """Deliver what is pending, end all subscriptions, disconnect. May be called twice."""
        ...
