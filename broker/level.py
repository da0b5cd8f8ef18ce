"""What may happen to a bounded counter, as pure functions; drivers make each step atomic."""

from __future__ import annotations

from msgspec.structs import replace

from .contract import Claim, Hold, Level
from .errors import CounterError, EpochOver, HoldTaken, LimitExceeded, NotSpent

LIMIT_MAX = 2**53 - 1
"""The largest limit: every integer up to it is exact in JSON too."""


SHARE = 16
"""An account draws ahead at most this part of what is left, so that near the limit, where it would
keep others from using it, nobody draws ahead at all."""

HOLDS = 4096
"""How many accounts may hold something of one counter; all stand in its record. Those that have
drawn nothing ahead make room for others, the oldest first."""

TRACES = 64
"""How many released accounts that have had more than one owner a counter remembers."""

WINDOW_MIN = 0.001
"""Seconds. A shorter window would be over whenever somebody looks."""


def checked(value: object) -> int:
    """`value`, if it is an amount; raises `ValueError`, as it is a bug of the caller if not."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LIMIT_MAX:
        raise ValueError(f"{value!r} is not an amount from 0 to {LIMIT_MAX}")
    return value


def checked_window(value: object) -> float | None:
    """`value`, if epochs can be so many seconds long, or is 0 or None; raises `ValueError`."""
    if value is None:
        return None
    length = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    # Written so that a NaN, which is in no order, is refused.
    if length != 0 and not WINDOW_MIN <= length <= LIMIT_MAX:
        raise ValueError(f"{value!r} is not a window of {WINDOW_MIN} to {LIMIT_MAX} seconds, or 0")
    return float(length)


def limited(
    counter: str, level: Level | None, limit: int, window: float | None, now: float
) -> Level:
    """`level` with another limit, or a new counter. Raises `LimitExceeded` below what is spent."""
    limit, window = checked(limit), checked_window(window)
    if level is None:
        return Level(limit, 0, 0, 0, (), window or 0.0, now if window else 0.0)
    if level.spent > limit:
        raise LimitExceeded(counter, limit=limit, spent=level.spent, amount=0)
    if window is not None and window != level.window:
        level = replace(level, window=window, began=now if window else 0.0)
    return replace(level, limit=limit)


def turned(level: Level, now: float) -> Level:
    """`level` in the epoch that runs at `now`; one whose window is over begins the next. A clock
    that is behind turns nothing back."""
    if not level.window or now < level.began + level.window:
        return level
    windows = int((now - level.began) / level.window)
    return replace(rotated(level), began=level.began + windows * level.window)


def spent(counter: str, level: Level, amount: int) -> Level:
    if level.spent + checked(amount) > level.limit:
        raise LimitExceeded(counter, limit=level.limit, spent=level.spent, amount=amount)
    return replace(level, spent=level.spent + amount)


def given_back(counter: str, level: Level, amount: int, epoch: int) -> Level:
    amount = checked(amount)
    if epoch != level.epoch:
        return level
    if amount > level.spent:
        raise NotSpent(counter, spent=level.spent, amount=amount)
    return replace(level, spent=level.spent - amount)


def amounts_of(claim: Claim) -> tuple[int, int, int]:
    """What is claimed as used, needed and wanted ahead. Raises `ValueError` for no amounts."""
    return checked(claim.used), checked(claim.need), checked(claim.ahead)


def hold_of(level: Level, account: str) -> Hold | None:
    return next((hold for hold in level.held if hold.account == account), None)


def reserved(counter: str, level: Level, claim: Claim) -> Level:
    """See `Broker.reserve`. What is drawn is absolute, and so repeating it changes nothing."""
    used, need, ahead = amounts_of(claim)
    if claim.epoch != level.epoch:
        raise EpochOver(counter, level.epoch)
    hold = hold_of(level, claim.account)
    if hold is not None and hold.owner != claim.owner and not _may_take_over(hold, claim):
        raise HoldTaken(counter, claim.account)
    before = used if hold is None else hold.drawn
    wanted = used + need
    needed = max(0, wanted - before)
    if level.spent + needed > level.limit:
        raise LimitExceeded(counter, limit=level.limit, spent=level.spent, amount=needed)
    plenty = (level.limit - level.spent - needed) // SHARE
    drawn = max(before, wanted + min(ahead, plenty))
    others = _with_room(counter, tuple(other for other in level.held if other is not hold))
    mine = Hold(claim.account, claim.owner, drawn, min(wanted, drawn))
    return replace(level, spent=level.spent + drawn - before, held=(*others, mine))


def _may_take_over(hold: Hold, claim: Claim) -> bool:
    may = claim.take_over or _is_trace(hold)
    return may and _turn(claim.owner) >= _turn(hold.owner)


def _turn(owner: str) -> int:
    """Which of the owners of an account this is, if it says so."""
    turn, slash, _ = owner.partition("/")
    return int(turn) if slash and turn.isdecimal() else 0


def _is_trace(hold: Hold) -> bool:
    """Whether nobody owns the account, and it stands there for those that have owned it before."""
    return hold.owner.endswith("/")


def _with_trace(others: tuple[Hold, ...], account: str, turn: int, drawn: int) -> tuple[Hold, ...]:
    """Whoever has had the account before this turn must not find it free."""
    traces = [other for other in others if _is_trace(other)]
    if len(traces) >= TRACES:
        others = tuple(other for other in others if other is not traces[0])
    return (*others, Hold(account, f"{turn}/", drawn, drawn))


def _with_room(counter: str, held: tuple[Hold, ...]) -> tuple[Hold, ...]:
    if len(held) < HOLDS:
        return held
    for place, hold in enumerate(held):
        if hold.drawn <= hold.used:
            return held[:place] + held[place + 1 :]
    raise CounterError(counter, f"{HOLDS} accounts have drawn ahead", hint="release some of them")


def released(level: Level, account: str, owner: str, epoch: int, used: int) -> Level:
    used, hold = checked(used), hold_of(level, account)
    if hold is None or hold.owner != owner or epoch != level.epoch:
        return level
    rest = max(0, hold.drawn - used)
    held = tuple(other for other in level.held if other is not hold)
    turn = _turn(owner)
    if turn > 1:
        held = _with_trace(held, account, turn, hold.drawn - rest)
    return replace(level, spent=level.spent - rest, held=held)


def rotated(level: Level) -> Level:
    return replace(level, spent=0, epoch=level.epoch + 1, held=())
