"""A replay of a journal in which a message was taken back, read in this process."""

from __future__ import annotations

import json

import pytest

from pavane.broker.connect import connect
from pavane.cli.attest import verify
from pavane.cli.chronicle import query, replay
from pavane.cli.journals import Book, Query, Trust
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer

WRITER = Identity("shop", "Order", "s1", "Client")


def sent(step: int, charge: int) -> list[Draft]:
    return [
        Draft("sent", "", step, f"Message{step}", "Server", charge=charge),
        Draft("fact", f"fact_{step}", step, f"Message{step}", "Server"),
    ]


async def written() -> Book:
    """Two messages, the second of which could not be published."""
    signer = Signer()
    journal = Journal(await connect("memory://"), signer)
    await journal.add(WRITER, sent(1, 100))
    second, _ = await journal.add(WRITER, sent(2, 50))
    await (await journal.writer(WRITER)).retract(second, "the connection is cut")
    await journal.finish(WRITER)
    return Book(journal, Trust(signer.public), journal)


async def test_what_was_taken_back_is_told_but_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await replay(await written(), Query(), False)
    text = capsys.readouterr().out
    assert "Client -> Server: Message2 charged 50" in text
    assert "not sent after all: entry 3, the connection is cut" in text
    account = text[text.index("shop.Order, 1 session") :]
    assert "fact_1" in account
    assert "fact_2" not in account
    row = next(line for line in account.splitlines() if "Client" in line)
    assert row.split()[1:3] == ["1", "100"]


async def test_a_replay_for_programs_has_every_entry(capsys: pytest.CaptureFixture[str]) -> None:
    await replay(await written(), Query(role="Client"), True)
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["kind"] for e in entries] == ["sent", "fact", "sent", "fact", "unsent"]
    assert [e["number"] for e in entries] == [1, 2, 3, 4, 5]


async def test_a_query_for_nobody_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    await replay(await written(), Query(role="Nobody"), False)
    assert capsys.readouterr().out == "The journal has no entry for role Nobody.\n"
    await verify(await written(), Query(session="ffff"), False)
    assert capsys.readouterr().out == "The journal has no entry for session ffff.\n"
    await query(await written(), Query(fact="none"), False)
    assert capsys.readouterr() == ("", "The journal has no entry for fact none.\n")
