from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.effects.capability.tokens import Authority
from pavane.effects.capability.verifier import Verifier
from pavane.effects.identity import Identity
from pavane.effects.layers.capability_layers import (
    CapabilityLayer,
    CapabilityLayers,
    LayerRequest,
    LimitLayer,
    Refusal,
    TokenLayer,
)
from pavane.effects.layers.errors import LayerDenied, LayerWidened
from pavane.effects.layers.scope import Scope

WHO = Identity("bank", "Transfer", "s1", "Payer")
PAY = "bank:pay"
READ = "bank:read"
ALL = Scope(frozenset({PAY, READ, "bank:audit"}), expires=1000.0)


@dataclass
class Scripted:
    """A layer that answers as it is told and remembers what it was asked."""

    name: str
    answer: Scope | Refusal | Exception
    asked: list[LayerRequest] = field(default_factory=list[LayerRequest])

    async def evaluate(self, request: LayerRequest) -> Scope | Refusal:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def layered(*layers: CapabilityLayer, now: float = 0.0) -> CapabilityLayers:
    return CapabilityLayers(layers, clock=lambda: now)


async def test_a41_each_layer_sees_the_context_refined_by_the_one_before() -> None:
    first = Scripted("device", ALL.narrowed(capabilities={PAY, READ}))
    second = Scripted("region", first_scope().narrowed(within={"region": {"eu", "us"}}))
    third = Scripted("limit", second_scope().narrowed(bounds={"amount": 50}, expires=10.0))
    grant = await layered(first, second, third).evaluate(WHO, PAY, ALL)
    asked = [layer.asked[0] for layer in (first, second, third)]
    assert [request.scope for request in asked] == [ALL, first.answer, second.answer]
    assert [request.layer for request in asked] == [0, 1, 2]
    assert all(r.holder == WHO and r.capability == PAY for r in asked)
    assert grant.scope == third.answer
    assert [g.layer for g in grant.grants] == ["device", "region", "limit"]
    assert [g.scope for g in grant.grants] == [first.answer, second.answer, third.answer]


def first_scope() -> Scope:
    return ALL.narrowed(capabilities={PAY, READ})


def second_scope() -> Scope:
    return first_scope().narrowed(within={"region": {"eu", "us"}})


async def test_a41_a_denial_names_layer_and_reason_and_later_layers_are_not_asked() -> None:
    before, after = Scripted("before", ALL), Scripted("after", ALL)
    layers = layered(before, Scripted("night", Refusal("it is late")), after)
    with pytest.raises(LayerDenied, match=r"layer 1 \(night\): it is late") as caught:
        await layers.evaluate(WHO, PAY, ALL)
    assert (caught.value.index, caught.value.layer, caught.value.reason) == (
        1,
        "night",
        "it is late",
    )
    assert (len(before.asked), after.asked) == (1, [])
    assert not caught.value.retryable


async def test_a41_a_layer_that_takes_away_what_is_asked_for_denies() -> None:
    after = Scripted("after", ALL)
    layers = layered(LimitLayer("readers", Scope(frozenset({READ}))), after)
    with pytest.raises(LayerDenied) as caught:
        await layers.evaluate(WHO, PAY, ALL)
    assert (caught.value.index, caught.value.layer) == (0, "readers")
    assert after.asked == []
    after.answer = ALL.narrowed(capabilities={READ})
    assert (await layers.evaluate(WHO, READ, ALL)).capability == READ


NARROW = Scope(frozenset({PAY}), 100.0, {"amount": 5}, {"region": frozenset({"eu"})})


@pytest.mark.parametrize(
    ("wider", "what"),
    [
        (Scope(frozenset({PAY, READ}), 100.0, NARROW.bounds, NARROW.within), READ),
        (Scope(NARROW.capabilities, inf, NARROW.bounds, NARROW.within), "expiry"),
        (Scope(NARROW.capabilities, nan, NARROW.bounds, NARROW.within), "expiry"),
        (Scope(NARROW.capabilities, 100.0, {"amount": 6}, NARROW.within), "bound of amount"),
        (Scope(NARROW.capabilities, 100.0, {}, NARROW.within), "bound of amount"),
        (
            Scope(NARROW.capabilities, 100.0, NARROW.bounds, {"region": frozenset({"eu", "us"})}),
            "values of region",
        ),
        (Scope(NARROW.capabilities, 100.0, NARROW.bounds, {}), "values of region"),
    ],
)
async def test_a41_no_layer_can_widen(wider: Scope, what: str) -> None:
    after = Scripted("after", NARROW)
    layers = layered(LimitLayer("first", NARROW), Scripted("greedy", wider), after)
    with pytest.raises(LayerWidened) as caught:
        await layers.evaluate(WHO, PAY, ALL)
    assert (caught.value.index, caught.value.layer) == (1, "greedy")
    assert what in caught.value.what
    assert after.asked == []


async def test_a41_zero_layers_deny() -> None:
    with pytest.raises(LayerDenied) as caught:
        await layered().evaluate(WHO, PAY, ALL)
    assert caught.value.index is None


async def test_what_the_first_scope_does_not_hold_is_denied_before_any_layer() -> None:
    layer = Scripted("any", ALL)
    with pytest.raises(LayerDenied) as caught:
        await layered(layer).evaluate(WHO, "bank:close", ALL)
    assert (caught.value.index, layer.asked) == (None, [])


