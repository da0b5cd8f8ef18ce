"""One trace for a session that several processes play, with the exporters of OpenTelemetry."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pavane

from .conftest import Crew


async def ended(path: Path, names: set[str]) -> list[dict[str, Any]]:
    """The spans that the workers have written, once these are among them."""
    async with asyncio.timeout(10):
        while True:
            lines = path.read_text().splitlines() if path.exists() else []
            spans = [json.loads(line) for line in lines]
            if names <= {span["name"] for span in spans}:
                return spans
            await asyncio.sleep(0.05)


async def test_workers_go_on_with_the_trace_of_who_started_the_session(
    crew: Crew, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: crew.folder / f"{name}.spans" for name in ("Asker", "Teller")}
    for name, path in files.items():
        monkeypatch.setenv("SPANS", str(path))
        crew.start(name.lower(), f"talk.{name}", telemetry=True)
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = pavane.Telemetry(tracers)
    given = {"rounds": 2}
    async with pavane.open(nats_url, telemetry=telemetry) as runtime:
        with tracers.get_tracer("shop").start_as_current_span("request"):
            handle = await runtime.start(
                crew.load("Talk"), bindings=given, input=given, patience=30
            )
        await handle.wait(20)
    here = {span.name: span for span in exporter.get_finished_spans()}
    starting, request = here["start Talk"], here["request"]
    assert starting.context is not None
    assert starting.parent == request.context
    for name, path in files.items():
        spans = {s["name"]: s for s in await ended(path, {"session Talk", f"role {name}"})}
        assert {int(s["context"]["trace_id"], 16) for s in spans.values()} == {
            starting.context.trace_id
        }
        session, role = spans["session Talk"], spans[f"role {name}"]
        assert int(session["parent_id"], 16) == starting.context.span_id
        assert role["parent_id"] == session["context"]["span_id"]
        assert [event["name"] for event in role["events"]][:2] in (
            ["send Ask", "receive Tell"],
            ["receive Ask", "send Tell"],
        )
