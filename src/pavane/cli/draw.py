"""`pavane draw`: a protocol or its machines as text, Mermaid, Graphviz or SVG."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..language.compiler import Compiled
from ..language.draw import (
    machine_dot,
    machine_mermaid,
    machine_svg,
    machine_text,
    sequence_mermaid,
    sequence_svg,
    sequence_text,
)
from ..language.machine import Machine
from ..language.projection import Projection
from .errors import UsageError
from .exits import verb
from .options import Bind, Files, Json, Strict, bindings
from .protocols import Judged, judge, project, refuse
from .screen import write_json


class Format(StrEnum):
    """What to draw in."""

    text = "text"
    mermaid = "mermaid"
    dot = "dot"
    svg = "svg"


MACHINES = {
    Format.text: machine_text,
    Format.mermaid: machine_mermaid,
    Format.dot: machine_dot,
    Format.svg: machine_svg,
}
SEQUENCES = {
    Format.text: sequence_text,
    Format.mermaid: sequence_mermaid,
    Format.svg: sequence_svg,
}
ENDINGS = {Format.text: "txt", Format.mermaid: "mmd", Format.dot: "dot", Format.svg: "svg"}


def install(app: typer.Typer) -> None:
    app.command()(draw)


@verb
def draw(
    files: Files,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="dot draws machines only.")
    ] = Format.text,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="Draw the machines of this role; repeat for more."),
    ] = None,
    machines: Annotated[
        bool, typer.Option("--machines", help="Draw the machines of every role.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write each diagram into a file of this folder."),
    ] = None,
    strict: Strict = False,
    bind: Bind = None,
    json: Json = False,
) -> None:
    """Draw protocols: who sends what to whom, and on demand the machines of the roles.

    [dim]Examples:[/dim]
      pavane draw market.choreo
      pavane draw market.choreo --format mermaid --machines
      pavane draw market.choreo --format dot --role Seller
      pavane draw market.choreo --format svg --machines --out diagrams
    """
    values = bindings(bind)
    judged = judge(files, values, strict=strict)
    accepted = [
        (one, one.compiled, project(one.compiled, values)) for one in judged if one.compiled
    ]
    wanted = frozenset(role or ())
    _refuse_unknown(wanted, [projection for _, _, projection in accepted])
    everyone = machines or (format is Format.dot and not wanted)
    drawings = [
        drawing(one, compiled, projection, format, wanted, everyone=everyone)
        for one, compiled, projection in accepted
    ]
    if json:
        write_json({"protocols": drawings})
    elif out is not None:
        for entry in drawings:
            _write(entry, format, out)
    else:
        if format is Format.svg and sum(len(list(_texts(e, format))) for e in drawings) > 1:
            raise UsageError(
                "several SVG diagrams cannot go into one output",
                hint="give a folder for them: --out diagrams",
            )
        texts = [text for entry in drawings for text in _texts(entry, format)]
        sys.stdout.write(_joined(texts, format))
    refuse(judged)


def drawing(
    judged: Judged,
    compiled: Compiled,
    projection: Projection,
    format: Format,
    wanted: frozenset[str],
    *,
    everyone: bool,
) -> dict[str, Any]:
    """One entry of `draw --json`: the sequence diagram, unless roles were asked for, and machines."""
    entry: dict[str, Any] = {
        "file": judged.source.file,
        "name": judged.name,
        "namespace": judged.namespace,
        "format": str(format),
    }
    if not wanted and format is not Format.dot:
        entry["sequence"] = SEQUENCES[format](compiled.protocol, compiled.selections)
    entry["machines"] = {
        machine.name: MACHINES[format](machine)
        for machine in _machines(projection)
        if everyone or machine.role in wanted
    }
    return entry


def _texts(entry: dict[str, Any], format: Format) -> Iterator[str]:
    if "sequence" in entry:
        yield entry["sequence"]
    for name, text in entry["machines"].items():
        yield f"{name}\n{text}" if format is Format.text else text


def _write(entry: dict[str, Any], format: Format, folder: Path) -> None:
    """`Name.svg` for the protocol, `Name.Role.svg` for a machine."""
    stem = ".".join(part for part in (entry["namespace"], entry["name"]) if part)
    texts = {stem: entry["sequence"]} if "sequence" in entry else {}
    texts |= {f"{stem}.{name}": text for name, text in entry["machines"].items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.{ENDINGS[format]}").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", hint="name another folder"
        ) from None


def _joined(texts: list[str], format: Format) -> str:
    """One diagram as it is; several Mermaid diagrams each in a fence, as Markdown has them."""
    if format is Format.mermaid and len(texts) > 1:
        texts = [f"```mermaid\n{text}\n```" for text in texts]
    return "\n\n".join(texts) + "\n" if texts else ""


def _machines(projection: Projection) -> Iterator[Machine]:
    for machines in projection.machines.values():
        yield from machines


def _refuse_unknown(wanted: frozenset[str], projections: list[Projection]) -> None:
    known = {role for projection in projections for role in projection.machines}
    if projections and wanted - known:
        raise UsageError(
            f"--role {min(wanted - known)}: no protocol here has such a role",
            hint=f"the roles are {', '.join(sorted(known))}",
        )
