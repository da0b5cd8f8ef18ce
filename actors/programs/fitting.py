"""A program held to the machine of a class of instances; each pair is looked through once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ...effects.pipeline.registry import ExtensionRegistry
from ...effects.programs.conformance import conform
from ...effects.programs.program import Program
from ...language.monitor import Monitor
from ...language.table import Step
from ..part import Part

KNOWN = 512
"""How many verdicts are kept; the one used longest ago goes first."""

_known: OrderedDict[tuple[object, ...], tuple[Program, Part]] = OrderedDict()
"""Programs that fit, by themselves, their part and place; what the key is made of is kept alive."""


def fit(
    program: Program, part: Part, monitor: Monitor, registry: ExtensionRegistry, *, whole: bool
) -> None:
    """Raise `ProgramDeparts` (or `UnregisteredEffect`, `ProgramTooLarge`) unless `program` can be
    played from where `monitor` stands; with `whole`, to the end of the part."""
    key = (id(program), id(part), monitor.place, whole)
    for known in (key, (*key[:-1], True)):
        if known in _known:
            _known.move_to_end(known)
            return

    def check(step: Step, values: tuple[Any, ...], fields: dict[str, Any]) -> None:
        part.moves[step.number].pack(values, fields)

    conform(
        program,
        monitor,
        sizes=part.sizes,
        decisions=part.decisions(),
        check=check,
        performed=registry.performed(part.role),
        whole=whole,
    )
    _known[key] = (program, part)
    if len(_known) > KNOWN:
        _known.popitem(last=False)
