"""`pavane format`: in place, as a check, as a difference, as a filter."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .conftest import Pavane

UGLY = "protocol P{roles:A,B;A->B:M // why\n}"
FINE = "protocol P {\n    roles: A, B;\n    A -> B: M; // why\n}\n"
BROKEN = "protocol P { roles: A, B; A -> B }"


def test_a23_files_are_rewritten_in_place(pavane: Pavane, tmp_path: Path) -> None:
    ugly, fine = tmp_path / "ugly.choreo", tmp_path / "fine.choreo"
    ugly.write_text(UGLY)
    ugly.chmod(0o640)
    fine.write_text(FINE)
    before = fine.stat()
    done = pavane("format", "ugly.choreo", "fine.choreo")
    assert (done.returncode, done.stdout, done.stderr) == (0, "formatted ugly.choreo\n", "")
    assert ugly.read_text() == FINE
    assert stat.S_IMODE(ugly.stat().st_mode) == 0o640
    assert (fine.stat().st_ino, fine.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(os.listdir(tmp_path)) == ["fine.choreo", "ugly.choreo"]
    assert pavane("format", "ugly.choreo").stdout == ""


def test_a23_check_lists_what_would_change(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "ugly.choreo").write_text(UGLY)
    (tmp_path / "fine.choreo").write_text(FINE)
    done = pavane("format", "--check", "fine.choreo", "ugly.choreo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ugly.choreo would change\n"
    assert (tmp_path / "ugly.choreo").read_text() == UGLY
    assert pavane("format", "--check", "fine.choreo").returncode == 0


def test_a23_a_difference_that_patch_takes(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "ugly.choreo").write_text(FINE.replace("A, B", "A,B"))
    done = pavane("format", "--diff", "ugly.choreo")
    assert done.returncode == 0
    assert "-    roles: A,B;\n+    roles: A, B;\n" in done.stdout
    assert pavane("format", "--diff", "--check", "ugly.choreo").returncode == 1
    assert "A,B" in (tmp_path / "ugly.choreo").read_text()


def test_a23_the_standard_input_goes_to_the_standard_output(pavane: Pavane) -> None:
    done = pavane("format", "-", stdin=UGLY)
    assert (done.returncode, done.stdout, done.stderr) == (0, FINE, "")


def test_a_broken_file_stays_and_the_others_are_formatted(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "broken.choreo").write_text(BROKEN)
    (tmp_path / "ugly.choreo").write_text(UGLY)
    done = pavane("format", "broken.choreo", "ugly.choreo")
    assert done.returncode == 1
    assert "broken.choreo:1:" in done.stderr
    assert (tmp_path / "broken.choreo").read_text() == BROKEN
    assert (tmp_path / "ugly.choreo").read_text() == FINE


def test_what_cannot_be_kept_is_not_touched(pavane: Pavane, tmp_path: Path) -> None:
    """Bytes that are no text would be lost in writing it back."""
    latin = UGLY.replace("why", "warum \xfc").encode("latin-1")
    (tmp_path / "latin.choreo").write_bytes(latin)
    done = pavane("format", "latin.choreo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "not UTF-8" in done.stderr
    assert (tmp_path / "latin.choreo").read_bytes() == latin
    assert pavane("format", "missing.choreo").returncode == 2
    assert pavane("format", str(tmp_path)).returncode == 2


def test_a_link_stays_a_link(pavane: Pavane, tmp_path: Path) -> None:
    (tmp_path / "real.choreo").write_text(UGLY)
    (tmp_path / "link.choreo").symlink_to("real.choreo")
    assert pavane("format", "link.choreo").returncode == 0
    assert (tmp_path / "link.choreo").is_symlink()
    assert (tmp_path / "real.choreo").read_text() == FINE
