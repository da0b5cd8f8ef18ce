"""The documentation: every code has its line, every page is in the menu, the site builds."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = {"reference/errors.md", "reference/command-line.md"}


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def codes_in_the_source() -> set[str]:
    folders = ("language", "broker", "effects", "actors", "src")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return {code for f in files for code in re.findall(r'"(PV\d{3})"', f.read_text())}


def test_every_code_has_its_line() -> None:
    page: str = generator().errors_page()
    documented = dict(
        re.findall(r"^\| \[?`(PV\d{3})`\S* \|(?: `\w+` \|)? (.*) \|$", page, re.MULTILINE)
    )
    assert codes_in_the_source() <= documented.keys()
    assert [code for code, meaning in documented.items() if not meaning.strip()] == []


def test_every_verb_is_on_the_page_of_the_command_line() -> None:
    page: str = generator().command_line_page()
    assert set(re.findall(r"^## pavane (\w+)", page, re.MULTILINE)) == set(generator().VERBS)
    assert page.count("Usage: pavane") == 1 + len(generator().VERBS)


def test_every_page_is_in_the_menu_or_led_to_by_the_page_of_errors() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r":\s+([\w/-]+\.md)$", text, re.MULTILINE))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    errors: str = generator().errors_page()
    pages -= {f"reference/{page}" for page in re.findall(r"\((diagnostics/pv\d+\.md)\)", errors)}
    assert pages - GENERATED == named - GENERATED
    assert named >= GENERATED


def test_links_between_pages_lead_somewhere() -> None:
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([\w/.-]+\.md)\)", page.read_text()):
            name = (page.parent / target).resolve().relative_to(DOCS)
            assert str(name) in GENERATED or (DOCS / name).exists(), f"{page}: {target}"


def test_the_menu_is_yaml() -> None:
    """Apart from the one tag that mkdocs itself defines."""
    text = (ROOT / "mkdocs.yml").read_text().replace("!!python/name:", "")
    assert yaml.safe_load(text)["site_name"] == "Pavane"


def test_the_page_on_roles_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "write-the-roles.md").read_text()
    blocks = dict(re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    (tmp_path / "workshop.choreo").write_text(blocks[""])
    command = [sys.executable, "-c", blocks["python"]]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == (blocks["text"], "")


@pytest.mark.long
def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the tools for the documentation are not installed")
    subprocess.run([sys.executable, DOCS / "generate.py"], check=True, timeout=120)
    options = ["--strict", "--quiet", "-d", str(tmp_path)]
    command = [sys.executable, "-m", "mkdocs", "build", *options]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    assert "Negotiation" in (tmp_path / "index.html").read_text()
