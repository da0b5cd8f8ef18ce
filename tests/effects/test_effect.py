from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pavane.effects.errors import InvalidEffect
from pavane.effects.pipeline.effect import (
    CapabilityGuardEffect,
    Effect,
    FlowCostEffect,
    JournalFactsEffect,
    JournalMergeEffect,
    LeakageEffect,
    effects_of,
    leaks_of,
)
from pavane.language.compiler import compile_text
from pavane.language.machine import Action
from pavane.language.tree import Scalar

GUIDE = Path(__file__).parent.parent / "data" / "guide"


def rows() -> list[dict[str, str]]:
    with (GUIDE / "annotations.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def sends_of(file: str) -> dict[int, Action]:
    """By step, the sends of all roles of the file's protocol."""
    (compiled,) = compile_text((GUIDE / file).read_text(encoding="utf-8"), file)
    projection = compiled.project(dict.fromkeys([*compiled.open_counts, *compiled.open_bounds], 2))
    machines = [machine for each in projection.machines.values() for machine in each]
    actions = [t.action for machine in machines for t in machine.transitions]
    return {a.step: a for a in actions if a.sends and not a.selection}


def described(effects: tuple[Effect, ...]) -> tuple[str, str, str, str]:
    guard = cost = facts = merge = ""
    for effect in effects:
        match effect:
            case CapabilityGuardEffect(capability):
                guard = capability
            case FlowCostEffect(amount):
                cost = str(amount)
            case JournalFactsEffect(names):
                facts = ", ".join(names)
            case JournalMergeEffect():
                merge = "true"
            case _:
                raise AssertionError(effect)
    return guard, cost or "0", facts, merge


@pytest.mark.parametrize("file", sorted({row["file"] for row in rows()}))
def test_a28_annotations_of_the_guide_hold_exactly(file: str) -> None:
    sends = sends_of(file)
    wanted = [row for row in rows() if row["file"] == file]
    for row in wanted:
        guard, cost, facts, merge = described(effects_of(sends[int(row["step"])]))
        assert sends[int(row["step"])].label == row["message"].partition("(")[0]
        assert (guard, facts, merge) == (
            row["guard_capability"],
            row["journal_facts"],
            row["journal_merge"],
        )
        assert cost == row["flow_cost"].partition(" ")[0]


def test_every_protocol_of_the_guide_is_in_the_table_or_has_no_annotations() -> None:
    listed = {row["file"] for row in rows()}
    for path in sorted(GUIDE.glob("*.choreo")):
        if path.name not in listed:
            assert all(not effects_of(action) for action in sends_of(path.name).values())


def test_effects_stand_in_pipeline_order(action: Callable[..., Action]) -> None:
    written = action(
        journal_merge=True, journal_facts="a, b", leak="external: 3, near", flow_cost=7,
        guard_capability="x",
    )  # fmt: skip
    assert effects_of(written) == (
        CapabilityGuardEffect("x"),
        FlowCostEffect(7),
        LeakageEffect((("external", 3), ("near", 1))),
        JournalFactsEffect(("a", "b")),
        JournalMergeEffect(),
    )


def test_a37_a_leak_names_observers_and_amounts() -> None:
    assert leaks_of("near") == (("near", 1),)
    assert (
        leaks_of("near:2,far : 3") == leaks_of(("near:2", "far : 3")) == (("near", 2), ("far", 3))
    )
    assert leaks_of(4) == (("external", 4),)


def test_a28_any_annotation_without_a_cost_costs_100(action: Callable[..., Action]) -> None:
    assert effects_of(action(priority=3)) == (FlowCostEffect(100),)
    assert effects_of(action()) == ()
    assert effects_of(action(journal_merge=False)) == (FlowCostEffect(100),)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flow_cost", -1),
        ("flow_cost", 1.5),
        ("flow_cost", True),
        ("flow_cost", "5"),
        ("flow_cost", 2**53),
        ("guard_capability", ""),
        ("guard_capability", 'x") or capability("y'),
        ("guard_capability", 3),
        ("leak", "external: -1"),
        ("leak", "external: many"),
        ("leak", ":3"),
        ("leak", "far away: 3"),
        ("leak", "a.b"),
        ("leak", -1),
    ],
)
def test_a28_a_value_that_does_not_fit_is_refused(
    action: Callable[..., Action], key: str, value: Scalar
) -> None:
    with pytest.raises(InvalidEffect) as caught:
        effects_of(action(**{key: value}))
    assert caught.value.key == key
    assert caught.value.hint


class Staged:
    stage = "leakage"


@pytest.mark.parametrize("made", [5, None, "flow", Staged, object()])
def test_a34_what_a_factory_makes_must_be_an_effect(
    action: Callable[..., Action], made: Any
) -> None:
    with pytest.raises(InvalidEffect, match="mut = 10 is not a value of its effect") as caught:
        effects_of(action(mut=10), {"mut": lambda value: made})
    assert (caught.value.key, caught.value.value) == ("mut", 10)
    assert "its factory made" in caught.value.message


@pytest.mark.parametrize("stage", ["send", "before", None, 3])
def test_a34_an_effect_has_a_stage_before_the_send(
    action: Callable[..., Action], stage: Any
) -> None:
    odd = Staged()
    odd.stage = stage
    with pytest.raises(InvalidEffect, match="its factory made"):
        effects_of(action(mut=10), {"mut": lambda value: cast(Effect, odd)})
