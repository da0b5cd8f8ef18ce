"""What all simulated runs of a campaign share, because it is the same in each: keys, tokens and
what verifying them came to, and what the protocol says."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...broker.contract import Broker
from ...broker.surroundings import now
from ...effects.capability.revocation import Revocations
from ...effects.capability.tokens import Authority, PublicKey, Renewable
from ...effects.capability.verifier import Verified, Verifier
from ...effects.flow.budget import Budgets
from ...effects.identity import Identity
from ...effects.journal.journal import Journal
from ...effects.keys import Signer, digest
from ...effects.pipeline.handlers import standard_registry
from ...effects.pipeline.pipeline import Pipeline
from ...effects.pipeline.transaction import BrokerDriver
from ..cast import Cast, Casts
from ..choreography import Choreography
from ..grants import Grants
from ..runtime import Runtime
from ..wallet import TOKEN_LIFE, Held, Wallet
from .config import SimulationConfig

HALF = TOKEN_LIFE / 2
Shown = tuple[bytes, Identity]


class KeptWallet(Wallet):
    """Issues each token once in half its life. Its bytes are random, and nothing but their being accepted
    matters."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(authority, None, authority.public)
        self._renewables: dict[tuple[Identity, Collection[str]], Renewable] = {}
        self._kept: dict[tuple[Renewable, float], Held] = {}

    def _renewable(self, who: Identity, capabilities: Collection[str]) -> Renewable:
        key = (who, tuple(capabilities))
        if key not in self._renewables:
            self._renewables[key] = super()._renewable(who, capabilities)
        return self._renewables[key]

    def _issued(self, renewable: Renewable) -> Held:
        end = (now() // HALF + 2) * HALF
        if (renewable, end) not in self._kept:
            self._kept[renewable, end] = self._until(renewable, end)
        return self._kept[renewable, end]


class KeptVerifier(Verifier):
    """Looks at the same token once; expiry and revocation are checked each time."""

    def __init__(self, root: PublicKey, known: dict[Shown, Verified]) -> None:
        super().__init__(root)
        self._known = known

    def verify(self, token: bytes, holder: Identity) -> Verified:
        found = self._known.get((token, holder))
        if found is None or self._revoked.intersection(found.revocation_ids):
            found = self._known[token, holder] = super().verify(token, holder)
        self._cache[token, holder] = found
        return found


class Kit:
    """Made once for a campaign. `runtime` puts a runtime together on a simulated connection."""

    def __init__(self, config: SimulationConfig) -> None:
        self.signer = Signer(digest(b"simulation"))
        self.authority = Authority(self.signer.derived(b"authority"))
        self.wallet = KeptWallet(self.authority)
        self._verified: dict[Shown, Verified] = {}
        self._casts: Casts | None = None
        self._registry = config.registry or standard_registry()
        self._config = config

    def runtime(self, broker: Broker) -> Runtime:
        given = Grants(self._config.grants, self._config.budgets, self._config.leakage)
        root = self.authority.public
        verifier = KeptVerifier(root, self._verified)
        shared = Budgets(broker, leases=True)
        journal = Journal(broker, self.signer)
        driver = BrokerDriver(verifier, shared, journal, self.signer, Revocations(broker, root))
        pipeline = Pipeline(self._registry, driver)
        if self._casts is None:
            self._casts = Casts(pipeline)
        return Runtime(
            broker, pipeline, journal, shared=shared,
            authority=self.authority, wallet=self.wallet, grants=given, casts=self._casts,
        )  # fmt: skip

    def cast(self, choreography: Choreography, bindings: Mapping[str, int]) -> Cast:
        """The protocol laid out; there has to be a runtime already."""
        assert self._casts is not None, "casts come with the first runtime"
        return self._casts.of(choreography, bindings)
