"""`@retry`, `@compress` and `@priority`: how a message travels."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.standin import StandIn
from pavane.broker.contract import Broker
from pavane.broker.errors import NotConnected, Unconfirmed
from pavane.broker.frame import Frame, Message, decode, encode
from pavane.broker.squeeze import PLAIN, ZLIB
from pavane.effects.pipeline.command import Command, Snapshot
from pavane.effects.pipeline.effect import StageName
from pavane.effects.pipeline.handlers import standard_registry


@dataclass(frozen=True, slots=True)
class Shaky:
    stage: ClassVar[StageName] = "leakage"


class Shaking:
    """A handler that fails before it works, after the charge and before the facts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, effect: object, snapshot: Snapshot) -> Iterator[Command]:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return iter(())


def gone() -> NotConnected:
    return NotConnected("nats://there", "it went away")


async def played(
    url: str, space: str, shaking: Shaking, retry: str
) -> tuple[pavane.Outcome | pavane.PavaneError, int]:
    registry = standard_registry()
    registry.register(Shaky, shaking)
    registry.annotation("shaky", lambda value: Shaky())
    text = f"""#[namespace = "{space}"] protocol Retried {{ roles: A, B;
      A[{retry} flow_cost = 200, journal_facts = "done", shaky = true] -> B: M(int);
      B -> A: N; }}"""
    choreography = pavane.load(text, extension_keys=registry.keys())
    async with pavane.open(url, registry=registry, budgets={"A": 1000}) as runtime:
        outcome: pavane.Outcome | pavane.PavaneError
        try:
            outcome = await runtime.run(choreography, A=StandIn(), B=StandIn())
        except pavane.PavaneError as error:
            outcome = error
        level = await runtime.budgets.level(f"{space}.Retried", "A")
        assert level is not None
        return outcome, level.spent


@pytest.mark.parametrize("retry", ["retry = 3,", 'retry = "3, base=1ms",'])
async def test_a29_a_retried_send_is_delivered_and_charged_once(
    broker_url: str, unique: str, retry: str
) -> None:
    shaking = Shaking(gone(), gone())
    outcome, spent = await played(broker_url, unique, shaking, retry)
    assert isinstance(outcome, pavane.Outcome)
    assert shaking.calls == 3
    assert outcome.tallies["A"].charged == spent == 200
    assert outcome.tallies["A"].facts == ["done"]
    assert outcome.tallies["B"].received == 1


@pytest.mark.parametrize(
    ("errors", "retry", "calls"),
    [
        ([gone(), gone()], "retry = 2,", 2),
        ([gone()], "retry = 1,", 1),
        ([gone()], "", 1),
        ([Unconfirmed("a charge", 2.0)], "retry = 5,", 1),
        ([pavane.EffectError("no")], "retry = 5,", 1),
    ],
    ids=["too-often", "once", "not-asked", "may-have-happened", "final"],
)
async def test_what_cannot_be_tried_again_fails_and_costs_nothing(
    broker_url: str, unique: str, errors: list[Exception], retry: str, calls: int
) -> None:
    shaking = Shaking(*errors)
    outcome, spent = await played(broker_url, unique, shaking, retry)
    assert isinstance(outcome, pavane.PavaneError)
    assert (shaking.calls, spent) == (calls, 0)


PACKED = """#[namespace = "%s"] protocol Packed { roles: A, B;
  @compress A -> B: Large(text: str); @compress @priority(9) A -> B: Small(text: str);
  B -> A: Same(int); }"""


async def test_a_compressed_payload_arrives_as_it_was_and_travels_small(
    runtime: pavane.Runtime, outsider: Broker, unique: str
) -> None:
    frames: list[bytes] = []
    await outsider.subscribe(f"{unique}.Packed.B.0.s.*.*", lambda _, data: frames.append(data))

    async def a(me: Endpoint) -> None:
        await me.send("Large", text="so large " * 5000)
        await me.send("Small", text="small")
        await me.receive("Same")

    async def b(me: Endpoint) -> int:
        large, small = await me.receive("Large"), await me.receive("Small")
        await me.send("Same", len(large.text) + len(small.text))
        return len(large.text)

    outcome = await runtime.run(pavane.load(PACKED % unique), session="s", A=a, B=b)
    assert outcome["B"] == 45_000
    assert outcome.tallies["A"].charged == 200
    await asyncio.sleep(0.05)
    said = [m.payload for data in frames for m in decode(data).messages]
    assert [payload[:1] for payload in said] == [ZLIB, PLAIN]
    assert len(said[0]) < 500


@pytest.mark.parametrize("data", [ZLIB + zlib.compress(bytes(8 << 20)), b"\2", ZLIB + b"x"])
async def test_a51_a_bomb_is_a_violation_that_names_its_sender(
    runtime: pavane.Runtime, outsider: Broker, unique: str, data: bytes
) -> None:
    packed = pavane.load(PACKED % unique)

    async def silent(me: Endpoint) -> None:
        message = Message(1, "Large", data)
        frame = encode(Frame(packed.compiled.fingerprint, (message,)))
        outsider.publish(f"{unique}.Packed.B.0.s.A.0", frame)
        await asyncio.sleep(1)

    with pytest.raises(pavane.ProtocolViolation, match="does not fit") as caught:
        await runtime.run(packed, session="s", A=silent, B=StandIn())
    assert caught.value.role == "A"
