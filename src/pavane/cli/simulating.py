"""What `pavane simulate` does once its options are read."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, cast

from ..actors.choreography import Choreography
from ..actors.grants import PLENTY
from ..actors.simulation.campaign import CALM, Campaign, Failure, Report
from ..actors.simulation.config import SimulationConfig
from ..actors.simulation.diagram import drawn
from ..actors.simulation.plan import from_line, on_line, read
from ..actors.simulation.shrink import shrunk
from ..actors.standin import StandIn
from ..broker.sim.faults import KINDS, Fault, Kind
from ..language.compiler import Compiled
from .entitlements import observers, refuse_unknown_observers, refuse_unknown_roles
from .errors import Refused, UsageError
from .protocols import only, refuse_strangers
from .screen import complaints, plural, say, tell, write_json
from .targets import choreography as target_of
from .targets import value as target_value

SEEDS = 1000
OFTEN = 0.2
"""Seconds between two words of progress."""


@dataclass(frozen=True, slots=True)
class Order:
    """The options of one campaign, read."""

    file: str
    target: str | None
    seeds: int | None
    seed: int | None
    faults: Path | None
    fault: tuple[str, ...]
    kinds: str | None
    most: int | None
    durable: bool
    calm: bool
    config: str | None
    budgets: Mapping[str, int]
    leakage: Mapping[str, int]
    bindings: Mapping[str, int]
    name: str | None
    trace: bool
    json: bool

    @property
    def numbers(self) -> range:
        first = self.seed or 0
        count = self.seeds or (SEEDS if self.seed is None else 1)
        return range(first, first + count)


def conduct(order: Order) -> None:
    """Play the sessions. Raises `Refused` where one went wrong, once that has been shown."""
    if order.trace and len(order.numbers) > 1:
        raise UsageError("--trace is of one session", hint="say which: --seed 17")
    compiled = only(order.file, order.name, bindings=order.bindings)
    protocol = _played(order, compiled)
    refuse_strangers(order.bindings, [compiled])
    campaign = Campaign(
        protocol, protocol.implementations, _config(order, protocol), order.bindings
    )
    # What goes wrong in a simulation is told in its own way, once.
    logging.getLogger("pavane").setLevel(logging.CRITICAL)
    if order.trace:
        campaign.on_trace = lambda text: say(text.rstrip("\n"))
    report = campaign.run(order.numbers, _Progress(len(order.numbers)))
    if report.failure is not None:
        report.smallest = shrunk(campaign, report.failure)
    _tell(order, protocol, report)


def _played(order: Order, compiled: Compiled) -> Choreography:
    """The protocol with somebody for each role."""
    given = target_of(order.target) if order.target else Choreography(compiled)
    if given.compiled.fingerprint != compiled.fingerprint:
        raise UsageError(
            f"{order.target} is {given.full_name} as it is in {given.place}, and "
            f"{order.file} has another protocol, or another version",
            hint="name the file that the module loads",
        )
    missing = StandIn()
    known = {role: given.implementations.get(role, missing) for role in given.roles}
    return Choreography(
        given.compiled, types=given.types, bindings=given.bindings, implementations=known,
        devices=given.devices, restarts=given.restarts,
    )  # fmt: skip


def _config(order: Order, protocol: Choreography) -> SimulationConfig:
    config = SimulationConfig()
    if order.config is not None:
        found = target_value(order.config)
        if not isinstance(found, SimulationConfig):
            raise UsageError(f"{order.config} is no SimulationConfig", hint="name one: shop:config")
        config = found
    plan: list[Fault] = list(read(order.faults, protocol)) if order.faults is not None else []
    plan += [from_line(text, protocol) for text in order.fault]
    config = replace(config, durable=order.durable or config.durable)
    if plan or order.faults is not None:
        config = replace(config, plan=plan)
    if order.kinds is not None:
        config = replace(config, faults=_kinds(order.kinds))
    if order.calm:
        config = replace(config, shuffled=False, latency=CALM)
    config = _allowing(order, config, protocol)
    return config if order.most is None else replace(config, most=order.most)


def _allowing(order: Order, config: SimulationConfig, protocol: Choreography) -> SimulationConfig:
    """With the limits of the command line; whom nobody limits may learn plenty, as in `run`."""
    projection = protocol.bind(**order.bindings).project()
    refuse_unknown_roles("--budget", order.budgets, protocol.roles)
    refuse_unknown_observers(order.leakage, projection)
    leakage = {**dict.fromkeys(sorted(observers(projection)), PLENTY), **(config.leakage or {})}
    if order.budgets:
        config = replace(config, budgets={**(config.budgets or {}), **order.budgets})
    return replace(config, leakage={**leakage, **order.leakage})


def _kinds(text: str) -> list[Kind]:
    words = [] if text.strip() == "none" else [word.strip() for word in text.split(",")]
    for word in words:
        if word not in KINDS:
            raise UsageError(f"--kinds: there is no fault {word!r}", hint=", ".join(KINDS))
    return cast(list[Kind], words)


class _Progress:
    """A line that is written over, on a terminal; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._next = monotonic() + OFTEN
        self._begun = monotonic()
        self._shown = complaints().is_terminal and total > 1

    def __call__(self, done: int, report: Report) -> None:
        over = done == self._total or not report.ok
        if not self._shown or (monotonic() < self._next and not over):
            return
        self._next = monotonic() + OFTEN
        rate = done / max(monotonic() - self._begun, 1e-9)
        text = "" if over else f"{done} of {self._total} sessions, {rate:.0f} a second"
        sys.stderr.write(f"\r{text:<60}" + ("\r" if over else ""))
        sys.stderr.flush()


