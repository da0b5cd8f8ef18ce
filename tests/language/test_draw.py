"""Diagrams: all from the same tables, whatever the format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pavane.language.compiler import Compiled, compile_text
from pavane.language.draw import (
    machine_dot,
    machine_json,
    machine_mermaid,
    machine_svg,
    sequence_mermaid,
    sequence_svg,
)
from pavane.language.draw.timed import step_text
from pavane.language.machine import Machine

CASES = sorted((Path(__file__).parent / "projections").glob("*.choreo"))
SVG = "{http://www.w3.org/2000/svg}"


def compiled(case: Path) -> tuple[Compiled, list[Machine]]:
    text = case.read_text()
    (only,) = compile_text(text)
    bound = re.findall(r"(\w+)=(\d+)", text.splitlines()[0])
    bindings = {name: int(count) for name, count in bound}
    projection = only.project(bindings) if bindings else only.outline()
    return only, [machine for machines in projection.machines.values() for machine in machines]


def steps(machine: Machine) -> set[str]:
    return {step_text(step.action) for step in machine.transitions}


def texts(svg: str) -> set[str]:
    return {element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a24_every_format_of_a_machine_has_every_step(case: Path) -> None:
    for machine in compiled(case)[1]:
        assert steps(machine) <= texts(machine_svg(machine))
        dot = machine_dot(machine)
        assert dot.count(" -> ") == 1 + len(machine.transitions) + 2 * len(machine.counters)
        for step in steps(machine):
            assert json.dumps(step) in dot
            assert step in machine_mermaid(machine)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a24_a_sequence_diagram_has_every_message_and_selection(case: Path) -> None:
    protocol, _ = compiled(case)
    labels = set(re.findall(r"->\s*\*?\s*\w*(?:\[[^\]]*\])*\s*:\s*(\w+)", case.read_text()))
    selections = {f"@{selection.branch}" for selection in protocol.selections}
    mermaid = sequence_mermaid(protocol.protocol, protocol.selections)
    drawn = {
        text.split(" ")[0] for text in texts(sequence_svg(protocol.protocol, protocol.selections))
    }
    for label in selections | {label for label in labels if label[0].isupper()} - {"W", "V"}:
        assert f": {label}" in mermaid
        assert label in drawn


def test_a24_mermaid_blocks_are_closed() -> None:
    for case in CASES:
        protocol, _ = compiled(case)
        words = [line.split() for line in sequence_mermaid(protocol.protocol).splitlines()]
        opened = sum(line[0] in {"alt", "loop", "par", "rect"} for line in words)
        assert opened == sum(line == ["end"] for line in words)


def test_a_counted_loop_is_written_out_in_json_and_kept_where_it_is_too_long() -> None:
    text = "protocol P {{ roles: A, B; loop (count: {}) {{ A -> B: M }} }}"
    (short,) = compile_text(text.format(5))
    table = machine_json(short.project().machine("A"))
    assert table["transitions"] == [[n, "B!M", n + 1] for n in range(5)] and "loops" not in table
    (long,) = compile_text(text.format(1_000_000))
    loops = json.loads(json.dumps(machine_json(long.project().machine("A"))))["loops"]
    assert [loop["count"] for loop in loops] == [1_000_000] * 2


def test_a_name_with_markup_is_escaped() -> None:
    (one,) = compile_text("protocol P { roles: A, B; A -> B: M<Vec<String>>; }")
    assert "M<Vec<String>>" in texts(sequence_svg(one.protocol))
    assert "#60;" in sequence_mermaid(one.protocol)


def test_a24_a_role_may_be_called_like_a_word_of_mermaid() -> None:
    text = """protocol P { roles: A, end, end_, Note[3];
        protocol Q(loop_, alt) { loop_ -> alt: M }
        A -> end: M; end -> end_: M; end -> Note[*]: M; end ->* : Over; call Q(end, A) }"""
    (one,) = compile_text(text)
    drawn = [line.strip() for line in sequence_mermaid(one.protocol).splitlines()]
    assert "participant end__ as end" in drawn and "participant end_" in drawn
    assert "participant Note_ as Note[3]" in drawn
    assert {"A->>end__: M", "end__->>end_: M", "end__->>A: Over", "loop_->>alt_: M"} <= set(drawn)
    assert drawn.count("end") == 1, "only the box of Q is closed"


def test_a24_a_state_diagram_carries_the_name_of_its_role() -> None:
    (one,) = compile_text("protocol P { roles: A, W[3]; A -> W[*]: M; W[0] -> A: N }")
    titles = [machine_mermaid(m).splitlines()[:4] for m in one.project().machines["W"]]
    assert titles == [
        ["---", f'title: "{name}"', "---", "stateDiagram-v2"] for name in ("W[0]", "W[1..3]")
    ]
