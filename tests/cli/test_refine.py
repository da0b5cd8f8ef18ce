"""`pavane refine`: three answers, their exit codes, and files that are not machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Pavane

EXAMPLES = Path(__file__).parents[2] / "examples" / "refine"
BUFFERING = EXAMPLES / "double_buffering.choreo"


def test_a22_a_kernel_that_asks_ahead_is_admitted(pavane: Pavane) -> None:
    done = pavane("refine", BUFFERING, EXAMPLES / "kernel_ahead.local", "--role", "Kernel")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("yes  ")


def test_a22_a_kernel_that_would_deadlock_is_refused_and_told_why(pavane: Pavane) -> None:
    done = pavane("refine", BUFFERING, EXAMPLES / "kernel_stuck.local", "--role", "Kernel")
    assert done.returncode == 1
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("no  ")
    assert first.endswith("waits for Source, but the original first does Source!Ready")
    assert last == "It shows at the very beginning."


def test_a22_a_refusal_comes_with_a_readable_trace(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "kernel.local").write_text(
        "Sink?Ready ; rec X . Source!Ready ; Source?Copy ; Sink!Copy ; Sink?Ready ; X"
    )
    wrong = pavane("refine", BUFFERING, "kernel.local", "--role", "Kernel")
    assert wrong.returncode == 1
    (tmp_path / "kernel.local").write_text(
        "Source!Ready ; rec X . Source?Copy ; Sink?Ready ; Source!Ready ; Sink!Copy ; Sink?Ready ; X"
    )
    done = pavane("refine", BUFFERING, "kernel.local", "--role", "Kernel")
    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines()[2:]] == [
        ["candidate", "original"],
        ["1", "Source!Ready"],
        ["2", "Source!Ready"],
        ["3", "Source?Copy"],
        ["4", "Source?Copy"],
        ["5", "Sink?Ready"],
        ["6", "Sink?Ready"],
        ["7", "Source!Ready"],
        ["8", "Sink!Copy"],
        ["9", "Sink!Copy"],
        ["10", "Source!Ready"],
        ["11", "Source?Copy"],
        ["12", "Sink?Ready"],
        ["13", "Sink?Ready"],
        ["14", "Source?Copy"],
    ]


def test_the_json_of_a_projection_refines_itself(
    pavane: Pavane, guide: Path, tmp_path: Path
) -> None:
    for name, role, bound in (("006", "Leader", ["--bind", "Followers=4"]), ("016", "Region", [])):
        file = guide / f"{name}.choreo"
        projected = json.loads(pavane("project", "--json", file, *bound).stdout)
        roles = projected["protocols"][0]["roles"]
        role = role if role in roles else next(iter(roles))
        (tmp_path / "whole.json").write_text(json.dumps(projected))
        (tmp_path / "one.json").write_text(json.dumps(roles[role]))
        for machine in ("whole.json", "one.json"):
            done = pavane("refine", file, machine, "--role", role, "--json", *bound)
            assert done.returncode == 0, done.stderr
            answer = json.loads(done.stdout)
            assert (answer["answer"], answer["role"], answer["trace"]) == ("yes", role, [])


def test_json_has_the_trace_and_the_loop(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "stream.choreo").write_text(
        """protocol Stream { roles: A, B, C;
            rec X { A -> B: Go; B -> A: More; A -> C: Note; continue X } }"""
    )
    (tmp_path / "a.local").write_text("rec X . B!Go ; B?More ; X")
    done = pavane("refine", "stream.choreo", "a.local", "--role", "A", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["answer"]) == (1, "no")
    assert set(answer) == {
        "protocol", "role", "answer", "reason", "trace", "loop", "configurations", "method",
    }  # fmt: skip
    assert {move["side"] for move in answer["trace"]} == {"candidate", "original"}
    assert answer["trace"][0] == {"side": "candidate", "step": "B!Go"}


def test_what_cannot_be_decided_exits_with_4(pavane: Pavane, tmp_path: Path) -> None:
    machine = {
        "initial": 0,
        "final": [3],
        "transitions": [[0, "Sink!A", 1], [0, "Source?B", 2], [1, "Source?B", 3], [2, "Sink!A", 3]],
    }
    (tmp_path / "mixed.json").write_text(json.dumps(machine))
    done = pavane("refine", BUFFERING, "mixed.json", "--role", "Kernel")
    assert done.returncode == 4
    assert done.stdout.startswith("cannot decide  ")
    assert "mixes sends and receives" in done.stdout


def test_every_instance_of_a_family_is_asked(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "ring.choreo").write_text(
        """protocol Line { roles: W[3];
            W[0] -> W[1]: Token; W[1] -> W[2]: Token; W[2] -> W[0]: Done; }"""
    )
    (tmp_path / "w.local").write_text("W[0]?Token ; W[2]!Token")
    alone = pavane("refine", "ring.choreo", "w.local", "--role", "W[1]")
    assert (alone.returncode, alone.stdout[:3]) == (0, "yes")
    everyone = pavane("refine", "ring.choreo", "w.local", "--role", "W")
    assert everyone.returncode == 1
    assert "the part of W[0]" in everyone.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rec X . A!m ; Y", "there is no `rec Y` around this"),
        ("+{ A!m, B?n }", "a choice mixes sends and receives"),
        ("", "the type ends where a type should be"),
        ("{", "this is not JSON"),
        ('{"initial": 0}', "has no machine for Kernel"),
        ('{"initial": 0, "transitions": 3}', "`transitions` is not a list"),
        ('{"initial": 0, "final": [1], "transitions": [[0, "nobody", 1]]}', "is not a step"),
        ("[" * 100_000, "the type ends where a type should be"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_machine_is_wrong_usage(
    pavane: Pavane, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "machine").write_text(text)
    done = pavane("refine", BUFFERING, "machine", "--role", "Kernel")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_role_that_is_not_there_is_wrong_usage(pavane: Pavane) -> None:
    done = pavane("refine", BUFFERING, EXAMPLES / "kernel_ahead.local", "--role", "Kernal")
    assert done.returncode == 2
    assert "the roles are Source, Kernel, Sink" in done.stderr
