"""The errors of effects as they are recorded: by their facts, from which they are made again."""

from __future__ import annotations

from typing import Any

from ...effects.errors import EffectError
from ...language.errors import PavaneError


def facts(error: EffectError) -> dict[str, Any]:
    """Its fields, as far as they pack."""
    plain = (str, int, float, bool, type(None))
    return {name: value for name, value in vars(error).items() if isinstance(value, plain)}


def restored(code: str, fields: dict[str, Any]) -> PavaneError:
    """The error as it was raised."""
    kind = _kinds().get(code, EffectError)
    error = kind.__new__(kind)
    vars(error).update(fields)
    error.args = (fields.get("message", ""),)
    return error


def _kinds() -> dict[str, type[PavaneError]]:
    found: dict[str, type[PavaneError]] = {}
    waiting: list[type[PavaneError]] = [EffectError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)
        waiting += kind.__subclasses__()
    return found
