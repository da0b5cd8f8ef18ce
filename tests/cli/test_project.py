"""`pavane project` and `pavane draw`: shapes, formats and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Pavane


def test_project_json_has_the_promised_shape(pavane: Pavane, guide: Path) -> None:
    done = pavane("project", "--json", guide / "006.choreo")
    assert done.returncode == 0
    (entry,) = json.loads(done.stdout)["protocols"]
    assert set(entry) == {"file", "name", "namespace", "roles"}
    leader = entry["roles"]["Leader"]
    assert leader == {
        "instances": 1,
        "initial": 0,
        "final": [2],
        "transitions": [[0, "Followers[*]!Proposal", 1], [1, "Followers[*]?Vote", 2]],
    }
    followers = entry["roles"]["Followers"]
    assert [t[1] for t in followers["transitions"]] == ["Leader?Proposal", "Leader!Vote"]


def test_a_ring_of_open_size_is_refused_with_its_place_and_what_to_bind(
    pavane: Pavane, tmp_path: Path
) -> None:
    ring = tmp_path / "ring.choreo"
    ring.write_text("protocol R { roles: W[N]; W[i] -> W[i+1]: T; W[N-1] -> W[0]: T }")
    done = pavane("project", ring)
    assert done.returncode == 2
    said = "the instances of W cannot be told apart before N is bound"
    assert done.stderr.startswith(f"error[PV181]: {ring}:1:10: {said}\n")
    assert "--bind N=5" in done.stderr
    assert pavane("project", ring, "--bind", "N=3").returncode == 0


def test_bindings_give_instances_a_number(pavane: Pavane, guide: Path) -> None:
    bound = ("--bind", "Signers=5", "--bind", "threshold=3")
    done = pavane("project", "--json", guide / "005.choreo", *bound)
    (entry,) = json.loads(done.stdout)["protocols"]
    assert {n: r["instances"] for n, r in entry["roles"].items()} == {
        "Coordinator": 1,
        "Signers[0..3]": 3,
        "Signers[3..5]": 2,
    }


def test_a1_every_protocol_of_the_guide_is_projected(pavane: Pavane, guide: Path) -> None:
    done = pavane("project", "--json", *sorted(guide.glob("*.choreo")))
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["protocols"]) == 16
    text = pavane("project", *sorted(guide.glob("*.choreo")))
    assert text.returncode == 0
    assert "Server!Request" in text.stdout


def test_what_is_refused_does_not_hide_its_neighbour(pavane: Pavane, broken: Path) -> None:
    done = pavane("project", "--json", broken)
    assert done.returncode == 1
    assert [p["name"] for p in json.loads(done.stdout)["protocols"]] == ["Right"]
    assert "Wrong is refused" in done.stderr


def test_projection_fits_into_80_columns(pavane: Pavane, guide: Path) -> None:
    done = pavane("project", guide / "016.choreo", COLUMNS="80", cwd="/")
    lines = [n for n in done.stdout.splitlines() if "016.choreo" not in n]
    assert max(map(len, lines)) <= 80


def test_draw_text(pavane: Pavane, market: Path) -> None:
    done = pavane("draw", market)
    assert done.returncode == 0
    assert "Buyer -> Seller: Offer(price: int)" in done.stdout


def test_draw_mermaid_and_dot(pavane: Pavane, market: Path) -> None:
    sequence = pavane("draw", market, "--format", "mermaid").stdout
    assert sequence.startswith("sequenceDiagram")
    everything = pavane("draw", market, "-f", "mermaid", "--machines").stdout
    assert everything.count("```mermaid") == 3
    one = pavane("draw", market, "--format", "mermaid", "--role", "Seller").stdout
    assert one.splitlines()[1:4] == ['title: "Seller"', "---", "stateDiagram-v2"]
    dot = pavane("draw", market, "--format", "dot", "--role", "Seller").stdout
    assert dot.startswith("digraph")
    assert dot.count("{") == dot.count("}") == 1


def test_draw_json(pavane: Pavane, market: Path, guide: Path) -> None:
    done = pavane("draw", "--json", "--machines", market, guide / "008.choreo")
    first, second = json.loads(done.stdout)["protocols"]
    assert set(first) == {"file", "name", "namespace", "format", "sequence", "machines"}
    assert set(first["machines"]) == {"Buyer", "Seller"}
    assert second["name"]


def test_draw_refuses_a_role_that_is_not_there(pavane: Pavane, market: Path) -> None:
    done = pavane("draw", market, "--role", "Saler")
    assert done.returncode == 2
    assert "the roles are Buyer, Seller" in done.stderr


@pytest.mark.parametrize("verb", ["check", "project", "draw"])
def test_a_verb_without_files_says_so(pavane: Pavane, verb: str) -> None:
    done = pavane(verb)
    assert done.returncode == 2
    assert "FILE" in done.stderr
