"""Guards at the chooser: may this branch be taken, and is there any that may?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...language.expressions import evaluate
from ...language.monitor import Monitor
from ...language.table import Step
from ..errors import GuardRefused, NoBranch


def names_in(payload: object) -> dict[str, Any]:
    """The fields of a payload that has named ones."""
    if isinstance(payload, Mapping):
        return {str(name): value for name, value in payload.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # any mapping
    names: Sequence[str] = getattr(payload, "__struct_fields__", ())
    return {name: getattr(payload, name) for name in names}


def holds(step: Step, values: Mapping[str, Any]) -> bool:
    """Whether all guards of `step` hold. Raises the expression's error for an unknown name."""
    return all(bool(evaluate(guard, values)) for guard in step.action.guards)


def require(step: Step, monitor: Monitor, values: Mapping[str, Any]) -> None:
    """Raise `GuardRefused` if a guard of `step` does not hold, or `NoBranch` if none does."""
    if holds(step, values):
        return
    options = [s for ss in monitor.state.sends.values() for s in ss]
    allowed = [str(s) for s in options if holds(s, values)]
    branch = step.branches[-1] if step.branches else step.label
    if allowed:
        raise GuardRefused(
            f"{monitor.name} cannot take {branch}: its guard does not hold",
            role=monitor.name,
            state=monitor.state.number,
            expected=allowed,
            got=str(step),
            hint=f"take another branch: {', '.join(allowed)}",
        )
    raise NoBranch(
        f"{monitor.name} cannot choose: no guard holds and every branch has one",
        role=monitor.name,
        state=monitor.state.number,
        got=str(step),
        hint="set the values that the guards use (me.set(name=...)), or add a branch without one",
    )
