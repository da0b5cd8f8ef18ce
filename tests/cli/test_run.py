"""`pavane run`, and `pavane journal` and `budget` that read back what it left."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import COMMAND, Pavane, environment

SIGNERS = ("--bind", "Signers=5", "--bind", "threshold=3")


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def outcome(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    last = events(done)[-1]
    assert last["event"] == "outcome"
    return last


@pytest.fixture
def hierarchy(guide: Path) -> Path:
    return guide / "016.choreo"


@pytest.fixture
def comprehensive(guide: Path) -> Path:
    return guide / "015.choreo"


@pytest.mark.parametrize("number", range(1, 17))
def test_every_protocol_of_the_guide_runs(pavane: Pavane, guide: Path, number: int) -> None:
    bind = {5: SIGNERS, 6: ("--bind", "N=3"), 7: ()}.get(number, ())
    file = guide / f"{number:03}.choreo"
    done = pavane("run", file, "--json", "--seed", str(number), "--url", "memory://", *bind)
    assert done.returncode == 0, done.stderr
    assert outcome(done)["ok"]


def test_a46_the_hierarchy_runs_on_an_embedded_server(pavane: Pavane, hierarchy: Path) -> None:
    done = pavane("run", hierarchy, "--json")
    assert done.returncode == 0, done.stderr
    charges = [e["charged"] for e in events(done) if e["event"] == "message_sent"]
    assert sorted(charges) == sorted([300, 300, 150, 150, 150, 150, 80, 200])
    roles = outcome(done)["roles"]
    assert roles["TopCoordinator"]["charged"] == 600
    assert roles["TopCoordinator"]["received"] == 1
    assert roles["Worker1"]["facts"] == {"work_completed": 1}


def test_the_view_shows_messages_effects_and_accounts(pavane: Pavane, hierarchy: Path) -> None:
    done = pavane("run", hierarchy)
    assert done.returncode == 0, done.stderr
    assert "Worker1 -> SubCoordinator1: WorkerResult" in done.stdout
    assert "capability submit_result, charged 80, fact work_completed" in done.stdout
    assert "What each role did" in done.stdout
    assert "completed  8 messages, 1480 charged, 4 facts recorded" in done.stdout


def test_a_terminal_gets_colour_within_its_columns(hierarchy: Path) -> None:
    text = on_a_terminal("run", hierarchy, "--url", "memory://", columns=80)
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    lines = [line for part in plain.split("\n") for line in part.split("\r")]
    assert max(map(len, lines)) <= 80
    assert "worker_coordination_started" in plain


def on_a_terminal(*arguments: str | Path, columns: int) -> str:
    """What the command writes when its output is a terminal of this width."""
    ours, theirs = pty.openpty()
    environ = environment(COLUMNS=str(columns), LINES="40")
    command = [str(COMMAND), *map(str, arguments)]
    with subprocess.Popen(command, stdout=theirs, stdin=theirs, stderr=theirs, env=environ) as run:
        os.close(theirs)
        written = bytearray()
        try:
            while data := os.read(ours, 65536):
                written += data
        except OSError:
            # Linux says so when the other side of a terminal is closed.
            pass
    os.close(ours)
    assert run.returncode == 0, written
    return written.decode()


def test_a26_a_trace_shows_the_stages_in_order(pavane: Pavane, comprehensive: Path) -> None:
    done = pavane("run", comprehensive, "--json", "--url", "memory://")
    first = next(e for e in events(done) if e["event"] == "message_sent")
    order = ["capability", "flow", "leakage", "journal", "send"]
    assert [s["name"] for s in first["stages"]] == order
    text = pavane("run", comprehensive, "--trace", "--url", "memory://").stdout
    places = [text.index(f" {name} ") for name in order]
    assert places == sorted(places)


def test_the_same_seed_gives_the_same_run(pavane: Pavane, guide: Path) -> None:
    def labels(seed: int) -> list[str]:
        file = guide / "008.choreo"
        done = pavane("run", file, "--json", "--seed", str(seed), "--url", "memory://")
        return [e["label"] for e in events(done) if e["event"] == "message_sent"]

    runs = [labels(seed) for seed in range(6)]
    assert runs == [labels(seed) for seed in range(6)]
    assert len({tuple(run) for run in runs}) == 2, "both branches are taken by some seed"


def test_a27_a_capability_taken_away_is_a_denial(pavane: Pavane, comprehensive: Path) -> None:
    revoke = ("--revoke", "User=respond_to_admin")
    done = pavane("run", comprehensive, "--json", *revoke)
    assert done.returncode == 3
    kinds = [e["event"] for e in events(done)]
    assert kinds.count("message_sent") == 1
    assert kinds.count("denied") == 1
    last = outcome(done)
    assert not last["ok"]
    user = last["roles"]["User"]
    assert (user["sent"], user["charged"], user["facts"], user["denials"]) == (0, 0, {}, 1)
    spoken = pavane("run", comprehensive, *revoke)
    assert spoken.returncode == 3
    assert "User may not send UserResponse to Admin" in spoken.stdout
    assert "Nothing was sent" in spoken.stdout


def test_granting_replaces_what_a_role_has(pavane: Pavane, comprehensive: Path) -> None:
    memory = ("--url", "memory://")
    less = pavane("run", comprehensive, *memory, "--grant", "Admin=something_else")
    assert less.returncode == 3
    same = pavane("run", comprehensive, *memory, "--grant", "Admin=admin_access,more")
    assert same.returncode == 0


def test_a28_a_budget_that_is_just_enough_and_one_too_small(
    pavane: Pavane, comprehensive: Path
) -> None:
    enough = pavane("run", comprehensive, "--url", "memory://", "--budget", "Admin=200")
    assert enough.returncode == 0, enough.stderr
    small = pavane("run", comprehensive, "--url", "memory://", "--budget", "Admin=199", "--json")
    assert small.returncode == 3
    assert [e["event"] for e in events(small)].count("message_sent") == 0
    assert outcome(small)["error"]["code"] == "PV420"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--grant", "Nobody=x"), "no role Nobody"),
        (("--revoke", "Admin=nothing"), "does not have this capability"),
        (("--budget", "Admin=many"), "not a whole number"),
        (("--budget", "Nobody=1"), "no role Nobody"),
        (("--bind", "N=3"), "no protocol here has such a name"),
        (("--name", "Other"), "has no protocol Other"),
        (("--store", "s", "--url", "nats://127.0.0.1:1"), "does not go with"),
        (("--url", "http://127.0.0.1"), "http"),
        (("--store", "/dev/null"), "is a file"),
        (("--leakage", "everyone=1"), "no message leaks anything"),
    ],
)
def test_options_that_cannot_work(
    pavane: Pavane, comprehensive: Path, options: tuple[str, ...], words: str
) -> None:
    done = pavane("run", comprehensive, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a9_an_unbound_family_is_wrong_usage(pavane: Pavane, guide: Path) -> None:
    done = pavane("run", guide / "005.choreo")
    assert done.returncode == 2
    assert "Signers" in done.stderr
    assert "--bind Signers=" in done.stderr


def test_a_refused_protocol_does_not_run(pavane: Pavane, broken: Path) -> None:
    done = pavane("run", broken)
    assert done.returncode == 1
    assert "Wrong is refused" in done.stderr


def test_a_server_that_is_not_there(pavane: Pavane, market: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    done = pavane("run", market, "--url", f"nats://127.0.0.1:{port}", timeout=20)
    assert done.returncode == 3
    assert str(port) in done.stderr
    assert "help:" in done.stderr


def test_a60_a_remote_server_without_tls_is_refused(pavane: Pavane, market: Path) -> None:
    done = pavane("run", market, "--url", "nats://nats.example:4222", timeout=20)
    assert done.returncode == 2
    assert "PAVANE_ALLOW_REMOTE" in done.stderr
    assert "--allow-remote" in done.stderr


def test_a37_a_leakage_budget_refuses_its_message(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "leak.choreo").write_text(
        'protocol Leak { roles: A, B; A[leak = "internal: 5"] -> B: M; }'
    )
    memory = ("--url", "memory://")
    assert pavane("run", "leak.choreo", *memory).returncode == 0
    assert pavane("run", "leak.choreo", *memory, "--leakage", "internal=5").returncode == 0
    small = pavane("run", "leak.choreo", *memory, "--leakage", "internal=4", "--json")
    assert small.returncode == 3
    assert outcome(small)["roles"]["A"]["sent"] == 0


def test_a_named_protocol_runs_beside_a_refused_one(pavane: Pavane, broken: Path) -> None:
    memory = ("--url", "memory://")
    assert pavane("run", broken, "--name", "Right", *memory).returncode == 0
    assert pavane("run", broken, "--name", "Wrong", *memory).returncode == 1
    unknown = pavane("run", broken, "--name", "Other", *memory)
    assert unknown.returncode == 2
    assert "it has Wrong, Right" in unknown.stderr


# what a run leaves --------------------------------------------------------------------------


@pytest.fixture
def store(pavane: Pavane, comprehensive: Path, tmp_path: Path) -> Path:
    """The store of one run of the comprehensive protocol."""
    done = pavane("run", comprehensive, "--store", "kept", "--seed", "3")
    assert done.returncode == 0, done.stderr
    return tmp_path / "kept"


def test_a_replay_tells_what_happened(pavane: Pavane, store: Path) -> None:
    done = pavane("journal", "replay", "--store", store)
    assert done.returncode == 0, done.stderr
    assert "Admin -> User: AdminCommand charged 200" in done.stdout
    assert "User -> Admin: UserResponse charged 100" in done.stdout
    assert "fact user_response_recorded" in done.stdout
    lines = [
        json.loads(n)
        for n in pavane("journal", "replay", "--store", store, "--json").stdout.splitlines()
    ]
    assert [e["kind"] for e in lines] == ["sent", "fact", "sent", "fact"]
    assert all(e["receipt"] for e in lines if e["kind"] == "sent")


def test_a_query_finds_facts(pavane: Pavane, store: Path) -> None:
    done = pavane("journal", "query", "admin_action_logged", "--store", store)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "admin_action_logged comprehensive_protocol.ComprehensiveProtocol" in done.stdout
    assert pavane("journal", "query", "--role", "Nobody", "--store", store).stdout == ""


def test_a_whole_journal_verifies(pavane: Pavane, store: Path) -> None:
    done = pavane("journal", "verify", "--store", store, "--json")
    assert done.returncode == 0
    findings = json.loads(done.stdout)
    assert findings["ok"] is True
    assert (findings["entries"], findings["writers"], findings["faults"]) == (4, 2, [])


def test_a32_a_damaged_journal_is_not_replayed(pavane: Pavane, store: Path) -> None:
    """The stored bytes of a fact are changed and the block's checksum with them no longer fits,
    so the server itself forgets records; the heads still know them."""
    blocks = [f for f in store.rglob("*.blk") if "/JOURNAL/" in f.as_posix()]
    assert blocks
    for block in blocks:
        data = bytearray(block.read_bytes())
        place = data.index(b"user_response_recorded")
        data[place] ^= 1
        block.write_bytes(bytes(data))
    for state in store.rglob("index.db"):
        state.unlink()
    verified = pavane("journal", "verify", "--store", store)
    assert verified.returncode == 3
    assert "damaged" in verified.stderr
    replayed = pavane("journal", "replay", "--store", store)
    assert replayed.returncode == 3
    assert "charged" not in replayed.stdout


def test_budgets_are_shown(pavane: Pavane, store: Path, comprehensive: Path) -> None:
    done = pavane("budget", "show", comprehensive, "--store", store, "--json")
    assert done.returncode == 0, done.stderr
    spent = {b["role"]: b["spent"] for b in json.loads(done.stdout)["budgets"]}
    assert spent == {"Admin": 200, "User": 100}
    assert "200" in pavane("budget", "show", comprehensive, "--store", store).stdout


@pytest.mark.parametrize("words", [("journal", "replay"), ("journal", "verify")])
def test_reading_needs_to_know_where(pavane: Pavane, words: tuple[str, ...]) -> None:
    done = pavane(*words)
    assert done.returncode == 2
    assert "--store" in done.stderr
    missing = pavane(*words, "--store", "nowhere")
    assert missing.returncode == 2
    assert "no store nowhere" in missing.stderr


@pytest.mark.parametrize("verb", ["replay", "verify", "query"])
def test_a_folder_that_is_no_store_is_left_alone(pavane: Pavane, tmp_path: Path, verb: str) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "code.py").write_text("pass")
    done = pavane("journal", verb, "--store", "sources")
    assert done.returncode == 2
    assert "sources holds no store" in done.stderr
    assert [f.name for f in (tmp_path / "sources").iterdir()] == ["code.py"]


def test_the_hierarchy_is_told_and_replayed_in_80_columns(pavane: Pavane, hierarchy: Path) -> None:
    told = pavane("run", hierarchy, "--store", "wide", COLUMNS="80").stdout
    read = pavane("journal", "replay", "--store", "wide", COLUMNS="80").stdout
    assert "fact top_coordination_started" in told
    assert "SubCoordinatorResult charged 200" in read
    assert max(map(len, (told + read).splitlines())) <= 80


def test_a_denial_is_told_once(pavane: Pavane, comprehensive: Path) -> None:
    memory = ("--url", "memory://")
    done = pavane("run", comprehensive, "--revoke", "User=respond_to_admin", *memory)
    assert done.returncode == 3
    assert "User may not send UserResponse to Admin" in done.stdout
    assert "lacks the capability" in " ".join(done.stdout.split())
    assert "lacks" not in done.stderr
    assert "error[PV410]" in done.stderr
    assert "grant comprehensive_protocol:respond_to_admin to User" in done.stderr


def test_an_empty_journal_says_so(pavane: Pavane, market: Path, tmp_path: Path) -> None:
    assert pavane("run", market, "--store", "quiet").returncode == 0
    done = pavane("journal", "replay", "--store", "quiet")
    assert done.returncode == 0
    assert "empty" in done.stdout


EXTENDED = Path(__file__).parents[2] / "examples" / "19_extended"


def test_a34_effects_of_ones_own_are_known_where_their_registry_is_named(pavane: Pavane) -> None:
    file, registry = f"{EXTENDED}.choreo", ("--registry", f"{EXTENDED}.py:registry")
    assert "`stamp` is not a known annotation" in pavane("check", file).stdout
    assert "warning" not in pavane("check", file, *registry).stdout
    traced = pavane("run", file, "--trace", "--url", "memory://", *registry)
    assert "journal    5 (105 of 1000000000000), stamped_released" in traced.stdout
    for verb in ("check", "run"):
        wrong = pavane(verb, file, "--registry", f"{EXTENDED}.py:report")
        assert wrong.returncode == 2
        assert "is no ExtensionRegistry" in wrong.stderr
