"""Which entries of a journal: whose, of which name, from when to when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from ....language.spelling import nearest
from .. import places
from ..entry import Entry

Moment = datetime | timedelta
"""A point in time, or how long ago it was. A naive datetime is local time."""

SLACK = 60 * 10**9
"""How far, in ns, the clocks of writers and broker may be apart before entries at the edge of a
period are missed: it is looked for by the broker's times, and decided by the writers'."""

_INSTANCE = re.compile(r"([A-Za-z0-9_-]+)\[([0-9]+)\]")


class Writers(TypedDict, total=False):
    """Whose journals; what is left out, or empty, fits all. A role may be one instance of a
    family, `Worker[2]`."""

    namespace: str
    protocol: str
    session: str
    role: str


class Filter(Writers, total=False):
    """Which of their entries. `fact` is a name; `since` and `until` are inclusive."""

    fact: str
    since: Moment
    until: Moment


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter made ready; times are in ns since 1970, 0 where there is no limit."""

    pattern: str
    fact: str = ""
    since: int = 0
    until: int = 0

    @property
    def has_period(self) -> bool:
        return bool(self.since or self.until)

    def takes(self, entry: Entry) -> bool:
        if self.fact and (entry.kind != "fact" or entry.name != self.fact):
            return False
        return self.since <= entry.time and (not self.until or entry.time <= self.until)

    def is_over(self, time: int) -> bool:
        """Whether nothing that the broker stored at `time` or later can be within."""
        return bool(self.until) and time > self.until + SLACK


def pattern(chosen: Writers) -> str:
    """The journal subjects of the writers. Raises `TypeError` for a name that `Writers` has not."""
    _require(chosen, Writers.__optional_keys__)
    return _subjects(chosen)


def _subjects(chosen: Writers) -> str:
    role, index = chosen.get("role", ""), "*"
    if instance := _INSTANCE.fullmatch(role):
        role, index = instance[1], str(int(instance[2]))
    names = (chosen.get("namespace", ""), chosen.get("protocol", ""), chosen.get("session", ""))
    return places.pattern(*names, role, index)


def selection(chosen: Filter, now: int) -> Selection:
    """`now` is in ns since 1970, for what is said as so long ago. Raises `TypeError` for a name that
    `Filter` has not."""
    _require(chosen, Filter.__optional_keys__)
    return Selection(
        _subjects(chosen),
        chosen.get("fact", ""),
        nanoseconds(chosen["since"], now) if "since" in chosen else 0,
        nanoseconds(chosen["until"], now) if "until" in chosen else 0,
    )


def _require(given: Iterable[str], known: frozenset[str]) -> None:
    """Nothing checks the keywords of a `TypedDict` while it runs, and one that is not known would
    choose everything."""
    for name in given:
        if name not in known:
            near = nearest(name, sorted(known))
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"
            raise TypeError(f"got an unexpected keyword argument {name!r}; {hint}")


def nanoseconds(moment: Moment, now: int) -> int:
    if isinstance(moment, timedelta):
        return max(now - _whole(moment), 1)
    epoch = datetime.fromtimestamp(0, tz=moment.astimezone().tzinfo)
    return max(_whole(moment.astimezone() - epoch), 1)


def _whole(delta: timedelta) -> int:
    """In ns, without the rounding of a float."""
    return (delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1000
