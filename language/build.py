"""Children -> nodes for statements and protocols, one method for each rule of `grammar.lark`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from .annotations import seconds
from .build_terms import BuildTerms, Children, Party, between, integer, nodes
from .errors import Span
from .lexing import Token
from .tree import (
    NOWHERE,
    Annotation,
    Block,
    Branch,
    Call,
    Choice,
    Continue,
    Duration,
    Expr,
    Foreach,
    Index,
    Literal_,
    Loop,
    Parallel,
    Protocol,
    Rec,
    RoleDecl,
    RoleRef,
    Send,
    Statement,
    SubProtocol,
)


class Roles(NamedTuple):
    roles: tuple[RoleDecl, ...]
    span: Span


class Attribute(NamedTuple):
    """`#[key = value]` before a protocol."""

    key: Token
    value: Any
    span: Span


def _empty(text: str, span: Span) -> Expr | None:
    raise AssertionError("the parser sets how a condition in a string is read")


class Build(BuildTerms):
    """The rules from statements up. Holds what one parse has found; see `start`."""

    def __init__(self) -> None:
        super().__init__()
        self.subprotocols: list[SubProtocol] = []
        self.read_condition: Callable[[str, Span], Expr | None] = _empty

    def start(self) -> None:
        """Forget the last text."""
        self.diagnostics = []
        self.subprotocols = []

    # --- files and protocols ---

    def file(self, children: Children) -> list[Protocol]:
        found: list[Protocol] = []
        for child in children:
            found += child if isinstance(child, list) else [child]
        return found

    def wrapper(self, children: Children) -> list[Protocol]:
        return nodes(children)

    def attribute(self, children: Children) -> Attribute:
        return Attribute(children[2], children[4], between(children[0], children[5]))

    def protocol(self, children: Children) -> Protocol:
        attributes = [child for child in children if isinstance(child, Attribute)]
        keyword, name = children[len(attributes) : len(attributes) + 2]
        inside = children[len(attributes) + 2 :]
        if inside[-1].type == "SEMICOLON":
            inside.pop()
        namespace, namespace_span = self.namespace(attributes)
        subprotocols, self.subprotocols = self.subprotocols, []
        return Protocol(
            name.text,
            namespace,
            self.declared(inside, name.span),
            Block(self.statements(inside), span=between(inside[0], inside[-1])),
            tuple(sorted(subprotocols, key=lambda s: (s.span.line, s.span.column))),
            name_span=name.span,
            namespace_span=namespace_span,
            span=between(attributes[0] if attributes else keyword, inside[-1]),
        )

    def namespace(self, attributes: list[Attribute]) -> tuple[str, Span]:
        namespace, span = "", NOWHERE
        for attribute in attributes:
            if attribute.key.text != "namespace":
                sentence = f"`{attribute.key.text}` is not an attribute of protocols"
                self.say("PV110", sentence, attribute.key.span, 'write `#[namespace = "name"]`')
            elif span is not NOWHERE:
                self.say("PV110", "the namespace is given twice", attribute.span, "keep one")
            else:
                namespace, span = str(attribute.value), attribute.span
                if not namespace:
                    self.say("PV120", "the namespace is empty", span, "leave the attribute out")
        return namespace, span

    def declared(self, inside: Children, name: Span) -> tuple[RoleDecl, ...]:
        found = [child for child in inside if isinstance(child, Roles)]
        if not found:
            self.say("PV112", "the protocol declares no roles", name, "begin with `roles: A, B;`")
        for again in found[1:]:
            self.say("PV112", "the roles are declared twice", again.span, "join the two lists")
        return tuple(role for roles in found for role in roles.roles)

    def statements(self, inside: Children) -> tuple[Statement, ...]:
        return tuple(child for child in inside if isinstance(child, Statement))

    def roles(self, children: Children) -> Roles:
        decls = tuple(child for child in children if isinstance(child, RoleDecl))
        return Roles(decls, between(children[0], children[-1]))

    def role_decl(self, children: Children) -> RoleDecl:
        name, last = children[0], children[-1]
        size: int | str | None = None
        if len(children) > 1:
            written = children[-2]
            size = integer(written.text) if written.type == "INTEGER" else written.text
            if isinstance(size, int) and children[-3].type == "MINUS":
                size = -size
        return RoleDecl(name.text, size, span=between(name, last))

    def subprotocol(self, children: Children) -> SubProtocol:
        """Definitions inside other definitions belong to the protocol, like all the others."""
        keyword, name, *rest = children
        block: Block = rest[-1]
        parameters = rest[0] if len(rest) > 1 else None
        found = SubProtocol(name.text, parameters, block, span=between(keyword, block))
        begin = (block.span.line, block.span.column)
        for inner in reversed(self.subprotocols):
            if (inner.span.line, inner.span.column) < begin:
                break
            if parameters is not None:
                sentence = f"`{inner.name}` is defined inside `{name.text}`, which has parameters"
                self.say("PV131", sentence, inner.span, "define it before, beside it")
        self.subprotocols.append(found)
        return found

    def parameters(self, children: Children) -> tuple[str, ...]:
        return tuple(child.text for child in children if child.type == "NAME")

    def block(self, children: Children) -> Block:
        for child in children:
            if isinstance(child, Roles):
                self.say(
                    "PV112",
                    "roles are declared at the beginning of the protocol only",
                    child.span,
                    "a sub-protocol lists its roles as `protocol P(A, B) { }`",
                )
        return Block(self.statements(children), span=between(children[0], children[-1]))

    # --- statements ---

    def statement(self, children: Children) -> Statement:
        action: Statement = children[-1]
        notes = tuple(note for prefix in children[:-1] for note in prefix)
        if not notes:
            return action
        if isinstance(action, Continue):
            self.say("PV111", "`continue` takes no annotations", notes[0].span, "remove them")
            return action
        return replace(action, annotations=notes)

    def prefix(self, children: Children) -> tuple[Annotation, ...]:
        if children[0].type == "LBRACKET":
            return self.notes(children).annotations
        at, key = children[:2]
        if len(children) == 2:
            return (Annotation(key.text, True, span=between(at, key)),)
        return (self.annotate(key, children[3], between(at, children[4])),)

    def send(self, children: Children) -> Send:
        sender: Party = children[0]
        message, receiver = children[-1], children[2]
        span = between(sender.ref, message)
        if isinstance(receiver, Party):
            notes = receiver.annotations
            return Send(sender.ref, receiver.ref, message, sender.annotations, notes, span=span)
        return Send(sender.ref, None, message, sender.annotations, span=span)

    def choice(self, children: Children) -> Choice:
        chooser = next(child for child in children if isinstance(child, RoleRef))
        branches = tuple(child for child in children if isinstance(child, Branch))
        return Choice(chooser, branches, span=between(children[0], children[-1]))

    def branch(self, children: Children) -> Branch:
        label = children[0]
        *before, block = nodes(children[1:])
        time = next((part for part in before if isinstance(part, Duration)), None)
        guard = next((part for part in before if part is not time), None)
        return Branch(label.text, guard, block, time, span=between(label, block))

    def time(self, children: Children) -> Duration:
        token: Token = children[1]
        value = self.value([token])
        return Duration(seconds(value) or 0.0, token.text, span=token.span)

    def loop(self, children: Children) -> Loop:
        span = between(children[0], children[-1])
        block: Block = children[-1]
        if len(children) == 2:
            return Loop("forever", block, span=span)
        kind, value = children[2]
        if kind == "count":
            return Loop(kind, block, count=value, span=span)
        if kind == "decides":
            return Loop(kind, block, decider=value, span=span)
        return Loop("custom", block, condition=value, span=span)

    def loop_kind(self, children: Children) -> tuple[str, Index | RoleRef | Expr | None]:
        keyword, _, value = children
        if (
            keyword.type == "CUSTOM"
            and isinstance(value, Literal_)
            and isinstance(value.value, str)
        ):
            return "custom", self.read_condition(value.value, value.span)
        return keyword.text, value

    def parallel(self, children: Children) -> Parallel:
        lanes = tuple(child for child in children if isinstance(child, Block))
        return Parallel(lanes, span=between(children[0], children[-1]))

    def lane(self, children: Children) -> Block:
        if not children:
            return Block()
        if isinstance(children[0], Block):
            return children[0]
        last = next((c for c in reversed(children) if not isinstance(c, Token)), children[-1])
        return Block(self.statements(children), span=between(children[0], last))

    def rec(self, children: Children) -> Rec:
        keyword, label, block = children
        return Rec(label.text, block, span=between(keyword, block))

    def jump(self, children: Children) -> Continue:
        return Continue(children[1].text, span=between(children[0], children[1]))

    def call(self, children: Children) -> Call:
        keyword, name, *rest = children
        arguments = rest[0] if rest else None
        end = name.span
        if arguments:
            end = arguments[-1].span
        span = Span(keyword.line, keyword.column, end.end_line, end.end_column)
        return Call(name.text, arguments, span=span)

    def arguments(self, children: Children) -> tuple[RoleRef, ...]:
        return tuple(child for child in children if isinstance(child, RoleRef))

    def foreach(self, children: Children) -> Foreach:
        keyword, variable, _, family, block = children
        return Foreach(variable.text, family, block, span=between(keyword, block))
