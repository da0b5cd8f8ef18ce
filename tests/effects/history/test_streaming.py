"""However long a journal is, reading it holds little: measured, not promised."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pavane.broker.connect import connect
from pavane.broker.embedded import Server
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft, Entry
from pavane.effects.journal.history.archive import Archive, write
from pavane.effects.journal.history.reading import History
from pavane.effects.journal.history.reducer import Reducer
from pavane.effects.journal.history.spool import IN_MEMORY
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer

FACTS = 50_000
MILLION = 1_000_000
IN_ONE = 250
ALLOWED = 4_000_000
"""Bytes. All entries at once would be fifty times as many for `FACTS`."""


def _count(state: int, entry: Entry) -> int:
    return state + (entry.kind == "fact")


COUNT = Reducer(_count, int, "count")


async def fill(journal: Journal, facts: int) -> None:
    writers = [Identity("ns", "Proto", f"s{n}", "A") for n in range(10)]
    message = [Draft("sent", "", 1, "M", "B"), *[Draft("fact", "counted", 1, "M", "B")] * IN_ONE]
    for _ in range(facts // IN_ONE // len(writers)):
        await asyncio.gather(*(journal.add(writer, message) for writer in writers))
    await journal.close()


async def filled(facts: int) -> Journal:
    journal = Journal(await connect("memory://"), Signer())
    await fill(journal, facts)
    return journal


async def peak_of(work: Callable[[], Awaitable[object]]) -> int:
    """The most that Python held at once, in bytes, while it worked."""
    tracemalloc.start()
    await work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


async def count(entries: AsyncIterator[Entry]) -> int:
    total = 0
    async for _ in entries:
        total += 1
    return total


async def test_a55_fifty_thousand_facts_stream_and_do_not_load(tmp_path: Path) -> None:
    journal = await filled(FACTS)
    path = tmp_path / "j.jsonl"

    async def query() -> None:
        assert await count(journal.query()) == FACTS

    async def rebuild() -> None:
        assert (await journal.rebuild(COUNT)).state == FACTS

    async def export() -> None:
        with path.open("wb") as file:
            assert await write(file, journal.records, "journal.*.*.*.*.*") == FACTS + 200

    assert await peak_of(query) < ALLOWED
    assert await peak_of(journal.verify) < ALLOWED
    assert await peak_of(rebuild) < ALLOWED + 2 * IN_MEMORY
    assert await peak_of(export) < ALLOWED
    assert (await History(Archive(path)).verify()).entries == FACTS + 200


async def test_a55_a_rebuild_from_a_snapshot_reads_the_end_alone() -> None:
    journal = await filled(FACTS // 5)
    await journal.snapshot(COUNT)
    who = Identity("ns", "Proto", "s1", "A")
    await journal.add(who, [Draft("sent", "", 1, "M", "B"), Draft("fact", "counted", 1, "M", "B")])
    await journal.finish(who)
    read = 0
    plain = journal.records.read

    async def counting(*args: object, **kwargs: object) -> AsyncIterator[object]:
        nonlocal read
        async for record in plain(*args, **kwargs):  # type: ignore[arg-type]  # pyright: ignore
            read += 1
            yield record

    journal.records.read = counting  # type: ignore[method-assign,assignment]  # pyright: ignore
    rebuilt = await journal.rebuild(COUNT)
    assert (rebuilt.state, rebuilt.reduced) == (FACTS // 5 + 1, 2)
    # The snapshot, the record it was taken at, the one after it, and a head.
    assert read < 10


def run(url: str, *arguments: str) -> tuple[str, int]:
    """What the command wrote, and the most memory it had, in MiB."""
    command: list[str | Path] = [
        Path(sys.executable).parent / "pavane",
        "journal",
        *arguments,
        "--url",
        url,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = line
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return last, usage.ru_maxrss // 1024


@pytest.mark.long
async def test_a55_a_million_facts_stream_and_do_not_load(tmp_path: Path) -> None:
    async with Server() as server:
        broker = await connect(server.url)
        journal = Journal(broker, Signer())
        _, empty = run(server.url, "query")
        await fill(journal, MILLION)
        out = tmp_path / "j.jsonl"
        for arguments in (
            *(("query", "--json"), ("verify",), ("replay", "--json")),
            ("export", "--out", str(out)),
        ):
            begun = time.perf_counter()
            _, peak = await asyncio.to_thread(run, server.url, *arguments)
            print(f"{' '.join(arguments[:1])}: {peak} MiB, {time.perf_counter() - begun:.1f} s")
            assert peak < empty + 64
        begun = time.perf_counter()
        assert (await journal.snapshot(COUNT)).state == MILLION
        whole = time.perf_counter() - begun
        begun = time.perf_counter()
        again = await journal.rebuild(COUNT)
        assert (again.state, again.reduced) == (MILLION, 0)
        assert time.perf_counter() - begun < whole / 20
        assert (await History(Archive(out)).verify()).entries == MILLION + MILLION // IN_ONE
        await broker.close()
