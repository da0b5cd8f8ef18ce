"""What a number of a policy may be."""

from __future__ import annotations

from math import inf

from ..errors import InvalidEffect


def require_count(name: str, value: object, least: int) -> None:
    """Raises `InvalidEffect`: half an attempt is none, and a flag is no number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidEffect(name, value, f"a whole number from {least}")


def require_seconds(name: str, value: object, most: float = inf) -> None:
    """Raises `InvalidEffect`."""
    if not (_is_number(value) and 0 <= value <= most):  # type: ignore[operator]
        raise InvalidEffect(name, value, "a number of seconds from 0")


def require_timeout(value: object) -> None:
    """Raises `InvalidEffect`."""
    if value is not None and not (_is_number(value) and value > 0):  # type: ignore[operator]
        raise InvalidEffect("timeout", value, "a number of seconds above 0, or None")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
