"""The import lines that a module's body needs."""

from __future__ import annotations

import re

SOURCES: dict[str, tuple[str, ...]] = {
    "collections.abc": ("Awaitable", "Callable"),
    "typing": ("Any", "TypeAlias", "TypedDict", "Union", "Unpack"),
    "msgspec": ("Struct",),
    "pavane": ("Endpoint",),
    "pavane.actors.endpoint.typed": (
        "Done",
        "Got",
        "NextT_co",
        "PayloadT_co",
        "RoleFunction",
        "State",
        "finished",
        "gathered",
        "next_state",
        "record",
        "role",
    ),
}
BLOCKS = (("collections.abc", "typing"), ("msgspec",), ("pavane", "pavane.actors.endpoint.typed"))

_TEXT = re.compile(r'"""[\s\S]*?"""|"[^"\n]*"')
_WORD = re.compile(r"[A-Za-z_]\w*")


def imports(body: str, foreign: list[str]) -> list[str]:
    """The lines, in the blocks that isort makes; `Done` is there for others to import."""
    words = set(_WORD.findall(_TEXT.sub("", body))) | {"Done"}
    lines = list[str]()
    for block in BLOCKS:
        found = [line for source in block for line in _line(source, words)]
        lines += ["", *found] if found else []
    return [*lines, "", *foreign] if foreign else lines


def _line(source: str, words: set[str]) -> list[str]:
    used = [name for name in SOURCES[source] if name in words]
    if not used:
        return []
    if source == "pavane.actors.endpoint.typed":
        shown = ["Done as Done", *used[1:]]
        return [f"from {source} import (", *(f"    {name}," for name in shown), ")"]
    return [f"from {source} import {', '.join(used)}"]
