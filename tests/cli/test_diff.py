"""`pavane diff`: two versions of a protocol, role by role."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import Pavane

OLD = """protocol Market {
    roles: Buyer, Seller;
    Buyer -> Seller: Offer(price: i32);
    choice Seller {
        accept: { Seller -> Buyer: Accept; }
        reject: { Seller -> Buyer: Reject; }
    }
}
"""
NEW = OLD.replace("reject:", "counter: { Seller -> Buyer: Counter; } reject:")
ROLE = {"role", "verdict", "upgrade", "roll_back", "notes"}


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    (tmp_path / "old.choreo").write_text(OLD)
    (tmp_path / "new.choreo").write_text(NEW)
    return tmp_path


def test_a_new_branch_is_told_role_by_role(pavane: Pavane, versions: Path) -> None:
    done = pavane("diff", "old.choreo", "new.choreo")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "Market\n"
        "  Buyer   can be upgraded on its own\n"
        "          not rolled back alone: after Seller!Offer, new Seller sends Counter, "
        "which old Buyer does not expect\n"
        "  Seller  can only be rolled back\n"
        "          not upgraded alone: after Buyer?Offer, new Seller sends Counter to Buyer, "
        "which old Buyer does not expect\n"
        "not every mixture is safe; change Buyer, then Seller\n"
    )


def test_layout_and_comments_are_no_difference(pavane: Pavane, versions: Path) -> None:
    (versions / "same.choreo").write_text(OLD.replace("\n", " ") + "// the same")
    done = pavane("diff", "old.choreo", "same.choreo")
    assert done.returncode == 0
    assert done.stdout.count("identical") == 2
    assert done.stdout.endswith("every mixture of old and new roles is safe\n")


def test_json(pavane: Pavane, versions: Path) -> None:
    done = pavane("diff", "--json", "old.choreo", "new.choreo")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    (entry,) = answer["protocols"]
    assert (answer["safe"], answer["removed"], answer["added"]) == (False, [], [])
    assert entry["order"] == [["Buyer"], ["Seller"]]
    buyer, seller = entry["roles"]
    assert set(buyer) == set(seller) == ROLE
    assert (buyer["verdict"], buyer["upgrade"]) == ("upgrade", None)
    assert seller["upgrade"]["kind"] == "unexpected send"
    assert seller["upgrade"]["trace"] == ["Buyer?Offer"]
    assert seller["upgrade"]["step"] == "Buyer!Counter"


def test_the_old_version_from_a_pipe(pavane: Pavane, versions: Path) -> None:
    assert pavane("diff", "-", "old.choreo", stdin=OLD).returncode == 0
    assert pavane("diff", "-", "old.choreo", stdin=NEW).returncode == 1


def test_counts_that_were_compared_are_named(pavane: Pavane, tmp_path: Path) -> None:
    text = "protocol P {{ roles: A, W[N]; A -> W[*]: M; loop (count: {}) {{ W[*] -> A: V }} }}"
    (tmp_path / "old.choreo").write_text(text.format(3))
    (tmp_path / "new.choreo").write_text(text.format("rounds"))
    done = pavane("diff", "old.choreo", "new.choreo")
    assert done.returncode == 1
    assert re.search(r"compared with N = \d+, rounds = \d+; --bind takes others", done.stdout)
    bound = pavane("diff", "old.choreo", "new.choreo", "--bind", "rounds=3", "--bind", "N=2")
    assert bound.returncode == 0
    assert "compared with N = 2, rounds = 3" in bound.stdout
    assert pavane("diff", "old.choreo", "new.choreo", "--bind", "Q=3").returncode == 2


def test_several_protocols_are_matched_by_name(pavane: Pavane, versions: Path) -> None:
    other = "protocol Other { roles: A, B; A -> B: M }\n"
    (versions / "two.choreo").write_text(other + OLD)
    (versions / "three.choreo").write_text(OLD + other.replace("Other", "Third") + other)
    done = pavane("diff", "two.choreo", "three.choreo")
    assert done.returncode == 0
    assert "Third is added" in done.stdout
    back = pavane("diff", "three.choreo", "two.choreo")
    assert back.returncode == 1
    assert "Third is removed" in back.stdout
    assert pavane("diff", "three.choreo", "two.choreo", "--name", "Other").returncode == 0
    assert pavane("diff", "three.choreo", "two.choreo", "--name", "Third").returncode == 2


def test_a_refused_version_is_shown_with_its_errors(pavane: Pavane, versions: Path) -> None:
    (versions / "broken.choreo").write_text("protocol P { roles: A, B; A -> C: M }")
    done = pavane("diff", "old.choreo", "broken.choreo")
    assert (done.returncode, done.stdout) == (1, "")
    assert "broken.choreo:1:" in done.stderr
    assert pavane("diff", "old.choreo", "missing.choreo").returncode == 2


@pytest.mark.parametrize("verb", ["diff", "format"])
def test_help_shows_an_example(pavane: Pavane, verb: str) -> None:
    shown = pavane(verb, "--help", COLUMNS="80").stdout
    assert f"pavane {verb} " in shown.split("Options")[0]
    assert max(map(len, shown.splitlines())) <= 80
