"""Traces and metrics, with OpenTelemetry's own exporters in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pavane
from pavane import Endpoint, Telemetry

TEXT = """#[namespace = "%s"]
protocol Traced { roles: A, B, W[2];
  A[flow_cost = 7] -> B: Ask(int); B -> W[*]: Work; W[i] -> B: Part(str); B -> A: Sum(str); }"""


class Watching:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def settings(self, messages: Literal["events", "spans", "none"] = "events") -> Telemetry:
        return Telemetry(self.tracers, self.meters, messages)

    @property
    def spans(self) -> dict[str, list[ReadableSpan]]:
        found = dict[str, list[ReadableSpan]]()
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found

    def metric(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return [
            point
            for scope in scopes
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def watching() -> Iterator[Watching]:
    made = Watching()
    yield made
    made.tracers.shutdown()
    made.meters.shutdown()


async def a(me: Endpoint) -> str:
    await me.send("Ask", 1)
    total: str = await me.receive("Sum")
    return total


async def b(me: Endpoint) -> None:
    await me.receive("Ask")
    await me.send("Work")
    parts: dict[int, str] = await me.receive("Part")
    await me.send("Sum", "".join(parts.values()))


async def w(me: Endpoint) -> None:
    await me.receive("Work")
    await me.send("Part", "secret-part")


def trace_ids(watching: Watching) -> set[int]:
    found = [span.context for span in watching.exporter.get_finished_spans()]
    return {context.trace_id for context in found if context is not None}


@pytest.mark.parametrize("messages", ["events", "spans", "none"])
async def test_one_trace_per_session_across_runtimes(
    broker_url: str, unique: str, watching: Watching, messages: Any
) -> None:
    settings = watching.settings(messages)
    traced = pavane.load(TEXT % unique)
    async with (
        pavane.open(broker_url, telemetry=settings) as first,
        pavane.open(broker_url, telemetry=settings) as second,
        asyncio.timeout(10),
    ):
        with watching.tracers.get_tracer("test").start_as_current_span("request"):
            joined = asyncio.create_task(first.join(traced, session="s", A=a))
        await asyncio.gather(joined, second.join(traced, session="s", B=b, W=w))
    spans = watching.spans
    assert len(trace_ids(watching)) == 1
    assert len(spans["session Traced"]) == 2
    (request,) = spans["request"]
    leading = next(s for s in spans["session Traced"] if s.parent == request.context)
    other = next(s for s in spans["session Traced"] if s is not leading)
    assert other.parent is not None and leading.context is not None
    assert other.parent.span_id == leading.context.span_id
    assert {"role A", "role B", "role W[0]", "role W[1]"} <= spans.keys()
    (role,) = spans["role B"]
    events = [event.name for event in role.events]
    if messages == "events":
        assert events[:2] == ["receive Ask", "send Work"]
    else:
        assert events == []
    if messages == "spans":
        (sent,), (received,) = spans["send Ask"], spans["receive Ask"]
        assert sent.context is not None
        assert [link.context.span_id for link in received.links] == [sent.context.span_id]
    assert "secret-part" not in str([s.to_json() for s in watching.exporter.get_finished_spans()])


async def test_a_process_that_is_not_traced_does_not_split_the_trace(
    broker_url: str, unique: str, watching: Watching
) -> None:
    traced = pavane.load(TEXT % unique)
    async with (
        pavane.open(broker_url) as first,
        pavane.open(broker_url, telemetry=watching.settings()) as second,
        pavane.open(broker_url, telemetry=watching.settings()) as third,
        asyncio.timeout(10),
    ):
        await asyncio.gather(
            first.join(traced, session="s", A=a),
            second.join(traced, session="s", B=b),
            third.join(traced, session="s", W=w),
        )
    assert len(watching.spans["session Traced"]) == 2
    assert len(trace_ids(watching)) == 1


async def test_spans_of_the_roles_own_are_below_its_span(
    broker_url: str, unique: str, watching: Watching
) -> None:
    async def asking(me: Endpoint) -> str:
        with watching.tracers.get_tracer("test").start_as_current_span("thinking"):
            return await a(me)

    async with pavane.open(broker_url, telemetry=watching.settings()) as runtime:
        await runtime.run(pavane.load(TEXT % unique), A=asking, B=b, W=w)
    (mine,), (role,) = watching.spans["thinking"], watching.spans["role A"]
    assert mine.parent == role.context


async def test_a_durable_session_is_one_trace_for_all_its_units(
    nats_url: str, unique: str, watching: Watching
) -> None:
    async with pavane.open(nats_url, telemetry=watching.settings()) as runtime:
        traced = pavane.load(TEXT % unique)
        await runtime.run(traced, durable=True, session="s", A=a, B=b, W=w)
    assert len(trace_ids(watching)) == 1
    assert {"session Traced", "role A", "role B", "role W[0]", "role W[1]"} <= watching.spans.keys()
    (role,) = watching.spans["role A"]
    assert [event.name for event in role.events] == ["send Ask", "receive Sum"]


async def test_what_is_counted(broker_url: str, unique: str, watching: Watching) -> None:
    async with pavane.open(broker_url, telemetry=watching.settings("none")) as runtime:
        traced = pavane.load(TEXT % unique)
        for _ in range(3):
            await runtime.run(traced, A=a, B=b, W=w)
        with pytest.raises(pavane.RoleFailed):
            await runtime.run(traced, A=a, B=_raising, W=w)
    sent = {p.attributes["pavane.label"]: p.value for p in watching.metric("pavane.messages.sent")}
    assert sent == {"Ask": 4, "Work": 6, "Part": 6, "Sum": 3}
    assert [p.value for p in watching.metric("pavane.charged")] == [28]
    assert [p.value for p in watching.metric("pavane.sessions.active")] == [0]
    durations = {
        p.attributes["pavane.outcome"]: p.count for p in watching.metric("pavane.session.duration")
    }
    assert durations == {"done": 3, "failed": 1}
    assert sum(p.count for p in watching.metric("pavane.step.wait")) >= 18
    failed = watching.spans["role B"][-1]
    assert failed.status.description == "ValueError"
    assert not failed.events


async def _raising(me: Endpoint) -> None:
    await me.receive("Ask")
    raise ValueError("secret")


async def test_denials_are_counted(broker_url: str, unique: str, watching: Watching) -> None:
    async with pavane.open(broker_url, telemetry=watching.settings(), budgets={"A": 6}) as runtime:
        with pytest.raises(pavane.BudgetExhausted):
            await runtime.run(pavane.load(TEXT % unique), A=a, B=b, W=w)
    (denied,) = watching.metric("pavane.denied")
    assert denied.attributes["pavane.stage"] == "flow"


async def test_what_a_peer_says_of_traces_is_looked_at(unique: str, watching: Watching) -> None:
    from pavane.actors.telemetry.context import span_context

    good = f"00-{1:032x}-{1:016x}-01"
    assert span_context(good) is not None
    for bad in (None, "", good + "x", good.replace("00-", "zz-"), f"00-{0:032x}-{0:016x}-01"):
        assert span_context(bad) is None


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    script = "import pavane, sys; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_telemetry_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [n for n in sys.modules if n.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "pavane.actors.telemetry.observing", raising=False)
    monkeypatch.delitem(sys.modules, "pavane.actors.telemetry.spans", raising=False)
    monkeypatch.delitem(sys.modules, "pavane.actors.telemetry.context", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(pavane.ActorError, match="opentelemetry") as caught:
        async with pavane.open("memory://", telemetry=True):
            pass
    assert "pavane[telemetry]" in caught.value.hint
