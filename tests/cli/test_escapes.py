"""What strangers have written is shown as text, and obeyed by no terminal."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from biscuit_auth import BlockBuilder
from rich.console import Console

from pavane.actors.durable.records import Started
from pavane.actors.events import Denied, FrameRefused
from pavane.actors.workers.announcement import Announcement, Service
from pavane.actors.workers.overview import Summary
from pavane.broker.connect import connect
from pavane.cli import inspecting, narration, workers
from pavane.cli.chronicle import History, fact_line
from pavane.cli.escapes import in_lines, printable
from pavane.cli.live import Account, Accounts
from pavane.cli.logs import Lines
from pavane.cli.screen import complain, complaints, output
from pavane.effects.capability.files import write_token
from pavane.effects.capability.tokens import Authority, TokenLimits, parsed
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer
from pavane.language.errors import PavaneError

Pavane = Callable[..., "subprocess.CompletedProcess[str]"]

EVIL = "x\x1b[2J\nwhole  99 entries\r\x9b31m\u202e"
SHOWN = r"x\x1b[2J\nwhole  99 entries\r\x9b31m\u202e"


def visible(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Straße 東京 \N{PARTY POPPER}", "Straße 東京 \N{PARTY POPPER}"),
        ("a\tb\x7f\x00", r"a\tb\x7f\x00"),
        ("a\u00a0b\u200b\ud800", r"a\xa0b\u200b\ud800"),
        (EVIL, SHOWN),
    ],
    ids=["plain", "controls", "unseen", "evil"],
)
def test_what_is_not_seen_is_written_out(text: str, told: str) -> None:
    assert printable(text) == told


def test_of_several_lines_the_first_alone_begins_at_the_margin() -> None:
    assert in_lines("one\n\x1btwo\nthree") == "one\n  \\x1btwo\n  three"


def test_an_error_that_quotes_a_stranger_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    complaints.cache_clear()
    complain(PavaneError(f"refused: {EVIL}", hint=f"not {EVIL}"))
    said = capsys.readouterr().err
    complaints.cache_clear()
    assert visible(said)
    assert "\nwhole" not in said


def test_a_log_that_quotes_a_stranger_is_shown() -> None:
    record = logging.LogRecord("pavane", logging.INFO, "", 0, "from %s", (EVIL,), None)
    said = Lines().format(record)
    assert visible(said)
    assert "\nwhole" not in said


# --- tokens ------------------------------------------------------------------------------------


def test_a_token_of_a_stranger_is_inspected(pavane: Pavane, tmp_path: Path) -> None:
    root = Authority()
    token = root.grant(["space:launch"], TokenLimits(expires=time.time() + 600))
    block = BlockBuilder("")
    block.add_code("check if role({p});", {"p": f"Pilot{EVIL}\n  until 2099-01-01T00:00:00Z"})
    narrow = bytes(parsed(token, root.public).append(block).to_bytes())
    (tmp_path / "evil.token").write_text(write_token(narrow))
    (tmp_path / "root.pub").write_text(root.public.hex())
    for more in ([], ["--root", "root.pub"]):
        found = pavane("capability", "inspect", "evil.token", *more)
        assert visible(found.stdout)
        assert visible(found.stderr)
        assert r"\x1b[2J" in found.stdout
        assert "\nwhole" not in found.stdout
        assert "\n  until 2099" not in found.stdout
    shown = json.loads(pavane("capability", "inspect", "evil.token", "--json").stdout)
    assert "\x1b" in shown["blocks"][1]["checks"][0]


# --- journals ----------------------------------------------------------------------------------


async def entries(path: Path) -> list[Any]:
    broker = await connect("memory://")
    journal = Journal(broker, Signer())
    who = Identity("space", "Market", "s1", "Shop")
    drafts = [Draft(kind, EVIL, 9, EVIL, EVIL) for kind in ("sent", "fact", "resumed")]
    await journal.add(who, drafts)
    await journal.close()
    await Journal(broker, Signer()).export(path)
    found = [entry async for entry in Journal(broker, Signer()).entries()]
    await broker.close()
    return found


async def test_a_journal_of_a_stranger_is_read(pavane: Pavane, tmp_path: Path) -> None:
    found = await entries(tmp_path / "evil.jsonl")
    for verb in ("query", "replay", "verify"):
        done = pavane("journal", verb, "--file", "evil.jsonl")
        assert done.returncode == 0, done.stderr
        assert visible(done.stdout), done.stdout
        assert visible(done.stderr)
        assert verb == "verify" or r"\x1b[2J" in done.stdout
    told = [line.plain for entry in found for line in History({}).lines(entry)]
    assert all(map(visible, told))
    assert SHOWN in fact_line(found[1]).plain
    line = pavane("journal", "query", "--file", "evil.jsonl", "--json").stdout
    assert json.loads(line)["name"] == EVIL


def drawn(table: Any) -> str:
    told = Console(file=io.StringIO(), width=200)
    told.print(table)
    return cast(io.StringIO, told.file).getvalue()


def test_names_in_a_table_are_no_markup_and_move_no_cursor() -> None:
    accounts = Accounts({})
    accounts["[red]Shop\x1b[0m"] = Account(facts={f"[bold]{EVIL}": 2})
    said = drawn(accounts.table())
    assert visible(said)
    assert "[red]Shop" in said
    assert f"[bold]{SHOWN} x 2" in said


# --- the wire ----------------------------------------------------------------------------------


def test_a_worker_of_a_stranger_is_listed() -> None:
    service = Service("P", EVIL, EVIL, 1)
    worker = Announcement(f"[red]{EVIL}", "space", EVIL, 7, 0.0, 4, 1, False, b"", (service,))
    said = drawn(workers._table([worker]))  # pyright: ignore[reportPrivateUsage]
    assert visible(said)
    assert "[red]x" in said


def test_a_session_of_a_stranger_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(EVIL, "Market", EVIL, Started(b"f", {EVIL: 2}, [("A", 0, 1)]), 0.0, 0.0)
    summary.reason = EVIL
    output.cache_clear()
    inspecting._print(summary)  # pyright: ignore[reportPrivateUsage]
    said = capsys.readouterr().out + drawn(
        inspecting._table([summary])  # pyright: ignore[reportPrivateUsage]
    )
    output.cache_clear()
    assert visible(said)
    assert "\nwhole" not in said


def test_what_came_over_the_wire_is_told() -> None:
    events = (
        FrameRefused("s1", EVIL, EVIL),
        Denied("s1", "A", "B", "M", 1, "capability", EVIL, "PV410"),
    )
    for event in events:
        for line in narration.lines(event):
            said = drawn(line)
            assert visible(said)
            assert SHOWN in said
