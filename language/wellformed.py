"""The static checks: everything that is wrong with a protocol before it is projected."""

from __future__ import annotations

import re
from collections.abc import Collection

from .checks.annotated import check_annotations
from .checks.calls import check_calls
from .checks.choices import check_choices
from .checks.control import check_control
from .checks.guards import check_guards
from .checks.messages import check_messages
from .checks.report import Report
from .checks.roles import check_roles
from .checks.rounds import check_rounds
from .checks.times import check_times
from .errors import Diagnostic
from .tree import Protocol

NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def check(
    protocol: Protocol, *, extension_keys: Collection[str] = (), bound: Collection[str] = ()
) -> tuple[Diagnostic, ...]:
    """All that is wrong, in the order of the source.

    In a protocol that could only be read in part, what a lost statement could explain (a
    role that nothing uses, say) is not held against it. `extension_keys` are annotation
    keys known beside the built-in ones, `bound` index variables that have a value.
    """
    report = Report(protocol, bound)
    _check_namespace(report)
    check_roles(report)
    check_rounds(report)
    check_messages(report)
    check_annotations(report, extension_keys)
    check_calls(report)
    check_control(report)
    check_choices(report)
    check_times(report)
    check_guards(report)
    return report.sorted()


def _check_namespace(report: Report) -> None:
    namespace = report.protocol.namespace
    if namespace and not NAMESPACE.fullmatch(namespace):
        better = re.sub(r"[^A-Za-z0-9_.]+", lambda hit: "." if "::" in hit[0] else "_", namespace)
        fits = NAMESPACE.fullmatch(better) is not None
        hint = (
            f"write `{better}`" if fits else "use letters, digits and `_`, with `.` between names"
        )
        sentence = f"`{namespace}` cannot be a namespace"
        report.error("PV120", sentence, report.protocol.namespace_span, hint)
