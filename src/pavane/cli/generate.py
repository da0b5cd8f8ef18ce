"""`pavane generate`: a Python module of typed states for each protocol."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from ..language.generate import MARK, Module
from ..language.generate import generate as generated
from .errors import Refused, UsageError
from .exits import verb
from .options import Bind, Files, Json, Strict, bindings
from .protocols import judge, refuse
from .screen import say, write_json

Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write into.")]
Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit with 1 when a module is outdated.")
]
Types = Annotated[
    str,
    typer.Option(
        "--types", metavar="MODULE", help="The Python module that has the payloads' own types."
    ),
]
State = Literal["written", "unchanged", "missing", "outdated"]

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def install(app: typer.Typer) -> None:
    app.command()(generate)


@dataclass(frozen=True, slots=True)
class File:
    """A module, the file that it belongs in, and how that one stands."""

    module: Module
    path: Path
    state: State


@verb
def generate(
    files: Files,
    out: Out = Path(),
    check: Check = False,
    types: Types = "",
    strict: Strict = False,
    bind: Bind = None,
    json: Json = False,
) -> None:
    """Write typed states: a class for each state of each role, for mypy and pyright to check.

    A protocol Negotiation in the namespace shop becomes shop/negotiation.py.

    [dim]Examples:[/dim]
      pavane generate market.choreo --out src
      pavane generate protocols/*.choreo --out src --types market.models
      pavane generate protocols/*.choreo --out src --check
    """
    if types and not DOTTED.fullmatch(types):
        raise UsageError(
            f"--types {types}: not the name of a module", hint="write it as in an import: a.b"
        )
    values = bindings(bind)
    judged = judge(files, values, strict=strict)
    refuse(judged)
    modules = generated([one.compiled for one in judged if one.compiled], values, types=types)
    found = [_found(module, out) for module in modules]
    done = found if check else [_written(one, out) for one in found]
    _report(done, json=json)
    if check and any(one.state != "unchanged" for one in done):
        raise Refused("a module is not up to date")


def _found(module: Module, out: Path) -> File:
    """How the module's file stands; raises `UsageError` for one that is not ours."""
    path = out / module.file
    try:
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except FileNotFoundError:
        return File(module, path, "missing")
    except OSError as error:
        raise _unusable(path, error) from None
    if text == module.text:
        return File(module, path, "unchanged")
    if text.strip() and not text.startswith(MARK):
        raise UsageError(
            f"{path} was not made by `pavane generate`, and is left as it is",
            hint="move it away, or give another folder with --out",
        )
    return File(module, path, "outdated")


def _written(file: File, out: Path) -> File:
    """Write what is not as it should be, and make the packages that lead there."""
    if file.state == "unchanged":
        return file
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        for length in range(1, len(file.module.path)):
            package = out.joinpath(*file.module.path[:length], "__init__.py")
            package.touch(exist_ok=True)
        _replace(file.path, file.module.text)
    except OSError as error:
        raise _unusable(file.path, error) from None
    return File(file.module, file.path, "written")


def _replace(path: Path, text: str) -> None:
    """Write in one step, so that a program never imports half a module."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8", newline="\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _unusable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be used: {error.strerror or error}",
        hint="give a folder that can be written",
    )


def _report(files: list[File], *, json: bool) -> None:
    if json:
        modules = [
            {
                "file": str(f.path),
                "protocol": f.module.compiled.protocol.full_name,
                "state": f.state,
            }
            for f in files
        ]
        write_json({"modules": modules})
        return
    for file in files:
        mark = "bold red" if file.state in ("missing", "outdated") else "bold green"
        say(Text.assemble((f"{file.state:10}", mark), str(file.path)))
