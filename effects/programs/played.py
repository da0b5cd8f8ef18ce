"""What is recognised as a program where roles are given, before anything of programs is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Program


class Played:
    """Plays a role by a program."""

    __slots__ = ()

    @property
    def script(self) -> Program:
        """The program."""
        raise NotImplementedError
