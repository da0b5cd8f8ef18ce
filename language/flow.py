"""From the syntax tree to the global graph.

Blocks are compiled from the back to the front, each statement knowing the node that comes after
it. A call is a block compiled once per (name, arguments, node after it), which closes tail
recursion; calls wait in a list, so that long chains of them need no Python stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import ChoreographyError, Diagnostic, Span
from .graph import Branching, Comm, Count, End, Fork, GlobalNode, Goto, Join, Way
from .instances import Instances
from .machine import Peer
from .tree import (
    Block,
    Call,
    Choice,
    Continue,
    Foreach,
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

NODE_LIMIT = 400_000

Announcements = Mapping[tuple[object, ...], Mapping[str, tuple[RoleRef, ...]]]
"""For a choice (by its key) and a branch label: who is sent a selection first."""


def refuse(code: str, message: str, span: Span, hint: str) -> ChoreographyError:
    """An error with one diagnostic."""
    found = Diagnostic(code, "error", message, span, hint)
    return ChoreographyError(message, diagnostics=[found], hint=hint)


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a place: role parameters, jump targets, and all the roles there."""

    roles: Mapping[str, RoleRef]
    targets: Mapping[str, int] = field(default_factory=dict[str, int])

    def arguments(self) -> tuple[RoleRef, ...]:
        return tuple(self.roles.values())


@dataclass(frozen=True, slots=True)
class Site:
    """A counted loop where it stands: enough to compile its body again."""

    statement: Loop
    scope: Scope
    after: int


