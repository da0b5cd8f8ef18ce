"""Write the reference pages that come from the program itself: every error, every verb."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
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
            load(module.name)
    rows = [
        f"| [`{code}`](diagnostics/{code.lower()}.md) | {meaning} |"
        for code, meaning in sorted(CODES.items())
    ]
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
            "Each code has a page with a wrong example, what is said of it, and the right one.",
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


def load(module: str) -> None:
    """Import a module of ours; one that needs an extra that is not installed has no errors to
    list."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("pavane"):
            raise


def first_sentence(error: type[PavaneError]) -> str:
    """The class's own words, or what the tree at the top of its module says of it."""
    own: str | None = vars(error).get("__doc__")
    text = " ".join(inspect.cleandoc(own).split("\n\n")[0].split()) if own else in_tree(error)
    return text.replace("|", "\\|")


def in_tree(error: type[PavaneError]) -> str:
    """Where neither says anything, the name is meant to say it: `PortInUse`."""
    tree = sys.modules[error.__module__].__doc__ or ""
    found = re.search(rf"\b{error.__name__}\b {{2,}}(\S.*)$", tree, re.MULTILINE)
    return found[1] if found else re.sub(r"(?<!^)(?=[A-Z])", " ", error.__name__).lower()


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
