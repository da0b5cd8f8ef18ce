"""State rebuilt by reducers, from the beginning and from snapshots."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import pytest

from pavane.effects.journal.entry import Draft, Entry
from pavane.effects.journal.history import snapshot as snapshots
from pavane.effects.journal.history.errors import JournalDamaged, ReducerFailed, StateUnpackable
from pavane.effects.journal.history.rebuilding import Rebuilt
from pavane.effects.journal.history.reducer import Reducer, reducer
from pavane.effects.journal.history.snapshot import subject_of
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import JOURNAL, SNAPSHOTS, journal_subject
from pavane.effects.keys import Signer

if TYPE_CHECKING:
    from .conftest import Desk


@dataclass
class Totals:
    """More than JSON has: it must come back from a snapshot as it was."""

    charged: dict[str, int] = field(default_factory=dict[str, int])
    facts: set[str] = field(default_factory=set[str])


@reducer
def totals(state: Totals, entry: Entry) -> Totals:
    state.charged[entry.role] = state.charged.get(entry.role, 0) + entry.charge
    if entry.kind == "fact":
        state.facts.add(entry.name)
    return state


async def rebuilt(desk: Desk, by: Reducer[Totals] = totals) -> Rebuilt[Totals]:
    return await desk.journal.rebuild(by, namespace=desk.namespace)


async def test_a55_a_state_is_rebuilt_from_what_holds(desk: Desk) -> None:
    await desk.send(desk.who("A"), "a1", charge=5)
    await desk.send(desk.who("B"), "b1", charge=7)
    who = desk.who("A")
    sent, _ = await desk.journal.add(
        who, [Draft("sent", "", 2, "N", "B", charge=100), Draft("fact", "void", 2, "N", "B")]
    )
    await (await desk.journal.writer(who)).retract(sent, "cut")
    await desk.send(who, "a2", charge=1)
    await desk.finish()
    found = await rebuilt(desk)
    assert found.state == Totals({"A": 6, "B": 7}, {"a1", "b1", "a2"})
    assert (found.reduced, found.before, found.skipped) == (6, 0, ())


async def test_a55_a_plain_function_begins_where_it_is_told(desk: Desk) -> None:
    await desk.send(desk.who(), "one", "two")
    await desk.finish()
    found = await desk.journal.rebuild(
        lambda names, entry: [*names, entry.name or "-"], list[str](), namespace=desk.namespace
    )
    assert found.state == ["-", "one", "two"]


async def snapshot(desk: Desk, by: Reducer[Totals] = totals) -> None:
    await desk.finish()
    await desk.journal.snapshot(by, namespace=desk.namespace)


async def test_a55_a_rebuild_starts_at_the_last_snapshot(desk: Desk) -> None:
    await desk.send(desk.who(), "one", charge=1)
    await snapshot(desk)
    await desk.send(desk.who(), "two", charge=2)
    await desk.send(desk.who("New"), "three", charge=3)
    await snapshot(desk)
    await desk.send(desk.who(), "four", charge=4)
    await desk.finish()
    found = await rebuilt(desk)
    assert found.state == Totals({"A": 7, "New": 3}, {"one", "two", "three", "four"})
    assert (found.reduced, found.before, found.skipped) == (2, 6, ())
    # Another process with the same key uses it, too.
    other = Journal(desk.broker, desk.signer)
    again = await other.rebuild(totals, namespace=desk.namespace)
    assert (again.state, again.before) == (found.state, 6)
    # Nothing new: all of it comes from the snapshot, and so does the next one.
    await snapshot(desk)
    await snapshot(desk)
    found = await rebuilt(desk)
    assert (found.reduced, found.before) == (0, 8)


async def test_a55_a_large_snapshot_is_kept_in_parts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "PART", 100)
    for _ in range(2):
        await desk.send(desk.who(), *(f"a_fact_with_a_name_{n}" for n in range(20)))
        await snapshot(desk)
    subject = subject_of(totals.name, f"journal.{desk.namespace}.*.*.*.*")
    assert len([r async for r in desk.broker.read(SNAPSHOTS, subject)]) > 10
    found = await rebuilt(desk)
    assert (found.reduced, found.before, found.skipped) == (0, 42, ())


async def stored(desk: Desk) -> tuple[str, list[bytes]]:
    subject = subject_of(totals.name, f"journal.{desk.namespace}.*.*.*.*")
    return subject, [r.payload async for r in desk.broker.read(SNAPSHOTS, subject)]


async def test_a56_every_damaged_snapshot_is_found_and_skipped(desk: Desk) -> None:
    await desk.send(desk.who(), "one", charge=1)
    await snapshot(desk)
    subject, (payload,) = await stored(desk)
    for position in range(0, len(payload), 7):
        damaged = bytearray(payload)
        damaged[position] ^= 1 << (position % 8)
        await desk.broker.append(SNAPSHOTS, subject, bytes(damaged))
        found = await rebuilt(desk)
        # The state is right whatever lies there, and nothing damaged is ever used in silence.
        assert found.state == Totals({"A": 1}, {"one"})
        assert found.before in (0, 2)
        if len(found.skipped) == 0:
            assert bytes(damaged) != payload
            assert found.before == 2


async def test_a56_an_older_snapshot_is_used_where_the_last_is_damaged(desk: Desk) -> None:
    await desk.send(desk.who(), "one", charge=1)
    await snapshot(desk)
    await desk.send(desk.who(), "two", charge=1)
    await desk.finish()
    subject, (payload,) = await stored(desk)
    damaged = payload[:-1] + bytes([payload[-1] ^ 1])
    await desk.broker.append(SNAPSHOTS, subject, damaged)
    found = await rebuilt(desk)
    assert (found.reduced, found.before) == (2, 2)
    assert found.skipped == ("a snapshot is damaged: its signature does not fit",)


async def test_a56_a_foreign_snapshot_is_found_and_skipped(desk: Desk) -> None:
    await desk.send(desk.who(), "one", charge=1)
    await desk.finish()
    stranger = Journal(desk.broker, Signer())
    lie = reducer(initial=lambda: Totals({"A": 999}), name=totals.name)(totals.reduce)
    await stranger.snapshot(lie, namespace=desk.namespace)
    found = await rebuilt(desk)
    assert found.state.charged == {"A": 1}
    assert len(found.skipped) == 1
    assert "signed by a key that is not ours" in found.skipped[0]
    # Unless its key is trusted.
    trusting = Journal(desk.broker, desk.signer)
    believed = await trusting.rebuild(
        totals, trusted=[stranger.public, desk.signer.public], namespace=desk.namespace
    )
    assert believed.state.charged == {"A": 1000}


async def test_a_snapshot_of_another_version_or_name_is_not_used(desk: Desk) -> None:
    await desk.send(desk.who(), "one", charge=1)
    await snapshot(desk)
    newer = dataclasses.replace(totals, version=2)
    found = await rebuilt(desk, newer)
    assert found.skipped == ("a snapshot is of version 1, the reducer has version 2",)
    renamed = dataclasses.replace(totals, name="other")
    assert (await rebuilt(desk, renamed)).before == 0


async def test_a56_a_snapshot_of_another_journal_is_not_used(desk: Desk) -> None:
    """A store rolled back and written on has records where the snapshot was, but others."""
    await desk.send(desk.who(), "one", charge=1)
    await snapshot(desk)
    _, (payload,) = await stored(desk)
    opened, _ = snapshots.opened(msgspec.msgpack.decode(payload)[5])
    for changed in (
        {"position": opened.position + 1000},
        {"tip": bytes(32)},
        {"chains": [(journal_subject(desk.who()), 7, bytes(32))]},
    ):
        await desk.send(desk.who(), "more", charge=1)
        await desk.finish()
        forged = msgspec.structs.replace(opened, **changed)
        await snapshots.store(desk.broker, desk.signer, forged)
        found = await rebuilt(desk)
        assert found.skipped, changed
        assert found.state.facts == {"one", "more"}


async def test_a_message_taken_back_after_a_snapshot_makes_it_useless(desk: Desk) -> None:
    who = desk.who()
    sent, _ = await desk.journal.add(
        who, [Draft("sent", "", 2, "N", "B", charge=100), Draft("fact", "void", 2, "N", "B")]
    )
    writer = await desk.journal.writer(who)
    await desk.journal.add(desk.who("B"), [Draft("sent", "", 1, "M", "A", charge=1)])
    await headed(desk)
    await desk.journal.snapshot(totals, namespace=desk.namespace)
    await writer.retract(sent, "cut")
    found = await rebuilt(desk)
    assert found.state.charged == {"B": 1}
    assert found.skipped == ("a message of before a snapshot was taken back after it",)


async def headed(desk: Desk) -> None:
    """Wait until both writers have a head, though they go on."""
    async with asyncio.timeout(5):
        while not (await desk.journal.verify(namespace=desk.namespace)).ok:
            await asyncio.sleep(0.05)


async def test_a56_nothing_is_reduced_of_a_damaged_journal(desk: Desk) -> None:
    await desk.send(desk.who(), "one")
    await desk.finish()
    (record,) = [r async for r in desk.broker.read(JOURNAL, journal_subject(desk.who()))]
    await desk.broker.append(JOURNAL, record.subject, record.payload)
    calls: list[Entry] = []
    with pytest.raises(JournalDamaged, match="out of order") as caught:
        await desk.journal.rebuild(
            lambda state, entry: calls.append(entry), None, namespace=desk.namespace
        )
    assert calls == []
    assert {fault.number for fault in caught.value.findings.faults} == {1, 2}


async def test_a_reducer_that_fails_is_named_with_the_entry(desk: Desk) -> None:
    await desk.send(desk.who("W", index=2), "one")
    await desk.finish()

    @reducer
    def picky(state: list[str], entry: Entry) -> list[str]:
        return {"sent": state}[entry.kind]

    with pytest.raises(ReducerFailed, match=r"picky failed at W\[2\], entry 2: KeyError") as caught:
        await desk.journal.rebuild(picky, namespace=desk.namespace)
    assert isinstance(caught.value.__cause__, KeyError)


async def test_a_state_that_would_not_come_back_is_refused(desk: Desk) -> None:
    await desk.send(desk.who(), "one")
    await desk.finish()

    @reducer(initial=set)
    def untyped(state, entry):  # type: ignore[no-untyped-def]  # pyright: ignore
        return state | {entry.kind}  # pyright: ignore

    with pytest.raises(StateUnpackable, match="read back, it is not equal"):
        await desk.journal.snapshot(untyped, namespace=desk.namespace)  # pyright: ignore
    with pytest.raises(StateUnpackable, match="nothing says how it begins"):
        reducer(lambda state, entry: state)
