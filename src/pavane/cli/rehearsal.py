"""A protocol played by stand-ins: what `pavane run` does once its options are read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from ..actors.choreography import Choreography
from ..actors.grants import PLENTY
from ..actors.opening import open as open_runtime
from ..actors.standin import StandIn
from ..effects.errors import EffectError
from ..effects.flow.budget import Budgets
from ..effects.pipeline.registry import ExtensionRegistry
from ..language.compiler import Compiled
from ..language.errors import PavaneError
from ..language.projection import Projection
from .brokers import address, options
from .entitlements import (
    Capabilities,
    granted,
    observers,
    refuse_unknown_observers,
    refuse_unknown_roles,
)
from .errors import RunFailed
from .levels import context
from .live import Accounts, JsonView, TextView
from .loop import play
from .protocols import only, refuse_strangers
from .screen import complain, output, plural, say, write_json_line
from .tokens import Entrusted


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The options of one run, read."""

    file: str
    name: str | None
    bindings: Mapping[str, int]
    seed: int
    grants: Capabilities
    revoked: Capabilities
    budgets: Mapping[str, int]
    leakage: Mapping[str, int]
    registry: ExtensionRegistry | None
    authority: Entrusted
    url: str | None
    store: Path | None
    allow_remote: bool
    delay: float
    trace: bool
    json: bool


def rehearse(order: Rehearsal) -> None:
    """Play the session to its end and write what it came to. Raises `RunFailed`, or before the
    first message whatever is wrong with the options."""
    keys = order.registry.keys() if order.registry is not None else ()
    compiled = only(order.file, order.name, keys, order.bindings)
    refuse_strangers(order.bindings, [compiled])
    projection = compiled.project(order.bindings)
    refuse_unknown_roles("--budget", order.budgets, projection.machines)
    refuse_unknown_observers(order.leakage, projection)
    refuse_unknown_roles("--token", order.authority.tokens or {}, projection.machines)
    held = granted(projection, order.grants, order.revoked)
    where = address(order.url, order.store)
    accounts = Accounts(sizes(projection))
    leakage = {name: order.leakage.get(name) for name in observers(projection)}
    failure = play(lambda: _play(order, compiled, where, held, leakage, accounts))
    _conclude(order, accounts, failure)


def sizes(projection: Projection) -> dict[str, int]:
    """How many instances each role has; all counts are bound."""
    return {r: n if isinstance(n, int) else 1 for r, n in projection.sizes.items()}


async def _play(
    order: Rehearsal,
    compiled: Compiled,
    where: str,
    held: Mapping[str, tuple[str, ...]],
    leakage: Mapping[str, int | None],
    accounts: Accounts,
) -> PavaneError | None:
    """Run on a broker of its own or another's, and return what ended the session early."""
    choreography = Choreography(compiled, bindings=order.bindings)
    standin = StandIn(order.seed, delay=order.delay)
    for role in choreography.roles:
        choreography.role(role)(standin)
    settings = options(order.store, allow_remote=order.allow_remote)
    view = JsonView() if order.json else TextView(trace=order.trace)
    trust = order.authority
    async with open_runtime(
        where, options=settings, grants=held, budgets=order.budgets,
        registry=order.registry, tokens=trust.tokens, root_key=trust.root, endorsers=trust.endorsers,
    ) as runtime:  # fmt: skip
        runtime.observe(accounts.observe)
        runtime.observe(view.observe)
        with view:
            try:
                await _allow_leakage(runtime.budgets, context(compiled), leakage)
                await runtime.run(choreography)
            except PavaneError as error:
                return error
            except asyncio.CancelledError:
                if view.gone is not None:
                    raise view.gone from None
                raise
    return None


async def _allow_leakage(budgets: Budgets, context: str, limits: Mapping[str, int | None]) -> None:
    """Like a flow budget, a leakage budget that nobody limits is plenty, unless there is one."""
    for observer, limit in limits.items():
        if limit is not None or await budgets.leakage(context, observer) is None:
            await budgets.define_leakage(context, observer, PLENTY if limit is None else limit)


def _conclude(order: Rehearsal, accounts: Accounts, failure: PavaneError | None) -> None:
    if order.json:
        write_json_line(outcome_json(accounts, failure))
    else:
        say()
        output().print(accounts.table())
        if failure is None:
            _praise(accounts)
        elif isinstance(failure, EffectError) and any(a.denials for a in accounts.values()):
            complain(failure, "the session ended with the denial above")
        else:
            complain(failure)
    if failure is not None:
        raise RunFailed(failure.message)


def _praise(accounts: Accounts) -> None:
    sent = plural(sum(a.sent for a in accounts.values()), "message")
    charged = sum(a.charged for a in accounts.values())
    facts = plural(sum(sum(a.facts.values()) for a in accounts.values()), "fact")
    say(
        Text.assemble(("completed  ", "bold green"), f"{sent}, {charged} charged, {facts} recorded")
    )


def outcome_json(accounts: Accounts, failure: PavaneError | None) -> dict[str, Any]:
    """The last line of `run --json`."""
    return {
        "event": "outcome",
        "ok": failure is None,
        "error": failure
        and {"code": failure.code, "message": failure.message, "hint": failure.hint},
        "roles": {role: account.as_json() for role, account in accounts.items()},
    }
