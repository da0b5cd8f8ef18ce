"""Which program plays an instance, and does it fit?"""

from __future__ import annotations

import inspect

from ...effects.programs.performance import Performance
from ...effects.programs.program import Program
from ..devices import Dispatch
from ..seat import Seat
from .fitting import fit


def program_of(implementation: object, identity: str = "") -> Program | None:
    """The program that plays, under whatever is wrapped around it; None for a function."""
    found: object = implementation
    if isinstance(found, Dispatch):
        found = found.players.get(identity)
    if callable(found):
        found = inspect.unwrap(found)
    if isinstance(found, Performance):
        found = found.program
    return found if isinstance(found, Program) else None


def admit_whole(seat: Seat, identity: str, implementation: object) -> None:
    """Raise `ProgramDeparts` where what plays `seat` is a program that leaves its machine."""
    program = program_of(implementation, identity)
    if program is not None:
        fit(program, seat.part, seat.monitor, seat.session.pipeline.registry, whole=True)
