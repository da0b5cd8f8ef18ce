"""The levels of flow budgets, read for `pavane budget show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..broker.contract import Level
from ..effects.budget import Budgets
from ..effects.identity import Identity
from ..language.compiler import Compiled
from .brokers import connected, kept_address
from .loop import play
from .protocols import judge, refuse
from .screen import output, write_json

Row = tuple[Compiled, str, Level | None]


def show(
    files: list[str], url: str | None, store: Path | None, *, allow_remote: bool, json: bool
) -> None:
    """One row for each role of each protocol; a role that was never charged has no budget."""
    judged = judge(files, {})
    refuse(judged)
    compiled = [one.compiled for one in judged if one.compiled]

    async def main() -> list[Row]:
        where = kept_address(url, store)
        async with connected(where, store, allow_remote=allow_remote) as broker:
            budgets = Budgets(broker)
            return [
                (one, role.name, await budgets.level(context(one), role.name))
                for one in compiled
                for role in one.protocol.roles
            ]

    rows = play(main)
    if json:
        write_json({"budgets": [as_json(*row) for row in rows]})
    else:
        output().print(_table(rows))


def context(compiled: Compiled) -> str:
    """Where the runtime keeps the budgets of this protocol's sessions."""
    return Identity(compiled.namespace, compiled.name, "any", "any").context


def as_json(compiled: Compiled, role: str, level: Level | None) -> dict[str, Any]:
    """One budget; limit, spent and epoch are null where there is none."""
    return {
        "context": context(compiled),
        "role": role,
        "limit": level.limit if level else None,
        "spent": level.spent if level else None,
        "epoch": level.epoch if level else None,
    }


def _table(rows: list[Row]) -> Table:
    table = Table(title="Flow budgets", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("Context", overflow="fold")
    table.add_column("Role", style="cyan", overflow="fold")
    for heading in ("Spent", "Limit", "Epoch"):
        table.add_column(heading, justify="right")
    for compiled, role, level in rows:
        numbers = (level.spent, level.limit, level.epoch) if level else ("-", "-", "-")
        table.add_row(context(compiled), role, *map(str, numbers))
    return table
