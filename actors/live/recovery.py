"""What a live session does when messages may have been lost: it sends again what nobody has
acknowledged, in the first order, and says again what it has received. Numbers show a receiver
what it has already. What is sent meanwhile waits for its turn: it would be a gap to who hears it.

Messages to an instance and to its whole family are numbered apart, so after a loss nothing
would tell which came first; a session in which one role does both to another ends instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from ...broker.contract import Broker
from ...broker.errors import BrokerError
from ..cast import Cast
from ..endpoint.seat import Seat
from .outbox import LiveOutbox

PATIENCE = 10.0
"""Seconds that a session waits for its broker to be back."""

PAUSE = 0.05


class Recovery:
    """Owned by a session; `cancel` it when that ends.

    `ask` asks the other processes to send again too; `give_up` is called with a reason, once,
    when the session cannot go on.
    """

    def __init__(
        self,
        broker: Broker,
        cast: Cast,
        roles: Iterable[str],
        seats: Callable[[], Iterable[Seat]],
        ask: Callable[[], None],
        give_up: Callable[[str], None],
    ) -> None:
        self._broker = broker
        self._mixed = [pair for pair in cast.mixed if not set(roles).isdisjoint(pair)]
        self._seats = seats
        self._ask = ask
        self._give_up = give_up
        self._running: asyncio.Task[None] | None = None
        self._again = False

    def begin(self, reason: str) -> None:
        """Messages may have been lost just now."""
        if not self._in_order(reason):
            return
        self._again = True
        for outbox in self._outboxes():
            outbox.is_held = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._recover(reason), name="pavane-recovery")

    @property
    def is_away(self) -> bool:
        """Whether the broker is waited for: nobody can be heard meanwhile."""
        return self._running is not None and not self._running.done()

    def asked(self) -> None:
        """Another process may have lost what we sent."""
        if self._in_order("another process lost its connection"):
            self._send_again()

    def _in_order(self, reason: str) -> bool:
        if self._mixed:
            sender, receiver = self._mixed[0]
            self._give_up(
                f"{reason}; the order of what {sender} sends to one {receiver} and to all is lost"
            )
        return not self._mixed

    def _send_again(self) -> None:
        for outbox in self._outboxes():
            outbox.send_again()
        for seat in self._seats():
            seat.mailbox.acknowledge_all()

    def _outboxes(self) -> Iterator[LiveOutbox]:
        for seat in self._seats():
            assert isinstance(seat.outbox, LiveOutbox), "the outboxes of a live session"
            yield seat.outbox

    async def _recover(self, reason: str) -> None:
        while self._again:
            self._again = False
            if not await self._is_back():
                self._give_up(f"{reason}; the broker was not back within {PATIENCE:g} s")
                return
            self._send_again()
            self._ask()

    async def _is_back(self) -> bool:
        """Wait until the broker takes messages, and has our subscriptions, again."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while loop.time() < deadline:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._broker.drained()
            except (BrokerError, TimeoutError):
                await asyncio.sleep(PAUSE)
            else:
                return True
        return False

    def cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()
