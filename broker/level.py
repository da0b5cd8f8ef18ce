"""What may happen to a bounded counter, as pure functions; drivers make each step atomic."""

from __future__ import annotations

from dataclasses import replace

from .contract import Level
from .errors import LimitExceeded, NotSpent

LIMIT_MAX = 2**53 - 1
"""The largest limit: every integer up to it is exact in JSON too."""


def checked(value: int) -> int:
    """`value`, if it is an amount; raises `ValueError`, as it is a bug of the caller if not."""
    if isinstance(value, bool) or not 0 <= value <= LIMIT_MAX:
        raise ValueError(f"{value!r} is not an amount from 0 to {LIMIT_MAX}")
    return value


def limited(counter: str, level: Level | None, limit: int) -> Level:
    """`level` with another limit, or a new counter. Raises `LimitExceeded` below what is spent."""
    if level is None:
        return Level(limit=checked(limit), spent=0, epoch=0, revision=0)
    if level.spent > checked(limit):
        raise LimitExceeded(counter, limit=limit, spent=level.spent, amount=0)
    return replace(level, limit=limit)


def spent(counter: str, level: Level, amount: int) -> Level:
    if level.spent + checked(amount) > level.limit:
        raise LimitExceeded(counter, limit=level.limit, spent=level.spent, amount=amount)
    return replace(level, spent=level.spent + amount)


def given_back(counter: str, level: Level, amount: int, epoch: int) -> Level:
    if epoch != level.epoch:
        return level
    if checked(amount) > level.spent:
        raise NotSpent(counter, spent=level.spent, amount=amount)
    return replace(level, spent=level.spent - amount)


def rotated(level: Level) -> Level:
    return replace(level, spent=0, epoch=level.epoch + 1)
