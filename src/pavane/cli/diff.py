"""`pavane diff`: can sessions of one version of a protocol talk to the other?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.text import Text

from ..language.compatibility import Comparison, Difference, RoleComparison, compare
from ..language.compatibility.difference import labels
from ..language.compiler import Compiled
from .errors import Refused, UsageError
from .exits import verb
from .options import Bind, File, Json, Name, bindings
from .protocols import judge, refuse, refuse_strangers
from .screen import say, write_json

WORDS: dict[str, tuple[str, str]] = {
    "identical": ("identical", "green"),
    "upgrade": ("can be upgraded on its own", "green"),
    "roll back": ("can only be rolled back", "yellow"),
    "together": ("must change together", "red"),
    "added": ("added", "red"),
    "removed": ("removed", "red"),
}


def install(app: typer.Typer) -> None:
    app.command()(diff)


@verb
def diff(old: File, new: File, name: Name = None, bind: Bind = None, json: Json = False) -> None:
    """Compare two versions of a protocol: which roles can talk with the other version, and why not.

    Exits with 0 when every mixture of old and new roles is safe, otherwise with 1. Several
    protocols in a file are matched by name.

    [dim]Examples:[/dim]
      pavane diff released.choreo market.choreo
      git show HEAD:market.choreo | pavane diff - market.choreo --json
    """
    values = bindings(bind)
    before, after = accepted(old), accepted(new)
    refuse_strangers(values, [*before.values(), *after.values()])
    pairs, gone, fresh = matched(before, after, name)
    found = [compare(one, two, _relevant(values, one, two)) for one, two in pairs]
    if json:
        entries = [as_json(comparison) for comparison in found]
        write_json(
            {"safe": _safe(found, gone), "protocols": entries, "removed": gone, "added": fresh}
        )
    else:
        for comparison in found:
            _write(comparison)
        for word, names in (("removed", gone), ("added", fresh)):
            for protocol in names:
                say(f"{protocol} is {word}")
    if not _safe(found, gone):
        raise Refused("not every mixture is safe")


def accepted(file: str) -> dict[str, Compiled]:
    """The protocols of a file by full name; raises `Refused` where one has errors."""
    judged = judge([file], {})
    refuse(judged)
    return {one.compiled.protocol.full_name: one.compiled for one in judged if one.compiled}


def matched(
    before: Mapping[str, Compiled], after: Mapping[str, Compiled], name: str | None
) -> tuple[list[tuple[Compiled, Compiled]], list[str], list[str]]:
    """The pairs to compare, and the names that only one side has. A protocol alone in its file is
    compared with one alone in the other, whatever they are called."""
    if name is not None:
        return [(_called(before, name), _called(after, name))], [], []
    if len(before) == len(after) == 1:
        return list(zip(before.values(), after.values(), strict=True)), [], []
    pairs = [(before[full], after[full]) for full in before if full in after]
    gone = [full for full in before if full not in after]
    return pairs, gone, [full for full in after if full not in before]


def _called(protocols: Mapping[str, Compiled], name: str) -> Compiled:
    found = [p for p in protocols.values() if name in (p.name, p.protocol.full_name)]
    if len(found) != 1:
        sentence = f"--name {name}: {'several protocols have' if found else 'no protocol has'} it"
        raise UsageError(sentence, hint=f"there are {', '.join(protocols)}")
    return found[0]


def _relevant(values: Mapping[str, int], old: Compiled, new: Compiled) -> dict[str, int]:
    known = old.bindable | new.bindable
    return {name: value for name, value in values.items() if name in known}


def _safe(found: list[Comparison], gone: list[str]) -> bool:
    return not gone and all(comparison.safe for comparison in found)


# --- how it is shown ---


def as_json(comparison: Comparison) -> dict[str, Any]:
    """One entry of the answer to `diff --json`."""
    return {
        "old": comparison.old,
        "new": comparison.new,
        "safe": comparison.safe,
        "bindings": dict(comparison.bindings),
        "order": [list(stage) for stage in comparison.order],
        "notes": list(comparison.notes),
        "roles": [_role_json(role) for role in comparison.roles.values()],
    }


def _role_json(role: RoleComparison) -> dict[str, Any]:
    return {
        "role": role.role,
        "verdict": role.verdict,
        "upgrade": _difference_json(role.upgrade),
        "roll_back": _difference_json(role.roll_back),
        "notes": list(role.notes),
    }


def _difference_json(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {
        "kind": difference.kind,
        "trace": labels(difference.trace),
        "step": str(difference.action) if difference.action else None,
        "sentence": str(difference),
    }


def _write(comparison: Comparison) -> None:
    names = dict.fromkeys((comparison.old, comparison.new))
    say(Text(" -> ".join(names), style="bold"))
    for role in comparison.roles.values():
        _write_role(role, max(map(len, comparison.roles)))
    for note in comparison.notes:
        say(Text(f"  note: {note}", style="dim"))
    if comparison.bindings:
        bound = ", ".join(f"{name} = {n}" for name, n in sorted(comparison.bindings.items()))
        say(Text(f"  compared with {bound}; --bind takes others", style="dim"))
    if comparison.safe:
        say(Text.assemble(("every mixture of old and new roles is safe", "bold green")))
    else:
        stages = ", then ".join(" and ".join(stage) for stage in comparison.order)
        say(Text.assemble(("not every mixture is safe; ", "bold red"), f"change {stages}"))


def _write_role(role: RoleComparison, width: int) -> None:
    word, colour = WORDS[role.verdict]
    say(Text.assemble("  ", (f"{role.role:<{width}}", "cyan"), "  ", (word, colour)))
    indent = " " * (width + 4)
    for what, why in (("upgraded", role.upgrade), ("rolled back", role.roll_back)):
        if why is not None:
            say(f"{indent}not {what} alone: {why}")
    for note in role.notes:
        say(Text(f"{indent}note: {note}", style="dim"))
