"""The folder of the extension: its files are valid, and its colours know the whole language."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pavane.language.tables import Language
from pavane.lsp.channel import is_list, is_object

FOLDER = Path(__file__).parents[2] / "editors" / "vscode"
GUIDE = Path(__file__).parents[1] / "data" / "guide"
PATTERNS = ("match", "begin", "end", "while")


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return content


def rules(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the grammar."""
    if is_object(node):
        yield node
        for child in node.values():
            yield from rules(child)
    elif is_list(node):
        for child in node:
            yield from rules(child)


GRAMMAR = read("syntaxes/choreo.tmLanguage.json")
KEYWORDS = sorted(Language().lexicon.keywords)


def coloured(section: str) -> list[re.Pattern[str]]:
    return [re.compile(rule["match"]) for rule in rules(GRAMMAR["repository"][section])
            if "match" in rule]  # fmt: skip


def test_the_manifest_names_files_that_are_there() -> None:
    manifest = read("package.json")
    contributes = manifest["contributes"]
    named = [manifest["main"], contributes["languages"][0]["configuration"]]
    named.append(contributes["grammars"][0]["path"])
    assert all((FOLDER / name).is_file() for name in named)
    assert contributes["languages"][0]["extensions"] == [".choreo"]
    assert contributes["grammars"][0]["scopeName"] == GRAMMAR["scopeName"]


def test_every_pattern_compiles_and_every_include_leads_somewhere() -> None:
    for rule in rules(GRAMMAR):
        for key in PATTERNS:
            if key in rule:
                re.compile(rule[key])
        if "include" in rule:
            assert rule["include"].removeprefix("#") in GRAMMAR["repository"]
    configuration = read("language-configuration.json")
    re.compile(configuration["wordPattern"])
    for pattern in configuration["indentationRules"].values():
        re.compile(pattern)


@pytest.mark.parametrize("word", KEYWORDS)
def test_every_keyword_of_the_language_is_coloured(word: str) -> None:
    assert any(pattern.fullmatch(word) for pattern in coloured("keyword"))
    assert not any(pattern.search(f"x{word}y") for pattern in coloured("keyword"))


def test_the_labels_of_the_guide_are_coloured_as_messages() -> None:
    (message,) = coloured("message")
    sends = labels = 0
    for file in GUIDE.glob("*.choreo"):
        for line in file.read_text("utf-8").splitlines():
            code = line.split("//")[0]
            sends += len(re.findall(r"->\s*\w+[^;]*:\s*\w+", code))
            labels += len(message.findall(code))
    assert sends > 30
    assert labels >= 0.8 * sends, "annotations over several lines are left plain, and no more"


def test_the_settings_are_those_that_the_server_reads() -> None:
    settings = read("package.json")["contributes"]["configuration"]["properties"]
    script = (FOLDER / "extension.js").read_text("utf-8")
    names = {name.removeprefix("pavane.") for name in settings}
    assert names == {"command", "strict", "extensionKeys"}
    assert all(f'"{name}"' in script for name in names)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_is_javascript() -> None:
    subprocess.run(["node", "--check", FOLDER / "extension.js"], check=True, timeout=60)
