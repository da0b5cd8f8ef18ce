"""Programs made of machines: each runs, and whatever is changed in one is refused."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pavane
from pavane.actors.events import Event, MessageReceived, MessageSent
from pavane.effects.programs.operations import Offer, Operation, Receive, Send
from pavane.language.monitor import Monitor
from pavane.language.table import Table

Program = pavane.Program


def protocol(rng: Random) -> str:
    """A protocol without loops, with labels that are all different."""
    count = iter(range(1000))

    def block(depth: int, chooser: str) -> str:
        said: list[str] = []
        if chooser:
            others = [role for role in "ABC" if role != chooser]
            said.append(f"{chooser} -> {rng.choice(others)}: M{next(count)}(n: int);")
        for _ in range(rng.randint(0, 2)):
            sender, receiver = rng.sample("ABC", 2)
            said.append(f"{sender} -> {receiver}: M{next(count)}(n: int);")
        if depth and rng.random() < 0.7:
            by = rng.choice("ABC")
            branches = [
                f"b{next(count)} {{ {block(depth - 1, by)} }}" for _ in range(rng.randint(2, 3))
            ]
            said.append(f"choice {by} {{ {' '.join(branches)} }}")
        return " ".join(said)

    return f"protocol P {{ roles: A, B, C; A -> B: X; B -> C: Y; {block(2, '')} }}"


def program_of(monitor: Monitor, rng: Random) -> pavane.Program:
    """What plays a machine without loops to its end, whatever its peers choose."""
    here = monitor.sends() or monitor.receives()
    if not here:
        return Program()
    if here[0].sends:
        step = rng.choice(here)
        after = _after(monitor, rng, here.index(step))
        if step.selection:
            return Program().choose(step.branches[0]).then(after)
        sent = Program().send(step.peer_role, step.label, lambda got: len(got.received))
        if not step.label.startswith("M"):
            sent = Program().send(step.peer_role, step.label)
        return sent.then(after)
    arms: dict[str, pavane.Program] = {}
    for number, step in enumerate(here):
        after = _after(monitor, rng, number)
        received = Program().recv(step.peer_role, step.label)
        name = step.branches[0] if step.selection else step.label
        arms[name] = after if step.selection else received.then(after)
    if len(arms) == 1 and not here[0].selection:
        return next(iter(arms.values()))
    return Program().offer(arms)


def _after(monitor: Monitor, rng: Random, number: int) -> pavane.Program:
    following = monitor.copy()
    following.advance((monitor.sends() or monitor.receives())[number])
    return program_of(following, rng)


def made(seed: int) -> tuple[pavane.Choreography, dict[str, pavane.Program]]:
    """A protocol that is accepted, and a program for each of its roles."""
    rng = Random(seed)
    while True:
        try:
            found = pavane.load(protocol(rng))
        except pavane.ChoreographyError:
            continue
        machines = found.project().machines
        monitors = {role: Monitor(Table(machines[role][0])) for role in found.roles}
        return found, {role: program_of(monitor, rng) for role, monitor in monitors.items()}


def cut(program: pavane.Program, rng: Random) -> list[pavane.Program]:
    """The program with one message less, wherever in it; or with one arm less."""
    found: list[pavane.Program] = []
    for number, operation in enumerate(program.operations):
        before, rest = program.operations[:number], program.operations[number + 1 :]

        def instead(
            *operations: Operation,
            before: tuple[Operation, ...] = before,
            rest: tuple[Operation, ...] = rest,
        ) -> None:
            found.append(Program((*before, *operations, *rest)))

        if isinstance(operation, Send | Receive):
            instead()
            instead(operation, operation)
        if isinstance(operation, Send):
            instead(Send(operation.to, f"{operation.label}x", operation.values))
            wrong = next(role for role in "ABC" if role != operation.to)
            instead(Send(wrong, operation.label, operation.values))
        if isinstance(operation, Offer):
            for name, arm in operation.arms.items():
                others = {n: a for n, a in operation.arms.items() if n != name}
                if others:
                    instead(Offer(others))
                for changed in cut(arm, rng):
                    instead(Offer({**others, name: changed}))
    return found


async def _run_as_made(seed: int) -> None:
    found, roles = made(seed)
    heard: dict[str, list[str]] = {role: [] for role in found.roles}
    sent: list[str] = []

    def observe(event: Event) -> None:
        if isinstance(event, MessageReceived) and not event.selection:
            heard[event.receiver].append(event.label)
        if isinstance(event, MessageSent):
            sent.append(event.label)

    async with pavane.for_testing() as runtime:
        runtime.observe(observe)
        outcome = await runtime.run(found, roles)
        for role in found.roles:
            assert outcome[role].state == "completed"
            assert [message.label for message in outcome[role].received] == heard[role]
        halves = {
            role: Program(p.operations[:1]).then(Program(p.operations[1:]))
            for role, p in roles.items()
        }
        again = await runtime.run(found, halves)
        assert {r: again[r].values for r in roles} == {r: outcome[r].values for r in roles}
        sent.clear()
        rng = Random(seed)
        role = rng.choice(found.roles)
        for changed in cut(roles[role], rng)[:12]:
            with pytest.raises(pavane.ProgramDeparts):
                await runtime.run(found, {**roles, role: changed})
        assert sent == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a35_a_program_made_of_its_machine_runs_and_a_changed_one_is_refused(seed: int) -> None:
    asyncio.run(_run_as_made(seed))


@pytest.mark.long
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a35_many_programs_made_of_their_machines(seed: int) -> None:
    asyncio.run(_run_as_made(seed))
