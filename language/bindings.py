"""What has to be bound before a protocol can run, and whether the given numbers fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from .errors import ChoreographyError, Diagnostic, Span
from .machine import INDEX_LIMIT
from .tree import At, Choice, Foreach, Index, Loop, Protocol, Range, RoleRef, Send
from .walk import statements


class BindingError(ChoreographyError):
    """A count or bound that is missing, unknown or does not fit. `name` is the one.

    `is_missing`: it has no value, and those that have one fit as far as can be said.
    """

    code = "PV185"

    def __init__(
        self,
        message: str,
        *,
        name: str,
        hint: str,
        diagnostic: Diagnostic,
        is_missing: bool = False,
    ) -> None:
        super().__init__(message, diagnostics=[diagnostic], hint=hint)
        self.name = name
        self.is_missing = is_missing


def counts(protocol: Protocol) -> dict[str, str]:
    """For each family whose size is open the name that binds it: `N` for `W[N]`, `W` for `W[*]`."""
    return {
        role.name: role.name if role.size == "*" else role.size
        for role in protocol.roles
        if isinstance(role.size, str)
    }


def bounds(protocol: Protocol) -> frozenset[str]:
    """The other names to bind: range bounds, loop counts, and which instance decides."""
    named = {index.name for index, _ in _bounding(protocol) if index.name}
    return frozenset(named - set(counts(protocol).values()))


def variables(protocol: Protocol) -> frozenset[str]:
    """The index variables that mean each instance, or one where they are bound."""
    named = {index.name for index, _ in _bounding(protocol, free=True) if index.name}
    return frozenset(named - set(counts(protocol).values()) - bounds(protocol))


def deciding(protocol: Protocol) -> frozenset[str]:
    """The names that say which instance decides, as in `choice W[t]`, and that no `foreach` fixes."""
    return (
        frozenset(index.name for index, _ in _deciders(protocol))
        - set(counts(protocol).values())
        - {""}
    )


def given(protocol: Protocol, bindings: Mapping[str, int]) -> dict[str, int]:
    """Those bindings that the protocol has a use for. Raises `BindingError` for one that cannot be."""
    sizes = counts(protocol)
    known = {*sizes, *sizes.values()} | bounds(protocol) | variables(protocol)
    own = {name: value for name, value in bindings.items() if name in known}
    try:
        resolve(protocol, own)
    except BindingError as error:
        if not error.is_missing:
            raise
    return own


def ascending(protocol: Protocol) -> list[str]:
    """The bounds, the start of every range before its end where that is possible."""
    order = TopologicalSorter[str]({name: set[str]() for name in sorted(bounds(protocol))})
    for _, ref in _bounding(protocol):
        selector = ref.selector if ref else None
        if isinstance(selector, Range) and selector.start.name and selector.stop.name:
            order.add(selector.stop.name, selector.start.name)
    try:
        return [name for name in order.static_order() if name in bounds(protocol)]
    except CycleError:
        return sorted(bounds(protocol))


def highest(protocol: Protocol) -> dict[str, int]:
    """For each bound of a family of fixed size the most that it can be."""
    found: dict[str, int] = {}
    names = bounds(protocol)
    for index, ref in _bounding(protocol, free=True):
        declared = protocol.role(ref.role) if ref else None
        if index.name not in names or not declared or not isinstance(declared.size, int):
            continue
        assert ref is not None, "has a declaration"
        end = declared.size if isinstance(ref.selector, Range) else declared.size - 1
        found[index.name] = min(end - index.offset, found.get(index.name, INDEX_LIMIT))
    return found


def resolve(protocol: Protocol, bindings: Mapping[str, int]) -> dict[str, int]:
    """All sizes and bounds by the name the protocol uses for them.

    A family is bound by its own name or by the name of its size. Raises `BindingError`.
    """
    for name, value in bindings.items():
        if not isinstance(value, int) or isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            problem = f"{name} has to be a whole number, and is {value!r:.40}"
            raise _error(protocol, name, problem, f"bind {name} to a number of instances or rounds")
    sizes = counts(protocol)
    known = set(sizes) | set(sizes.values()) | bounds(protocol) | variables(protocol)
    for name in bindings:
        if name not in known:
            choice = ", ".join(sorted(known)) or "nothing: all counts are fixed"
            raise _error(
                protocol, name, f"{name} is not a count of {protocol.name}", f"bind {choice}"
            )
    resolved = _sizes(protocol, bindings, sizes)
    others = bounds(protocol) | variables(protocol)
    resolved |= {name: bindings[name] for name in others if name in bindings}
    _check_references(protocol, resolved)
    _check_ranges(protocol, resolved)
    _check_complete(protocol, resolved)
    return resolved


def _sizes(
    protocol: Protocol, bindings: Mapping[str, int], sizes: Mapping[str, str]
) -> dict[str, int]:
    resolved: dict[str, int] = {}
    for role, name in sizes.items():
        given = {bindings[n] for n in (role, name) if n in bindings}
        if not given:
            continue
        size = given.pop()
        if given or resolved.get(name, size) != size:
            problem = f"{role} is bound to two sizes"
            raise _error(protocol, role, problem, "bind the role or its size, not both differently")
        if not 1 <= size <= INDEX_LIMIT:
            problem = f"{role} cannot have {size} instances"
            raise _error(protocol, role, problem, f"a family has 1 to {INDEX_LIMIT} instances")
        resolved[role] = resolved[name] = size
    return resolved


def _check_complete(protocol: Protocol, resolved: Mapping[str, int]) -> None:
    """Last, so that a value that cannot be is told of before one that is not there yet."""
    for role in counts(protocol):
        if role not in resolved:
            problem = f"the family {role} has no size"
            hint = f"say how many there are: --bind {role}=3"
            raise _error(protocol, role, problem, hint, is_missing=True)
    for name in sorted(bounds(protocol) - set(resolved)):
        hint = f"give it one: --bind {name}=2"
        raise _error(protocol, name, f"{name} has no value", hint, is_missing=True)


def _check_references(protocol: Protocol, resolved: Mapping[str, int]) -> None:
    for index, ref in _bounding(protocol, free=True):
        if index.name and index.name not in resolved:
            continue
        value = resolved.get(index.name, 0) + index.offset
        declared = protocol.role(ref.role) if ref else None
        size = declared.size if declared else None
        most = resolved.get(declared.name) if declared and isinstance(size, str) else size
        name = index.name or (ref.role if ref else "")
        written = f"{index.name}{index.offset:+d}" if index.name and index.offset else name
        if value < 0:
            raise _error(protocol, name, f"{written} is {value}, below 0", "bind a larger number")
        if not isinstance(most, int) or ref is None:
            continue
        highest = most if isinstance(ref.selector, Range) else most - 1
        if value > highest:
            asked, hint = f"{written} asks for {value}", f"use at most {highest}"
            if not index.name:
                asked = f"the protocol names {value}"
                hint = f"bind {ref.role} to {value + most - highest} or more"
            problem = f"{ref.role} has {most} instances, and {asked}"
            raise _error(protocol, name, problem, hint)


def _check_ranges(protocol: Protocol, resolved: Mapping[str, int]) -> None:
    for _, ref in _bounding(protocol):
        selector = ref.selector if ref else None
        if ref is None or not isinstance(selector, Range):
            continue
        ends = (selector.start, selector.stop)
        if any(index.name and index.name not in resolved for index in ends):
            continue
        start, stop = (resolved.get(index.name, 0) + index.offset for index in ends)
        if start > stop:
            name = selector.start.name or selector.stop.name
            problem = f"{ref.role}[{start}..{stop}] ends before it begins"
            raise _error(protocol, name, problem, "bind the start to no more than the end")


def _bounding(protocol: Protocol, *, free: bool = False) -> Iterator[tuple[Index, RoleRef | None]]:
    """Every index that has to be a number when the protocol starts, with its reference; `free`:
    those too that may be, which are no variables of a `foreach`."""
    sizes = set(counts(protocol).values())
    turns = _turns(protocol) if free else set[str]()
    yield from _deciders(protocol)
    for body in (protocol.body, *(sub.body for sub in protocol.subprotocols)):
        for statement in statements(body):
            if isinstance(statement, Loop) and statement.count is not None:
                yield statement.count, None
            refs: tuple[RoleRef | None, ...] = ()
            if isinstance(statement, Send):
                refs = (statement.sender, statement.receiver)
            elif isinstance(statement, Foreach):
                refs = (statement.family,)
            for ref in refs:
                selector = ref.selector if ref else None
                if isinstance(selector, Range):
                    yield selector.start, ref
                    yield selector.stop, ref
                elif isinstance(selector, At):
                    name = selector.index.name
                    if name in {"", *sizes} or (free and name not in turns):
                        yield selector.index, ref


def _deciders(protocol: Protocol) -> Iterator[tuple[Index, RoleRef]]:
    """The indices of those that decide, without the variables of a `foreach`."""
    found = list[tuple[Index, RoleRef]]()
    for body in (protocol.body, *(sub.body for sub in protocol.subprotocols)):
        for statement in statements(body):
            ref = statement.chooser if isinstance(statement, Choice) else None
            if isinstance(statement, Loop):
                ref = statement.decider
            if ref is not None and isinstance(ref.selector, At):
                found.append((ref.selector.index, ref))
    turns = _turns(protocol) if found else set[str]()
    yield from (pair for pair in found if pair[0].name not in turns)


def _turns(protocol: Protocol) -> set[str]:
    """The variables of every `foreach`."""
    bodies = (protocol.body, *(sub.body for sub in protocol.subprotocols))
    found = (s for body in bodies for s in statements(body) if isinstance(s, Foreach))
    return {statement.variable for statement in found}


def _error(
    protocol: Protocol, name: str, message: str, hint: str, *, is_missing: bool = False
) -> BindingError:
    declared = protocol.role(name)
    span: Span = declared.span if declared else protocol.name_span
    diagnostic = Diagnostic(BindingError.code, "error", message, span, hint)
    return BindingError(message, name=name, hint=hint, diagnostic=diagnostic, is_missing=is_missing)
