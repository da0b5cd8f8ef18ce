"""`pavane simulate`: sessions under faults, and the smallest one that goes wrong."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from .conftest import Pavane

MARKET = """
protocol Market {
    roles: Buyer, Seller;
    Buyer -> Seller: Offer(price: i32);
    choice Seller {
        sold { Seller -> Buyer: Accept; }
        kept { Seller -> Buyer: Reject; }
    }
}
"""

SHOP = """
import pavane

market = pavane.load("market.choreo")
config = pavane.SimulationConfig(durable=True, faults=("crash", "loss", "delay"))


@config.check
def never_restarted(state: pavane.SimulationState) -> bool:
    return not any(fault.kind == "crash" for fault in state.faults)


@market.role("Seller")
async def seller(me: pavane.Endpoint) -> None:
    await me.receive("Offer")
    await me.send("Accept")
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path) -> None:
    (tmp_path / "market.choreo").write_text(MARKET)
    (tmp_path / "shop.py").write_text(SHOP)


def test_sessions_that_end_as_they_may_are_counted(pavane: Pavane) -> None:
    done = pavane("simulate", "market.choreo", "--seeds", "40")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("40 sessions, ")
    counted = json.loads(pavane("simulate", "market.choreo", "--seeds", "40", "--json").stdout)
    assert counted["sessions"] == sum(counted["ended"].values()) == 40
    assert counted["failure"] is None


def test_a_failure_is_drawn_and_its_command_repeats_it(pavane: Pavane) -> None:
    wanted = ["simulate", "market.choreo", "shop:market", "--config", "shop:config"]
    done = pavane(*wanted)
    assert done.returncode == 1
    assert "never_restarted: it does not hold" in done.stdout
    assert "!! crash of " in done.stdout
    again = shlex.split(done.stdout.splitlines()[-1].removeprefix("again: "))
    assert again[0] == "pavane"
    repeated = pavane(*again[1:], "--json")
    assert repeated.returncode == 1
    failure = json.loads(repeated.stdout)["failure"]
    assert failure["rule"] == "never_restarted"
    assert [fault["kind"] for fault in failure["faults"]] == ["crash"]


def test_the_same_session_has_the_same_trace(pavane: Pavane) -> None:
    wanted = ["simulate", "market.choreo", "--seed", "5", "--trace"]
    first = pavane(*wanted, PYTHONHASHSEED="1").stdout
    assert first == pavane(*wanted, PYTHONHASHSEED="2").stdout
    assert "Buyer.0 -> Seller.0: Offer#1" in first


def test_a_plan_strikes_every_session(pavane: Pavane, tmp_path: Path) -> None:
    plan = '[[fault]]\nkind = "crash"\nrole = "Seller"\nafter = 1\n'
    (tmp_path / "plan.toml").write_text(plan)
    live = ["simulate", "market.choreo", "--faults", "plan.toml", "--seeds", "5", "--json"]
    assert json.loads(pavane(*live).stdout)["ended"] == {"PV510": 5}
    again = ["--durable", "--fault", "crash Seller after=1 seconds=1"]
    done = pavane("simulate", "market.choreo", *again, "--seeds", "5", "--json")
    found = json.loads(done.stdout)
    assert (found["ended"], found["faults"]) == ({"done": 5}, {"crash": 5})


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (["--fault", "flood Buyer after=1"], "there is no kind 'flood'"),
        (["--fault", "crash"], "it has no kind and role"),
        (["--faults", "no.toml"], "it cannot be read"),
        (["--kinds", "crash,flood"], "there is no fault 'flood'"),
        (["--config", "shop:market"], "is no SimulationConfig"),
        (["--config", "shop:nothing"], "nothing called 'nothing'"),
        (["--trace"], "--trace is of one session"),
        (["--budget", "Thief=3"], "has no role Thief"),
        (["--leakage", "external=3"], "no message leaks anything to external"),
    ],
)
def test_what_cannot_be_is_said(pavane: Pavane, wanted: list[str], says: str) -> None:
    done = pavane("simulate", "market.choreo", *wanted)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("binding", "says"),
    [((), "the family Followers has no size"), (("--bind", "N=0"), "cannot have 0 instances")],
)
def test_a_count_that_is_missing_is_no_failure_of_a_seed(
    pavane: Pavane, guide: Path, binding: tuple[str, ...], says: str
) -> None:
    done = pavane("simulate", guide / "006.choreo", "--seeds", "3", *binding)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


LEAKY = """
protocol Survey {
    roles: Asker, Answerer;
    Asker[flow_cost = 10, leak = "external: 2"] -> Answerer: Question;
    Answerer[leak = "external: 1"] -> Asker: Answer;
}
"""


def test_a37_what_observers_may_learn_is_plenty_unless_it_is_said(
    pavane: Pavane, tmp_path: Path
) -> None:
    (tmp_path / "survey.choreo").write_text(LEAKY)
    wanted = ("simulate", "survey.choreo", "--seeds", "20", "--kinds", "none", "--json")
    for limits, ended in [
        ((), {"done": 20}),
        (("--leakage", "external=3"), {"done": 20}),
        (("--leakage", "external=2"), {"PV430": 20}),
        (("--budget", "Asker=9"), {"PV420": 20}),
    ]:
        done = pavane(*wanted, *limits)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["ended"] == ended


RING = """
choreography Council {
    roles: W[N];
    foreach i in W[0..N-1] { W[i][leak = "external: 1"] -> W[i+1]: Token; }
    W[N-1] -> W[0]: Token;
}
"""


def test_what_is_said_of_a_role_whatever_its_counts_is_said_of_a_ring(
    pavane: Pavane, tmp_path: Path
) -> None:
    (tmp_path / "ring.choreo").write_text(RING)
    done = pavane("simulate", "ring.choreo", "--bind", "N=3", "--seeds", "5", "--json")
    assert (done.returncode, json.loads(done.stdout)["sessions"]) == (0, 5)
    assert "default.Council.W" in pavane("permissions", "ring.choreo").stdout
    shown = pavane("budget", "show", "ring.choreo", "--url", "memory://", "--json")
    kinds = [row["kind"] for row in json.loads(shown.stdout)["budgets"]]
    assert kinds == ["flow", "leakage"]


def test_a_configuration_that_does_not_fit_is_a_wrong_use(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        'import pavane\nconfig = pavane.SimulationConfig(processes=[["Nobody"]])\n'
    )
    refused = pavane("simulate", "market.choreo", "--config", "own:config", "--seeds", "5")
    assert refused.returncode == 2
    assert "error[PV363]" in refused.stderr
    assert "has no such role" in refused.stderr
