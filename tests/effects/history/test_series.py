"""Like messages stored as one entry: whoever reads gets each of them, wherever it is read from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.connect import connect
from pavane.effects.errors import JournalBroken
from pavane.effects.identity import Identity
from pavane.effects.journal import series
from pavane.effects.journal.entry import Draft, Entry, chained, first_hash, pack, seen, unpack
from pavane.effects.journal.history.archive import Archive
from pavane.effects.journal.history.reading import History
from pavane.effects.journal.history.reducer import Reducer
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import JOURNAL, journal_subject

if TYPE_CHECKING:
    from .conftest import Desk

WHO = Identity("ns", "Proto", "s", "A")
SENT = Draft("sent", "", 3, "Say", "B", 2, b"receipt", b"proof")
FACTS = st.lists(st.text("abc, ", min_size=1), max_size=3, unique=True)


def series_of(facts: list[str], times: int, number: int = 1) -> Entry:
    draft = series.draft_of(SENT, facts, times)
    return chained(WHO, draft, number, 5, first_hash(journal_subject(WHO)))


@given(FACTS, st.integers(1, 40), st.integers(1, 10**12))
def test_a_series_stands_for_its_messages_each_with_its_facts(
    facts: list[str], times: int, number: int
) -> None:
    stored = series_of(facts, times, number)
    found = list(series.expanded(stored))
    assert [e.name for e in found] == ["", *facts] * times
    assert [e.kind for e in found] == ["sent", *["fact"] * len(facts)] * times
    assert [e.number for e in found] == list(range(number, stored.last + 1))
    assert sum(e.charge for e in found) == 2 * times
    assert [e.proof for e in found if e.proof] == [b"proof"]
    assert len({e.hash for e in found}) == len(found)
    assert [e.previous for e in found[1:]] == [e.hash for e in found[:-1]]
    assert (found[0].previous, found[-1].hash) == (stored.previous, stored.hash)


@given(FACTS, st.integers(1, 40), st.data())
def test_a56_any_changed_byte_of_a_series_is_found(
    facts: list[str], times: int, data: st.DataObject
) -> None:
    payload = bytearray(pack([series_of(facts, times)]))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= 1 << data.draw(st.integers(0, 7))
    first = first_hash(journal_subject(WHO))
    try:
        (found,) = seen(bytes(payload))
    except ValueError:
        return
    assert not (found.is_genuine and found.previous == first)


@pytest.mark.parametrize("times", [0, -1, (1 << 16) + 1, 10**12])
def test_a_series_of_no_length_or_without_end_is_no_entry(times: int) -> None:
    payload = pack([series_of(["a"], times)])
    with pytest.raises(ValueError, match="a series of no length, or too long"):
        seen(payload)
    with pytest.raises(ValueError, match="a series of no length, or too long"):
        unpack(WHO, payload)


async def say(desk: Desk, times: int, *facts: str, last: bool = True) -> None:
    who = desk.who()
    await desk.journal.add(who, [series.draft_of(SENT, facts, times)])
    if last:
        await desk.send(who, "after")
        await desk.journal.finish(who)


async def test_a32_each_fact_of_a_series_is_read_once_with_a_number_of_its_own(desk: Desk) -> None:
    await say(desk, 3, "said", "meant")
    found = [e async for e in desk.journal.query(namespace=desk.namespace)]
    assert [(e.name, e.number) for e in found] == [
        ("said", 2), ("meant", 3), ("said", 5), ("meant", 6), ("said", 8), ("meant", 9), ("after", 11),
    ]  # fmt: skip
    assert await desk.facts(fact="meant") == ["meant"] * 3
    last = [e async for e in desk.journal.entries(namespace=desk.namespace)][-3:]
    assert [e.number for e in last] == [9, 10, 11]
    verified = await desk.journal.verify(namespace=desk.namespace)
    assert (verified.ok, verified.entries) == (True, 11)
    assert await desk.journal.end_of(desk.who()) == (11, last[-1].hash)


async def test_a_writer_goes_on_behind_a_series(desk: Desk) -> None:
    await say(desk, 5, "said", last=False)
    await desk.journal.finish(desk.who())
    await say(desk, 4, "more")
    verified = await desk.journal.verify(namespace=desk.namespace)
    assert (verified.ok, verified.entries) == (True, 10 + 8 + 2)


async def test_a55_a_state_is_rebuilt_of_each_fact_of_a_series(desk: Desk) -> None:
    def count(state: int, entry: Entry) -> int:
        return state + (entry.kind == "fact")

    counting = Reducer(count, lambda: 0, "count")
    await say(desk, 7, "said")
    first = await desk.journal.snapshot(counting, namespace=desk.namespace)
    await say(desk, 9, "said")
    again = await desk.journal.rebuild(counting, namespace=desk.namespace)
    assert (first.state, again.state) == (8, 18)
    assert (first.entries, again.before, again.entries) == (16, 16, 36)


async def test_a_series_is_exported_compared_and_joined(desk: Desk, tmp_path: Path) -> None:
    await say(desk, 6, "said", "meant")
    exported = tmp_path / "journal.jsonl"
    assert await desk.journal.export(exported, namespace=desk.namespace) == 20
    archive = History(Archive(exported))
    assert (await archive.verify()).ok
    ours = [e async for e in desk.journal.entries(namespace=desk.namespace)]
    assert [e async for e in archive.entries()] == ours
    broker = await connect("memory://")
    other = Journal(broker, desk.signer)
    _, joined = await other.join(archive, namespace=desk.namespace)
    assert (joined.entries, joined.chains) == (20, 1)
    assert (await other.compare(desk.journal, namespace=desk.namespace)).verdict == "equal"
    assert [e async for e in other.entries(namespace=desk.namespace)] == ours
    await say(desk, 2, "said", "meant")
    await other.join(desk.journal, namespace=desk.namespace)
    assert (await other.compare(desk.journal, namespace=desk.namespace)).verdict == "equal"
    await other.close()
    await broker.close()


async def test_a56_a_series_cut_in_two_is_found(desk: Desk) -> None:
    """Whoever leaves out some of its messages has to write another entry, which does not fit."""
    await say(desk, 6, "said")
    subject = journal_subject(desk.who())
    records = [r.payload async for r in desk.broker.read(JOURNAL, subject)]
    (stored,) = unpack(desk.who(), records[0])
    shorter = chained(
        desk.who(), series.draft_of(SENT, ["said"], 5), 1, stored.time, stored.previous
    )
    broker = await connect("memory://")
    journal = Journal(broker, desk.signer)
    await journal.open()
    for payload in (pack([shorter]), *records[1:]):
        await broker.append(JOURNAL, subject, payload)
    faults = (await journal.verify()).faults
    assert [fault.number for fault in faults if fault.kind == "missing"] == [13]
    with pytest.raises(JournalBroken):
        [e async for e in journal.entries()]
    await journal.close()
    await broker.close()
