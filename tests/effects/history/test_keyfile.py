"""Keys that are kept, and journals whose signers are known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pavane.effects.errors import JournalBroken
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.head import signed
from pavane.effects.journal.history.errors import KeyUnusable
from pavane.effects.journal.history.keyfile import KnownJournals, own_signer, public_keys
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import HEADS, head_subject, journal_subject
from pavane.effects.keys import Signer

if TYPE_CHECKING:
    from .conftest import Desk


def test_a_user_s_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path), "HOME": "/nonexistent"}
    with ThreadPoolExecutor(8) as pool:
        keys = {s.public for s in pool.map(own_signer, [environment] * 16)}
    assert len(keys) == 1
    (file,) = (tmp_path / "pavane").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert own_signer({"HOME": str(tmp_path)}).public not in keys


def test_a_key_that_is_given_is_used(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32 + "\n")
    environment = {"PAVANE_KEY": str(tmp_path / "key")}
    assert own_signer(environment).public == Signer(bytes.fromhex("ab" * 32)).public
    for text in ("", "xyz", "ab" * 31):
        (tmp_path / "key").write_text(text)
        with pytest.raises(KeyUnusable, match="it holds no key"):
            own_signer(environment)
    with pytest.raises(KeyUnusable, match="No such file"):
        own_signer({"PAVANE_KEY": str(tmp_path / "none")})


def test_where_no_key_can_be_kept_it_is_new_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    environment = {"XDG_STATE_HOME": str(tmp_path / "file")}
    assert own_signer(environment).public != own_signer(environment).public
    assert "give PAVANE_KEY" in caplog.text


def test_a_list_of_public_keys_has_comments(tmp_path: Path) -> None:
    keys = [Signer().public, Signer().public]
    path = tmp_path / "keys"
    path.write_text(f"# ours\n{keys[0].hex()} # a\n\n  {keys[1].hex()}\n")
    assert public_keys(path) == frozenset(keys)
    for text, why in (("", "it lists no key"), ("00\n", "line 1 is no public key")):
        path.write_text(text)
        with pytest.raises(KeyUnusable, match=why):
            public_keys(path)


def test_a_known_journal_keeps_its_keys_apart(tmp_path: Path) -> None:
    known = KnownJournals(tmp_path / "deep" / "known")
    one, two = Signer().public, Signer().public
    known.add("/a folder/.store", [one])
    known.add("nats://127.0.0.1:4222", [two])
    assert list(known.keys("/a folder/.store")) == [one]
    assert list(known.keys("nats://127.0.0.1:4222")) == [two]
    assert known.keys("elsewhere") == {}
    known.path.write_text("nonsense\n")
    with pytest.raises(KeyUnusable, match="line 1: no key"):
        known.keys("elsewhere")


async def test_a56_a_key_that_changes_within_a_chain_is_found(desk: Desk) -> None:
    who = desk.who()
    (entry,) = await desk.journal.add(who, [Draft("sent", "", 1, "M", "B")])
    await desk.finish()
    stranger = signed(Signer(), journal_subject(who), 1, entry.hash, ())
    await desk.broker.append(HEADS, head_subject(who), stranger.pack())
    (fault,) = (await desk.journal.verify(namespace=desk.namespace)).faults
    assert fault.kind == "key"
    assert f"from {desk.signer.public.hex()[:16]} to {stranger.signer.hex()[:16]}" in fault.message


async def test_a56_a_journal_signed_anew_is_found_by_whom_one_trusts(desk: Desk) -> None:
    forger = Journal(desk.broker, Signer())
    await forger.add(desk.who(), [Draft("sent", "", 1, "Forged", "B")])
    await forger.close()
    assert (await desk.journal.verify(namespace=desk.namespace)).ok
    trusted = [desk.signer.public]
    (fault,) = (await desk.journal.verify(namespace=desk.namespace, trusted=trusted)).faults
    assert fault.kind == "key"
    assert forger.public.hex() in fault.message


# writers that go on -----------------------------------------------------------------------


async def killed(desk: Desk) -> Journal:
    """A process that wrote a message, took it back, and ended before its head was written."""
    killed = Journal(desk.broker, desk.signer)
    who = desk.who()
    sent, _ = await killed.add(
        who, [Draft("sent", "", 1, "M", "B"), Draft("fact", "void", 1, "M", "B")]
    )
    await killed.add(who, [Draft("unsent", "cut", 1, "M", "B", count=sent.number)])
    return killed


async def test_a49_the_next_writer_goes_on_behind_one_that_left_no_head(desk: Desk) -> None:
    await killed(desk)
    who = desk.who()
    (entry, _) = await desk.journal.add(
        who, [Draft("sent", "", 2, "N", "B"), Draft("fact", "holds", 2, "N", "B")]
    )
    await desk.finish()
    assert entry.number == 4
    # The mark that no head had named yet is in the head of the one that goes on.
    assert await desk.facts() == ["holds"]
    assert (await desk.journal.verify(namespace=desk.namespace)).ok


async def test_a57_of_two_that_go_on_at_once_one_is_fenced(desk: Desk) -> None:
    who = desk.who()
    await killed(desk)
    other = Journal(desk.broker, desk.signer)
    await desk.journal.writer(who)
    await other.writer(who)
    await other.add(who, [Draft("sent", "", 2, "N", "B")])
    with pytest.raises(JournalBroken, match="another process writes it"):
        await desk.journal.add(who, [Draft("sent", "", 2, "N", "B")])
    await other.close()
    assert (await other.verify(namespace=desk.namespace)).ok


async def test_a56_a_writer_does_not_go_on_from_a_head_that_lies(desk: Desk) -> None:
    who = desk.who()
    (entry,) = await desk.journal.add(who, [Draft("sent", "", 1, "M", "B")])
    await desk.finish()
    head = signed(desk.signer, journal_subject(who), 1, bytes(32), ())
    await desk.broker.append(HEADS, head_subject(who), head.pack())
    with pytest.raises(JournalBroken, match="entry 1 is not the one that its head says"):
        await Journal(desk.broker, desk.signer).add(who, [Draft("sent", "", 1, "M", "B")])
    body = signed(desk.signer, journal_subject(who), 1, entry.hash, ())
    unsigned = type(body)(body.subject, 1, entry.hash, (1,), body.signer, body.signature)
    await desk.broker.append(HEADS, head_subject(who), unsigned.pack())
    with pytest.raises(JournalBroken, match="signature does not fit"):
        await Journal(desk.broker, desk.signer).add(who, [Draft("sent", "", 1, "M", "B")])
