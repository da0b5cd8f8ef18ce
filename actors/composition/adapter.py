"""A role of an older protocol, played by a session of a newer one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...effects.capability.tokens import qualified
from ...language.machine import Action
from ...language.tree import RoleDecl
from ..choreography import Choreography
from ..endpoint.endpoint import Endpoint
from ..endpoint.listener import Received
from ..player import Player
from ..players import Playing
from ..playing import Implementation
from .bridge import CapabilityBridge
from .declaration import Declaration
from .delegation import delegate
from .errors import AdaptationFailed, AdapterRefused
from .field_map import FieldMap, FittedMap
from .plan import SessionPlan

Client = Callable[[Endpoint, Mapping[str, Any]], Awaitable[Received]]
"""Plays the newer protocol's client: it gets the fields of the mapped request, and returns the
message, as `me.offer` gives it, that is the result."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """An answer in the older protocol's terms: the message `label`, and its payload as who
    receives it sees it."""

    label: str
    payload: Any


class Side:
    """A protocol with its counts bound, as its roles' machines show it."""

    def __init__(self, choreography: Choreography, bindings: Mapping[str, int]) -> None:
        self.name = choreography.full_name
        self.namespace = choreography.namespace
        self._types = choreography.types
        machines = choreography.compiled.project({**choreography.bindings, **bindings}).machines
        self._actions = {
            role: [t.action for one in found for t in one.transitions if not t.action.selection]
            for role, found in machines.items()
        }

    def steps(self, role: str, *, sends: bool) -> list[Action]:
        return [action for action in self._actions[role] if action.sends is sends]

    def role_of(self, label: str, *, sends: bool) -> str:
        """The one role that sends, or receives, a message. Raises `AdapterRefused`."""
        found = [
            role
            for role in self._actions
            if any(action.label == label for action in self.steps(role, sends=sends))
        ]
        if len(found) == 1:
            return found[0]
        verb = "sends" if sends else "receives"
        who = f"more than one role {verb} {label}" if found else f"no role {verb} {label}"
        raise AdapterRefused(self.name, [f"{who}: name a message between two roles"], [label])

    def declaration(self, label: str) -> Declaration:
        messages = {
            action.message
            for actions in self._actions.values()
            for action in actions
            if action.label == label
        }
        if len(messages) != 1:
            how = "declares several payloads for" if messages else "has no message"
            raise AdapterRefused(self.name, [f"it {how} {label}"], [label])
        return Declaration(messages.pop(), self._types)

    def guards(self, actions: Iterable[Action]) -> frozenset[str]:
        """The capabilities that these steps ask of their sender, by their full names."""
        return frozenset(
            qualified(str(note.value), self.namespace)
            for action in actions
            for note in action.annotations
            if note.key == "guard_capability"
        )


