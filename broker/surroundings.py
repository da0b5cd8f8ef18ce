"""What a process takes from its surroundings without being given it: the time and names that nobody
else has. Here is the one place where both are asked for, so that a simulation can give them.

An event loop that is a `Surroundings` gives them to everything that runs on it; otherwise they are
those of the machine.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time


class Surroundings:
    """Base of event loops that give time and chance themselves."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, as the process that runs now knows it."""
        raise NotImplementedError

    def unique_bytes(self, count: int) -> bytes:
        """Bytes that nobody else has."""
        raise NotImplementedError


def now_ns() -> int:
    """Nanoseconds since 1970."""
    loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  # public for loops
    return loop.now_ns() if isinstance(loop, Surroundings) else time.time_ns()


def now() -> float:
    """Seconds since 1970."""
    loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  # public for loops
    return loop.now_ns() / 1e9 if isinstance(loop, Surroundings) else time.time()


def unique(count: int) -> str:
    """`count` bytes that nobody else has, in hexadecimal."""
    loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  # public for loops
    if isinstance(loop, Surroundings):
        return loop.unique_bytes(count).hex()
    return secrets.token_hex(count)


class Chance(random.Random):
    """Numbers that nobody can foresee, unless a simulation gives them."""

    def random(self) -> float:
        loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  # public for loops
        if isinstance(loop, Surroundings):
            return int.from_bytes(loop.unique_bytes(6), "big") / 2.0**48
        return super().random()
