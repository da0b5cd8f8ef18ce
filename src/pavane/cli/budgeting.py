"""Budgets changed and checked for `pavane budget`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from ..broker.contract import Broker, Level
from ..effects.flow.accounting import Accounting, accounted
from ..effects.flow.budget import Budgets
from ..effects.journal.history.keyfile import public_keys
from ..effects.journal.journal import Journal
from ..effects.keys import Signer
from ..language.compiler import Compiled
from .brokers import address, connected, kept_address
from .entitlements import observers, refuse_unknown_roles
from .errors import RunFailed, UsageError
from .escapes import printable
from .levels import context, level_json
from .loop import play
from .options import amounts
from .protocols import only
from .screen import complaints, plural, say, write_json
from .tokens import seconds


@dataclass(frozen=True, slots=True)
class Where:
    """Which broker."""

    url: str | None
    store: Path | None
    allow_remote: bool

    @asynccontextmanager
    async def connected(self, *, kept: bool = True) -> AsyncGenerator[Broker]:
        """With `kept` false a store may be new: budgets are set before the first run."""
        new = not kept and self.store is not None
        url = (address if new else kept_address)(self.url, self.store)
        async with connected(url, self.store, allow_remote=self.allow_remote) as broker:
            yield broker


def define(
    file: str,
    name: str | None,
    given: list[str],
    leakage: list[str],
    window: str | None,
    where: Where,
    *,
    json: bool,
) -> None:
    compiled = only(file, name)
    limits, leaks = amounts("set", given), amounts("--leakage", leakage)
    if not limits and not leaks:
        raise UsageError("nothing is to be set", hint="give ROLE=N, or --leakage OBSERVER=N")
    outline = compiled.outline()
    refuse_unknown_roles("set", limits, outline.machines)
    _refuse_unknown_observers(leaks, compiled)
    length = None if window is None else _window(window)

    done: list[tuple[str, Level]] = []

    async def main() -> None:
        async with where.connected(kept=False) as broker:
            budgets, here = Budgets(broker), context(compiled)
            for role, limit in limits.items():
                done.append((role, await budgets.define(here, role, limit, window=length)))
            for observer, limit in leaks.items():
                level = await budgets.define_leakage(here, observer, limit, window=length)
                done.append((f"leakage to {observer}", level))

    try:
        play(main)
    finally:
        # Also those that were set before one that is refused.
        if done:
            _tell(compiled, done, json=json)


def rotate(file: str, name: str | None, roles: list[str], where: Where, *, json: bool) -> None:
    compiled = only(file, name)
    refuse_unknown_roles("--role", roles, compiled.outline().machines)

    async def main() -> list[tuple[str, Level]]:
        async with where.connected() as broker:
            budgets, here = Budgets(broker), context(compiled)
            done: list[tuple[str, Level]] = []
            for role in roles or [role.name for role in compiled.protocol.roles]:
                if roles or await budgets.level(here, role) is not None:
                    done.append((role, await budgets.rotate(here, role)))
            return done

    _tell(compiled, play(main), json=json)


def _window(text: str) -> float:
    return 0.0 if text == "none" else seconds(text, "--window")


def _refuse_unknown_observers(given: Mapping[str, int], compiled: Compiled) -> None:
    known = observers(compiled.outline())
    for observer in given:
        if observer not in known:
            told = f"the observers are {', '.join(sorted(known))}" if known else "leave it out"
            raise UsageError(f"--leakage {observer}: no message leaks to {observer}", hint=told)


def _tell(compiled: Compiled, done: list[tuple[str, Level]], *, json: bool) -> None:
    if json:
        rows = [{"budget": name, **level_json(level)} for name, level in done]
        write_json({"context": context(compiled), "budgets": rows})
        return
    if not done:
        say(f"{context(compiled)} has no budget yet.", console=complaints())
    for name, level in done:
        window = f", each {level.window:g} s long" if level.window else ""
        say(f"{name}: {level.spent} of {level.limit} spent, epoch {level.epoch}{window}")


# verify -----------------------------------------------------------------------------------


def verify(file: str, name: str | None, trust: Path | None, where: Where, *, json: bool) -> None:
    compiled = only(file, name)
    trusted = None if trust is None else public_keys(trust)

    async def main() -> Accounting:
        async with where.connected() as broker:
            journal = Journal(broker, Signer())
            try:
                namespace, _, protocol = context(compiled).rpartition(".")
                entries = journal.entries(namespace=namespace, protocol=protocol)
                return await accounted(entries, Budgets(broker), trusted)
            finally:
                await journal.close()

    found = play(main)
    if json:
        write_json(_as_json(found))
    else:
        _show(found)
    if found.faults:
        raise RunFailed("the receipts do not fit the budgets")


def _as_json(found: Accounting) -> dict[str, Any]:
    return {
        "ok": not found.faults,
        "budgets": [asdict(one) for one in found.sums],
        "signers": sorted(signer.hex() for signer in found.signers),
        "faults": [asdict(fault) for fault in found.faults],
    }


def _show(found: Accounting) -> None:
    if not found.sums and not found.faults:
        say("The journal has no receipt: nothing was charged.")
    for one in found.sums:
        spent = "an epoch that is over" if one.spent is None else f"{one.spent} spent"
        count = plural(one.receipts, "receipt")
        say(f"{printable(one.peer)}, epoch {one.epoch}: {count} for {one.total}, {spent}")
    for fault in found.faults:
        whose = fault.writer or f"{fault.peer}, epoch {fault.epoch}"
        say(
            Text.assemble(("refused ", "bold red"), printable(f"{whose}: {fault.reason}")),
            console=complaints(),
        )
    if not found.faults and found.sums:
        signed = plural(len(found.signers), "key")
        say(Text.assemble(("whole  ", "bold green"), f"signed by {signed}"))
