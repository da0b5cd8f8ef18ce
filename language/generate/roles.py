"""How a role is played: what its machines are called, and the function that takes them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..machine import Machine
from .classes import Variant
from .layout import docstring, spread
from .names import Names, snake
from .words import bound_name

ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth")


@dataclass(frozen=True, slots=True)
class Part:
    """A role: for each of its forms the machines that have it, and the name."""

    role: str
    groups: tuple[tuple[Machine, ...], ...]
    names: tuple[str, ...]


def titles(
    role: str, groups: Sequence[Sequence[Machine]], size: int | str | None, *, typical: bool
) -> list[str]:
    """`Seller`; `SignersUpToThreshold` and `SignersFromThreshold`; `Worker0`, `Worker1`.

    `size` is where the family ends. With `typical` bounds, which mean nothing, the instances are told apart by their order.
    """
    if len(groups) == 1:
        return [role]
    if typical:
        numbers = [str(n) for n in range(len(ORDINALS) + 1, len(groups) + 1)]
        return [f"{role}{word}" for word, _ in zip((*ORDINALS, *numbers), groups, strict=False)]
    return [role + "And".join(_extent(machine, size) for machine in group) for group in groups]


def _extent(machine: Machine, size: int | str | None) -> str:
    start, stop = machine.start, machine.stop
    assert start is not None and stop is not None, "only a family has several classes"
    if isinstance(start, int) and stop == start + 1:
        return str(start)
    if start == 0:
        return f"UpTo{bound_name(stop)}"
    if stop == size:
        return f"From{bound_name(start)}"
    return f"{bound_name(start)}To{bound_name(stop)}"


def player(part: Part, variants: Sequence[Variant], names: Names) -> list[str]:
    """The function that makes of typed role functions what `run` takes."""
    playing = [v for v in variants if not v.is_over]
    name = names.new(snake(part.role), f"{snake(part.role)}_role")
    if len(variants) == 1 and playing:
        types = {"play": variants[0].name}
        head = [*(f"{n}: Callable[[{t}], Awaitable[Done]]" for n, t in types.items()), "/"]
    else:
        own = Names(frozenset({"me", "role", "finished"}))
        types = {own.new(snake(v.name)): v.name for v in playing}
        head = [f"{n}: Callable[[{t}], Awaitable[Done]]" for n, t in types.items()]
        head = ["*", *head] if head else []
    lines = spread("", f"def {name}(", head, ") -> RoleFunction:")
    lines += docstring("    ", f"Make of typed states what `run(..., {part.role}=...)` takes.")
    lines.append("    return role(")
    lines += [f'        "{part.role}",', "        {"]
    functions = iter(types)
    for variant in variants:
        if variant.is_over:
            lines.append(f"            {variant.form}: finished,")
        else:
            played = next(functions)
            entry = f"{variant.form}: lambda me: {played}("
            lines += spread(" " * 12, entry, [variant.first()], "),")
    return [*lines, "        },", "    )"]
