"""The three ways to open a runtime, put together from the floors below."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from ..broker.cipherfile import own_cipher
from ..broker.codec import Codec
from ..broker.connect import connect
from ..broker.options import ConnectOptions
from ..effects.capability.revocation import Revocations
from ..effects.capability.tokens import Authority, PublicKey
from ..effects.capability.verifier import Endorsers, Verifier
from ..effects.errors import KeyRefused
from ..effects.flow.budget import Budgets
from ..effects.journal.history.keyfile import own_signer
from ..effects.journal.journal import Journal
from ..effects.keys import Signer
from ..effects.pipeline.handlers import standard_registry
from ..effects.pipeline.pipeline import Pipeline
from ..effects.pipeline.registry import ExtensionRegistry
from ..effects.pipeline.transaction import BrokerDriver
from .around import Around, Tracer
from .errors import InvalidGrant, NoTelemetry
from .grants import Grants
from .runtime import Runtime
from .telemetry.settings import Telemetry
from .wallet import Wallet


@asynccontextmanager
async def open(  # the name the user knows: pavane.open
    url: str = "embedded",
    *,
    grants: Mapping[str, Collection[str]] | None = None,
    budgets: Mapping[str, int] | None = None,
    leakage: Mapping[str, int] | None = None,
    registry: ExtensionRegistry | None = None,
    authority: Authority | None = None,
    signer: Signer | None = None,
    tokens: Mapping[str, bytes | str] | None = None,
    root_key: PublicKey | None = None,
    endorsers: Endorsers | None = None,
    codec: Codec | None = None,
    telemetry: Telemetry | bool = False,
    options: ConnectOptions | None = None,
) -> AsyncGenerator[Runtime]:
    """A runtime on `url`: `embedded` starts a nats-server and stops it, `nats://host:port` uses
    one, `memory://` needs none.

    `grants` replace the capabilities of the roles they name (the default is what a role's own
    steps ask for), `budgets` the flow limits. `leakage` says what each class of observers may
    learn in every protocol that is run here: one that has no limit anywhere may learn nothing.
    `registry` has the handlers of effects;
    `authority` issues the capability tokens; unless it is given, its key is made from the
    signer's, so that a session which goes on after a crash has the same.
    `signer` signs receipts and journal heads; unless it is given, it is new where they end with
    the runtime, and else that of `PAVANE_KEY` or the user's own (`effects/journal/history/keyfile.py`).
    With `tokens` by role (`pavane capability issue`) nothing is issued here: a role may do what
    its token shows to the authority with the public key `root_key`. `endorsers` are the keys of
    third parties that are believed, each with its namespaces.
    `codec` sees every payload on its way out and in, and what durable sessions store of the user's
    (`PayloadCipher` encrypts it); by default that of the file in `PAVANE_CIPHER`, if any. And
    `telemetry` traces and counts with OpenTelemetry (the extra `pavane[telemetry]`).
    Raises `InvalidGrant` for what cannot be a grant, `KeyRefused` for what cannot be `root_key`, and
    a `BrokerError` that says what to do.
    """
    signer = signer or _signer(url, options)
    own = authority
    authority = authority or Authority(signer.derived(b"authority"))
    root = authority.public if root_key is None else root_key
    given = Grants(grants, budgets, leakage)
    verifier = Verifier(root, endorsers=endorsers)
    wallet = Wallet(authority, tokens, root)
    _require_root(wallet, own, root_key)
    around = Around(codec or own_cipher(), _tracer(telemetry))
    broker = await connect(url, options=options)
    shared = Budgets(broker, leases=True)
    journal = Journal(broker, signer)
    driver = BrokerDriver(verifier, shared, journal, signer, Revocations(broker, root))
    runtime = Runtime(
        broker, Pipeline(registry or standard_registry(), driver), journal, shared=shared,
        authority=authority, wallet=wallet, around=around, grants=given,
    )  # fmt: skip
    try:
        yield runtime
    finally:
        with anyio.CancelScope(shield=True):
            await runtime.close()


def _require_root(wallet: Wallet, authority: Authority | None, root: PublicKey | None) -> None:
    """Tokens, and the key of whoever issued them, go together."""
    if wallet.roles and root is None and authority is None:
        raise InvalidGrant(
            "tokens",
            min(wallet.roles),
            "can be verified by nobody: the key of the authority that issued it is not given",
            hint="give its public key too: open(tokens=..., root_key=authority.public)",
        )
    if wallet.issues and root is not None and (authority is None or authority.public != root):
        raise KeyRefused(
            "root_key",
            "without tokens, those issued here are believed, and another signs them",
            hint='give what it has signed too: tokens={"Role": token}; or tokens={} where the roles '
            "that are played here need none",
        )


def _tracer(telemetry: Telemetry | bool) -> Tracer | None:
    if telemetry is False:
        return None
    try:
        # Imported here, as nobody else has a use for it.
        from .telemetry.observing import Observing
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("pavane"):
            raise
        raise NoTelemetry(missing.name or "opentelemetry") from None
    return Observing(Telemetry() if telemetry is True else telemetry)


def _signer(url: str, options: ConnectOptions | None) -> Signer:
    """A key that is kept, for what is kept."""
    scheme = url.partition("://")[0]
    is_kept = scheme not in ("memory", "embedded") or bool(options and options.store)
    return own_signer() if is_kept else Signer()


def for_testing(
    *,
    grants: Mapping[str, Collection[str]] | None = None,
    budgets: Mapping[str, int] | None = None,
    leakage: Mapping[str, int] | None = None,
    registry: ExtensionRegistry | None = None,
) -> AbstractAsyncContextManager[Runtime]:
    """A runtime in memory: no server, everything real but the transport."""
    return open("memory://", grants=grants, budgets=budgets, leakage=leakage, registry=registry)


def for_production(
    url: str,
    *,
    authority: Authority,
    signer: Signer,
    grants: Mapping[str, Collection[str]],
    budgets: Mapping[str, int],
    leakage: Mapping[str, int] | None = None,
    registry: ExtensionRegistry | None = None,
    tokens: Mapping[str, bytes | str] | None = None,
    root_key: PublicKey | None = None,
    endorsers: Endorsers | None = None,
    codec: Codec | None = None,
    telemetry: Telemetry | bool = False,
    options: ConnectOptions | None = None,
) -> AbstractAsyncContextManager[Runtime]:
    """A runtime on a server, with nothing left to defaults: whose tokens, whose signature, who
    may do what and at what cost."""
    return open(
        url, grants=grants, budgets=budgets, leakage=leakage, registry=registry,
        authority=authority, signer=signer, tokens=tokens, root_key=root_key,
        endorsers=endorsers, codec=codec, telemetry=telemetry, options=options,
    )  # fmt: skip
