"""Protocol in, local machines out, compared exactly: see `projections/`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pavane.language.compiler import compile_text
from pavane.language.draw import protocol_text, sequence_text

CASES = sorted((Path(__file__).parent / "projections").glob("*.choreo"))


def projected(text: str) -> str:
    (compiled,) = compile_text(text)
    bound = re.findall(r"(\w+)=(\d+)", text.splitlines()[0])
    bindings = {name: int(count) for name, count in bound}
    projection = compiled.project(bindings) if bindings else compiled.outline()
    machines = projection.machines.values()
    parts = [sequence_text(compiled.protocol, compiled.selections), *map(protocol_text, machines)]
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_projection(case: Path) -> None:
    assert projected(case.read_text()) == case.with_suffix(".expected").read_text()
