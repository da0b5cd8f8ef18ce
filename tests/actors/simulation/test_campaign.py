"""Campaigns: a thousand seeds in every run of the tests, a hundred thousand in the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

import pavane
from pavane.actors.events import MessageSent
from pavane.actors.simulation.campaign import Campaign, Report, Trial
from pavane.actors.simulation.diagram import drawn
from pavane.actors.simulation.errors import AlreadySimulating, PlanRefused
from pavane.actors.simulation.plan import from_line, on_line, read, written
from pavane.actors.simulation.shrink import shrunk
from pavane.actors.simulation.state import SimulationState
from pavane.actors.standin import StandIn
from pavane.broker.sim.faults import KINDS, Fault

GUIDE = Path(__file__).parents[2] / "data" / "guide"

MARKET = """
protocol Market {
    roles: Buyer, Seller, Bank;
    Buyer -> Seller: Offer(price: i32);
    choice Seller {
        sold {
            Seller[flow_cost = 5, journal_facts = "sold"] -> Buyer: Accept;
            Buyer -> Bank: Pay(amount: i32);
            Bank -> Seller: Paid;
        }
        kept { Seller -> Buyer: Reject; Seller -> Bank: Nothing; }
    }
}
"""


def campaign(config: pavane.SimulationConfig, text: str | Path = MARKET) -> Campaign:
    protocol = pavane.load(text)
    return Campaign(protocol, {role: StandIn() for role in protocol.roles}, config, {})


@pytest.mark.parametrize("durable", [False, True])
def test_a36_a_thousand_seeds_break_nothing(durable: bool) -> None:
    report = campaign(pavane.SimulationConfig(durable=durable)).run(range(500))
    assert report.ok, report.failure
    assert report.seeds == 500
    assert report.ended["done"] > 250
    assert set(report.struck) == set(KINDS)


@pytest.mark.long
@pytest.mark.parametrize("durable", [False, True])
def test_a36_a_hundred_thousand_seeds_break_nothing(durable: bool) -> None:
    report = campaign(pavane.SimulationConfig(durable=durable, most=5)).run(range(50_000))
    assert report.ok, report.failure


@pytest.mark.long
@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(
    "name", [f"{number:03}" for number in range(1, 17) if number not in (5, 6)]
)
def test_a36_the_protocols_of_the_guide_stand_it(name: str, durable: bool) -> None:
    config = pavane.SimulationConfig(durable=durable)
    report = campaign(config, GUIDE / f"{name}.choreo").run(range(300))
    assert report.ok, report.failure


# --- what survives, and what does not --------------------------------------------------------


def ended(fault: Fault, *, durable: bool) -> Report:
    return campaign(pavane.SimulationConfig(plan=[fault], durable=durable)).run(range(12))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("delay", "Seller", after=1, seconds=0.5),
        Fault("duplicate", "Buyer", after=1),
        Fault("loss", "Buyer", after=1, seconds=1.0),
        Fault("partition", "Bank", at=0.003, seconds=1.0, roles=("Seller",)),
        Fault("replay", "Seller", after=1),
        Fault("forged_sender", "Buyer", after=1),
        Fault("skew", "Seller", at=0.001, seconds=-3600.0),
        Fault("journal", "Seller", at=0.0, seconds=1.0),
    ],
    ids=lambda fault: fault.kind,
)
@pytest.mark.parametrize("durable", [False, True])
def test_a36_most_faults_change_nothing(fault: Fault, durable: bool) -> None:
    report = ended(fault, durable=durable)
    assert report.ok, report.failure
    assert report.ended == {"done": 12}
    assert report.struck[fault.kind] >= 6


@pytest.mark.parametrize("durable", [False, True])
def test_a36_a_crash_ends_a_live_session_and_not_a_durable_one(durable: bool) -> None:
    report = ended(Fault("crash", "Seller", after=1, seconds=0.5), durable=durable)
    assert report.ok, report.failure
    assert report.ended == ({"done": 12} if durable else {"PV510": 12})


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("wrong_label", "Seller", after=1), "PV200"),
        (Fault("corrupt", "Buyer", after=1), "PV200"),
        (Fault("silence", "Buyer", after=1), "PV510"),
    ],
    ids=lambda given: given.kind if isinstance(given, Fault) else str(given),
)
def test_a36_some_faults_end_a_session_with_the_error_that_says_why(
    fault: Fault, code: str
) -> None:
    assert ended(fault, durable=False).ended == {code: 12}


# --- a failure made small ----------------------------------------------------------------------


def never_paid(state: SimulationState) -> bool:
    return state.sent("Pay") == 0


def test_a36_a_failure_is_shrunk_to_what_it_needs() -> None:
    config = pavane.SimulationConfig(most=6)

    @config.check
    def survives_two(state: SimulationState) -> bool:
        return not any(fault.kind == "crash" for fault in state.faults) or not state.is_over

    made = campaign(config)
    report = made.run(range(500))
    assert report.failure is not None
    small = shrunk(made, report.failure)
    assert [fault.kind for fault in small.trial.faults] == ["crash"]
    assert small.rule == report.failure.rule == "survives_two"
    again = made.attempt(small.trial)
    assert again is not None
    assert again.trace == small.trace
    assert "!! crash of" in drawn(("Buyer", "Seller", "Bank"), small.entries)


def test_a36_a_check_of_ones_own_stops_at_the_step_that_breaks_it() -> None:
    config = pavane.SimulationConfig(faults=(), checks=[never_paid])
    seen: list[object] = []

    @config.check
    def look(state: SimulationState) -> None:
        seen.append(state.event)

    report = campaign(config).run(range(40))
    assert report.failure is not None
    assert report.failure.rule == "never_paid"
    last = seen[-1]
    assert isinstance(last, MessageSent)
    assert last.label == "Pay"


def test_a_check_that_raises_is_told_with_what_it_raised() -> None:
    config = pavane.SimulationConfig(faults=(), checks=[lambda state: 1 / 0])
    report = campaign(config).run([0])
    assert report.failure is not None
    assert "ZeroDivisionError" in report.failure.error.message


async def test_simulate_is_refused_on_an_event_loop() -> None:
    from pavane.actors.simulation.campaign import simulate

    protocol = pavane.load(MARKET)
    with pytest.raises(AlreadySimulating):
        simulate(protocol, {role: StandIn() for role in protocol.roles}, seeds=1)


# --- plans -------------------------------------------------------------------------------------

FAULTS = (
    Fault("crash", "Seller", after=2, seconds=1.5),
    Fault("partition", "Buyer", at=0.25, seconds=3.0, roles=("Bank", "Seller")),
    Fault("wrong_label", "Bank", after=1),
    Fault("skew", "Buyer", at=0.01, seconds=-5.0),
    Fault("loss", "Buyer", at=0.0123456789, seconds=1234567.25),
)


def test_a_plan_is_read_as_it_is_written(tmp_path: Path) -> None:
    protocol = pavane.load(MARKET)
    (tmp_path / "plan.toml").write_text(written(FAULTS))
    assert read(tmp_path / "plan.toml", protocol) == FAULTS
    assert tuple(from_line(on_line(fault), protocol) for fault in FAULTS) == FAULTS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[fault]]\nkind = 'flood'\nrole = 'Buyer'\n", "there is no kind 'flood'"),
        ("[[fault]]\nkind = 'crash'\nrole = 'Thief'\n", "has no role 'Thief'"),
        ("[[fault]]\nkind = 'delay'\nrole = 'Buyer'\n", "strikes a message"),
        ("[[fault]]\nkind = 'crash'\nrole = 'Buyer'\nafter = -1\n", "after is -1"),
        ("[[fault]]\nkind = 'crash'\nrole = 'Buyer'\nwhen = 3\n", "'when' is not known"),
        ("[faults]\n", "'faults' is not known"),
        ("[[fault]]\nkind = 'crash'\n", "it says no role"),
        ("[[fault]]\nkind = 'crash'\nrole = 'Buyer'\nafter = 1\nat = 0.5\n", "both after and at"),
        ("[[fault]]\nkind = 'loss'\nrole = 'Buyer'\nroles = 'Bank'\n", "'Bank', no list"),
        ("[[fault]]\nkind = 'skew'\nrole = 'Buyer'\nseconds = nan\n", "seconds is nan"),
        ("[[fault]]\nkind = 'skew'\nrole = 'Buyer'\nseconds = -inf\n", "seconds is -inf"),
        ("[[fault]]\nkind = 'skew'\nrole = 'Buyer'\nseconds = 1e300\n", "seconds is 1e+300"),
        ("kind = ", "it is no TOML"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(PlanRefused) as raised:
        read(tmp_path / "plan.toml", pavane.load(MARKET))
    assert says in raised.value.message


def test_a_trial_is_all_that_decides() -> None:
    made = campaign(pavane.SimulationConfig(most=4, durable=True))
    assert made.trial(7) == made.trial(7)
    assert len({made.trial(seed).faults for seed in range(50)}) > 30
    assert isinstance(made.trial(1), Trial)
