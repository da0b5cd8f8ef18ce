"""What is logged, and what never is."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.events import Event, LimitNear
from pavane.actors.mailbox.inlet import WINDOW
from pavane.broker.connect import connect
from pavane.broker.frame import Frame, Message, Parts, encode
from pavane.broker.options import ConnectOptions
from pavane.broker.payload import pack
from pavane.effects.capability.tokens import Authority, Renewable

TEXT = """#[namespace = "%s"]
protocol Quiet { roles: A, B;
  A[guard_capability = "ask", flow_cost = 10, journal_facts = "asked"] -> B: Ask(text: str, n: int);
  choice B { yes when (n > 0): { B -> A: Yes(text: str); } no { B -> A: No; } } }"""
MARK = "s3cret-mark"


async def a(me: Endpoint) -> None:
    await me.send("Ask", text=MARK, n=1)
    await me.offer()


async def b(me: Endpoint) -> None:
    await me.send("Yes", text=(await me.receive("Ask")).text + MARK)


async def off_protocol(me: Endpoint) -> None:
    await me.receive("Ask")
    await me.send("Ask", text=MARK, n=1)


async def wrong_type(me: Endpoint) -> None:
    await me.send("Ask", text=MARK, n=MARK)


async def wrong_fields(me: Endpoint) -> None:
    await me.send("Ask", MARK, MARK, MARK)


async def raising(me: Endpoint) -> None:
    int((await me.receive("Ask")).text)


async def idle(me: Endpoint) -> None:
    await asyncio.sleep(0.05)


FAILURES = [(a, off_protocol), (wrong_type, b), (wrong_fields, b), (a, raising), (a, idle)]


def everything(records: list[logging.LogRecord]) -> str:
    return "\n".join(f"{r.getMessage()} {r.__dict__}" for r in records)


async def test_a61_no_payload_and_no_token_in_logs_events_or_errors(
    broker_url: str,
    unique: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    authority = Authority()
    quiet = pavane.load(TEXT % unique)
    options = ConnectOptions(user="u", password=MARK, token=MARK)
    shown.append(repr(options))
    shown.append(repr(Message(1, "Ask", pack(MARK), parts=Parts(token=MARK.encode()))))
    tokens: list[bytes] = []
    until = Renewable.until

    def issued(self: Renewable, expires: float) -> bytes:
        tokens.append(until(self, expires))
        return tokens[-1]

    monkeypatch.setattr(Renewable, "until", issued)
    refusing: list[dict[str, Any]] = [{}, {"grants": {"A": []}}, {"budgets": {"A": 3}}]
    for extra in refusing:
        async with pavane.open(broker_url, authority=authority, **extra) as runtime:
            runtime.observe(lambda event: shown.append(repr(event)))
            for one, other in [(a, b), *FAILURES]:
                try:
                    await runtime.run(quiet, A=one, B=other)
                except pavane.RoleFailed as error:
                    # What the role's own code says is its own; here it is int() that quotes.
                    shown.append(repr(error.__class__))
                except pavane.PavaneError as error:
                    shown.append(repr(error) + str(error) + repr(vars(error)))
    await _hostile(broker_url, unique, quiet, shown)
    said = everything(caplog.records) + "\n".join(shown)
    assert MARK not in said
    assert tokens
    tokens = [token for token in tokens if token]
    for token in tokens:
        assert token.hex() not in said
        assert repr(token)[2:40] not in said
    assert "A sent Ask to B" in said
    assert "B may not" not in said


async def _hostile(url: str, space: str, quiet: pavane.Choreography, shown: list[str]) -> None:
    """A peer that is off the protocol, with the mark in all that it says."""
    payloads = (
        pack([MARK]),
        pack({"text": MARK, "n": MARK}),
        MARK.encode(),
        b"\xc1" + MARK.encode(),
    )
    for payload in payloads:
        async with pavane.open(url) as runtime:
            runtime.observe(lambda event: shown.append(repr(event)))
            outsider = await connect(url)
            frame = Frame(quiet.compiled.fingerprint, (Message(1, "Ask", payload),))

            async def speak(me: Endpoint, data: bytes = encode(frame), via: Any = outsider) -> None:
                via.publish(f"{space}.Quiet.B.0.s.A.0", data)
                await asyncio.sleep(0.2)

            try:
                await runtime.run(quiet, session="s", A=speak, B=b)
            except pavane.PavaneError as error:
                shown.append(repr(error) + str(error) + repr(vars(error)))
            finally:
                await outsider.close()


async def test_sessions_are_logged_with_fields(
    broker_url: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = pavane.load(TEXT % unique)
    caplog.set_level(logging.INFO, "pavane")
    async with pavane.open(broker_url, budgets={"A": 15}) as runtime:
        await runtime.run(quiet, session="first", A=a, B=b)
        with pytest.raises(pavane.BudgetExhausted):
            await runtime.run(quiet, session="second", A=a, B=b)
    told = [(r.levelname, r.__dict__["session"], r.__dict__["role"]) for r in caplog.records
            if r.name == "pavane.session"]  # fmt: skip
    assert told[:2] == [("INFO", "first", None), ("INFO", "first", None)]
    assert ("WARNING", "second", "A") in told
    assert told[-1] == ("WARNING", "second", None)
    assert not [r for r in caplog.records if r.name == "pavane.message"]


async def test_a62_a_budget_warns_once_before_it_is_exhausted(
    broker_url: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Spend {{ roles: A, B; loop (count: 10) {{ A[flow_cost = 10] -> B: M; }} }}"""
    events: list[Event] = []

    async def spending(me: Endpoint) -> None:
        for _ in range(10):
            await me.send("M")

    async def hearing(me: Endpoint) -> None:
        for _ in range(10):
            await me.receive("M")

    async with pavane.open(broker_url, budgets={"A": 95}) as runtime:
        runtime.observe(events.append)
        with pytest.raises(pavane.BudgetExhausted):
            await runtime.run(pavane.load(text), A=spending, B=hearing)
    near = [event for event in events if isinstance(event, LimitNear)]
    assert [(n.limit, n.role, n.allowed) for n in near] == [("budget", "A", 95)]
    assert 76 <= near[0].used < 95
    assert sum(r.getMessage().startswith("budget ") for r in caplog.records) == 1
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("LimitNear") < kinds.index("Denied")


