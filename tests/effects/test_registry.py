from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from pavane.effects.errors import (
    DuplicateEffect,
    HandlerFailed,
    InvalidEffect,
    UnregisteredEffect,
)
from pavane.effects.pipeline.command import (
    Charge,
    Command,
    Deny,
    Leak,
    Record,
    RequireCapability,
    Snapshot,
)
from pavane.effects.pipeline.effect import CapabilityGuardEffect, StageName
from pavane.effects.pipeline.handlers import guard, standard_registry
from pavane.effects.pipeline.plan import plan_of
from pavane.effects.pipeline.registry import ExtensionRegistry
from pavane.language.machine import Action

if TYPE_CHECKING:
    from .conftest import Desk


@dataclass(frozen=True, slots=True)
class AuditTag:
    tag: str
    stage: ClassVar[StageName] = "journal"


def tag(effect: AuditTag, snapshot: Snapshot) -> Iterator[Command]:
    yield Record((f"tagged_{effect.tag}",))


def other(effect: AuditTag, snapshot: Snapshot) -> Iterator[Command]:
    yield Record(("other",))


def test_a34_an_unregistered_effect_is_an_error_that_names_it(
    action: Callable[..., Action],
) -> None:
    registry = standard_registry()
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    with pytest.raises(UnregisteredEffect, match="AuditTag") as caught:
        plan_of(registry, "Admin", action(audit_tag="x"))
    assert (caught.value.name, caught.value.role) == ("AuditTag", "Admin")
    with pytest.raises(UnregisteredEffect, match="CapabilityGuardEffect"):
        plan_of(ExtensionRegistry(), "Admin", action(guard_capability="x"))


def test_a34_registered_twice_is_an_error() -> None:
    registry = standard_registry()
    with pytest.raises(DuplicateEffect, match="CapabilityGuardEffect"):
        registry.register(CapabilityGuardEffect, guard)
    registry.register(AuditTag, tag, role="Admin")
    registry.register(AuditTag, tag)
    with pytest.raises(DuplicateEffect, match="role Admin"):
        registry.register(AuditTag, other, role="Admin")
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    with pytest.raises(DuplicateEffect, match="audit_tag"):
        registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    with pytest.raises(DuplicateEffect, match="flow_cost"):
        registry.annotation("flow_cost", lambda value: AuditTag(str(value)))


def test_a34_role_specific_effects_run_at_their_roles_only(action: Callable[..., Action]) -> None:
    registry = standard_registry()
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    registry.register(AuditTag, tag, role="Admin")
    tagged = action(audit_tag="x", flow_cost=1)
    assert [h for _, h in plan_of(registry, "Admin", tagged).steps][-1] is tag
    assert all(h is not tag for _, h in plan_of(registry, "User", tagged).steps)


def test_a34_a_standard_effect_is_not_left_out_at_other_roles(
    action: Callable[..., Action],
) -> None:
    registry = ExtensionRegistry()
    registry.register(CapabilityGuardEffect, guard, role="Admin")
    assert registry.handler_for(CapabilityGuardEffect, "Admin") is guard
    with pytest.raises(UnregisteredEffect, match="at role User"):
        registry.handler_for(CapabilityGuardEffect, "User")


def test_a_role_specific_handler_takes_the_place_of_the_general_one() -> None:
    registry = ExtensionRegistry()
    registry.handles(AuditTag)(tag)
    registry.handles(AuditTag, role="Admin")(other)
    assert registry.handler_for(AuditTag, "Admin") is other
    assert registry.handler_for(AuditTag, "User") is tag


def test_an_effect_type_without_a_stage_is_refused() -> None:
    with pytest.raises(InvalidEffect, match=r"int\.stage"):
        ExtensionRegistry().register(int, tag)


def test_keys_are_the_annotation_keys_of_extensions() -> None:
    registry = standard_registry()
    assert registry.keys() == frozenset()
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    assert registry.keys() == {"audit_tag"}
    copied = registry.copy()
    copied.annotation("second", lambda value: AuditTag(str(value)))
    assert registry.keys() == {"audit_tag"}


