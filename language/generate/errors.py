"""What a sound protocol can still be refused for when code is made of it."""

from __future__ import annotations

from ..errors import ChoreographyError


class GenerationError(ChoreographyError):
    """A role with too many states to write out, or two protocols for one file."""

    code = "PV188"
