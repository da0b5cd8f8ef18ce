"""`pavane budget`: set before a run, shown and verified after it, rotated."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pavane.broker.connect import connect
from pavane.cli import budgeting, levels
from pavane.cli.errors import RunFailed, UsageError
from pavane.effects.flow.budget import Budgets, flow_counter
from pavane.effects.flow.receipt import Receipt, ReceiptChain
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer
from pavane.language.errors import PavaneError

Pavane = Callable[..., "subprocess.CompletedProcess[str]"]

TEXT = """#[namespace = "%s"]
protocol Survey {
    roles: Asker, Person;
    Asker[flow_cost = 30, leak = "external: 2"] -> Person: Question(str);
    Person[flow_cost = 5] -> Asker: Answer(str);
}
"""


@pytest.fixture
def survey(tmp_path: Path, unique: str) -> Path:
    file = tmp_path / "survey.choreo"
    file.write_text(TEXT % unique)
    return file


@pytest.fixture
def where(nats_url: str) -> budgeting.Where:
    return budgeting.Where(nats_url, None, False)


async def leak(where: budgeting.Where, context: str, amount: int) -> None:
    broker = await connect(str(where.url))
    await Budgets(broker).leak(context, "external", amount)
    await broker.close()


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a28_budgets_are_set_before_a_run_and_shown_and_verified_after_it(
    pavane: Pavane, survey: Path
) -> None:
    store = ("--store", "st", "--json")
    done = pavane(
        "budget", "set", survey, "Asker=60", "Person=7", "--leakage", "external=3", *store
    )
    assert done.returncode == 0, done.stderr
    assert pavane("run", survey, *store).returncode == 0
    rows = json.loads(pavane("budget", "show", survey, *store).stdout)["budgets"]
    assert [(row.get("role") or row["observer"], row["spent"], row["limit"]) for row in rows] == [
        ("Asker", 30, 60),
        ("Person", 5, 7),
        ("external", 2, 3),
    ]
    whole = json.loads(pavane("budget", "verify", survey, *store).stdout)
    assert (whole["ok"], [row["total"] for row in whole["budgets"]]) == (True, [30, 5])


def test_a30_a_rotation_begins_the_next_epoch(
    survey: Path, where: budgeting.Where, capsys: pytest.CaptureFixture[str]
) -> None:
    budgeting.define(str(survey), None, ["Asker=60", "Person=7"], [], None, where, json=True)
    budgeting.rotate(str(survey), None, ["Asker"], where, json=True)
    capsys.readouterr()
    levels.show([str(survey)], where.url, None, allow_remote=False, json=True)
    rows = printed(capsys)["budgets"]
    assert [row["epoch"] for row in rows] == [1, 0, None]
    budgeting.rotate(str(survey), None, [], where, json=True)
    assert [row["epoch"] for row in printed(capsys)["budgets"]] == [2, 1]


def test_what_was_set_before_a_limit_that_is_refused_is_told(
    survey: Path, where: budgeting.Where, unique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def define(asker: int, leaks: int) -> None:
        given = [f"Asker={asker}"], [f"external={leaks}"]
        budgeting.define(str(survey), None, *given, None, where, json=True)

    define(60, 3)
    asyncio.run(leak(where, f"{unique}.Survey", 2))
    capsys.readouterr()
    with pytest.raises(PavaneError, match="cannot be 1, as 2 are spent"):
        define(70, 1)
    (told,) = printed(capsys)["budgets"]
    assert told["limit"] == 70


def test_a37_a_leakage_budget_has_a_window(
    survey: Path, where: budgeting.Where, unique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    budgeting.define(str(survey), None, [], ["external=3"], "1s", where, json=True)
    assert printed(capsys)["budgets"][0]["window"] == 1.0

    asyncio.run(leak(where, f"{unique}.Survey", 3))
    time.sleep(1.05)
    asyncio.run(leak(where, f"{unique}.Survey", 3))


async def forged(url: str, namespace: str, cost: int, *, again: bool) -> None:
    """A receipt that the budget has not charged, or one that stands in the journal twice."""
    broker = await connect(url)
    context = f"{namespace}.Survey"
    await Budgets(broker).define(context, "Asker", 100)
    writer, signer = Identity(namespace, "Survey", "s", "Asker"), Signer()
    chain = ReceiptChain(signer, ".".join(writer.tokens()))
    receipt: Receipt = chain.issue(context, "Asker", 0, cost=cost, spent=cost, step=1)
    journal = Journal(broker, signer)
    draft = Draft("sent", "", 1, "Question", "Person", charge=cost, proof=receipt.pack())
    await journal.add(writer, [draft, draft] if again else [draft])
    await journal.close()
    if again:
        await broker.spend(flow_counter(context, "Asker"), 2 * cost)
    await broker.close()


@pytest.mark.parametrize(
    ("again", "reason"), [(False, "has charged 0 only"), (True, "its number is 1, not 2")]
)
def test_a31_receipts_that_do_not_fit_are_found(
    survey: Path,
    where: budgeting.Where,
    unique: str,
    again: bool,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asyncio.run(forged(str(where.url), unique, 30, again=again))
    with pytest.raises(RunFailed):
        budgeting.verify(str(survey), None, None, where, json=True)
    assert reason in printed(capsys)["faults"][0]["reason"]


def test_a31_receipts_of_a_signer_that_is_not_trusted_are_found(
    survey: Path, where: budgeting.Where, unique: str, tmp_path: Path
) -> None:
    asyncio.run(forged(str(where.url), unique, 0, again=False))
    budgeting.verify(str(survey), None, None, where, json=True)
    trust = tmp_path / "keys"
    trust.write_text(Signer().public.hex() + "\n")
    with pytest.raises(RunFailed):
        budgeting.verify(str(survey), None, trust, where, json=True)


@pytest.mark.parametrize(
    ("limits", "leakage", "window", "said"),
    [
        ([], [], None, "nothing is to be set"),
        (["Akser=1"], [], None, "no role Akser"),
        (["Asker=-1"], [], None, "not a whole number"),
        (["Asker=1.5"], [], None, "not a whole number"),
        ([], ["internal=1"], None, "no message leaks to internal"),
        (["Asker=1"], [], "soon", "no length of time"),
    ],
)
def test_wrong_use_is_a_sentence(
    survey: Path,
    where: budgeting.Where,
    limits: list[str],
    leakage: list[str],
    window: str | None,
    said: str,
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        budgeting.define(str(survey), None, limits, leakage, window, where, json=False)
    assert caught.value.hint
