"""Local machines for the command line: from files of machines, and from protocols with all counts bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..language.compiler import Compiled
from ..language.local_types import LocalTypeError, parse_local
from ..language.machine_files import Whose, decoded, read_machine, read_roles, read_system
from ..language.system import Automaton, TooManyRounds, system
from .errors import UsageError
from .protocols import refuse_strangers, relevant
from .sources import Source

INSTANCES = 3
"""How many instances a family of open size gets when composed machines are explored."""


@dataclass(frozen=True, slots=True)
class Composed:
    """The automata of all instances, and the counts that they were made with."""

    automata: Mapping[str, Automaton]
    bindings: Mapping[str, int]
    sizes: Mapping[str, int]


def is_json(source: Source) -> bool:
    """No protocol and no local type that is worth writing begins like a JSON object."""
    return source.text.lstrip()[:1] == "{"


def composed(compiled: Compiled, given: Mapping[str, int]) -> Composed:
    """All machines of a protocol. Raises `BindingError` for a missing count, `UsageError` for
    a loop that is too long to be written out."""
    refuse_strangers(given, [compiled])
    bound = relevant(given, compiled)
    projection = compiled.project(bound)
    try:
        automata = system(projection)
    except TooManyRounds as error:
        raise UsageError(
            f"a counted loop of {error} has too many rounds to be written out",
            hint="give the count a smaller value with --bind",
        ) from None
    sizes = {role: n for role, n in projection.sizes.items() if isinstance(n, int)}
    return Composed(automata, bound, sizes)


def small(compiled: Compiled, given: Mapping[str, int]) -> dict[str, int]:
    """The bindings, and small values for the families and bounds that have none."""
    bounds = {name: 2 for name in compiled.open_bounds}
    open_sizes = compiled.open_counts.items()
    sizes = {name: INSTANCES for role, name in open_sizes if not {role, name} & given.keys()}
    return {**bounds, **sizes, **given}


def machines_of(source: Source) -> Composed:
    """The automata of a JSON file of machines. Raises `UsageError` for what cannot be read."""
    try:
        return Composed(read_system(decoded(source.text)), {}, {})
    except LocalTypeError as error:
        raise UsageError(f"{source.file}: {error.message}", hint=error.hint) from None


def machine_of(source: Source, role: str, whose: Whose) -> Automaton:
    """The one machine of a file, or the one that it has for `role`; raises `UsageError`."""
    try:
        if not is_json(source):
            return parse_local(source.text)
        value = decoded(source.text)
        roles = read_roles(value)
        if "transitions" not in roles:
            if role not in roles:
                raise UsageError(
                    f"{source.file} has no machine for {role}",
                    hint=f"it has {', '.join(roles) or 'none'}",
                )
            value = roles[role]
        return read_machine(value, whose)
    except LocalTypeError as error:
        raise UsageError(f"{source.file}: {error.message}", hint=error.hint) from None
