"""`pavane journal` on stores, servers and exported files, as its users give them."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pavane.broker.connect import connect
from pavane.broker.options import ConnectOptions
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.history.keyfile import own_signer
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer

Pavane = Callable[..., "subprocess.CompletedProcess[str]"]

REPORTS = """
import pavane

@pavane.reducer
def charges(state: dict[str, int], entry: pavane.Entry) -> dict[str, int]:
    state[entry.role] = state.get(entry.role, 0) + entry.charge
    return state

def names(state, entry):
    return [*(state or []), entry.name or entry.label]

def broken(state, entry):
    raise KeyError(entry.kind)
"""


async def _write(url: str, store: Path | None, session: str, signer: Signer) -> None:
    settings = ConnectOptions(store=None if store is None else str(store))
    broker = await connect(url, options=settings)
    journal = Journal(broker, signer)
    for index in range(2):
        who = Identity("shop", "Order", session, "Worker", index)
        for step in (1, 2):
            sent = Draft("sent", "", step, "Job", "Boss", charge=5, receipt=bytes(32))
            await journal.add(who, [sent, Draft("fact", f"done_{step}", step, "Job", "Boss")])
    await journal.close()
    await broker.close()


def write(
    store: Path | None, session: str, signer: Signer | None = None, url: str = "embedded"
) -> None:
    """Eight entries of two writers."""
    asyncio.run(_write(url, store, session, signer or own_signer()))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one session, to be copied."""
    store = tmp_path_factory.mktemp("written") / "store"
    write(store, "s1")
    return store


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    (tmp_path / "reports.py").write_text(REPORTS)
    return tmp_path


@pytest.fixture
def store(reports: Path, written: Path) -> Path:
    return shutil.copytree(written, reports / "store")


