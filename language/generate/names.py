"""Names for Python from names of protocols: valid, free, and the same each time."""

from __future__ import annotations

import keyword
import re
import sys
from collections import Counter

from ..tree import Protocol
from .imports import SOURCES

BUILTIN = frozenset({"bool", "bytes", "dict", "float", "int", "list", "set", "str", "tuple"})
IMPORTED = BUILTIN | {
    "annotations",
    "AssertionError",
    "object",
    *(name for names in SOURCES.values() for name in names),
}
"""What a generated module uses itself."""

BESIDE = frozenset({"pavane", "msgspec"})

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """`HTTPRequest` as `http_request`."""
    return re.sub(r"_+", "_", _HUMP.sub("_", name)).strip("_").lower() or "x"


def camel(name: str) -> str:
    """`user_response` as `UserResponse`; capitals stay as they are."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) or "X"


def valid(name: str) -> str:
    """The name, changed where Python could not use it."""
    if name.startswith("_") or not name[:1].isalpha():
        name = f"x{name}" if name.startswith("_") else f"x_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


class Names:
    """The names of one scope; each is given away once."""

    def __init__(self, taken: frozenset[str] = IMPORTED) -> None:
        self._taken = set(taken)
        self._numbers: Counter[str] = Counter()

    def new(self, *wanted: str) -> str:
        """The first of `wanted` that is free, else the first with a number."""
        candidates = [valid(name) for name in wanted]
        name = next((c for c in candidates if c not in self._taken), "")
        while not name:
            stem = candidates[0].rstrip("_")
            self._numbers[stem] += 1
            numbered = f"{stem}_{self._numbers[stem] + 1}"
            name = numbered if numbered not in self._taken else ""
        self._taken.add(name)
        return name


def module_path(protocol: Protocol) -> tuple[str, ...]:
    """`("user_management", "user_registration")`: the packages and the module.

    The first part must not hide a module of the standard library or one that we import.
    """
    parts = [valid(part) for part in protocol.namespace.split(".") if part]
    parts.append(valid(snake(protocol.name)))
    if parts[0] in sys.stdlib_module_names or parts[0] in BESIDE:
        parts[0] += "_"
    return tuple(parts)