# --- what is told --------------------------------------------------------------------------


def _tell(order: Order, protocol: Choreography, report: Report) -> None:
    if order.json:
        write_json(_as_json(order, report))
    else:
        _say(report)
        if report.smallest is not None:
            _show(order, protocol, report, report.smallest)
    if not report.ok:
        raise Refused("a simulated session went wrong")


def _say(report: Report) -> None:
    done = report.ended["done"]
    tell(f"{plural(report.seeds, 'session')}, {done} to their ends{_others(report)}")
    struck = ", ".join(f"{count} {kind}" for kind, count in report.struck.most_common())
    tell(f"faults: {struck or 'none'}")


def _others(report: Report) -> str:
    ended = sorted((code, n) for code, n in report.ended.items() if code not in ("done", "PV360"))
    if not ended:
        return ""
    return "; ended by their faults: " + ", ".join(f"{n} with {code}" for code, n in ended)


def _show(order: Order, protocol: Choreography, report: Report, small: Failure) -> None:
    assert report.failure is not None
    seed, faults = report.failure.trial.seed, len(report.failure.trial.faults)
    say()
    tell(f"Seed {seed} went wrong: {small.error.message}")
    if faults != len(small.trial.faults):
        say(f"Of its {plural(faults, 'fault')} {len(small.trial.faults) or 'none'} was needed.")
    say()
    say(drawn(protocol.roles, small.entries))
    say()
    say(f"again: {again(order, small)}")


def again(order: Order, failure: Failure) -> str:
    """The command that shows just this failure."""
    words = ["pavane", "simulate", order.file, *([order.target] if order.target else [])]
    words += ["--name", order.name] if order.name else []
    words += [w for name, count in order.bindings.items() for w in ("--bind", f"{name}={count}")]
    words += ["--config", order.config] if order.config else []
    words += [w for role, n in order.budgets.items() for w in ("--budget", f"{role}={n}")]
    words += [w for name, n in order.leakage.items() for w in ("--leakage", f"{name}={n}")]
    words += ["--durable"] if order.durable else []
    words += ["--seed", str(failure.trial.seed)]
    words += [word for fault in failure.trial.faults for word in ("--fault", on_line(fault))]
    words += [] if failure.trial.faults else ["--kinds", "none"]
    if not failure.trial.shuffled and failure.trial.latency == CALM:
        words += ["--calm"]
    return shlex.join(words)


def _as_json(order: Order, report: Report) -> dict[str, Any]:
    return {
        "sessions": report.seeds,
        "ended": dict(sorted(report.ended.items())),
        "faults": dict(sorted(report.struck.items())),
        "failure": None if report.smallest is None else _failure_json(order, report.smallest),
    }


def _failure_json(order: Order, failure: Failure) -> dict[str, Any]:
    return {
        "seed": failure.trial.seed,
        "rule": failure.rule,
        "code": failure.error.code,
        "message": failure.error.message,
        "faults": [_fault_json(fault) for fault in failure.trial.faults],
        "trace": list(_lines(failure)),
        "again": again(order, failure),
    }


def _fault_json(fault: Fault) -> dict[str, Any]:
    when = {"after": fault.after} if fault.after else {"at": fault.at}
    others = {"roles": list(fault.roles)} if fault.roles else {}
    return {"kind": fault.kind, "role": fault.role, **when, "seconds": fault.seconds, **others}


def _lines(failure: Failure) -> Iterable[str]:
    return (str(entry) for entry in failure.entries)
