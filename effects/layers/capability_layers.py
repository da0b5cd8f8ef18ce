"""Layers of authority: each is asked in turn, with what the one before has left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Protocol

from ...broker.surroundings import now
from ..capability.tokens import PublicKey, narrowed
from ..capability.verifier import Verifier
from ..errors import EffectError
from ..identity import Identity
from .errors import LayerDenied, LayerWidened
from .scope import Scope


@dataclass(frozen=True, slots=True)
class LayerRequest:
    """`holder` asks for `capability` (full name) within `scope`; `layer` is which one is asked."""

    holder: Identity
    capability: str
    scope: Scope
    layer: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A layer's no."""

    reason: str


class CapabilityLayer(Protocol):
    @property
    def name(self) -> str: ...

    async def evaluate(self, request: LayerRequest) -> Scope | Refusal:
        """The scope that is left, best made by `request.scope.narrowed(...)`, or a `Refusal`.

        An `EffectError` is a refusal too. Any other exception ends the evaluation as it is:
        nothing is granted then either.
        """
        ...


@dataclass(frozen=True, slots=True)
class LayerGrant:
    """One layer's yes: what it left."""

    layer: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class LayeredGrant:
    """All layers agreed. `scope` is what is left after the last."""

    capability: str
    scope: Scope
    grants: tuple[LayerGrant, ...]

    def narrowed(self, token: bytes, root: PublicKey) -> bytes:
        """`token` with no more than `scope`, as far as a token can say it: its capabilities and
        its expiry. Bounds and values stay with the grant."""
        expires = None if self.scope.expires == inf else self.scope.expires
        return narrowed(token, root, capabilities=self.scope.capabilities, expires=expires)


@dataclass(frozen=True, slots=True)
class CapabilityLayers:
    """The layers, from the first that is asked to the last. Without any, nothing is allowed.

    `clock` gives seconds since 1970.
    """

    layers: Sequence[CapabilityLayer] = field(default_factory=tuple[CapabilityLayer, ...])
    clock: Callable[[], float] = now

    async def evaluate(self, holder: Identity, capability: str, scope: Scope) -> LayeredGrant:
        """Ask every layer, each with the scope that the one before has left.

        Raises `LayerDenied` at the first that refuses, or that leaves nothing of what is
        asked for, or only until a time that is past, and `LayerWidened` at one that would add
        to its scope; later layers are not asked.
        """
        if not self.layers:
            raise LayerDenied(None, "", "there is no layer that could allow it")
        if capability not in scope.capabilities:
            raise LayerDenied(None, "", f"{capability} is not in the scope it starts with")
        if self._is_over(scope):
            raise LayerDenied(None, "", "the scope it starts with has expired")
        request = LayerRequest(holder, capability, scope)
        grants: list[LayerGrant] = []
        for index, layer in enumerate(self.layers):
            left = await _asked(layer, replace(request, layer=index))
            if self._is_over(left):
                raise LayerDenied(index, layer.name, "what it leaves has expired")
            grants.append(LayerGrant(layer.name, left))
            request = replace(request, scope=left)
        return LayeredGrant(capability, request.scope, tuple(grants))

    def _is_over(self, scope: Scope) -> bool:
        # Written so that a NaN, which is in no order, counts as past.
        return not self.clock() <= scope.expires


async def _asked(layer: CapabilityLayer, request: LayerRequest) -> Scope:
    index, name = request.layer, layer.name
    try:
        answer = await layer.evaluate(request)
    except EffectError as error:
        raise LayerDenied(index, name, error.message) from error
    if isinstance(answer, Refusal):
        raise LayerDenied(index, name, answer.reason)
    widened = request.scope.widened_by(answer)
    if widened:
        raise LayerWidened(index, name, widened)
    if request.capability not in answer.capabilities:
        raise LayerDenied(index, name, f"it leaves nothing of {request.capability}")
    return answer


class TokenLayer:
    """Leaves what a Biscuit token shows for the holder, here and now."""

    def __init__(self, verifier: Verifier, token: bytes, *, name: str = "token") -> None:
        self._verifier = verifier
        self._token = token
        self.name = name

    async def evaluate(self, request: LayerRequest) -> Scope:
        """Raises `CapabilityDenied` where the token does not show what is asked for, and takes
        the other capabilities away that it does not show."""
        self._verifier.require(request.holder, self._token, request.capability)
        shown = {c for c in request.scope.capabilities if self._shows(request.holder, c)}
        verified = self._verifier.verify(self._token, request.holder)
        return request.scope.narrowed(capabilities=shown, expires=verified.expires)

    def _shows(self, holder: Identity, capability: str) -> bool:
        try:
            self._verifier.require(holder, self._token, capability)
        except EffectError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class LimitLayer:
    """Leaves what its own `limit` allows too: a policy as a value."""

    name: str
    limit: Scope

    async def evaluate(self, request: LayerRequest) -> Scope:
        limit = self.limit
        return request.scope.narrowed(
            capabilities=limit.capabilities,
            expires=limit.expires,
            bounds=limit.bounds,
            within=limit.within,
        )
