"""What the language server refuses, with a sentence that the editor shows."""

from __future__ import annotations

from ..language.errors import PavaneError


class RenameRefused(PavaneError):
    """A rename that would change more than a name, or a name that cannot be one."""

    code = "PV610"
