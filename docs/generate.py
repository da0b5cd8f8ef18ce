"""Write the reference pages that come from the program itself: every error, every verb."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pavane
from pavane.cli.app import VERBS
from pavane.language.codes import CODES
from pavane.language.errors import PavaneError

HERE = Path(__file__).parent / "reference"


def subclasses(error: type[PavaneError]) -> Iterator[type[PavaneError]]:
    yield error
    for child in error.__subclasses__():
        yield from subclasses(child)


def errors_page() -> str:
    for module in pkgutil.walk_packages(pavane.__path__, "pavane."):
        if module.name != "pavane.__main__":
            importlib.import_module(module.name)
    rows = [f"| `{code}` | {meaning} |" for code, meaning in sorted(CODES.items())]
    kinds = sorted(set(subclasses(PavaneError)), key=lambda e: (e.code, e.__name__))
    raised = [f"| `{e.code}` | `{e.__name__}` | {first_sentence(e)} |" for e in kinds]
    return "\n".join(
        [
            "# Errors",
            "",
            "Every error says what happened, where, and what to do. Codes are stable and never reused.",
            "",
            "## What the language refuses",
            "",
            "| code | meaning |",
            "|---|---|",
            *rows,
            "",
            "## What is raised",
            "",
            "All under `pavane.PavaneError`.",
            "",
            "| code | class | meaning |",
            "|---|---|---|",
            *raised,
            "",
        ]
    )


def first_sentence(error: type[PavaneError]) -> str:
    text = " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())
    return text.replace("|", "\\|")


def help_text(*words: str) -> str:
    environment = {**os.environ, "COLUMNS": "90", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "pavane", *words, "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def command_line_page() -> str:
    parts = ["# The command line", "", "```text", help_text(), "```"]
    for verb in VERBS:
        parts += ["", f"## pavane {verb}", "", "```text", help_text(verb), "```"]
    return "\n".join([*parts, ""])


def main() -> None:
    (HERE / "errors.md").write_text(errors_page(), encoding="utf-8")
    (HERE / "command-line.md").write_text(command_line_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
