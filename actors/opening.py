"""The three ways to open a runtime, put together from the floors below."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from ..broker.connect import connect
from ..broker.contract import Broker
from ..broker.options import ConnectOptions
from ..effects.budget import Budgets
from ..effects.capability import Authority
from ..effects.handlers import standard_registry
from ..effects.history.keyfile import own_signer
from ..effects.journal import Journal
from ..effects.keys import Signer
from ..effects.pipeline import Pipeline
from ..effects.registry import ExtensionRegistry
from ..effects.transaction import BrokerDriver
from ..effects.verifier import Verifier
from .runtime import Runtime


@asynccontextmanager
async def open(  # the name the user knows: pavane.open
    url: str = "embedded",
    *,
    grants: Mapping[str, Collection[str]] | None = None,
    budgets: Mapping[str, int] | None = None,
    registry: ExtensionRegistry | None = None,
    authority: Authority | None = None,
    signer: Signer | None = None,
    options: ConnectOptions | None = None,
) -> AsyncGenerator[Runtime]:
    """A runtime on `url`: `embedded` starts a nats-server and stops it, `nats://host:port` uses
    one, `memory://` needs none.

    `grants` replace the capabilities of the roles they name (the default is what a role's own
    steps ask for), `budgets` the flow limits. `registry` has the handlers of effects;
    `authority` issues the capability tokens; it is new for each runtime unless it is given.
    `signer` signs receipts and journal heads; unless it is given, it is new where they end with
    the runtime, and else that of `PAVANE_KEY` or the user's own (`effects/history/keyfile.py`).
    Raises a `BrokerError` that says what to do.
    """
    signer = signer or _signer(url, options)
    broker = await connect(url, options=options)
    runtime = _assemble(
        broker, registry or standard_registry(), authority or Authority(), signer,
        grants, budgets,
    )  # fmt: skip
    try:
        yield runtime
    finally:
        with anyio.CancelScope(shield=True):
            await runtime.close()


def _signer(url: str, options: ConnectOptions | None) -> Signer:
    """A key that is kept, for what is kept."""
    scheme = url.partition("://")[0]
    is_kept = scheme not in ("memory", "embedded") or bool(options and options.store)
    return own_signer() if is_kept else Signer()


def _assemble(
    broker: Broker,
    registry: ExtensionRegistry,
    authority: Authority,
    signer: Signer,
    grants: Mapping[str, Collection[str]] | None,
    budgets: Mapping[str, int] | None,
) -> Runtime:
    shared = Budgets(broker, leases=True)
    journal = Journal(broker, signer)
    driver = BrokerDriver(Verifier(authority.public), shared, journal, signer)
    pipeline = Pipeline(registry, driver)
    return Runtime(
        broker, pipeline, journal, shared=shared, authority=authority, grants=grants,
        budgets=budgets,
    )  # fmt: skip


def for_testing(
    *,
    grants: Mapping[str, Collection[str]] | None = None,
    budgets: Mapping[str, int] | None = None,
    registry: ExtensionRegistry | None = None,
) -> AbstractAsyncContextManager[Runtime]:
    """A runtime in memory: no server, everything real but the transport."""
    return open("memory://", grants=grants, budgets=budgets, registry=registry)


def for_production(
    url: str,
    *,
    authority: Authority,
    signer: Signer,
    grants: Mapping[str, Collection[str]],
    budgets: Mapping[str, int],
    registry: ExtensionRegistry | None = None,
    options: ConnectOptions | None = None,
) -> AbstractAsyncContextManager[Runtime]:
    """A runtime on a server, with nothing left to defaults: whose tokens, whose signature, who
    may do what and at what cost."""
    return open(
        url, grants=grants, budgets=budgets, registry=registry, authority=authority,
        signer=signer, options=options,
    )  # fmt: skip
