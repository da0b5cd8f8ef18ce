"""What faults and a configuration must be before anything is simulated, whether they were written in
Python, in TOML or on the command line: what cannot be would strike nobody, and look like success."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from ...broker.sim.faults import KINDS, TIMED, Fault
from ..choreography import Choreography
from ..errors import UnknownGrantee
from ..grants import Grants
from .errors import ConfigRefused, PlanRefused

if TYPE_CHECKING:
    from .config import SimulationConfig

LONGEST = 10**9
"""The longest time that may be given, in simulated seconds: more than any clock is wrong by."""

PLAN = "SimulationConfig.plan"


def require_sound(config: SimulationConfig) -> None:
    """What can be told without the protocol. Raises `ConfigRefused`, `PlanRefused` and
    `InvalidGrant`."""
    _require_kinds(config.faults)
    _require_whole("most", config.most)
    _require_latency(config.latency)
    if not _is_seconds(config.horizon) or not config.horizon:
        hint = f"write a number of seconds above 0 and up to {LONGEST}"
        raise ConfigRefused("horizon", f"is {config.horizon!r}, no length of time", hint=hint)
    _require_apart(config.processes)
    for check in config.checks:
        if not callable(check):
            hint = "give functions of a SimulationState"
            raise ConfigRefused("checks", f"has {check!r:.80}, no function", hint=hint)
    Grants(config.grants, config.budgets, config.leakage)
    if config.plan is not None:
        for number, fault in enumerate(_plan(config.plan), 1):
            require_fault(f"{PLAN}, fault {number}", fault)


def require_roles(
    config: SimulationConfig, choreography: Choreography, known: Collection[str]
) -> None:
    """That all roles which are named are `known`: those of `choreography`, and of what was simulated
    before. Raises `ConfigRefused`, `PlanRefused` and `UnknownGrantee`."""
    for number, fault in enumerate(config.plan or (), 1):
        require_struck(f"{PLAN}, fault {number}", fault, choreography, known)
    for role in (role for group in config.processes for role in group):
        if role not in known:
            problem = f"names {role!r}, and {choreography.name} has no such role"
            raise ConfigRefused("processes", problem, hint=_roles_of(choreography))
    given: dict[str, Collection[str]] = {
        "grants": config.grants or (),
        "budgets": config.budgets or (),
    }
    for what, roles in given.items():
        for role in roles:
            if role not in known:
                raise UnknownGrantee(what, role, choreography.full_name, choreography.roles)


def numbers(seeds: int | Iterable[int]) -> Iterable[int]:
    """The seeds themselves. Raises `ConfigRefused`, for one that is none when it is come to."""
    return _numbers(seeds)


def _numbers(given: object) -> Iterable[int]:
    hint = "write how many there are to be, from 1, or the seeds themselves: seeds=[17, 18]"
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return range(given)
    if isinstance(given, int | str | bytes) or not isinstance(given, Iterable):
        raise ConfigRefused("seeds", f"is {given!r:.80}", hint=hint, place="")
    return _each(cast(Iterable[object], given), hint)


def _each(seeds: Iterable[object], hint: str) -> Iterator[int]:
    there = False
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ConfigRefused("seeds", f"has {seed!r:.80}, no whole number", hint=hint, place="")
        there = True
        yield seed
    if not there:
        raise ConfigRefused("seeds", "has none", hint=hint, place="")


# --- faults --------------------------------------------------------------------------------


def require_fault(place: str, fault: object) -> None:
    """What can be told without the protocol. Raises `PlanRefused`."""
    if not isinstance(fault, Fault):
        hint = 'write pavane.Fault("crash", "Seller", after=2)'
        raise PlanRefused(place, f"{fault!r:.80} is no Fault", hint=hint)
    if fault.kind not in KINDS:
        problem = f"there is no kind {fault.kind!r}"
        raise PlanRefused(place, problem, hint=f"kinds: {', '.join(KINDS)}")
    if not _is_whole(fault.after) or fault.after > LONGEST:
        raise _no_number(place, "after", fault.after, "a whole number from 0")
    for name, seconds in (("at", fault.at), ("seconds", fault.seconds)):
        if not _is_seconds(seconds, negative=name == "seconds" and fault.kind == "skew"):
            raise _no_number(place, name, seconds, f"a number of seconds up to {LONGEST}")
    if fault.after and fault.at:
        raise PlanRefused(place, "it has both after and at", hint="leave one of them out")
    if not fault.after and fault.kind not in TIMED and fault.kind not in ("loss", "answer"):
        problem = f"{fault.kind} strikes a message"
        raise PlanRefused(place, problem, hint="say which one: after = 1")


def require_struck(
    place: str, fault: Fault, choreography: Choreography, known: Collection[str]
) -> None:
    """That there is whom it strikes. Raises `PlanRefused`."""
    if not _is_list(fault.roles):
        problem = f"roles is {fault.roles!r:.80}, no list"
        raise PlanRefused(place, problem, hint='write roles = ["Seller"]')
    for name in (fault.role, *fault.roles):
        if name not in known:
            problem = f"{choreography.name} has no role {name!r}"
            raise PlanRefused(place, problem, hint=_roles_of(choreography))


def _plan(given: object) -> Sequence[Fault]:
    if not _is_list(given):
        hint = 'write plan=[pavane.Fault("crash", "Seller", after=2)]'
        raise ConfigRefused("plan", f"is {given!r:.80}, no list", hint=hint)
    return cast(Sequence[Fault], given)


def _no_number(place: str, name: str, value: object, wanted: str) -> PlanRefused:
    return PlanRefused(place, f"{name} is {value!r}, no such number", hint=f"write {wanted}")


# --- the rest of a configuration -------------------------------------------------------------


def _require_kinds(given: object) -> None:
    hint = f"write a list of kinds: {', '.join(KINDS)}"
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        raise ConfigRefused("faults", f"is {given!r:.80}, no list", hint=hint)
    for kind in cast(Collection[object], given):
        if kind not in KINDS:
            raise ConfigRefused("faults", f"has {kind!r:.80}, no kind of fault", hint=hint)


def _require_whole(field: str, given: object) -> None:
    if not _is_whole(given):
        problem = f"is {given!r:.80}, no whole number from 0"
        raise ConfigRefused(field, problem, hint=f"write one: {field}=3")


def _require_latency(given: object) -> None:
    bounds = tuple(cast(Sequence[object], given)) if isinstance(given, tuple | list) else ()
    if len(bounds) == 2 and all(map(_is_seconds, bounds)):
        least, most = cast(tuple[float, float], bounds)
        if least <= most:
            return
    hint = "write the least and the most seconds of a message: latency=(0.001, 0.01)"
    raise ConfigRefused("latency", f"is {given!r:.80}, no such span", hint=hint)


def _require_apart(given: object) -> None:
    """Each role in one process at most."""
    hint = 'write lists of roles: processes=[["Buyer", "Seller"], ["Bank"]]'
    placed: set[object] = set()
    for group in _listed(given, hint):
        for role in _listed(group, hint):
            if role in placed:
                raise ConfigRefused("processes", f"names {role} twice", hint=hint)
            placed.add(role)


def _listed(given: object, hint: str) -> Collection[object]:
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        raise ConfigRefused("processes", f"has {given!r:.80}, no list", hint=hint)
    return cast(Collection[object], given)


def _is_list(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str | bytes)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_seconds(value: object, *, negative: bool = False) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (-LONGEST if negative else 0) <= cast(float, value) <= LONGEST


def _roles_of(choreography: Choreography) -> str:
    return f"its roles are {', '.join(choreography.roles)}"