def test_a_step_without_annotations_has_an_empty_plan(action: Callable[..., Action]) -> None:
    assert not plan_of(standard_registry(), "Admin", action())
    assert plan_of(standard_registry(), "Admin", action(flow_cost=0))


def raising(effect: AuditTag, snapshot: Snapshot) -> Iterator[Command]:
    if effect.tag:
        raise KeyError("hours")
    yield cast("Command", "open")


async def test_a34_a_handler_that_fails_is_named_and_nothing_is_sent(
    make_desk: Callable[[ExtensionRegistry], Desk], action: Callable[..., Action]
) -> None:
    registry = standard_registry()
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    registry.register(AuditTag, raising)
    desk = make_desk(registry)
    await desk.fund()
    with pytest.raises(HandlerFailed, match="the handler of AuditTag failed: KeyError: 'hours'"):
        await desk.pipeline.before_send(desk.context(), action(flow_cost=10, audit_tag="x"))
    with pytest.raises(HandlerFailed, match="it yielded 'open', which is no command") as caught:
        await desk.pipeline.before_send(desk.context(), action(flow_cost=10, audit_tag=""))
    assert caught.value.effect == "AuditTag"
    assert (await desk.spent(), await desk.facts()) == (0, [])
    await desk.pipeline.close()


def anyhow(kind: Callable[..., Command], *values: Any) -> Command:
    """A command as somebody writes it who checks no types."""
    return kind(*values)


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        *((anyhow(Charge, n), "whole number") for n in (100.0, 0.5, nan, -50, True, "5", None)),
        (Charge(2**53), "whole number"),
        *((anyhow(Leak, "near", n), "whole number") for n in (1.5, -1, False, 2**53)),
        *((anyhow(Leak, who, 1), "class of observers") for who in ("far away", "", "a.b", 3, None)),
        (anyhow(Record, "extra"), "tuple of texts"),
        *(
            (anyhow(Record, (fact,)), "1 to 256 printable")
            for fact in ("", "a\n", 3, None, "x" * 257)
        ),
        (anyhow(Record, ("\ud800",)), "1 to 256 printable"),
        (anyhow(Record, {"a"}), "tuple of texts"),
        (anyhow(Record, None), "tuple of texts"),
        *((anyhow(RequireCapability, name), "is a name") for name in ("", 3, None)),
        (anyhow(Deny, 3), "is a text"),
    ],
    ids=repr,
)
async def test_a34_a_command_that_nobody_could_do_is_the_failure_of_its_handler(
    make_desk: Callable[[ExtensionRegistry], Desk],
    action: Callable[..., Action],
    command: Command,
    wanted: str,
) -> None:
    registry = standard_registry()
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))

    @registry.handles(AuditTag)
    def yielding(effect: AuditTag, snapshot: Snapshot) -> Iterator[Command]:
        yield Charge(3)
        yield command

    desk = make_desk(registry)
    await desk.fund()
    await desk.budgets.define_leakage(f"{desk.namespace}.Proto", "near", 10)
    send = action(flow_cost=10, leak="near: 2", journal_facts="a", audit_tag="x")
    with pytest.raises(HandlerFailed, match=f"handler of AuditTag failed.*{wanted}") as caught:
        await desk.pipeline.before_send(desk.context(), send)
    assert caught.value.effect == "AuditTag"
    leaked = await desk.budgets.leakage(f"{desk.namespace}.Proto", "near")
    assert leaked is not None
    assert (await desk.spent(), leaked.spent, await desk.entries()) == (0, 0, [])
    assert [denial.error for denial in desk.pipeline.audit] == [caught.value]
    await desk.pipeline.close()


async def test_facts_may_stand_in_a_list(
    make_desk: Callable[[ExtensionRegistry], Desk], action: Callable[..., Action]
) -> None:
    registry = standard_registry()
    registry.annotation("audit_tag", lambda value: AuditTag(str(value)))
    registry.register(AuditTag, lambda effect, snapshot: iter([anyhow(Record, ["a", 'said "b"'])]))
    desk = make_desk(registry)
    await desk.fund()
    await desk.pipeline.before_send(desk.context(), action(audit_tag="x"))
    assert await desk.facts() == ["a", 'said "b"']
    await desk.pipeline.close()
