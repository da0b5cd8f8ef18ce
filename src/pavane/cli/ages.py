"""Ages as people say them, in one word."""

from __future__ import annotations

import re
import time

from .errors import UsageError

UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


_LENGTHS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"([0-9]{1,9})([smhdw])")


def seconds(option: str, text: str) -> float:
    """What `30d` means. Raises `UsageError`."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"{option} {text} is no length of time", hint=f"write it like {option} 90s, 12h or 30d"
        )
    return float(int(found[1]) * _LENGTHS[found[2]])


def age(since: float, now: float | None = None) -> str:
    """How long ago that was, in whole units: `0s`, `59s`, `3m`, `7h`, `12d`."""
    seconds = max(0.0, (time.time() if now is None else now) - since)
    for length, unit in UNITS:
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
