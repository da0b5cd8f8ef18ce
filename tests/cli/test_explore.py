"""`pavane explore`: protocols and hand-written machines, run against each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Pavane

EXAMPLES = Path(__file__).parents[2] / "examples" / "refine"

WRONG = [
    ("deadlock", {"A": "B?m ; B!n", "B": "A?n ; A!m"}),
    ("orphan message", {"A": "B!m ; B!n", "B": "A?m"}),
    ("unspecified reception", {"A": "B!m", "B": "A?n"}),
    ("starvation", {"A": "rec X . B!m ; X", "B": "rec X . A?m ; X", "C": "A?never"}),
]


@pytest.mark.parametrize(("problem", "machines"), WRONG, ids=[p for p, _ in WRONG])
def test_each_problem_is_found_and_drawn(
    pavane: Pavane, tmp_path: Path, problem: str, machines: dict[str, str]
) -> None:
    (tmp_path / "machines.json").write_text(json.dumps(machines))
    done = pavane("explore", "machines.json")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{problem}  ")
    found = json.loads(pavane("explore", "machines.json", "--json").stdout)
    (finding,) = found["findings"]
    assert finding["problem"] == problem
    assert finding["explanation"] in done.stdout
    assert finding["mermaid"].startswith("sequenceDiagram")


def test_families_of_open_size_get_three_instances(pavane: Pavane, guide: Path) -> None:
    done = pavane("explore", guide / "005.choreo", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["complete"], found["findings"]) == (True, [])
    assert found["bindings"] == {"Signers": 3, "threshold": 2}


def test_a_size_may_be_given_by_its_own_name(pavane: Pavane, guide: Path) -> None:
    done = pavane("explore", guide / "006.choreo", "--bind", "N=4", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bindings"] == {"N": 4}


def test_a_trace_is_drawn_as_a_sequence(pavane: Pavane, tmp_path: Path) -> None:
    machines = {"A": "B!Order ; C?Done", "B": "A?Order ; C!Ship ; end", "C": "B?Ship ; B?More"}
    (tmp_path / "machines.json").write_text(json.dumps(machines))
    done = pavane("explore", "machines.json")
    assert done.stdout == (
        "deadlock  nobody can go on: A waits for C?Done, C waits for B?More\n"
        "\n"
        "A        B        C\n"
        "| Order >|        |\n"
        "|        * Order  |\n"
        "|        |- Ship >|\n"
        "|        |        * Ship\n"
    )
    mermaid = pavane("explore", "machines.json", "--format", "mermaid").stdout
    assert "    p0-)p1: Order\n" in mermaid
    assert "    Note over p1: receives Order from A\n" in mermaid


def test_messages_that_are_lost_end_in_a_cross(pavane: Pavane) -> None:
    done = pavane("explore", EXAMPLES / "stuck.json", "-f", "mermaid")
    assert done.returncode == 1
    assert "-x" in done.stdout


def test_full_channels_are_no_deadlock(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "machines.json").write_text(
        json.dumps({"A": "B!a ; B!a ; B!a ; B?b", "B": "A!b ; A!b ; A?a ; A?a ; A?a"})
    )
    small = pavane("explore", "machines.json", "--buffer", "1")
    assert small.returncode == 4
    assert "larger --buffer" in small.stdout
    assert pavane("explore", "machines.json", "--buffer", "3").stdout.startswith("orphan message")


def test_the_limit_is_told(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "machines.json").write_text(
        json.dumps({"A": "B!a ; B!a ; B!a", "B": "A?a ; A?a ; A?a"})
    )
    done = pavane("explore", "machines.json", "--limit", "2")
    assert done.returncode == 4
    assert "larger --limit" in done.stdout


def test_the_machines_of_a_projection_can_be_explored(
    pavane: Pavane, guide: Path, tmp_path: Path
) -> None:
    bound = ("--bind", "Signers=5", "--bind", "threshold=3")
    projected = pavane("project", "--json", guide / "005.choreo", *bound).stdout
    (tmp_path / "machines.json").write_text(projected)
    done = pavane("explore", "machines.json", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["configurations"] > 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"A": 3}', "an object was expected"),
        ('{"A b": "end"}', "does not name an instance"),
        ('{"W[0..2]": "end", "W[1]": "end"}', "W[1] has two machines"),
        ('{"W[0..99999]": "end"}', "more than 10000"),
        ('{"A": {"final": [], "transitions": [[0, "W[*]!m", 1]]}}', "size of W is not known"),
        ('{"A": {"final": [], "transitions": [[0, "B!m", 1], [0, "B!m", 0]]}}', "two states"),
    ],
)
def test_a_file_without_machines_is_wrong_usage(
    pavane: Pavane, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "machines.json").write_text(text)
    done = pavane("explore", "machines.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_refused_protocol_is_refused_here_too(pavane: Pavane, broken: Path) -> None:
    done = pavane("explore", broken, "--name", "Wrong")
    assert done.returncode == 1
    assert "refused" in done.stderr
