"""Which faults strike a session: drawn from a seed, or written down in TOML.

[[fault]]
kind = "crash"
role = "Seller"
after = 2          # its second message; or `at`, in simulated seconds
seconds = 1.5
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ...broker.sim.faults import KINDS, TIMED, Fault, Kind
from ..choreography import Choreography
from .admission import require_fault, require_struck
from .config import SimulationConfig
from .errors import PlanRefused
from .outline import outline_of

SPANS = (0.01, 0.03, 0.1, 1.0)
"""Simulated seconds in which faults strike that strike at a time: most sessions are short."""

SECONDS: Mapping[Kind, tuple[float, ...]] = {
    "delay": (0.005, 0.05, 0.5, 3.0),
    "reorder": (0.003, 0.02, 0.2),
    "loss": (0.01, 0.1, 1.0, 3.0, 7.0),
    "partition": (0.1, 1.0, 3.0, 7.0, 15.0),
    "crash": (0.0, 0.01, 0.2, 2.0, 8.0),
    "skew": (-3600.0, -5.0, 5.0, 3600.0, 200_000.0),
    "journal": (0.05, 1.0, 5.0, 15.0),
    "silence": (0.0, 0.5, 8.0),
}


def drawn(
    seed: int | str, choreography: Choreography, config: SimulationConfig, durable: bool
) -> tuple[Fault, ...]:
    """At most `config.most` faults, none in some sessions."""
    chance = random.Random(f"faults/{seed}")
    kinds: list[Kind] = [kind for kind in KINDS if kind in config.faults]
    count = chance.randint(0, config.most) if kinds else 0
    lengths = outline_of(choreography.compiled).lengths
    return tuple(_drawn(chance, chance.choice(kinds), lengths, durable) for _ in range(count))


def _drawn(chance: random.Random, kind: Kind, lengths: Mapping[str, int], durable: bool) -> Fault:
    roles = list(lengths)
    speaking = [role for role in roles if lengths[role]] or roles
    role = chance.choice(roles if kind in TIMED else speaking)
    after = chance.randint(1, max(1, lengths[role]))
    at = round(chance.random() * chance.choice(SPANS), 4)
    if kind in TIMED and (kind == "partition" or chance.random() < 0.5):
        after = 0
    seconds = chance.choice(SECONDS.get(kind, (0.0,)))
    if durable and kind in ("crash", "silence"):
        # A session that is kept goes on once somebody plays the role again; and not before.
        seconds = seconds or 1.0
    elif kind == "silence":
        # Nobody can tell of one that ends again what it has kept to itself.
        seconds = 0.0
    others: tuple[str, ...] = ()
    if kind == "partition":
        rest = [other for other in roles if other != role]
        others = tuple(sorted(chance.sample(rest, chance.randint(0, len(rest) // 2))))
    return Fault(kind, role, after, 0.0 if after else at, seconds, others)


# --- written down --------------------------------------------------------------------------


def read(path: Path, choreography: Choreography) -> tuple[Fault, ...]:
    """The faults of a TOML file. Raises `PlanRefused`."""
    place = str(path)
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        why = f"it cannot be read: {error.strerror or error}"
        raise PlanRefused(place, why, hint="check the path") from None
    except UnicodeDecodeError:
        raise PlanRefused(place, "it is no text in UTF-8", hint="check the path") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanRefused(place, f"it is no TOML: {error}", hint="write [[fault]] tables") from None
    return parsed(place, found, choreography)


def parsed(place: str, found: Mapping[str, Any], choreography: Choreography) -> tuple[Fault, ...]:
    listed = found.get("fault", [])
    strange = sorted(set(found) - {"fault"})
    if strange or not isinstance(listed, list):
        what = f"{strange[0]!r} is not known" if strange else "`fault` is no list of tables"
        raise PlanRefused(place, what, hint="write each fault under [[fault]]")
    tables = cast(list[object], listed)
    return tuple(_fault(f"{place}, fault {n}", t, choreography) for n, t in enumerate(tables, 1))


def _fault(place: str, table: Any, choreography: Choreography) -> Fault:
    if not isinstance(table, dict):
        raise PlanRefused(place, "it is no table", hint="write [[fault]] before it")
    given = cast(dict[str, Any], table)
    strange = sorted(set(given) - {"kind", "role", "after", "at", "seconds", "roles"})
    if strange:
        hint = "a fault has kind, role, after or at, seconds, and roles (of a partition)"
        raise PlanRefused(place, f"{strange[0]!r} is not known", hint=hint)
    kind, role, others = given.get("kind"), given.get("role"), given.get("roles", [])
    if kind in KINDS and "role" not in given:
        hint = f"write a role: its roles are {', '.join(choreography.roles)}"
        raise PlanRefused(place, "it says no role", hint=hint)
    after, at, seconds = given.get("after", 0), given.get("at", 0.0), given.get("seconds", 0.0)
    fault = Fault(cast(Kind, kind), cast(str, role), after, at, seconds, others)
    require_fault(place, fault)
    require_struck(place, fault, choreography, choreography.roles)
    if after and "at" in given:
        raise PlanRefused(place, "it has both after and at", hint="leave one of them out")
    return replace(fault, at=float(at), seconds=float(seconds), roles=tuple(others))


def written(faults: Sequence[Fault]) -> str:
    """The same faults in TOML."""
    return "\n".join(_table(fault) for fault in faults)


def _table(fault: Fault) -> str:
    lines = ["[[fault]]", f'kind = "{fault.kind}"', f'role = "{fault.role}"']
    lines.append(f"after = {fault.after}" if fault.after else f"at = {fault.at!r}")
    if fault.seconds:
        lines.append(f"seconds = {fault.seconds!r}")
    if fault.roles:
        lines.append("roles = [" + ", ".join(f'"{role}"' for role in fault.roles) + "]")
    return "\n".join(lines) + "\n"


# --- on one line -----------------------------------------------------------------------------


def from_line(text: str, choreography: Choreography) -> Fault:
    """`crash Seller after=2 seconds=1.5`. Raises `PlanRefused`."""
    words = text.split()
    place = f"--fault {text!r}"
    hint = "write a kind, a role, and what else it has: crash Seller after=2 seconds=1.5"
    if len(words) < 2:
        raise PlanRefused(place, "it has no kind and role", hint=hint)
    table: dict[str, Any] = {"kind": words[0], "role": words[1]}
    for word in words[2:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise PlanRefused(place, f"{word!r} is no name=value", hint=hint)
        table[name] = value.split(",") if name == "roles" else _read(value)
    return _fault(place, table, choreography)


def _read(value: str) -> object:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def on_line(fault: Fault) -> str:
    """The other way round."""
    words: list[str] = [fault.kind, fault.role]
    words.append(f"after={fault.after}" if fault.after else f"at={_exact(fault.at)}")
    if fault.seconds:
        words.append(f"seconds={_exact(fault.seconds)}")
    if fault.roles:
        words.append(f"roles={','.join(fault.roles)}")
    return " ".join(words)


def _exact(seconds: float) -> str:
    """All its digits, or it would strike at another moment."""
    return repr(float(seconds)).removesuffix(".0")
