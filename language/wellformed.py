"""The static checks: everything that is wrong with a protocol before it is projected."""

from __future__ import annotations

from collections.abc import Collection

from .checks.report import Report
from .errors import Diagnostic
from .tree import Protocol


def check(protocol: Protocol, *, extension_keys: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """All that is wrong, in the order of the source.

    In a protocol that could only be read in part, what a lost statement could explain (a
    role that nothing uses, say) is not held against it. `extension_keys` are annotation
    keys known beside the built-in ones.
    """
    report = Report(protocol)
    return report.sorted()