async def test_a62_a_mailbox_that_stays_nearly_full_warns(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pavane.actors.mailbox.mailbox.LINGERING", 0.05)
    many = WINDOW + WINDOW // 2
    text = f"""#[namespace = "{unique}"]
    protocol Slow {{ roles: A, B; loop (count: {many}) {{ A -> B: M; }} B -> A: End; }}"""
    events: list[Event] = []

    async def fast(me: Endpoint) -> None:
        for _ in range(many):
            await me.send("M")
        await me.receive("End")

    async def slow(me: Endpoint) -> None:
        await asyncio.sleep(0.3)
        for _ in range(many):
            await me.receive("M")
        await me.send("End")

    async def quick(me: Endpoint) -> None:
        for _ in range(many):
            await me.receive("M")
        await me.send("End")

    async with pavane.open(broker_url) as runtime:
        runtime.observe(events.append)
        slow_stream = pavane.load(text)
        await runtime.run(slow_stream, A=fast, B=quick)
        await asyncio.sleep(0.1)
        assert not [e for e in events if isinstance(e, LimitNear)]
        await runtime.run(slow_stream, A=fast, B=slow)
    (near,) = [e for e in events if isinstance(e, LimitNear)]
    assert (near.limit, near.role, near.allowed) == ("mailbox", "B", WINDOW)


def test_the_command_logs_where_it_is_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "quiet.choreo"
    file.write_text(TEXT % "quiet")
    command = [str(Path(sys.executable).parent / "pavane"), "--log-level", "debug", "--log-json"]
    command += ["run", str(file), "--url", "memory://"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    sent = [line for line in lines if line["logger"] == "pavane.message" and line["role"] == "A"]
    assert sent[0]["step"] == 1
    assert sent[0]["message"].startswith("A sent Ask to B")
    quiet = subprocess.run(command[:1] + command[4:], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""


async def test_a62_a_long_history_and_a_full_mailbox_of_a_durable_session_warn(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pavane.actors.durable.watching.HISTORY", 4000)
    monkeypatch.setattr("pavane.actors.durable.catching.FIRST", 0.05)
    text = f"""#[namespace = "{unique}"]
    protocol Long {{ roles: A, B; loop (count: 1900) {{ A -> B: M; }} B -> A: End; }}"""
    events: list[Event] = []

    async def fast(me: Endpoint) -> None:
        for _ in range(1900):
            await me.send("M")
        await me.receive("End")

    async def slow(me: Endpoint) -> None:
        await asyncio.sleep(0.5)
        for number in range(1900):
            await me.receive("M")
            if number % 10 == 0:
                await me.now()
        await asyncio.sleep(0.2)
        await me.send("End")

    async with pavane.open(broker_url) as runtime:
        runtime.observe(events.append)
        await runtime.run(pavane.load(text), A=fast, B=slow, durable=True, session="s")
    assert "history" not in {e.limit for e in events if isinstance(e, LimitNear)}
    events.clear()
    monkeypatch.setattr("pavane.actors.durable.watching.HISTORY", 2500)
    async with pavane.open(broker_url) as runtime:
        runtime.observe(events.append)
        await runtime.run(pavane.load(text), A=fast, B=slow, durable=True, session="t")
    near = {e.limit: (e.name, e.allowed) for e in events if isinstance(e, LimitNear)}
    assert near == {"history": ("B", 2500), "mailbox": ("B from A", WINDOW)}
    assert sum(isinstance(e, LimitNear) for e in events) == 2