async def test_a41_a_layer_that_leaves_what_has_expired_denies() -> None:
    limit, after = (
        LimitLayer("until noon", Scope(ALL.capabilities, expires=12.0)),
        Scripted("a", ALL),
    )
    after.answer = ALL.narrowed(expires=12.0)
    assert (await layered(limit, after, now=12.0).evaluate(WHO, PAY, ALL)).scope.expires == 12.0
    with pytest.raises(
        LayerDenied, match=r"layer 0 \(until noon\): what it leaves has expired"
    ) as caught:
        await layered(limit, after, now=12.5).evaluate(WHO, PAY, ALL)
    assert (caught.value.index, caught.value.layer, len(after.asked)) == (0, "until noon", 1)
    with pytest.raises(LayerDenied, match="until noon"):
        await CapabilityLayers((limit,)).evaluate(WHO, PAY, Scope(ALL.capabilities))


@pytest.mark.parametrize("expires", [11.0, nan])
async def test_a_first_scope_that_has_expired_is_denied_before_any_layer(expires: float) -> None:
    layer = Scripted("any", ALL)
    with pytest.raises(LayerDenied, match="it starts with has expired") as caught:
        await layered(layer, now=12.0).evaluate(WHO, PAY, Scope(ALL.capabilities, expires))
    assert (caught.value.index, layer.asked) == (None, [])


async def test_a_bug_in_a_layer_is_not_dressed_up_and_grants_nothing() -> None:
    after = Scripted("after", ALL)
    with pytest.raises(ZeroDivisionError):
        await layered(Scripted("bug", ZeroDivisionError()), after).evaluate(WHO, PAY, ALL)
    assert after.asked == []


# --- the law -----------------------------------------------------------------------------

capability_sets = st.frozensets(st.sampled_from([PAY, READ, "bank:audit", "bank:close"]))
bounds = st.dictionaries(st.sampled_from("ab"), st.integers(0, 3))
values = st.dictionaries(st.sampled_from("xy"), st.frozensets(st.sampled_from("123")))
scopes = st.builds(Scope, capability_sets, st.sampled_from([0.0, 1.0, inf]), bounds, values)
Probe = tuple[str, float, dict[str, int], dict[str, str]]
probes = st.tuples(
    st.sampled_from([PAY, READ, "bank:audit", "bank:close"]),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    st.fixed_dictionaries({"a": st.integers(0, 4), "b": st.integers(0, 4)}),
    st.fixed_dictionaries({"x": st.sampled_from("123"), "y": st.sampled_from("123")}),
)


def allows(scope: Scope, probe: Probe) -> bool:
    """What a scope means, for one operation at one time."""
    capability, now, amounts, attributes = probe
    return (
        capability in scope.capabilities
        and now <= scope.expires
        and all(amounts[name] <= bound for name, bound in scope.bounds.items())
        and all(attributes[name] in inside for name, inside in scope.within.items())
    )


@given(scopes, scopes, probes)
def test_a41_a_narrowed_scope_allows_what_both_allow(a: Scope, b: Scope, probe: Probe) -> None:
    both = a.narrowed(
        capabilities=b.capabilities, expires=b.expires, bounds=b.bounds, within=b.within
    )
    assert allows(both, probe) == (allows(a, probe) and allows(b, probe))
    assert a.widened_by(both) == "" == b.widened_by(both)


@given(scopes, scopes, probes)
def test_a41_what_does_not_widen_allows_nothing_more(a: Scope, b: Scope, probe: Probe) -> None:
    if not a.widened_by(b):
        assert allows(a, probe) or not allows(b, probe)


@given(scopes, st.lists(st.tuples(scopes, st.booleans()), min_size=1, max_size=5), probes)
def test_a41_whatever_the_layers_do_the_grant_is_within_each(
    start: Scope, answers: list[tuple[Scope, bool]], probe: Probe
) -> None:
    """Layers that narrow properly, and others that answer anything at all."""
    layers: list[CapabilityLayer] = [
        LimitLayer("limit", scope) if proper else Scripted("any", scope)
        for scope, proper in answers
    ]
    capability = probe[0]
    try:
        grant = asyncio.run(layered(*layers).evaluate(WHO, capability, start))
    except LayerDenied:
        return
    assert capability in grant.scope.capabilities
    within = [start, *(g.scope for g in grant.grants), *(scope for scope, _ in answers)]
    if allows(grant.scope, probe):
        assert all(allows(scope, probe) for scope in within)


# --- tokens ------------------------------------------------------------------------------


async def test_a41_a_token_is_a_layer_and_the_grant_narrows_it_offline() -> None:
    authority = Authority()
    verifier = Verifier(authority.public)
    expires = int(time.time()) + 60
    token = authority.issue(WHO, [PAY, READ], expires)
    scope = Scope(frozenset({PAY, READ, "bank:audit"}))
    layers = CapabilityLayers(
        (TokenLayer(verifier, token), LimitLayer("payers", Scope(frozenset({PAY}))))
    )
    grant = await layers.evaluate(WHO, PAY, scope)
    assert grant.grants[0].scope.capabilities == {PAY, READ}
    assert grant.scope.capabilities == {PAY}
    assert grant.scope.expires == expires

    less = grant.narrowed(token, authority.public)
    again = CapabilityLayers((TokenLayer(verifier, less),))
    assert (await again.evaluate(WHO, PAY, scope)).scope.capabilities == {PAY}
    with pytest.raises(LayerDenied) as caught:
        await again.evaluate(WHO, READ, scope)
    assert (caught.value.index, caught.value.layer) == (0, "token")
    assert "does not grant it" in caught.value.reason


async def test_a41_a_token_of_another_holder_denies() -> None:
    authority = Authority()
    token = authority.issue(WHO.peer("Payee", None), [PAY], time.time() + 60)
    with pytest.raises(LayerDenied, match="another role instance"):
        await CapabilityLayers((TokenLayer(Verifier(authority.public), token),)).evaluate(
            WHO, PAY, Scope(ALL.capabilities)
        )
