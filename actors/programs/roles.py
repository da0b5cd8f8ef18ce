"""Which program plays an instance, and does it fit?"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from ...effects.programs.played import Played
from ..devices import Dispatch
from ..endpoint.seat import Seat

if TYPE_CHECKING:
    from ...effects.programs.program import Program


def program_of(implementation: object, identity: str = "") -> Program | None:
    """The program that plays, under whatever is wrapped around it; None for a function."""
    found: object = implementation
    if isinstance(found, Dispatch):
        found = found.players.get(identity)
    if callable(found):
        found = inspect.unwrap(found)
    return found.script if isinstance(found, Played) else None


def admit_whole(seat: Seat, identity: str, implementation: object) -> None:
    """Raise `ProgramDeparts` where what plays `seat` is a program that leaves its machine."""
    program = program_of(implementation, identity)
    if program is not None:
        from .fitting import fit  # loaded where there is a program

        fit(program, seat.part, seat.monitor, seat.session.pipeline.registry, whole=True)
