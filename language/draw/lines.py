"""The global protocol as a flat list of lines, for every kind of sequence diagram."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..knowledge import Selection
from ..tree import (
    Block,
    Call,
    Choice,
    Continue,
    Foreach,
    Loop,
    Message,
    Parallel,
    Protocol,
    Rec,
    Send,
    Statement,
    TypeExpr,
)
from .timed import block_text, branch_text, message_times

Kind = Literal["message", "open", "else", "close", "note"]


@dataclass(frozen=True, slots=True)
class Line:
    """`depth` counts the blocks around the line; `sender` and `receiver` only with "message".

    `text` is a message, or a block's heading: `choice Seller: accept`, `loop 5 times`.
    `word` is the kind of block: alt, loop, par, rect.
    """

    kind: Kind
    depth: int
    text: str
    sender: str = ""
    receiver: str = ""
    word: str = ""


def lines(protocol: Protocol, selections: tuple[Selection, ...] = ()) -> Iterator[Line]:
    """Everything that happens, in source order; `selections` stand where they are sent."""
    drawing = _Drawing(selections)
    yield from drawing.block(protocol.body, 0)
    for sub in protocol.subprotocols:
        names = "" if sub.parameters is None else f"({', '.join(sub.parameters)})"
        yield Line("open", 0, f"protocol {sub.name}{names}", word="rect")
        yield from drawing.block(sub.body, 1)
        yield Line("close", 0, "")


def type_text(type_: TypeExpr) -> str:
    """`HashMap<String,i32>`."""
    if type_.name == "|":
        return " | ".join(map(type_text, type_.arguments))
    arguments = ",".join(map(type_text, type_.arguments))
    return f"{type_.name}<{arguments}>" if arguments else type_.name


def message_text(message: Message) -> str:
    """`Request<String>(name: i32)`."""
    generics = ",".join(map(type_text, message.generics))
    parts = [
        (f"{f.name}: " if f.name and f.type else f.name) + (type_text(f.type) if f.type else "")
        for f in message.fields
    ]
    text = message.label + (f"<{generics}>" if generics else "")
    return f"{text}({', '.join(parts)})" if parts else text


class _Drawing:
    def __init__(self, selections: tuple[Selection, ...]) -> None:
        self._selections: dict[tuple[int, int, str], list[Selection]] = {}
        for s in selections:
            place = (s.span.line, s.span.column, s.branch)
            self._selections.setdefault(place, []).append(s)

    def block(self, block: Block, depth: int) -> Iterator[Line]:
        for statement in block.statements:
            yield from self._statement(statement, depth)

    def _statement(self, statement: Statement, depth: int) -> Iterator[Line]:
        match statement:
            case Send():
                receiver = str(statement.receiver) if statement.receiver else "*"
                text = message_text(statement.message) + message_times(statement)
                yield Line("message", depth, text, str(statement.sender), receiver)
            case Choice():
                yield from self._choice(statement, depth)
            case Loop():
                yield from self._loop(statement, depth)
            case Parallel():
                for place, branch in enumerate(statement.branches):
                    text = "parallel" if place else block_text("parallel", statement.annotations)
                    yield Line("else" if place else "open", depth, text, word="par")
                    yield from self.block(branch, depth + 1)
                yield Line("close", depth, "")
            case Rec():
                text = block_text(f"rec {statement.label}", statement.annotations)
                yield from self._boxed(text, statement.body, depth)
            case Foreach():
                text = f"foreach {statement.variable} in {statement.family}"
                text = block_text(text, statement.annotations)
                yield from self._boxed(text, statement.body, depth)
            case Continue():
                yield Line("note", depth, f"continue {statement.label}")
            case Call():
                given = statement.arguments
                names = "" if given is None else f"({', '.join(map(str, given))})"
                text = block_text(f"call {statement.name}{names}", statement.annotations)
                yield Line("note", depth, text)

    def _boxed(self, text: str, body: Block, depth: int) -> Iterator[Line]:
        yield Line("open", depth, text, word="loop")
        yield from self.block(body, depth + 1)
        yield Line("close", depth, "")

    def _choice(self, choice: Choice, depth: int) -> Iterator[Line]:
        for place, branch in enumerate(choice.branches):
            text = f"{choice.chooser}: {branch_text(branch)}"
            text = text if place else block_text(text, choice.annotations)
            yield Line("else" if place else "open", depth, text, word="alt")
            yield from self._told(choice, branch.label, depth + 1)
            yield from self.block(branch.body, depth + 1)
        yield Line("close", depth, "")

    def _loop(self, loop: Loop, depth: int) -> Iterator[Line]:
        match loop.kind:
            case "count":
                assert loop.count is not None
                text = f"{loop.count} times"
            case "decides":
                assert loop.decider is not None
                text = f"while {loop.decider} decides to"
            case "custom":
                text = "while its condition holds"
            case "forever":
                text = "for ever"
        yield Line("open", depth, block_text(text, loop.annotations), word="loop")
        yield from self._told(loop, "again", depth + 1)
        yield from self.block(loop.body, depth + 1)
        yield Line("close", depth, "")
        yield from self._told(loop, "stop", depth)

    def _told(self, statement: Choice | Loop, label: str, depth: int) -> Iterator[Line]:
        place = (statement.span.line, statement.span.column, label)
        for s in self._selections.get(place, ()):
            yield Line("message", depth, f"@{s.branch}", s.chooser, s.receiver)