class Flow:
    """Compiles one protocol under some bindings; the graph is `nodes`, entered at `entry`.

    `cyclic` tells whether the graph may have an edge back.
    """

    def __init__(
        self, protocol: Protocol, instances: Instances, announcements: Announcements
    ) -> None:
        self.protocol = protocol
        self.instances = instances
        self.nodes: list[GlobalNode] = [End()]
        self._announcements = announcements
        self._steps = {id(s): n for n, s in enumerate(sends_in_order(protocol), start=1)}
        self._subprotocols = {s.name: s for s in protocol.subprotocols}
        self._calls: dict[tuple[object, ...], int] = {}
        self._waiting: list[tuple[int, Block, Scope, int]] = []
        self._peeled: dict[int, int] = {}
        self._loops = 0
        self.cyclic = False
        scope = Scope({role.name: RoleRef(role.name) for role in protocol.roles})
        self.entry = self._call(self._own(), tuple(scope.roles.values()), 0)
        self._finish()

    # nodes --------------------------------------------------------------------------

    def _add(self, node: GlobalNode) -> int:
        if len(self.nodes) >= NODE_LIMIT:
            raise refuse(
                "PV180",
                f"{self.protocol.name} unfolds to more than {NODE_LIMIT} steps",
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

    def _call(self, called: SubProtocol, arguments: tuple[RoleRef, ...], after: int) -> int:
        key = (called.name, arguments, after)
        self.cyclic |= key in self._calls
        if key not in self._calls:
            names = called.parameters
            if names is None:
                names = tuple(role.name for role in self.protocol.roles)
            number = self._calls[key] = self._add(Goto(0))
            scope = Scope(dict(zip(names, arguments, strict=True)))
            self._waiting.append((number, called.body, scope, after))
        return self._calls[key]

    def _block(self, block: Block, scope: Scope, after: int) -> int:
        for statement in reversed(block.statements):
            after = self._statement(statement, scope, after)
        return after

    def _statement(self, statement: Statement, scope: Scope, after: int) -> int:
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
                raise refuse(
                    "PV190",
                    "foreach is not built yet",
                    statement.span,
                    "write W[*], or a free index as in W[i] -> A: M",
                )

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
            arguments = tuple(self._substituted(ref, scope) for ref in statement.arguments)
        return self._call(called, arguments, after)

    # messages -------------------------------------------------------------------------

    def _substituted(self, ref: RoleRef, scope: Scope) -> RoleRef:
        given = scope.roles.get(ref.role, ref)
        return RoleRef(given.role, ref.selector or given.selector, span=ref.span)

    def _send(self, statement: Send, scope: Scope, after: int) -> int:
        sender = self._substituted(statement.sender, scope)
        if statement.receiver is not None:
            receiver = self._substituted(statement.receiver, scope)
            return self._comm(statement, sender, receiver, after)
        for other in reversed(scope.arguments()):
            if other.role != sender.role:
                after = self._comm(statement, sender, other, after, broadcast=True)
        return after

    def _comm(
        self,
        statement: Send,
        sender: RoleRef,
        receiver: RoleRef,
        after: int,
        *,
        broadcast: bool = False,
    ) -> int:
        left, right = self.instances.party(sender), self.instances.party(receiver)
        pairwise = bool(left.variable) and left.variable == right.variable
        comm = Comm(
            left.peer,
            right.peer,
            statement,
            self._steps.get(id(statement), 0),
            after,
            pairwise=pairwise,
            broadcast=broadcast,
        )
        if sender.role == receiver.role and left.peer.is_collective and right.peer.is_collective:
            comm.sends = False
            after = self._add(comm)
            comm = Comm(left.peer, right.peer, statement, comm.step, after, receives=False)
        return self._add(comm)

    # blocks ---------------------------------------------------------------------------

    def _choice(self, statement: Choice, scope: Scope, after: int) -> int:
        chooser = self._single(self._substituted(statement.chooser, scope), statement)
        key = (id(statement), scope.arguments())
        ways = [
            Way(
                b.label,
                b.guard,
                self._told(key, chooser, b.label, self._block(b.body, scope, after)),
            )
            for b in statement.branches
        ]
        return self._add(Branching(self.instances.party(chooser).peer, tuple(ways), key, statement))

    def _told(self, key: tuple[object, ...], chooser: RoleRef, label: str, entry: int) -> int:
        """`entry`, after the selections that say which branch was taken."""
        for receiver in reversed(self._announcements.get(key, {}).get(label, ())):
            message = Message(f"@{label}")
            selection = Send(chooser, receiver, message, selection=True)
            entry = self._comm(selection, chooser, receiver, entry)
        return entry

    def _single(self, ref: RoleRef, statement: Choice | Loop) -> RoleRef:
        if self.instances.party(ref).peer.is_collective:
            raise refuse(
                "PV191",
                f"a choice is made by one instance, and {ref.role} is a family",
                statement.span,
                f"name the instance: {ref.role}[0]",
            )
        return ref

    def _loop(self, statement: Loop, scope: Scope, after: int) -> int:
        self.cyclic = True
        if statement.kind == "count":
            return self._counted(Site(statement, scope, after))
        if statement.kind == "forever":
            head = self._add(Goto(0))
            self.nodes[head] = Goto(self._block(statement.body, scope, head))
            return head
        return self._decided(statement, scope, after)

    def _decided(self, statement: Loop, scope: Scope, after: int) -> int:
        decider = statement.decider or first_sender(statement.body, self._subprotocols)
        assert decider is not None, "checked by wellformed"
        chooser = self._single(self._substituted(decider, scope), statement)
        key = (id(statement), scope.arguments())
        head = self._add(Goto(0))
        again = self._told(key, chooser, "again", self._block(statement.body, scope, head))
        stop = self._told(key, chooser, "stop", after)
        goes_on = statement.condition
        ends = None if goes_on is None else Operation("not", (goes_on,), span=goes_on.span)
        ways = (Way("again", goes_on, again), Way("stop", ends, stop))
        peer = self.instances.party(chooser).peer
        self.nodes[head] = Branching(peer, ways, key, statement, looping=True)
        return head

    def _counted(self, site: Site) -> int:
        assert site.statement.count is not None
        return self._count(site, self.instances.value(site.statement.count))

    def _count(self, site: Site, count: int | str) -> int:
        self._loops += 1
        loop = self._loops
        head = self._add(Goto(0))
        body = self._block(site.statement.body, site.scope, head)
        self.nodes[head] = Count(loop, False, count, body, site.after, site)
        return self._add(Count(loop, True, count, body, site.after, site))

    def peel(self, number: int) -> int:
        """The counted loop `number` with its first round written out before it."""
        loop = self.nodes[number]
        assert isinstance(loop, Count) and isinstance(loop.site, Site)
        if number not in self._peeled:
            if loop.count == 0:
                self._peeled[number] = loop.exit
            else:
                less = loop.count - 1 if isinstance(loop.count, int) else f"{loop.count}-1"
                rest = self._count(loop.site, less)
                self._peeled[number] = self._block(loop.site.statement.body, loop.site.scope, rest)
            self._finish()
        return self._peeled[number]

    def _parallel(self, statement: Parallel, scope: Scope, after: int) -> int:
        join = self._add(Join(after))
        inside = Scope(scope.roles)
        entries = tuple(self._block(b, inside, join) for b in statement.branches)
        return self._add(Fork(entries, join))

    def _rec(self, statement: Rec, scope: Scope, after: int) -> int:
        head = self._add(Goto(0))
        inside = Scope(scope.roles, {**scope.targets, statement.label: head})
        self.nodes[head] = Goto(self._block(statement.body, inside, after))
        return head

    def _continue(self, statement: Continue, scope: Scope) -> int:
        if statement.label not in scope.targets:
            raise refuse(
                "PV192",
                f"continue {statement.label} would jump out of a parallel branch",
                statement.span,
                "put the rec inside the branch, or the parallel inside the rec",
            )
        self.cyclic = True
        return scope.targets[statement.label]

    def parties(self) -> list[Peer]:
        """Every peer that the graph mentions."""
        found = list[Peer]()
        for node in self.nodes:
            if isinstance(node, Comm):
                found += (node.sender, node.receiver)
            elif isinstance(node, Branching):
                found.append(node.chooser)
        return found
