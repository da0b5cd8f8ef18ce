"""What a unit remembers of the workers that played it before: its steps, instance by instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, TypeVar

from .errors import Departure
from .records import Admitted, Looked, Merged, Ran, Read, Refused, Slept, Step

StepT = TypeVar("StepT", Ran, Looked, Slept, Read, Refused, Merged)


class Recall:
    """The steps of one instance. Each step that the code takes is asked for here first."""

    def __init__(self, session: str, name: str, recorded: Mapping[int, Step]) -> None:
        self._session = session
        self._name = name
        self._recorded = dict(recorded)
        self.number = 0

    @property
    def is_over(self) -> bool:
        """Whether everything recorded has been played again."""
        return not self._recorded

    def next(self, kind: type[StepT], what: str) -> tuple[int, StepT | None]:
        """The number of the next step, and how it was recorded, if it was.

        Raises `Departure` where another kind of step was taken at this point, or another call.
        """
        self.number += 1
        recorded = self._recorded.pop(self.number, None)
        if recorded is None:
            return self.number, None
        if not isinstance(recorded, kind) or (isinstance(recorded, Ran) and recorded.name != what):
            self.depart(f"step {self.number}", told(recorded), what)
        return self.number, recorded

    def is_next(self, kind: type[Step]) -> bool:
        """Whether the next step was recorded as one of this kind."""
        return isinstance(self._recorded.get(self.number + 1), kind)

    def depart(self, step: str, expected: str, got: str) -> NoReturn:
        raise Departure(self._session, self._name, step, expected, got)

    def finish(self) -> None:
        """The function has returned. Raises `Departure` if there was more that it did."""
        if self._recorded:
            number, recorded = min(self._recorded.items())
            self.depart(f"step {number}", told(recorded), "its end")


def told(step: Step) -> str:
    """A step in a few words."""
    match step:
        case Ran(name=name):
            return f"a call of {name}"
        case Looked():
            return "a look at the clock"
        case Slept():
            return "a sleep"
        case Read(role=role, sender=sender):
            return f"a message of {role}[{sender}], before those of others"
        case Refused(code=code):
            return f"a message refused with {code}"
        case Merged(role=role, sender=sender):
            return f"the journal of {role}[{sender}] joined"
        case Admitted(role=role, sender=sender):
            return f"the token of {role}[{sender}] admitted"
