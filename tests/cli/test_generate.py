"""`pavane generate`: files written, kept, checked and refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .conftest import Pavane

SHOP = """#[namespace = "shop.back"]
protocol Sale { roles: A, B; A -> B: M(Order); }
protocol Plain { roles: A, B; A -> B: M; }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.choreo"
    file.write_text(SHOP)
    return file


def test_a25_modules_are_written_into_packages(pavane: Pavane, shop: Path, tmp_path: Path) -> None:
    done = pavane("generate", shop, "--out", "src")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "written   src/shop/back/sale.py",
        "written   src/plain.py",
    ]
    written = {str(f.relative_to(tmp_path / "src")) for f in (tmp_path / "src").rglob("*.*")}
    packages = {"shop/__init__.py", "shop/back/__init__.py"}
    assert written == {"shop/back/sale.py", "plain.py"} | packages
    assert "class A(State):" in (tmp_path / "src" / "plain.py").read_text()


def test_a_second_time_nothing_is_touched(pavane: Pavane, shop: Path, tmp_path: Path) -> None:
    pavane("generate", shop)
    (tmp_path / "shop" / "__init__.py").write_text("# ours\n")
    os.utime(tmp_path / "plain.py", (1, 1))
    done = pavane("generate", "--json", shop)
    assert [(m["file"], m["protocol"], m["state"]) for m in json.loads(done.stdout)["modules"]] == [
        ("shop/back/sale.py", "shop.back.Sale", "unchanged"),
        ("plain.py", "Plain", "unchanged"),
    ]
    assert (tmp_path / "plain.py").stat().st_mtime == 1
    assert (tmp_path / "shop" / "__init__.py").read_text() == "# ours\n"


def test_check_writes_nothing_and_finds_what_is_outdated(
    pavane: Pavane, shop: Path, tmp_path: Path
) -> None:
    done = pavane("generate", "--check", shop)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "missing   shop/back/sale.py"
    assert list(tmp_path.iterdir()) == [shop]
    pavane("generate", shop)
    assert pavane("generate", "--check", shop).returncode == 0
    shop.write_text(SHOP.replace("A -> B: M;", "A -> B: N;"))
    before = (tmp_path / "plain.py").read_text()
    done = pavane("generate", "--check", shop)
    assert done.returncode == 1
    assert "outdated  plain.py" in done.stdout
    assert "unchanged shop/back/sale.py" in done.stdout
    assert (tmp_path / "plain.py").read_text() == before
    assert pavane("generate", shop).returncode == 0
    assert "send_n" in (tmp_path / "plain.py").read_text()


def test_a_file_of_somebody_elses_is_left_alone(pavane: Pavane, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("print('mine')\n")
    done = pavane("generate", shop)
    assert done.returncode == 2
    assert "plain.py was not made by `pavane generate`" in done.stderr
    assert (tmp_path / "plain.py").read_text() == "print('mine')\n"
    assert not (tmp_path / "shop").exists()


def test_what_is_refused_writes_nothing(pavane: Pavane, broken: Path, tmp_path: Path) -> None:
    done = pavane("generate", broken)
    assert done.returncode == 1
    assert "Wrong is refused" in done.stderr
    assert list(tmp_path.iterdir()) == [broken]


def test_two_protocols_for_one_file_are_refused(pavane: Pavane, tmp_path: Path) -> None:
    file = tmp_path / "two.choreo"
    file.write_text(
        "protocol FooBar { roles: A, B; A -> B: M; } protocol fooBar { roles: A, B; A -> B: M; }"
    )
    done = pavane("generate", file)
    assert done.returncode == 1
    assert "error[PV188]: FooBar and fooBar would both have the name foo_bar" in done.stderr


def test_types_are_imported_from_the_module_that_is_named(
    pavane: Pavane, shop: Path, tmp_path: Path
) -> None:
    assert pavane("generate", shop, "--types", "my.models").returncode == 0
    text = (tmp_path / "shop" / "back" / "sale.py").read_text()
    assert "from my.models import Order\n" in text
    done = pavane("generate", shop, "--types", "my models")
    assert done.returncode == 2
    assert "not the name of a module" in done.stderr


def test_counts_can_be_bound(pavane: Pavane, guide: Path, tmp_path: Path) -> None:
    bound = ("--bind", "Signers=5", "--bind", "threshold=3")
    done = pavane("generate", guide / "005.choreo", *bound)
    assert done.returncode == 0
    assert "class SignersUpTo3(State):" in (tmp_path / "threshold_protocol.py").read_text()
    assert pavane("generate", guide / "005.choreo", "--bind", "Signers=0").returncode == 2


def test_a_folder_that_cannot_be_written_is_wrong_usage(
    pavane: Pavane, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    done = pavane("generate", shop, "--out", "taken")
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def test_the_module_beside_the_example_is_up_to_date(pavane: Pavane) -> None:
    examples = Path(__file__).parents[2] / "examples"
    done = pavane("generate", "--check", examples / "05_typed.choreo", "--out", examples)
    assert done.returncode == 0, done.stdout
