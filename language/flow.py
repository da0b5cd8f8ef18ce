"""From the syntax tree to the global graph.

Blocks are compiled from the back to the front, each statement knowing the node that comes after
it. A call is a block compiled once per (name, arguments, node after it), which closes tail
recursion; calls wait in a list, so that long chains of them need no Python stack.
"""

from __future__ import annotations

from dataclasses import replace

from .bindings import deciding
from .graph import Branching, Comm, Count, Each, End, Fork, GlobalNode, Goto, Join, Way
from .indices import Fixed, Own, Turn, is_paired, length, offsets, one_instance, rounds
from .instances import Instances, less
from .limits import Times
from .machine import Peer
from .scope import Announcements, Scope, Site, refuse
from .staying import Staying
from .tree import (
    At,
    Block,
    Call,
    Choice,
    Continue,
    Foreach,
    Index,
    Loop,
    Message,
    Operation,
    Parallel,
    Protocol,
    Rec,
    RoleRef,
    Send,
    Statement,
    SubProtocol,
)
from .walk import first_sender, sends_in_order

NODE_LIMIT = 20_000
"""The most nodes beyond a few for every statement written: calls that double at every level
are refused soon."""


class Flow:
    """Compiles one protocol under some bindings; the graph is `nodes`, entered at `entry`.

    `cyclic` tells whether the graph may have an edge back, `endless` whether one that is no loop's
    with an end. `forks` has each `Fork` by its `Join`.
    """

    def __init__(
        self, protocol: Protocol, instances: Instances, announcements: Announcements
    ) -> None:
        self.protocol = protocol
        self.instances = instances
        self.nodes: list[GlobalNode] = [End()]
        self.times = Times()
        self._announcements = announcements
        self._steps = {id(s): n for n, s in enumerate(sends_in_order(protocol), start=1)}
        self._subprotocols = {s.name: s for s in protocol.subprotocols}
        self._calls: dict[tuple[object, ...], int] = {}
        self._waiting: list[tuple[int, Block, Scope, int]] = []
        self._peeled: dict[int, int] = {}
        self._rounds: dict[tuple[int, tuple[int, ...]], int] = {}
        self._loops = 0
        self.cyclic = self.endless = False
        self.forks: dict[int, int] = {}
        self.staying = Staying(self)
        scope = Scope({role.name: RoleRef(role.name) for role in protocol.roles})
        self.entry = self._call(self._own(), scope, tuple(scope.roles.values()), 0)
        self._finish()
        self.staying.refuse_lost_rounds()

    # nodes --------------------------------------------------------------------------

    def _add(self, node: GlobalNode) -> int:
        if len(self.nodes) >= (most := NODE_LIMIT + 8 * len(self._steps)):
            raise refuse(
                "PV180",
                f"{self.protocol.name} unfolds to more than {most} steps",
                self.protocol.name_span,
                "use rec or a loop in place of calls that double at every level",
            )
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _finish(self) -> None:
        while self._waiting:
            number, block, scope, after = self._waiting.pop()
            self.nodes[number] = Goto(self._block(block, scope, after))

    # blocks and calls -----------------------------------------------------------------

    def _own(self) -> SubProtocol:
        names = tuple(role.name for role in self.protocol.roles)
        return SubProtocol(self.protocol.name, names, self.protocol.body)

    def _call(
        self, called: SubProtocol, place: Scope, arguments: tuple[RoleRef, ...], after: int
    ) -> int:
        indices, members = (tuple(sorted(m.items())) for m in (place.indices, place.members))
        key = (called.name, arguments, after, indices, members, place.bounds, place.lane)
        if key in self._calls:
            self.cyclic = self.endless = True
        if key not in self._calls:
            names = called.parameters
            if names is None:
                names = tuple(role.name for role in self.protocol.roles)
            number = self._calls[key] = self._add(Goto(0))
            roles = dict(zip(names, arguments, strict=True))
            scope = replace(place, roles=roles, targets={})
            self._waiting.append((number, called.body, scope, after))
        return self._calls[key]

    def _block(self, block: Block, scope: Scope, after: int) -> int:
        for statement in reversed(self._grouped(block, scope)):
            after = self._statement(statement, scope, after)
        return after

    def _grouped(self, block: Block, scope: Scope) -> list[Statement]:
        """The statements, those that a free variable pairs put into a `foreach`."""
        grouped = list[Statement]()
        for statement in block.statements:
            name = is_paired(statement) if isinstance(statement, Send) else ""
            if not name or name in scope.indices or not self.instances.is_free(name):
                grouped.append(statement)
                continue
            assert isinstance(statement, Send)
            last = grouped[-1] if grouped else None
            together: list[Statement] = [statement]
            if isinstance(last, Foreach) and last.variable == name and last.implicit:
                together = [*last.body.statements, statement]
                grouped.pop()
            body = Block(tuple(together), span=statement.span)
            family = RoleRef(statement.sender.role, span=statement.sender.span)
            grouped.append(Foreach(name, family, body, implicit=True, span=statement.span))
        return grouped

    def _statement(self, statement: Statement, scope: Scope, after: int) -> int:
        bound = self.times.block(statement, scope)
        if bound is None:
            return self._untimed(statement, scope, after)
        known = (b for b in scope.bounds if b.clock != bound.clock)
        inside = replace(scope, bounds=(*known, bound))
        return self._add(Goto(self._untimed(statement, inside, after), bound.clock))

    def _untimed(self, statement: Statement, scope: Scope, after: int) -> int:
        match statement:
            case Send():
                return self._send(statement, scope, after)
            case Choice():
                return self._choice(statement, scope, after)
            case Loop():
                return self._loop(statement, scope, after)
            case Parallel():
                return self._parallel(statement, scope, after)
            case Rec():
                return self._rec(statement, scope, after)
            case Continue():
                return self._continue(statement, scope)
            case Call():
                return self._called(statement, scope, after)
            case Foreach():
                return self._foreach(statement, scope, after)

    def _called(self, statement: Call, scope: Scope, after: int) -> int:
        called = self._subprotocols.get(statement.name)
        if called is None:
            assert statement.name == self.protocol.name, "checked by wellformed"
            called = self._own()
        if statement.arguments is None:
            arguments = tuple(scope.roles.get(r.name, RoleRef(r.name)) for r in self.protocol.roles)
            if called.parameters is not None and called.name != self.protocol.name:
                arguments = tuple(scope.roles[p] for p in called.parameters)
        else:
            arguments = tuple(ref.resolved(scope.roles) for ref in statement.arguments)
        return self._call(called, scope, arguments, after)

    # messages -------------------------------------------------------------------------

    def _send(self, statement: Send, scope: Scope, after: int) -> int:
        sender = statement.sender.resolved(scope.roles)
        if statement.receiver is not None:
            receiver = statement.receiver.resolved(scope.roles)
            return self._comm(statement, sender, receiver, scope, after)
        for name, other in reversed([*scope.roles.items()]):
            if name != statement.sender.role:
                after = self._comm(statement, sender, other, scope, after, broadcast=True)
        return after

    def _peer(self, ref: RoleRef, scope: Scope) -> Peer:
        """The instances that `ref` means at its place."""
        if isinstance(ref.selector, At) and ref.selector.index.name in scope.indices:
            meaning = scope.indices[ref.selector.index.name]
            return meaning.peer(ref.role, ref.selector.index.offset)
        return self.instances.peer(ref)

    def _comm(
        self,
        statement: Send,
        sender: RoleRef,
        receiver: RoleRef,
        scope: Scope,
        after: int,
        *,
        broadcast: bool = False,
    ) -> int:
        left, right = self._peer(sender, scope), self._peer(receiver, scope)
        if left.is_empty or right.is_empty:
            return after
        step = self._steps.get(id(statement), 0)
        limits = self.times.message(statement, scope)
        comm = Comm(left, right, statement, step, after, broadcast=broadcast, timing=limits)
        if sender.role == receiver.role and left.is_collective and right.is_collective:
            comm.sends = False
            after = self._add(comm)
            comm = Comm(left, right, statement, step, after, receives=False, timing=limits)
        return self._add(comm)

    # blocks ---------------------------------------------------------------------------

    def _choice(self, statement: Choice, scope: Scope, after: int) -> int:
        chooser = statement.chooser.resolved(scope.roles)
        peer = self._single(chooser, scope)
        key = (id(statement), scope.arguments())
        ways = list[Way]()
        for branch in statement.branches:
            entry = self._block(branch.body, scope, after)
            entry = self._told(key, chooser, branch.label, scope, entry)
            ways.append(Way(branch.label, branch.guard, entry, branch.timeout is not None))
        limit, members = self.times.choice(statement, scope), scope.members
        return self._add(Branching(peer, tuple(ways), key, statement, members=members, limit=limit))

    def _told(
        self, key: tuple[object, ...], chooser: RoleRef, label: str, scope: Scope, entry: int
    ) -> int:
        """`entry`, after the selections that say which branch was taken."""
        if not self._announcements:
            return entry
        for role in reversed(self._announcements.get(key, {}).get(label, ())):
            for receiver in scope.members.get(role.role, (role,)):
                if receiver != chooser:
                    selection = Send(chooser, receiver, Message(f"@{label}"), selection=True)
                    entry = self._comm(selection, chooser, receiver, scope, entry)
        return entry

    def _single(self, ref: RoleRef, scope: Scope) -> Peer:
        peer = self._peer(ref, scope)
        if peer.is_collective:
            raise refuse(
                "PV191",
                f"a choice is made by one instance, and {ref.role} is a family",
                ref.span,
                one_instance(ref, deciding(self.protocol)),
            )
        return peer

    def _loop(self, statement: Loop, scope: Scope, after: int) -> int:
        self.cyclic = True
        if statement.kind == "count":
            return self._counted(Site(statement, scope, after))
        if statement.kind == "forever":
            self.endless = True
            head = self._add(Goto(0))
            self.nodes[head] = Goto(self._block(statement.body, scope, head))
            return head
        return self._decided(statement, scope, after)

    def _decided(self, statement: Loop, scope: Scope, after: int) -> int:
        decider = statement.decider or first_sender(statement.body, self._subprotocols)
        assert decider is not None, "checked by wellformed"
        chooser = decider.resolved(scope.roles)
        peer = self._single(chooser, scope)
        key = (id(statement), scope.arguments())
        head = self._add(Goto(0))
        again = self._block(statement.body, scope, head)
        again = self._told(key, chooser, "again", scope, again)
        stop = self._told(key, chooser, "stop", scope, after)
        goes_on = statement.condition
        ends = None if goes_on is None else Operation("not", (goes_on,), span=goes_on.span)
        ways = (Way("again", goes_on, again), Way("stop", ends, stop))
        members = scope.members
        self.nodes[head] = Branching(peer, ways, key, statement, looping=True, members=members)
        return head

    def _counted(self, site: Site) -> int:
        assert isinstance(site.statement, Loop) and site.statement.count is not None
        count = self.instances.value(site.statement.count)
        return site.after if count == 0 else self._count(site, count)

    def _count(self, site: Site, count: int | str, first: int | str = 0) -> int:
        """A loop of `count` rounds; in a `foreach` they have the indices from `first` on."""
        self._loops += 1
        scope = site.scope
        if isinstance(site.statement, Foreach):
            name = site.statement.variable
            scope = replace(scope, indices={**scope.indices, name: Turn(self._loops, name)})
        loop = self._loops
        head = self._add(Goto(0))
        body = self._block(site.statement.body, scope, head)
        self.nodes[head] = Count(loop, False, count, body, site.after, site, first)
        return self._add(Count(loop, True, count, body, site.after, site, first))

    def peel(self, number: int) -> int:
        """The counted loop `number` with its first round written out before it."""
        loop = self.nodes[number]
        assert isinstance(loop, Count) and isinstance(loop.site, Site)
        if number not in self._peeled:
            if loop.count == 0:
                self._peeled[number] = loop.exit
            else:
                self._peeled[number] = self._first_round(loop, loop.site)
            self._finish()
        return self._peeled[number]

    def _first_round(self, loop: Count, site: Site) -> int:
        scope, first = site.scope, loop.first
        if isinstance(site.statement, Foreach):
            if not isinstance(first, int):
                raise refuse(
                    "PV194",
                    f"where this foreach begins must be known: {first} has no value",
                    site.statement.span,
                    f"give it one: --bind {first}=0",
                )
            scope = replace(scope, indices={**scope.indices, site.statement.variable: Fixed(first)})
            first += 1
        rest = self._count(site, less(loop.count, 1), first)
        return self._block(site.statement.body, scope, rest)

    # foreach --------------------------------------------------------------------------

    def _foreach(self, statement: Foreach, scope: Scope, after: int) -> int:
        self.cyclic = True
        name = statement.variable
        written = offsets(statement.body, name)
        used = {scope.roles.get(role, RoleRef(role)).role: found for role, found in written.items()}
        named = {
            role: tuple(RoleRef(role, At(Index(name, offset))) for offset in sorted(found))
            for role, found in used.items()
        }
        members = {**scope.members, **named}
        site = Site(statement, replace(scope, targets={}, members=members), after)
        family = self.instances.peer(statement.family.resolved(scope.roles))
        start, stop = family.start, family.stop
        assert start is not None and stop is not None, "checked by wellformed"
        start, stop = rounds(self.instances, start, stop, used)
        count = length(start, stop)
        if isinstance(count, int) and count <= 0:
            return after
        loop = self._count(site, count, start)
        return self._add(Each(loop, after, used, start, stop, site))

    def rounds(self, number: int, active: tuple[int, ...]) -> int:
        """Where an instance enters the `foreach` that it is in with the offsets `active`."""
        key = (number, active)
        if key not in self._rounds:
            each = self.nodes[number]
            assert isinstance(each, Each) and isinstance(each.site, Site)
            site, entry = each.site, each.exit
            assert isinstance(site.statement, Foreach)
            name = site.statement.variable
            for offset in sorted(active):
                indices = {**site.scope.indices, name: Own(-offset, name)}
                scope = replace(site.scope, indices=indices)
                entry = self._block(site.statement.body, scope, entry)
            self._rounds[key] = entry
            self._finish()
        return self._rounds[key]

    def _parallel(self, statement: Parallel, scope: Scope, after: int) -> int:
        join = self._add(Join(after))
        entries = list[int]()
        for place, branch in enumerate(statement.branches):
            inside = replace(scope, targets={}, lane=(*scope.lane, (join, place)))
            entries.append(self._block(branch, inside, join))
        fork = self.forks[join] = self._add(Fork(tuple(entries), join))
        return fork

    def _rec(self, statement: Rec, scope: Scope, after: int) -> int:
        head = self._add(Goto(0))
        inside = replace(scope, targets={**scope.targets, statement.label: head})
        self.nodes[head] = Goto(self._block(statement.body, inside, after))
        return head

    def _continue(self, statement: Continue, scope: Scope) -> int:
        assert statement.label in scope.targets, "checked by wellformed"
        self.cyclic = self.endless = True
        return scope.targets[statement.label]