class Adapter:
    """Lets the callers of `legacy` be served by `modern`: request, modern session, result.

    `request` maps the legacy request to the modern one, and each of `results` an answer of the
    modern protocol to one of the legacy protocol. All are checked here against what the messages
    declare, and so is that every answer has a map: `AdapterRefused` says all that is wrong.

    The other roles of `modern` are those registered, or `roles`. Its client sends the request
    and takes the first answer, unless `client` plays more than that. Where its steps ask for
    capabilities, `bridge` decides from what the legacy caller holds whether it may make them.
    """

    def __init__(
        self,
        legacy: Choreography,
        modern: Choreography,
        *,
        request: FieldMap,
        results: FieldMap | Iterable[FieldMap],
        bridge: CapabilityBridge | None = None,
        client: Client | None = None,
        roles: Mapping[str, Playing] | None = None,
        bindings: Mapping[str, int] | None = None,
        durable: bool = False,
    ) -> None:
        self.modern = modern
        self._bindings = dict(bindings or {})
        self._roles = dict(roles or {})
        self._bridge = bridge
        self._client = client
        self._durable = durable
        old, new = Side(legacy, {}), Side(modern, self._bindings)
        self._request_label = request.source
        self.server = old.role_of(request.source, sends=False)
        """The legacy role that the adapter plays."""
        self.client = new.role_of(request.target, sends=True)
        """The modern role that it plays."""
        self._request = _bound(request, old, new)
        maps = [results] if isinstance(results, FieldMap) else list(results)
        self._results = {one.source: _bound(one, new, old) for one in maps}
        self._needed = new.guards(new.steps(self.client, sends=True))
        asked = [a for a in old.steps(self.server, sends=False) if a.label == request.source]
        # What every such request has shown, wherever in the protocol it stands.
        self._shown = frozenset[str].intersection(*(old.guards([action]) for action in asked))
        problems = [
            f"{role} is a family: an adapter plays one role"
            for side, role in ((legacy, self.server), (modern, self.client))
            if any(declared.is_family for declared in _declared(side, role))
        ]
        problems += [*self._steps_unlike(old, new, maps), *self._out_of_reach()]
        if problems:
            raise AdapterRefused(f"{old.name} by {new.name}", problems)

    def _steps_unlike(self, old: Side, new: Side, maps: Iterable[FieldMap]) -> Iterable[str]:
        """What the two roles would have to do, and the adapter does not know how."""
        answers = {action.label for action in old.steps(self.server, sends=True)}
        for one in maps:
            if one.target not in answers:
                yield f"{self.server} does not send {one.target}"
        heard = {action.label for action in new.steps(self.client, sends=False)}
        for label in self._results.keys() - heard:
            yield f"{self.client} does not receive {label}"
        if self._client is not None:
            return
        for label in sorted(heard - self._results.keys()):
            yield f"{self.client} may receive {label}, which no map is for"
        said = {action.label for action in new.steps(self.client, sends=True)}
        for label in sorted(said - {self._request.target.label}):
            yield f"{self.client} also sends {label}: give a client that does"

    def _out_of_reach(self) -> Iterable[str]:
        reach = self._bridge.reach if self._bridge is not None else frozenset[str]()
        for name in sorted(self._needed - reach):
            yield f"{self.client} needs the capability {name}, which no bridge leads to"

    # --- played ------------------------------------------------------------------------

    def plan(self, request: Any, *, capabilities: Collection[str] = ()) -> SessionPlan:
        """The modern session for a legacy request: its payload, or its fields in a mapping.

        `capabilities` are what the caller holds. Raises `AdaptationFailed` for a field that is
        missing, unknown or of the wrong type, and `CapabilityNotBridged`; nothing is sent then.
        """
        if self._bridge is not None:
            self._bridge.bridge(capabilities).require(self._needed)
        fields = self._request.fields(request)
        raw = self._request.target.give(fields)

        async def calling(me: Endpoint) -> list[Any]:
            if self._client is not None:
                heard = await self._client(me, fields)
            else:
                await me.send_raw(self._request.target.label, raw)
                heard = await me.offer()
            return self._answer(heard)

        roles: dict[str, Playing] = {**self._roles, self.client: calling}
        return SessionPlan(
            self.modern, roles, bindings=self._bindings, durable=self._durable, input=None
        )

    def _answer(self, heard: Received) -> list[Any]:
        """The legacy message that an answer becomes, and its payload in plain form."""
        found = self._results.get(heard.label)
        if found is None:
            raise AdaptationFailed(heard.label, "", "has no map to the legacy protocol")
        return [found.target.label, found.apply(heard.payload)]

    async def run(
        self,
        runtime: Player,
        request: Any,
        *,
        capabilities: Collection[str] = (),
        session: str | None = None,
    ) -> Adapted:
        """The legacy answer to a legacy request, by one modern session. Raises as `plan`, and
        what ends the session."""
        plan = self.plan(request, capabilities=capabilities)
        label, raw = (await plan.run(runtime, session=session))[self.client]
        return Adapted(label, self._opened(label, raw))

    def _opened(self, label: str, raw: Any) -> Any:
        declared = (one.target for one in self._results.values())
        return next(one for one in declared if one.label == label).opened(raw)

    def role(self) -> Implementation:
        """Who plays the legacy protocol's server (`adapter.server`): each request that it hears
        is answered by a modern session, as often as the protocol goes round.

        The caller holds what its request asks for, as was verified when it arrived; raises
        `CapabilityNotBridged` at once if that is not enough. In the legacy session it raises as
        `plan`, and `ChildFailed` where the modern one fails.
        """
        if self._bridge is not None:
            self._bridge.bridge(self._shown).require(self._needed)

        async def serving(me: Endpoint) -> None:
            while me.seat.monitor.state.receives:
                heard = await me.offer()
                if heard.label == self._request_label:
                    plan = self.plan(heard.payload, capabilities=self._shown)
                    child = await delegate(me, plan)
                    label, raw = child[self.client]
                    await me.send_raw(label, raw)

        return serving


def _declared(choreography: Choreography, role: str) -> Iterable[RoleDecl]:
    return (one for one in choreography.compiled.protocol.roles if one.name == role)


def _bound(plan: FieldMap, source: Side, target: Side) -> FittedMap:
    return plan.between(source.declaration(plan.source), target.declaration(plan.target))
