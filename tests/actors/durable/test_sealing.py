"""What a durable session stores of the user's is sealed by the codec of its runtime, whatever it is."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pavane
from pavane.actors.durable.errors import OtherSession, Unreadable
from pavane.actors.durable.names import Place
from pavane.actors.errors import CallFailed
from pavane.broker.cipherfile import cipher_from
from pavane.broker.contract import Broker
from pavane.broker.errors import CipherUnusable

Dying = Callable[..., Awaitable[Any]]

MARK = "mark-of-a-payload"
SECRET = """#[namespace = "%s"]
protocol Secret { roles: A, B, W[2];
  A -> B: Ask(text: str); B -> W[*]: Work(str); W[i] -> B: Part(str); B -> A: Told(str);
  A[flow_cost = 2, journal_facts = "paid"] -> B: Pay(str); }"""
CIPHER = pavane.PayloadCipher({"k": bytes(range(32))}, "k")


async def found(text: str) -> str:
    return f"{MARK} of {text}"


async def broken(text: str) -> str:
    raise ValueError(f"{MARK} in {text}")


async def a(me: pavane.Endpoint) -> str:
    await me.send("Ask", text=me.input["text"])
    told: str = await me.receive("Told")
    try:
        await me.send("Pay", MARK)
    except pavane.BudgetExhausted:
        await me.run(found, "a")
        raise ValueError(MARK) from None
    return told


async def b(me: pavane.Endpoint) -> str:
    asked = (await me.receive("Ask")).text
    with pytest.raises(CallFailed, match=MARK):
        await me.run(broken, asked)
    await me.send("Work", await me.run(found, asked))
    parts = await me.receive("Part")
    await me.send("Told", "".join(parts.values()))
    return str(await me.receive("Pay"))


async def w(me: pavane.Endpoint) -> str:
    work: str = await me.receive("Work")
    await me.send("Part", f"{work}{me.index}")
    return work


async def stored(broker: Broker) -> list[tuple[str, bytes]]:
    """Everything in all streams."""
    return [
        (record.subject, record.payload)
        for stream in await broker.streams("")
        if not stream.startswith(("WORK", "COUNTERS"))
        async for record in broker.read(stream)
    ]


@pytest.mark.parametrize("sealed", [True, False])
async def test_a61_a_mark_stands_nowhere_but_in_the_roles(
    broker_url: str, unique: str, sealed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pavane")
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = pavane.Telemetry(tracers, MeterProvider([reader]), "spans")
    secret = pavane.load(SECRET % unique)
    playing = {"A": a, "B": b, "W": w}
    codec = CIPHER if sealed else None
    opened = pavane.open(broker_url, codec=codec, telemetry=telemetry, budgets={"A": 1})
    async with opened as runtime:
        with pytest.raises(pavane.RoleFailed, match=MARK):
            await runtime.run(
                secret, playing, durable=True, session="s", input={"text": f"{MARK} of input"}
            )
        records = await stored(runtime.broker)
    assert {MARK in repr(data) for _, data in records} == ({False} if sealed else {False, True})
    assert sum(subject.endswith(".own") for subject, _ in records) >= 3
    assert MARK not in repr([(s.name, s.attributes, s.events) for s in spans.get_finished_spans()])
    assert MARK not in repr(reader.get_metrics_data())
    assert MARK not in repr([(r.getMessage(), r.exc_info, r.exc_text) for r in caplog.records])


ASK = "protocol Ask { roles: A, B; A -> B: Ask(str) B -> A: Tell(str) }"


async def asker(me: pavane.Endpoint) -> str:
    await me.send("Ask", me.input)
    answer: str = await me.receive("Tell")
    with pytest.raises(CallFailed, match=answer):
        await me.run(broken, answer)
    return answer


async def teller(me: pavane.Endpoint) -> str:
    asked: str = await me.receive("Ask")
    await me.send("Tell", await me.run(found, asked))
    return asked


async def test_a61_a_sealed_session_goes_on_wherever_it_was_killed(
    dying: Dying, hub: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cipher makes something else of a message each time; it is the same message."""
    keys = tmp_path / "keys"
    keys.write_text(f"k {secrets.token_hex(32)}\n")
    monkeypatch.setenv("PAVANE_CIPHER", str(keys))
    ask = pavane.load(ASK)

    async def attempt(runtime: pavane.Runtime) -> None:
        for _ in range(2):  # The second time from what is stored.
            outcome = await runtime.run(
                ask, A=asker, B=teller, durable=True, session=session, input="tea"
            )
            assert outcome["A"] == f"{MARK} of tea"
            assert outcome["B"] == "tea"

    session = "whole"
    writes = (await dying(attempt)).writes
    assert writes >= 9
    for lives in range(1, writes + 1):
        session = f"s{lives}"
        await dying(attempt, lives)
        await dying(attempt)
    assert not [data for _, data in await stored(hub) if MARK.encode() in data]


async def test_a61_what_is_sealed_is_bound_to_its_place(
    outsider: Broker, broker_url: str, unique: str
) -> None:
    ask = pavane.load(ASK)
    async with pavane.open(broker_url, codec=CIPHER) as runtime:
        await runtime.run(ask, A=asker, B=teller, durable=True, session=unique, input="tea")
        with pytest.raises(OtherSession, match="another input"):
            await runtime.run(ask, A=asker, B=teller, durable=True, session=unique, input="tee")
        async for replayed in runtime.replay(ask, unique, "A", asker):
            assert replayed.is_faithful
            assert replayed.end == "done"
        # What one session returned, put in the place of what another did.
        places = [Place("", "Ask", name) for name in (unique, f"{unique}2")]
        for record in [
            r async for r in runtime.broker.read(places[0].stream, places[0].everything)
        ]:
            subject = record.subject.replace(f".{unique}.", f".{unique}2.")
            await runtime.broker.append(places[1].stream, subject, record.payload)
        with pytest.raises(Unreadable, match="does not open"):
            await runtime.run(
                ask, A=asker, B=teller, durable=True, session=f"{unique}2", input="tea"
            )
    for codec in (None, pavane.PayloadCipher({"other": bytes(32)}, "other")):
        async with pavane.open(broker_url, codec=codec) as runtime:
            with pytest.raises(Unreadable, match="its input namely"):
                await runtime.run(ask, A=asker, B=teller, durable=True, session=unique, input="tea")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key"),
        ("k 00", "32 bytes"),
        ("k zz", "line 1 has no hexadecimal"),
        (f"a {'00' * 32}\n# old\na {'01' * 32}", "line 3 is not the id of a new key"),
    ],
)
def test_a_file_of_keys_that_is_none_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(CipherUnusable, match=why):
        cipher_from(path)
    with pytest.raises(CipherUnusable, match="No such file"):
        cipher_from(tmp_path / "none")
