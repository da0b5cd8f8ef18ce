"""Old and new version of a protocol, role by role, and in which order they can be exchanged.

A role of the new version may join sessions whose other roles are old when its machine can stand in
for its old one (`simulate`). If all new roles may, or all old ones may join new sessions, every
mixture is safe, because each replacement leaves a system that the next one may be made in. If some
may do the one and some only the other, there is still a safe order: first those that may be
upgraded among old ones, then those that change together, last those that were at home in the
new version already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..annotations import value_text
from ..compiler import Compiled
from ..expressions import show
from ..machine import Action, Machine
from ..projection import Projection
from ..timing import duration, times
from ..tree import Annotation
from .counts import projected
from .difference import Difference
from .simulate import stand_in

Verdict = Literal["identical", "upgrade", "roll back", "together", "added", "removed"]
FIRST: frozenset[Verdict] = frozenset({"identical", "upgrade"})
LAST: frozenset[Verdict] = frozenset({"identical", "roll back"})


@dataclass(frozen=True, slots=True)
class RoleComparison:
    """One role in both versions.

    `upgrade` is why its new version cannot take part in old sessions, `roll_back` why its old
    one cannot take part in new sessions; None where it can, or where there is no such version.
    `notes` are changes that do not matter to the other roles' machines.
    """

    role: str
    verdict: Verdict
    upgrade: Difference | None = None
    roll_back: Difference | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All roles of two versions. `bindings` are the counts that they were compared with."""

    old: str
    new: str
    roles: Mapping[str, RoleComparison]
    bindings: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether every mixture of old and new roles is safe."""
        verdicts = {role.verdict for role in self.roles.values()}
        return verdicts <= FIRST or verdicts <= LAST

    @property
    def order(self) -> tuple[tuple[str, ...], ...]:
        """The stages of a safe change-over. Roles of the first and of the last stage change one by one,
        those of a stage that holds a role to change `together` at the same moment."""
        stages: list[tuple[str, ...]] = []
        for wanted in ({"upgrade"}, {"together", "added", "removed"}, {"roll back"}):
            stage = tuple(r.role for r in self.roles.values() if r.verdict in wanted)
            stages += [stage] if stage else []
        return tuple(stages)


def compare(old: Compiled, new: Compiled, bindings: Mapping[str, int] | None = None) -> Comparison:
    """Compare two versions. Counts that `bindings` leave open get a value that neither text names.

    Raises `BindingError` for a count that does not fit, `ChoreographyError` where a version
    cannot be projected with any.
    """
    one, two, bound = projected(old, new, bindings or {})
    names = [*one.machines, *(role for role in two.machines if role not in one.machines)]
    notes: tuple[str, ...] = ()
    if old.protocol.full_name != new.protocol.full_name:
        names_note = f"{old.protocol.full_name} and {new.protocol.full_name} have different names"
        notes = (f"{names_note}, so that their sessions never meet",)
    roles = {role: _role(role, one, two) for role in names}
    return Comparison(old.protocol.full_name, new.protocol.full_name, roles, bound, notes)


def _role(role: str, old: Projection, new: Projection) -> RoleComparison:
    if role not in new.machines:
        return RoleComparison(role, "removed")
    if role not in old.machines:
        return RoleComparison(role, "added")
    if old.sizes[role] != new.sizes[role]:
        return _resized(role, old.sizes[role], new.sizes[role])
    upgrade: Difference | None = None
    roll_back: Difference | None = None
    common: dict[str, None] = {}
    for who, before, after in _segments(old.machines[role], new.machines[role]):
        onwards = stand_in(after, before, (f"new {who}", f"old {who}"))
        back = stand_in(before, after, (f"old {who}", f"new {who}"))
        upgrade = upgrade or onwards.difference
        roll_back = roll_back or back.difference
        common |= dict.fromkeys(_notes((b, a) for a, b in onwards.common))
        common |= dict.fromkeys(_notes(back.common))
    return RoleComparison(role, _verdict(upgrade, roll_back), upgrade, roll_back, tuple(common))


def _verdict(upgrade: Difference | None, roll_back: Difference | None) -> Verdict:
    if upgrade is None:
        return "identical" if roll_back is None else "upgrade"
    return "roll back" if roll_back is None else "together"


def _resized(role: str, old: object, new: object) -> RoleComparison:
    sizes = [f"{size} instances" if size is not None else "no family" for size in (old, new)]
    detail = f"old {role} has {sizes[0]}, new {role} {sizes[1]}"
    onwards = Difference("instances", f"new {role}", f"old {role}", detail=detail)
    back = Difference("instances", f"old {role}", f"new {role}", detail=detail)
    return RoleComparison(role, "together", onwards, back)


def _segments(
    old: tuple[Machine, ...], new: tuple[Machine, ...]
) -> Iterable[tuple[str, Machine, Machine]]:
    """The instances for which neither version changes its machine, with the two machines."""
    if old[0].start is None:
        yield old[0].role, old[0], new[0]
        return
    cuts = sorted({int(m.start or 0) for m in (*old, *new)})
    for cut in cuts:
        before, after = _at(old, cut), _at(new, cut)
        stop = min(int(before.stop or 0), int(after.stop or 0))
        name = before.role if len(cuts) == 1 else replace(before, start=cut, stop=stop).name
        yield name, before, after


def _at(machines: tuple[Machine, ...], index: int) -> Machine:
    return next(m for m in machines if int(m.start or 0) <= index < int(m.stop or 0))


# --- notes ---


def _notes(common: Iterable[tuple[Action, Action]]) -> Iterable[str]:
    """What differs between an old step and a new one apart from the message."""
    for old, new in common:
        if _times(old) != _times(new):
            yield f"{new}: it is {_times(new) or 'untimed'}, it was {_times(old) or 'untimed'}"
        if not old.sends:
            if _written(old.receiver_annotations) != _written(new.receiver_annotations):
                yield _changed(new, old.receiver_annotations, new.receiver_annotations)
            continue
        if _written(old.annotations) != _written(new.annotations):
            yield _changed(new, old.annotations, new.annotations)
        if old.branches != new.branches:
            yield f"{new}: the branch is {_words(new.branches)}, it was {_words(old.branches)}"
        before, after = ([show(g) for g in action.guards] for action in (old, new))
        if before != after:
            yield f"{new}: the guard is {_words(after)}, it was {_words(before)}"


def _times(action: Action) -> str:
    """When a step may be taken, and how long its block has; its own time is in its annotations."""
    said = (f"{word} {duration(time)}" for word, time in times(action.timing) if word != "within")
    return ", ".join(said)


def _written(annotations: tuple[Annotation, ...]) -> dict[str, str]:
    return {note.key: value_text(note) for note in annotations}


def _changed(step: Action, old: tuple[Annotation, ...], new: tuple[Annotation, ...]) -> str:
    before, after = _written(old), _written(new)
    changes = [
        f"{key} is {after.get(key, 'gone')}, it was {before.get(key, 'not there')}"
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]
    return f"{step}: {'; '.join(changes)}"


def _words(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
