"""The network of a simulation: one hub, the connections to it, and what goes wrong between them.

A message takes two hops, to the hub and to each of its subscribers, and each takes some time drawn
from the seed. As with NATS, what one connection sends stays in order; a connection that breaks loses
what is on its way in both directions, and its owner is told a moment later.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context

from ..memory.hub import Hub
from .faults import Fault
from .link import Link, SimSubscription
from .loop import BEGINNING, EPOCH_NS, VirtualLoop
from .trace import Entry, Event

NOTICE = 0.05
"""Seconds after which the owner of a broken connection knows it."""

LATENCY = (0.0002, 0.002)
"""Seconds that a hop takes, at least and at most."""


class Network:
    """`strike` is called with the faults that are no matter of the network. `labels` are what
    each role of the protocol says to each other one."""

    def __init__(
        self,
        loop: VirtualLoop,
        seed: int | str,
        *,
        latency: tuple[float, float] = LATENCY,
        strike: Callable[[Fault], None] = lambda fault: None,
    ) -> None:
        self.loop = loop
        self.context = Context()
        """In which the hub acts: that of no process."""
        self.hub = Hub("sim", self._clock)
        self.trace: list[Entry] = []
        self.struck: list[Fault] = []
        self.links: dict[str, Link] = {}
        self.labels: Mapping[tuple[str, str], frozenset[str]] = {}
        self.sent: dict[str, int] = {}
        """How many frames with messages each role has sent."""
        self.chance = random.Random(f"network/{seed}")
        self._latency = latency
        self._elsewhere = strike
        self._mishap: Fault | None = None
        self._by_message: dict[tuple[str, int], list[Fault]] = {}

    def expect(self, faults: Iterable[Fault]) -> None:
        """Have these strike the messages that are sent from now on, and no others."""
        self.sent.clear()
        self._by_message.clear()
        for fault in faults:
            if fault.after:
                self._by_message.setdefault((fault.role, fault.after), []).append(fault)

    def _clock(self) -> int:
        """The broker's own."""
        return EPOCH_NS + int((self.loop.time() - BEGINNING) * 1e9)

    def note(self, event: Event, who: str, to: str, text: str) -> None:
        self.trace.append(Entry(self.loop.elapsed, event, who, to, text))

    def hop(self) -> float:
        """How long one takes."""
        low, high = self._latency
        return low + (high - low) * self.chance.random()

    # --- faults --------------------------------------------------------------------------

    def striking(self, role: str) -> list[Fault]:
        """Count a message of `role`, and return what strikes it."""
        number = self.sent[role] = self.sent.get(role, 0) + 1
        return self._by_message.get((role, number), [])

    def strike(self, fault: Fault) -> None:
        """Do whatever is not done to a message."""
        self.struck.append(fault)
        self.note("fault", fault.role, "", str(fault))
        until = self.loop.time() + fault.seconds
        links = [ln for ln in self.links.values() if ln.roles & {fault.role, *fault.roles}]
        for link in links:
            match fault.kind:
                case "loss" | "partition":
                    self.cut(link, fault.seconds)
                case "answer":
                    link.loses_answer = True
                case "silence":
                    link.silent_until = until if fault.seconds else float("inf")
                case _:
                    pass
        self._elsewhere(fault)

    # --- connections ---------------------------------------------------------------------

    def is_cut(self, link: Link) -> bool:
        return self.loop.time() < link.cut_until

    def cut(self, link: Link, seconds: float) -> None:
        """Break a connection; it is back after so long."""
        now = self.loop.time()
        link.breaks += 1
        link.cut_until = max(link.cut_until, now + seconds)
        link.noticed_at = now + min(NOTICE, seconds)
        self.loop.call_at(link.noticed_at, self._tell, link, context=link.context)

    def _tell(self, link: Link) -> None:
        for subscription in list(link.subscriptions):
            if subscription.lost is not None and not link.dead:
                subscription.lost("the connection was cut")

    def bury(self, link: Link) -> None:
        """The process is gone: nothing reaches it any more, and it says nothing more."""
        link.dead = True
        for subscription in list(link.subscriptions):
            subscription.end()
        if self.links.get(link.name) is link:
            del self.links[link.name]

    # --- messages ------------------------------------------------------------------------

    def outward(self, link: Link, late: float = 0.0) -> float:
        """When what `link` sends now is at the hub: after all that it sent before."""
        link.due = max(link.due, self.loop.time() + self.hop() + late)
        return link.due

    def arrive(self, link: Link, breaks: int, fault: Fault | None, act: Callable[[], None]) -> bool:
        """Something of `link` is at the hub: do it there, unless the connection broke meanwhile.
        `fault` strikes what comes of it on the way to the subscribers."""
        if breaks != link.breaks:
            return False
        self._mishap = fault
        try:
            act()
        finally:
            self._mishap = None
        return True

    def carry(self, link: Link, to: SimSubscription, subject: str, payload: bytes) -> None:
        """From the hub to a subscriber."""
        if link.dead or self.is_cut(link):
            return
        fault = self._mishap
        match fault.kind if fault is not None else "":
            case "corrupt":
                payload = payload[: self.chance.randrange(1, max(2, len(payload)))]
            case "duplicate":
                self._deliver(self._inward(to), link, to, subject, payload)
            case "reorder":
                assert fault is not None
                self._deliver(self.loop.time() + fault.seconds, link, to, subject, payload)
                return
            case _:
                pass
        self._deliver(self._inward(to), link, to, subject, payload)

    def _inward(self, to: SimSubscription) -> float:
        to.due = max(to.due, self.loop.time() + self.hop())
        return to.due

    def _deliver(
        self, when: float, link: Link, to: SimSubscription, subject: str, payload: bytes
    ) -> None:
        breaks = link.breaks

        def arrived() -> None:
            if breaks == link.breaks and to.open:
                try:
                    to.deliver(subject, payload)
                except Exception as error:  # noqa: BLE001
                    # A bug of the subscriber is found, without harm to the others.
                    what = f"a subscriber to {subject} raised"
                    self.loop.call_exception_handler({"message": what, "exception": error})

        self.loop.call_at(when, arrived, context=link.context)
