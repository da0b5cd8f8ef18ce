"""Lanes under loss: what was lost is sent again, and every message is read once and in order."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

import pavane
from pavane.actors.events import Event, FrameRefused
from pavane.actors.live.outbox import LiveOutbox
from pavane.actors.mailbox.inlet import WINDOW, Lane
from pavane.actors.mailbox.mailbox import Mailbox
from pavane.actors.mailbox.outlet import Outlet
from pavane.actors.part import Part
from pavane.actors.standin import StandIn
from pavane.broker.connect import connect
from pavane.broker.frame import Frame, Message, decode, encode
from pavane.broker.memory.hubs import join
from pavane.effects.capability.tokens import Authority
from pavane.effects.capability.verifier import Verifier
from pavane.effects.flow.budget import Budgets
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer
from pavane.effects.pipeline.handlers import standard_registry
from pavane.effects.pipeline.pipeline import Pipeline
from pavane.effects.pipeline.transaction import BrokerDriver
from pavane.language.compiler import compile_text
from pavane.language.payload import Shape

FINGERPRINT = b"12345678"


class Wire:
    """One lane whose frames and acknowledgements are lost as `fate` says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fate: list[bool]) -> None:
        (compiled,) = compile_text(
            "protocol P { roles: A, B; loop (count: 9) { A -> B: M(int); } }"
        )
        machine = compiled.project({}).machine("B")
        part = Part(machine, {"A": None, "B": None}, _shape, _pipeline())
        self.outbox = LiveOutbox(_encode, self._carry, loop, self._fail)
        self.outlet = Outlet(self.outbox, "x", "B", 0, [range(1)], 1 << 20)
        self.outbox.outlets["B", 0] = self.outlet
        self.mailbox = Mailbox(part, 0, self._acknowledge, lambda: None)
        inlet = self.mailbox.inlet("A", 0)
        assert inlet is not None
        self.inlet = inlet
        self.read: list[int] = []
        self._fate = iter(fate)

    def _carry(self, _: str, data: bytes) -> None:
        if next(self._fate, True):
            self.mailbox.accept(self.inlet.alone, decode(data).messages, len(data), True)

    def _fail(self, reason: str) -> None:
        raise AssertionError(reason)

    def _acknowledge(self, _role: str, _index: int, lane: Lane) -> None:
        if next(self._fate, True):
            self.outlet.acknowledged(0, 1, lane.last, lane.read + WINDOW)

    def recover(self) -> None:
        self.outbox.send_again()
        self.mailbox.acknowledge_all()

    def take(self, count: int) -> None:
        for _ in range(min(count, self.inlet.unread)):
            self.read.append(self.inlet.take().sequence)


def _shape(action: object) -> Shape:
    (compiled,) = compile_text("protocol P { roles: A, B; A -> B: M(int); }")
    return Shape.of(compiled.project({}).machine("A").transitions[0].action.message)


def _pipeline() -> Pipeline:
    broker, signer = join(""), Signer()
    driver = BrokerDriver(
        Verifier(Authority().public), Budgets(broker), Journal(broker, signer), signer
    )
    return Pipeline(standard_registry(), driver)


def _encode(batch: list[Message]) -> bytes:
    return encode(Frame(FINGERPRINT, tuple(batch)))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 400)),
        st.tuples(st.just("read"), st.integers(1, 400)),
        st.tuples(st.just("again"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=steps, fate=st.lists(st.booleans(), max_size=60))
def test_every_message_is_read_once_and_in_order_whatever_is_lost(
    steps: list[tuple[str, int]], fate: list[bool]
) -> None:

    async def play() -> None:
        wire = Wire(asyncio.get_running_loop(), fate)
        sent = 0
        for what, count in steps:
            if what == "send":
                for _ in range(min(count, wire.outlet.room)):
                    wire.outlet.put("M", b"\x01")
                    sent += 1
                wire.outbox.flush()
            elif what == "read":
                wire.take(count)
            else:
                wire.recover()
            assert wire.inlet.unread <= WINDOW
        for _ in range(len(fate) + 3):
            wire.recover()
            wire.take(WINDOW)
        wire.recover()
        assert wire.read == list(range(1, sent + 1))
        assert wire.outlet.room == WINDOW

    asyncio.run(play())


async def test_ten_thousand_mutated_frames_end_sessions_with_an_error_or_not_at_all(
    unique: str,
) -> None:
    """Real frames with bytes changed, cut and repeated, thrown at running sessions."""
    url = f"memory://{unique}"
    text = f"""#[namespace = "{unique}"]
    protocol Loop {{ roles: A, B; loop (count: 3) {{ A -> B: M(str, int); B -> A: N(list[int]); }} }}"""
    rng = random.Random(7)
    outsider = await connect(url)
    real: list[tuple[str, bytes]] = []

    def note(subject: str, data: bytes) -> None:
        real.append((subject, data))

    watching = await outsider.subscribe(f"{unique}.>", note)
    events: list[Event] = []
    async with pavane.open(url) as runtime:
        choreography = pavane.load(text)
        await runtime.run(choreography, A=StandIn(), B=StandIn())
        await asyncio.sleep(0.01)
        await watching.close()
        runtime.observe(events.append)
        failed = 0
        for number in range(500):

            async def attacked(me: pavane.Endpoint) -> None:
                for _ in range(rng.choice((1, 39))):
                    subject, data = rng.choice(real)
                    tokens = subject.split(".")
                    tokens[4] = me.session
                    outsider.publish(".".join(tokens), _mutated(rng, data))
                await StandIn(delay=0.0001)(me)

            async with asyncio.timeout(5):
                try:
                    await runtime.run(choreography, A=attacked, B=StandIn(), session=f"s{number}")
                except pavane.PavaneError:
                    failed += 1
        outcome = await runtime.run(choreography, A=StandIn(), B=StandIn())
    await outsider.close()
    assert failed > 0
    assert outcome.tallies["A"].received == 3
    assert not [e for e in events if isinstance(e, FrameRefused)]


def _mutated(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        match rng.randrange(4):
            case 0:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            case 1:
                del changed[rng.randrange(len(changed)) :]
            case 2:
                changed += changed[: rng.randrange(len(changed) + 1)]
            case _:
                changed.insert(rng.randrange(len(changed) + 1), rng.randrange(256))
        changed = changed or bytearray(b"\0")
    return bytes(changed)
