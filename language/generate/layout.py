"""Lines as `ruff format` would leave them, at any line length from `WIDTH` up.

What fits stays on one line; what does not is spread out with a comma after the last part,
which formatters take as a wish to keep it so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 88
STEP = "    "


def spread(indent: str, head: str, parts: Sequence[str], tail: str) -> list[str]:
    """`head part, part tail` on one line, or with each part on its own."""
    line = f"{indent}{head}{', '.join(parts)}{tail}"
    if len(line) <= WIDTH or not parts:
        return [line]
    inner = [f"{indent}{STEP}{part}," for part in parts]
    return [f"{indent}{head}", *inner, f"{indent}{tail}"]


def fits(line: str) -> bool:
    return len(line) <= WIDTH


def docstring(indent: str, text: str) -> list[str]:
    """A docstring, broken into lines that are not too long."""
    lines = textwrap.wrap(text, WIDTH - len(indent) - 6, break_on_hyphens=False)
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    rest = [f"{indent}{line}" for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *rest, f'{indent}"""']


def alias(name: str, text: str) -> list[str]:
    """`Name: TypeAlias = ...`; a long union or subscript one part a line."""
    head = f"{name}: TypeAlias = "
    if fits(head + text):
        return [head + text]
    parts = divided(text, " | ")
    if len(parts) > 1:
        return _nested("", f"{head}Union[", parts, "]")
    return _broken("", head, text, "")


def _nested(indent: str, head: str, parts: Sequence[str], tail: str) -> list[str]:
    lines = [f"{indent}{head}"]
    for part in parts:
        lines += _broken(f"{indent}{STEP}", "", part, ",")
    return [*lines, f"{indent}{tail}"]


def _broken(indent: str, head: str, text: str, tail: str) -> list[str]:
    """One type on one line, or with its arguments below it."""
    whole = f"{indent}{head}{text}{tail}"
    union = divided(text, " | ")
    if fits(whole):
        return [whole]
    if len(union) > 1:
        return _nested(indent, f"{head}Union[", union, f"]{tail}")
    outer, bracket, inner = text.partition("[")
    if not bracket:
        return [whole]
    return _nested(indent, f"{head}{outer}[", divided(inner[:-1], ", "), f"]{tail}")


def divided(text: str, separator: str) -> list[str]:
    """The text cut at the separators that stand outside all brackets."""
    parts, depth, begin, place = list[str](), 0, 0, 0
    while place < len(text):
        depth += (text[place] == "[") - (text[place] == "]")
        if depth == 0 and text.startswith(separator, place):
            parts.append(text[begin:place])
            begin = place = place + len(separator)
        else:
            place += 1
    return [*parts, text[begin:]]
