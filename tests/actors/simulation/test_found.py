"""What simulations have found in the runtime, each as it was found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pavane
from pavane.actors.durable.history import read, read_unit
from pavane.actors.durable.names import Place
from pavane.actors.durable.records import Cancelled, Started, pack
from pavane.actors.durable.start import prepare
from pavane.actors.simulation.campaign import Campaign
from pavane.actors.standin import StandIn
from pavane.broker.connect import connect
from pavane.broker.contract import Broker, Record
from pavane.broker.frame import Frame, Message, encode
from pavane.broker.sim.faults import Fault

GUIDE = Path(__file__).parents[2] / "data" / "guide"
NEGOTIATION = GUIDE / "008.choreo"


def ended(
    config: pavane.SimulationConfig, seeds: int = 60, source: str | Path = NEGOTIATION
) -> dict[str, int]:
    """How the sessions ended, none of them in a way that their faults do not explain."""
    protocol = pavane.load(source)
    campaign = Campaign(protocol, {role: StandIn() for role in protocol.roles}, config, {})
    report = campaign.run(range(seeds))
    assert report.ok, report.failure
    return dict(report.ended)


def test_a_process_that_comes_back_is_not_taken_for_the_one_before() -> None:
    """It would begin again from the first message, and everybody would wait for another."""
    plan = [Fault("crash", "Seller", after=1, seconds=0.2)]
    assert ended(pavane.SimulationConfig(plan=plan)) == {"PV510": 60}


def test_who_was_given_up_while_it_was_away_does_not_wait_for_those_who_have_left() -> None:
    """They had said that they were done, and had counted it as gone."""
    plan = [
        Fault("reorder", "Seller", after=1, seconds=0.05),
        Fault("loss", "Buyer", at=0.03, seconds=7.0),
        Fault("loss", "Buyer", at=0.02, seconds=7.0),
    ]
    assert sum(ended(pavane.SimulationConfig(plan=plan)).values()) == 60


def test_who_was_away_when_a_durable_session_failed_hears_of_it() -> None:
    """That was said once, and nobody looked for it in the log."""
    plan = [
        Fault("wrong_label", "Buyer", after=1),
        Fault("partition", "Buyer", at=0.015, seconds=0.03),
    ]
    found = ended(pavane.SimulationConfig(plan=plan, durable=True))
    assert found == {"PV200": 60}


RELAY = """protocol Relay { roles: A, B, C; rec X { choice A {
    l { A -> B: L; B[flow_cost = 1] -> C: X(str); continue X }
    s { A -> B: S; B -> C: Stop } } } }"""


def test_what_is_sent_when_a_connection_is_back_waits_for_what_was_lost_with_it() -> None:
    """It came first, and its receiver ended the session over the gap."""
    plan = [Fault("loss", "B", after=1, seconds=0.1)]
    config = pavane.SimulationConfig(plan=plan, shuffled=False, latency=(0.001, 0.001))
    ended(config, seeds=300, source=RELAY)


RING = """protocol Ring { roles: W[4]; parallel { W[0] -> W[1]: L | W[1] -> W[0]: R | W[1] -> W[2]: L
    | W[2] -> W[1]: R | W[2] -> W[3]: L | W[3] -> W[2]: R } }"""


def test_a_live_role_that_is_started_again_may_hear_others_in_another_order() -> None:
    """That was called a replay that does not repeat."""
    plan = [
        Fault("reorder", "W", after=1, seconds=0.006),
        Fault("crash", "W", at=0.0048, seconds=0.007),
    ]
    config = pavane.SimulationConfig(plan=plan, shuffled=False, latency=(0.001, 0.001))
    ended(config, seeds=400, source=RING)


class Between:
    """A broker on which a message and a word are stored after what was heard is read, and before
    the words are."""

    def __init__(self, broker: Broker, place: Place) -> None:
        self._broker = broker
        self._place = place
        self._heard = asyncio.Event()

    async def read(self, stream: str, pattern: str) -> AsyncIterator[Record]:
        if pattern == self._place.words:
            await self._heard.wait()
            frame = encode(Frame(b"12345678", (Message(1, "Reject"),)))
            await self._broker.append(stream, self._place.lane("Buyer", 0, "Seller", 0), frame)
            word = pack(Cancelled("enough"))
            await self._broker.append(stream, self._place.operator, word)
        async for record in self._broker.read(stream, pattern):
            yield record
        self._heard.set()


async def test_what_comes_while_a_log_is_read_is_read_later() -> None:
    """The last record of another pattern stood for all before it as read."""
    place = Place("default", "Negotiation", "one")
    broker = await connect("memory://")
    await prepare(broker, "default")
    started = pack(Started(b"12345678", {}, [("Buyer", 0, 1), ("Seller", 0, 1)]))
    await broker.append(place.stream, place.operator, started)
    between = cast(Broker, Between(broker, place))
    history = await read_unit(between, place, "Buyer", 0, 1, new=True)
    assert history.cancelled is not None
    assert not history.frames
    later = await read(broker, place, place.heard("Buyer"), history.end + 1)
    assert len(later.frames) == 1
    await broker.close()
