"""Where a process may publish: what `pavane permissions` prints for its roles, as a server has it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...broker import subjects
from ...language.compiler import Compiled
from ..deployment.permissions import permits

MESSAGE = (7, 8)
"""How many names the subject of a message has, live and in a log."""

KEPT = 10_000
"""How many subjects are remembered for the roles of one process."""

_kept: dict[tuple[bytes, str], tuple[str, ...]] = {}
_known: dict[tuple[bytes, tuple[str, ...]], dict[str, bool]] = {}


def allowing(compiled: Compiled, roles: Collection[str]) -> Callable[[str], bool]:
    """Whether a process that plays `roles` may publish on a subject. What is no message and no
    journal entry is the driver's own, which the simulated one does not use; messages of another
    protocol are of sessions that a role hands work on to, and plays by itself."""
    own = f"{subjects.namespace_token(compiled.namespace)}.{compiled.name}."
    patterns = [pattern for role in roles for pattern in _patterns(compiled, role)]
    known = _known.setdefault((compiled.fingerprint, tuple(roles)), {})

    def allowed(subject: str) -> bool:
        found = known.get(subject)
        if found is None:
            if len(known) >= KEPT:
                known.clear()
            names = subject.count(".") + 1
            is_open = names not in MESSAGE or not subject.startswith(own)
            found = known[subject] = is_open or any(subjects.matches(p, subject) for p in patterns)
        return found

    return allowed


def _patterns(compiled: Compiled, role: str) -> tuple[str, ...]:
    key = (compiled.fingerprint, role)
    if key not in _kept:
        space = subjects.namespace_token(compiled.namespace)
        user = f"{space}.{compiled.name}.{role}"
        found = next(p.publish for p in permits([compiled]) if p.user == user)
        _kept[key] = tuple(p for p in found if not p.startswith(("$", "_INBOX")))
    return _kept[key]
