"""Ages as people say them, in one word."""

from __future__ import annotations

import time

UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def age(since: float, now: float | None = None) -> str:
    """How long ago that was, in whole units: `0s`, `59s`, `3m`, `7h`, `12d`."""
    seconds = max(0.0, (time.time() if now is None else now) - since)
    for length, unit in UNITS:
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
