"""A module of typed states for one protocol: which classes it has, and its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..bindings import BindingError
from ..compiler import Compiled
from ..errors import ChoreographyError
from ..projection import Projection
from .errors import GenerationError
from .names import module_path
from .writing import Writing

UNORDERED = "PV181"


@dataclass(frozen=True, slots=True)
class Module:
    """A generated file: `path` has its packages and its own name, without the ending."""

    compiled: Compiled
    path: tuple[str, ...]
    text: str

    @property
    def file(self) -> str:
        """`user_management/user_registration.py`."""
        return "/".join(self.path) + ".py"


def generate(
    protocols: Sequence[Compiled], bindings: Mapping[str, int] | None = None, *, types: str = ""
) -> tuple[Module, ...]:
    """The modules of some protocols, which are to stand beside each other.

    `types` is the Python module from which the payload types are imported that the language
    does not know; without it they can be anything. `bindings` may give counts: a family whose
    classes depend on them is otherwise written out for counts at which all of them occur.
    Raises `GenerationError`, and `BindingError` for a count that does not fit.
    """
    modules = [
        Module(one, module_path(one.protocol), _text(one, bindings or {}, types))
        for one in protocols
    ]
    _refuse_clashes(modules)
    return tuple(modules)


def _refuse_clashes(modules: Sequence[Module]) -> None:
    """Two modules of one file, or a module with the name of a package beside it.

    Case does not tell files apart everywhere, so it does not here.
    """
    taken: dict[str, Module] = {}
    for module in modules:
        other = taken.setdefault(module.file.lower(), module)
        if other is not module:
            raise _clash(module, other)
    for module in modules:
        for length in range(1, len(module.path)):
            package = "/".join(module.path[:length]).lower() + ".py"
            if package in taken:
                raise _clash(module, taken[package])


def _clash(one: Module, other: Module) -> GenerationError:
    names = f"{other.compiled.protocol.full_name} and {one.compiled.protocol.full_name}"
    return GenerationError(
        f"{names} would both have the name {other.file.removesuffix('.py').replace('/', '.')}",
        file=one.compiled.file,
        hint="rename one of them, give it a namespace, or generate into two folders",
    )


def _text(compiled: Compiled, bindings: Mapping[str, int], types: str) -> str:
    projection, typical = _projected(compiled, bindings)
    return Writing(compiled, projection, types, typical=typical).text()


def _projected(compiled: Compiled, bindings: Mapping[str, int]) -> tuple[Projection, bool]:
    """The machines, and whether their bounds are only examples."""
    own = {name: value for name, value in bindings.items() if name in compiled.bindable}
    try:
        return compiled.project(own), False
    except BindingError as error:
        if not error.is_missing:
            raise
    try:
        return compiled.outline(own), False
    except ChoreographyError as error:
        if [d.code for d in error.diagnostics] != [UNORDERED]:
            raise
    return compiled.outline({**_typical(compiled), **own}), True


def _typical(compiled: Compiled) -> dict[str, int]:
    """Counts at which every class of instances occurs."""
    names = sorted(compiled.open_bounds)
    typical = {name: 2 * place + 1 for place, name in enumerate(names, start=1)}
    sizes = compiled.open_counts
    return typical | {name: 6 + 2 * len(names) for pair in sizes.items() for name in pair}
