"""The levels of budgets, read for `pavane budget show`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..broker.contract import Level
from ..effects.flow.budget import Budgets
from ..effects.identity import Identity
from ..language.compiler import Compiled
from .brokers import connected, kept_address
from .entitlements import observers
from .loop import play
from .protocols import judge, refuse
from .screen import output, write_json


@dataclass(frozen=True, slots=True)
class Row:
    """`kind` is `flow` or `leakage`; `name` a role, or a class of observers."""

    context: str
    kind: str
    name: str
    level: Level | None


def show(
    files: list[str], url: str | None, store: Path | None, *, allow_remote: bool, json: bool
) -> None:
    """One row for each role of each protocol, and each class of observers that it leaks to; a role
    that was never charged has no budget."""
    judged = judge(files, {})
    refuse(judged)
    compiled = [one.compiled for one in judged if one.compiled]

    async def main() -> list[Row]:
        where = kept_address(url, store)
        async with connected(where, store, allow_remote=allow_remote) as broker:
            budgets = Budgets(broker)
            return [row for one in compiled for row in await _rows(one, budgets)]

    rows = play(main)
    if json:
        write_json({"budgets": [as_json(row) for row in rows]})
    else:
        output().print(_table(rows))


async def _rows(compiled: Compiled, budgets: Budgets) -> list[Row]:
    where = context(compiled)
    roles = [role.name for role in compiled.protocol.roles]
    found = [Row(where, "flow", role, await budgets.level(where, role)) for role in roles]
    for observer in sorted(observers(compiled.sketch())):
        level = await budgets.leakage(where, observer)
        found.append(Row(where, "leakage", observer, level))
    return found


def context(compiled: Compiled) -> str:
    """Where the runtime keeps the budgets of this protocol's sessions."""
    return Identity(compiled.namespace, compiled.name, "any", "any").context


def as_json(row: Row) -> dict[str, Any]:
    """One budget; its numbers are null where there is none. An observer's has it in place of
    a role."""
    who = {"role": row.name} if row.kind == "flow" else {"observer": row.name}
    return {"context": row.context, "kind": row.kind, **who, **level_json(row.level)}


def level_json(level: Level | None) -> dict[str, Any]:
    return {
        "limit": level.limit if level else None,
        "spent": level.spent if level else None,
        "held": _held(level) if level else None,
        "epoch": level.epoch if level else None,
        "window": (level.window or None) if level else None,
    }


def _held(level: Level) -> int:
    """What processes have drawn ahead: all of it counts as spent."""
    return sum(hold.drawn - hold.used for hold in level.held)


def _table(rows: list[Row]) -> Table:
    table = Table(title="Budgets", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("Context", overflow="fold")
    table.add_column("Role", style="cyan", overflow="fold")
    held = any(row.level and _held(row.level) for row in rows)
    for heading in ("Spent", *(["Held"] if held else []), "Limit", "Epoch"):
        table.add_column(heading, justify="right")
    for row in rows:
        name = row.name if row.kind == "flow" else f"leakage to {row.name}"
        table.add_row(row.context, name, *_numbers(row.level, held=held))
    return table


def _numbers(level: Level | None, *, held: bool) -> list[str]:
    if level is None:
        return ["-"] * (4 if held else 3)
    ahead = [str(_held(level) or "-")] if held else []
    window = f" of {level.window:g} s" if level.window else ""
    return [str(level.spent), *ahead, str(level.limit), f"{level.epoch}{window}"]
