"""What the workers of the tests serve: `SERVED` is the file of its protocols."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import pavane

FILE = os.environ["SERVED"]
crowd = pavane.load(FILE, name="Crowd")
talk = pavane.load(FILE, name="Talk")
guarded = pavane.load(FILE, name="Guarded")
FOLDER = Path(FILE).parent


def line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"


if spans := os.environ.get("SPANS"):
    kept = Path(spans).open("a", encoding="utf-8")  # noqa: SIM115 (as long as the process)
    exporter = ConsoleSpanExporter(out=kept, formatter=line)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@crowd.role("Leader")
async def leader(me: pavane.Endpoint) -> int:
    await me.send("Task", 3)
    answers: dict[int, int] = await me.receive("Answer")
    await me.send("Thanks")
    return sum(answers.values())


@crowd.role("Members")
async def member(me: pavane.Endpoint) -> None:
    task: int = await me.receive("Task")
    while me.input and not (FOLDER / me.input).exists():
        await asyncio.sleep(0.2)
    await me.send("Answer", task)
    await me.receive("Thanks")


async def roll(number: int) -> int:
    """What only the world can tell: another value each time."""
    await asyncio.sleep(0.001)
    return number * 1000 + int.from_bytes(os.urandom(1))


@talk.role("Asker", restart=pavane.Restart("permanent", intensity=2))
async def asker(me: pavane.Endpoint) -> list[int]:
    heard: list[int] = []
    for number in range(me.input["rounds"]):
        await me.send("Ask", await me.run(roll, number))
        heard.append(await me.receive("Tell"))
        await asyncio.sleep(me.input.get("pause", 0.0))
    return heard


@talk.role("Teller")
async def teller(me: pavane.Endpoint) -> list[int]:
    told: list[int] = []
    for number in range(me.input["rounds"]):
        asked: int = await me.receive("Ask")
        assert asked // 1000 == number
        await _mishap(me.input.get("mishap", ""))
        told.append(await me.run(roll, number))
        await me.send("Tell", told[-1])
    return told


async def _mishap(kind: str) -> None:
    """Something that goes wrong, once or every time."""
    seen = FOLDER / kind
    match kind:
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raises":
            raise ValueError("the teller is out of order")
        case "flickers" if not seen.exists():
            seen.touch()
            raise ConnectionError("the line was busy")
        case _:
            pass


@guarded.role("Asker")
async def guarded_asker(me: pavane.Endpoint) -> None:
    await me.send("Ask", 1)


@guarded.role("Teller")
async def guarded_teller(me: pavane.Endpoint) -> int:
    return int(await me.receive("Ask"))