def test_a55_a_journal_is_exported_and_read_from_the_file(
    pavane: Pavane, store: Path, tmp_path: Path
) -> None:
    done = pavane("journal", "export", "--store", store, "--out", "j.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "j.jsonl: 8 entries\n", "")
    assert pavane("journal", "verify", "--file", "j.jsonl").stdout.startswith(
        "whole  8 entries of 2 writers\nsigned by "
    )
    replayed = pavane("journal", "replay", "--file", "j.jsonl").stdout
    assert "Worker[1] -> Boss: Job charged 5\n             receipt 0000000000000000\n" in replayed
    facts = pavane("journal", "query", "done_2", "--file", "j.jsonl", "--role", "Worker[1]")
    assert facts.stdout.endswith(" done_2 shop.Order s1 Worker[1]\n")
    # The end of it cut off, it is told, and nothing is replayed from it.
    rows = (tmp_path / "j.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "j.jsonl").write_text("".join(rows[:-1]))
    for words in (["replay"], ["replay", "--reduce", "reports:names"], ["export"]):
        done = pavane("journal", *words, "--file", "j.jsonl")
        assert (done.returncode, done.stdout) == (3, "")
        assert "truncated  shop.Order, session s1, Worker[1], entry 4" in done.stderr
    done = pavane("journal", "query", "--file", "j.jsonl")
    assert done.returncode == 3
    assert "it ends at entry 3, but its head says 4" in done.stderr


def test_an_export_leaves_links_and_devices_what_they_are(
    pavane: Pavane, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    assert pavane("journal", "export", "--store", store, "-o", "link.jsonl").returncode == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    whole = (tmp_path / "real.jsonl").read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    done = pavane("journal", "export", "--store", store, "-o", "pipe")
    assert os.read(reading, len(whole) + 1) == whole
    os.close(reading)
    assert (done.returncode, pipe.is_fifo()) == (0, True), done.stderr


def test_a55_a_journal_is_exported_as_a_table(pavane: Pavane, store: Path) -> None:
    done = pavane("journal", "export", "--store", store, "--format", "csv", "--fact", "done_1")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [(row["name"], row["index"], row["charge"]) for row in rows] == [
        *(("done_1", "0", "0"), ("done_1", "1", "0"))
    ]
    done = pavane("journal", "export", "--store", store, "--fact", "done_1")
    assert done.returncode == 2
    assert "take --format csv for a part" in done.stderr
    done = pavane("journal", "export", "--store", store, "--out", "nowhere/all.csv")
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_a55_a_journal_is_exported_as_parquet(pavane: Pavane, store: Path, tmp_path: Path) -> None:
    assert pavane("journal", "export", "--store", store, "-o", "j.parquet").returncode == 0
    parquet: Any = import_module("pyarrow.parquet")
    table = parquet.read_table(tmp_path / "j.parquet").to_pylist()
    assert [row["number"] for row in table] == [1, 2, 3, 4] * 2
    assert {row["index"] for row in table} == {0, 1}
    assert sum(row["charge"] for row in table) == 20


def test_a55_a_state_is_rebuilt_and_kept(pavane: Pavane, store: Path) -> None:
    done = pavane("journal", "replay", "--store", store, "--reduce", "reports:charges")
    assert (json.loads(done.stdout), done.stderr) == ({"Worker": 20}, "rebuilt from 8 entries\n")
    assert pavane("journal", "snapshot", "reports:charges", "--store", store).returncode == 0
    done = pavane("journal", "replay", "--store", store, "--reduce", "reports:charges")
    assert json.loads(done.stdout) == {"Worker": 20}
    assert done.stderr == "rebuilt from 8 entries, 8 by a snapshot\n"
    done = pavane("journal", "replay", "--store", store, "--reduce", "reports:names")
    assert json.loads(done.stdout)[:4] == ["Job", "done_1", "Job", "done_2"]


@pytest.mark.parametrize(
    ("reducer", "code", "said"),
    [
        ("reports:broken", 3, "failed at Worker[0], entry 1: KeyError: 'sent'"),
        ("reports:nothing", 2, "reports has no function nothing"),
        ("nowhere:x", 2, "there is no module nowhere"),
        ("reports", 2, "names no function"),
    ],
)
def test_a_reducer_that_cannot_work_is_told(
    pavane: Pavane, store: Path, reducer: str, code: int, said: str
) -> None:
    done = pavane("journal", "replay", "--store", store, "--reduce", reducer)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a33_two_stores_are_compared_and_merged(
    pavane: Pavane, store: Path, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "copy")
    write(store, "s2")
    done = pavane("journal", "compare", store, "--store", "copy")
    assert done.returncode == 0
    assert done.stdout.startswith("behind  writers: 2 behind, 2 equal\n")
    assert "shop.Order, session s2, Worker[1]: 0 entries here, 4 there" in done.stdout
    done = pavane("journal", "merge", store, "--store", "copy", "--json")
    assert (json.loads(done.stdout)["verdict"], json.loads(done.stdout)["added"]) == ("behind", 8)
    done = pavane("journal", "merge", store, "--store", "copy")
    assert done.stdout == "equal  writers: 4 equal\nnothing to add\n"
    assert pavane("journal", "verify", "--store", "copy").returncode == 0
    # The same sessions written twice have one name and two stories.
    write(tmp_path / "other", "s1")
    done = pavane("journal", "merge", "other", "--store", "copy")
    assert done.returncode == 3
    assert done.stdout.startswith("diverged  writers: 2 diverged, 2 ahead\n")
    assert "4 entries here, 4 there, different from entry 1 on" in done.stdout


def test_a56_who_signs_is_trusted_on_first_use_and_held_to_it(
    pavane: Pavane, store: Path, tmp_path: Path
) -> None:
    first = pavane("journal", "verify", "--store", store).stdout
    assert first.endswith(", your own: trusted on first use\n")
    assert ", your own: known since 20" in pavane("journal", "verify", "--store", store).stdout
    write(store, "s2", Signer())
    for verb in ("verify", "replay"):
        done = pavane("journal", verb, "--store", store)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.count("its head is signed by a key that is not trusted: ") == 2
        assert "pavane journal verify --trust-new" in done.stderr
    own = pavane("journal", "key").stdout
    (tmp_path / "keys").write_text(own)
    done = pavane("journal", "verify", "--store", store, "--trust", "keys", "--json")
    assert json.loads(done.stdout)["trusted"] == [own.strip()]
    assert [fault["kind"] for fault in json.loads(done.stdout)["faults"]] == ["key", "key"]
    done = pavane("journal", "verify", "--store", store, "--trust-new")
    assert ": trusted from now on\n" in done.stdout
    assert pavane("journal", "verify", "--store", store).returncode == 0


def test_a56_an_older_copy_in_its_place_is_found(
    pavane: Pavane, store: Path, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "older")
    write(store, "s2")
    assert pavane("journal", "verify", "--store", store).returncode == 0
    shutil.rmtree(store)
    (tmp_path / "older").rename(store)
    done = pavane("journal", "verify", "--store", store)
    assert (done.returncode, done.stdout) == (3, "")
    said = " ".join(done.stderr.split())
    assert "had 16 entries on 20" in said
    assert "and has 8 now" in said
    assert pavane("journal", "verify", "--store", store, "--session", "s1").returncode == 0
    assert pavane("journal", "verify", "--store", store, "--trust-new").returncode == 0
    assert pavane("journal", "verify", "--store", store).returncode == 0
    shutil.rmtree(store)
    write(store, "s1")
    done = pavane("journal", "verify", "--store", store)
    assert done.returncode == 0
    assert "It is another journal than the one that was here on 20" in done.stdout


def test_a56_a_strangers_journal_is_merged_only_if_it_is_trusted(
    pavane: Pavane, store: Path, tmp_path: Path
) -> None:
    pavane("journal", "verify", "--store", store)
    stranger = Signer()
    write(tmp_path / "theirs", "s2", stranger)
    done = pavane("journal", "merge", "theirs", "--store", store)
    assert (done.returncode, done.stdout) == (3, "")
    assert "is signed by a key that is not trusted" in " ".join(done.stderr.split())
    (tmp_path / "keys").write_text(stranger.public.hex())
    done = pavane("journal", "merge", "theirs", "--store", store, "--trust", "keys")
    assert "added  8 entries of 2 writers" in done.stdout
    done = pavane("journal", "query", "--store", store)
    assert (done.returncode, "is not trusted" in done.stderr) == (3, True)


async def _add_unsigned(store: Path) -> None:
    broker = await connect("embedded", options=ConnectOptions(store=str(store)))
    journal = Journal(broker, own_signer())
    who = Identity("shop", "Order", "s1", "Worker", 0)
    await journal.add(who, [Draft("fact", "late", 3, "Job", "Boss")])
    await journal.leave(who)
    await broker.close()


def test_a56_what_is_not_signed_is_named(pavane: Pavane, store: Path) -> None:
    asyncio.run(_add_unsigned(store))
    for verb in ("verify", "replay"):
        done = pavane("journal", verb, "--store", store)
        assert done.returncode == 0
        said = " ".join(done.stderr.split())
        assert "shop.Order, session s1, Worker[0]: its last entry is not signed" in said
    done = pavane("journal", "verify", "--store", store, "--json")
    assert json.loads(done.stdout)["unsigned"] == {"journal.shop.Order.s1.Worker.0": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["query", "--file", "none.jsonl"], "there is no file none.jsonl"),
        (["query", "--file", "reports.py"], "line 1: it is no export of a journal"),
        (["query", "--since", "yesterday", "--file", "reports.py"], "is no point in time"),
        (["query", "--since", "1h", "--until", "2h", "--file", "reports.py"], "later than --until"),
        (["query", "--role", "Admin[", "--store", "store"], "cannot stand in a subject"),
        (["tail"], "which server? nobody else writes to an embedded one"),
        (["merge", "nowhere", "--store", "x"], "nowhere is no journal"),
        (["merge", "store"], "merge into which journal?"),
        (["export", "--format", "xml", "--store", "store"], "--format xml: unknown"),
        (["verify", "--trust", "reports.py", "--store", "store"], "line 1 is no public key"),
        (["verify", "--file", "x", "--store", "store"], "stands for a whole journal"),
    ],
)
def test_what_cannot_work_is_told(
    pavane: Pavane, reports: Path, words: list[str], said: str
) -> None:
    done = pavane("journal", *words)
    assert done.returncode == (3 if "line 1: it is no export" in said else 2)
    assert done.stdout == ""
    assert said in done.stderr


def test_a55_a_journal_is_followed_and_ended_by_ctrl_c(nats_url: str, unique: str) -> None:
    command: list[str | Path] = [
        Path(sys.executable).parent / "pavane",
        "journal",
        "tail",
        "--url",
        nats_url,
        "--session",
        unique,
        "--json",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        write(None, unique, url=nats_url)
        lines = [json.loads(process.stdout.readline()) for _ in range(8)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert [line["kind"] for line in lines] == ["sent", "fact"] * 4
    assert {line["session"] for line in lines} == {unique}
    assert (process.returncode, errors) == (0, "")
