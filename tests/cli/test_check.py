"""`pavane check`: verdicts, JSON and exit codes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import COMMAND, Pavane, environment

ENTRY = {"file", "name", "namespace", "ok", "diagnostics", "selections"}
DIAGNOSTIC = {"code", "severity", "message", "line", "column", "hint"}

DEAF = """protocol Deaf {
    roles: A, B, C;
    choice A {
        left { A -> B: L; B -> C: Same; C -> B: X; }
        right { A -> B: R; B -> C: Same; C -> B: Y; }
    }
}
"""


def test_a1_the_guides_protocols_are_accepted(pavane: Pavane, guide: Path) -> None:
    done = pavane("check", "--json", *sorted(guide.glob("*.choreo")))
    assert done.returncode == 0
    assert done.stderr == ""
    protocols = json.loads(done.stdout)["protocols"]
    assert len(protocols) == 16
    assert all(set(p) == ENTRY and p["ok"] for p in protocols)
    assert protocols[14]["namespace"] == "comprehensive_protocol"
    assert protocols[4] == {
        "file": str(guide / "005.choreo"),
        "name": "ThresholdProtocol",
        "namespace": "",
        "ok": True,
        "diagnostics": [],
        "selections": [],
    }


def test_one_refused_protocol_beside_a_good_one(pavane: Pavane, broken: Path) -> None:
    done = pavane("check", "--json", broken)
    assert done.returncode == 1
    wrong, right = json.loads(done.stdout)["protocols"]
    assert (wrong["name"], wrong["ok"]) == ("Wrong", False)
    assert (right["name"], right["ok"], right["diagnostics"]) == ("Right", True, [])
    assert [set(d) for d in wrong["diagnostics"]] == [DIAGNOSTIC] * len(wrong["diagnostics"])
    lines = {d["line"] for d in wrong["diagnostics"] if d["severity"] == "error"}
    assert lines == {3, 4}
    assert all(re.fullmatch(r"PV\d{3}", d["code"]) and d["hint"] for d in wrong["diagnostics"])


def test_a_refusal_shows_source_and_caret(pavane: Pavane, broken: Path) -> None:
    done = pavane("check", broken)
    assert done.returncode == 1
    assert f"{broken}:3:" in done.stdout
    assert "A -> C: One;" in done.stdout
    assert "^" in done.stdout
    assert "refused Wrong" in done.stdout
    assert "ok      Right" in done.stdout
    assert "\x1b[" not in done.stdout, "no colour in a pipe"


def test_colour_for_those_who_ask_for_it(pavane: Pavane, broken: Path) -> None:
    coloured = pavane("check", broken, FORCE_COLOR="1").stdout
    plain = pavane("check", broken).stdout
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b[" not in pavane("check", broken, FORCE_COLOR="1", NO_COLOR="1").stdout.replace(
        "\x1b[1m", ""
    ).replace("\x1b[0m", "").replace("\x1b[2m", "")


@pytest.mark.parametrize(
    "content", [b"hello, world\n", b"", b"\x89PNG\r\n\x1a\n\0\xff\xfe", b"{" * 500]
)
def test_a_file_that_is_no_protocol_is_one_entry(
    pavane: Pavane, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "odd.choreo").write_bytes(content)
    done = pavane("check", "--json", "odd.choreo")
    assert done.returncode == 1
    (entry,) = json.loads(done.stdout)["protocols"]
    assert (entry["name"], entry["ok"]) == (None, False)
    assert entry["diagnostics"]
    spoken = pavane("check", "odd.choreo")
    assert spoken.returncode == 1
    assert "odd.choreo:" in spoken.stdout


BROKEN_BYTES = (
    (b"\x89PNG\r\n\x1a\n\0\xff\xfe", 1, 1),
    ("protocol A { roles: X, Y; X -> Y: M; }".encode("utf-16"), 1, 1),
    ("protocol A { roles: X, Y; X -> Y: M; }".encode("utf-16-le"), 1, 2),
    (b"protocol A {\n  // caf\xe9\n  roles: X, Y; X -> Y: M; }", 2, 9),
)


@pytest.mark.parametrize(
    ("content", "line", "column"), BROKEN_BYTES, ids=["image", "utf-16", "utf-16-le", "latin-1"]
)
def test_bytes_that_are_no_text_are_one_sentence(
    pavane: Pavane, tmp_path: Path, content: bytes, line: int, column: int
) -> None:
    (tmp_path / "odd.choreo").write_bytes(content)
    told = json.loads(pavane("check", "--json", "odd.choreo").stdout)["protocols"]
    (diagnostic,) = told[0]["diagnostics"]
    assert "no text in UTF-8" in diagnostic["message"]
    assert (diagnostic["line"], diagnostic["column"]) == (line, column)
    spoken = pavane("check", "odd.choreo")
    assert len(spoken.stdout.splitlines()) == 5
    assert f"odd.choreo:{line}:{column}" in spoken.stdout
    for verb, code in (("run", 1), ("format", 2)):
        done = pavane(verb, "odd.choreo")
        assert done.returncode == code
        assert "no text in UTF-8" in done.stderr
        assert len(done.stderr.splitlines()) <= 5


def test_a_missing_file_does_not_hide_the_verdict_on_the_others(
    pavane: Pavane, market: Path, broken: Path
) -> None:
    files = ("no.choreo", market, "never.choreo", broken)
    done = pavane("check", "--json", *files)
    assert done.returncode == 2
    entries = json.loads(done.stdout)["protocols"]
    assert [(e["file"], e["ok"]) for e in entries] == [
        ("no.choreo", False),
        (str(market), True),
        ("never.choreo", False),
        (str(broken), False),
        (str(broken), True),
    ]
    assert all(set(e) == ENTRY for e in entries)
    assert "there is no file" in entries[0]["diagnostics"][0]["message"]
    assert "no.choreo" in done.stderr and "never.choreo" in done.stderr
    spoken = pavane("check", *files)
    assert spoken.returncode == 2
    assert "ok      Market" in spoken.stdout


def test_letters_that_the_terminal_does_not_have(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "caf\u00e9.choreo").write_text(
        "protocol A { roles: X, Y; /* \u00e9 */ X -> Z: M; }", encoding="utf-8"
    )
    spoken = pavane("check", "caf\u00e9.choreo", PYTHONIOENCODING="ascii")
    assert spoken.returncode == 1
    assert "/* \\xe9 */" in spoken.stdout
    told = pavane("check", "--json", "caf\u00e9.choreo", PYTHONIOENCODING="ascii")
    assert json.loads(told.stdout)["protocols"][0]["file"] == "caf\u00e9.choreo"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize(
    "words", [("check",), ("run", "--url", "memory://"), ("run", "--json", "--url", "memory://")]
)
def test_a_full_disk_is_a_sentence(market: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [COMMAND, *words, market],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(),
        )
    assert done.returncode == 3
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def test_a_number_of_many_digits_is_too_large(pavane: Pavane, guide: Path) -> None:
    done = pavane("check", guide / "005.choreo", "--bind", f"Signers={'9' * 30}")
    assert done.returncode == 2
    assert "30 digits is too large" in done.stderr


def test_what_is_not_there_or_no_file_is_wrong_usage(pavane: Pavane, tmp_path: Path) -> None:
    for name, words in (
        ("missing.choreo", "there is no file"),
        ("", "there is no file"),
        (str(tmp_path), "is a directory"),
        ("x" * 5000, "cannot be read"),
    ):
        done = pavane("check", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert "help:" in done.stderr


def test_the_standard_input_is_a_file_too(pavane: Pavane, market: Path) -> None:
    done = pavane("check", "-", stdin=market.read_text())
    assert done.returncode == 0
    assert "ok      Market (<stdin>)" in done.stdout


def test_a15_selections_are_reported_and_refused_when_strict(
    pavane: Pavane, tmp_path: Path
) -> None:
    (tmp_path / "deaf.choreo").write_text(DEAF)
    done = pavane("check", "--json", "deaf.choreo")
    assert done.returncode == 0
    (entry,) = json.loads(done.stdout)["protocols"]
    told = {(s["chooser"], s["receiver"], s["branch"]) for s in entry["selections"]}
    assert told == {("A", "C", "left"), ("A", "C", "right")}
    assert {s["line"] for s in entry["selections"]} == {3}
    strict = pavane("check", "--strict", "--json", "deaf.choreo")
    assert strict.returncode == 1
    (entry,) = json.loads(strict.stdout)["protocols"]
    assert not entry["ok"]
    assert any(d["severity"] == "error" and d["hint"] for d in entry["diagnostics"])


def test_bindings_are_checked(pavane: Pavane, guide: Path) -> None:
    threshold = guide / "005.choreo"
    good = pavane("check", threshold, "--bind", "Signers=5", "--bind", "threshold=3")
    assert good.returncode == 0
    for bind, words in (
        ("Signers=0", "0 instances"),
        ("Signers=10001", "10001 instances"),
        ("Signers=two", "not a whole number"),
        ("Signers", "expected a name"),
        ("Sigers=5", "no protocol here has such a name"),
        ("Signers=-1", "not a whole number"),
    ):
        done = pavane("check", threshold, "--bind", bind, "--bind", "threshold=1")
        assert done.returncode == 2, bind
        assert words in done.stderr, bind
    above = pavane("check", threshold, "--bind", "Signers=2", "--bind", "threshold=3")
    assert above.returncode == 2
    assert "threshold" in above.stderr


@pytest.mark.parametrize("verb", ["check", "project", "draw", "explore"])
def test_a12_a_size_that_cannot_be_is_refused_by_its_name(
    pavane: Pavane, guide: Path, verb: str
) -> None:
    """The family is called `Followers` and its size `N`."""
    for size in ("0", "10001"):
        done = pavane(verb, guide / "006.choreo", "--bind", f"N={size}")
        assert (done.returncode, done.stdout) == (2, ""), size
        assert f"Followers cannot have {size} instances" in done.stderr


def test_a12_a_wrong_count_is_refused_beside_one_that_is_open(
    pavane: Pavane, tmp_path: Path
) -> None:
    text = "protocol P { roles: L, W[N]; L -> W[5]: M; loop (count: few) { L -> W[0]: A } }"
    (tmp_path / "few.choreo").write_text(text)
    done = pavane("check", "few.choreo", "--bind", "N=3")
    assert done.returncode == 2
    assert "W has 3 instances, and the protocol names 5" in done.stderr
    assert "bind W to 6 or more" in done.stderr
    assert pavane("check", "few.choreo", "--bind", "N=6").returncode == 0


def test_many_files_with_a_binding_that_only_one_uses(pavane: Pavane, guide: Path) -> None:
    done = pavane("check", guide / "001.choreo", guide / "005.choreo", "--bind", "Signers=5")
    assert done.returncode == 0


def test_lines_fit_into_80_columns(pavane: Pavane, guide: Path, tmp_path: Path) -> None:
    (tmp_path / "m.choreo").write_bytes((guide / "016.choreo").read_bytes())
    done = pavane("check", "m.choreo", COLUMNS="80")
    assert max(map(len, done.stdout.splitlines())) <= 80
