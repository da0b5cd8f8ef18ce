"""Walks over the syntax tree, without recursion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .tree import (
    Block,
    Call,
    Choice,
    Foreach,
    Loop,
    Parallel,
    Protocol,
    Rec,
    RoleRef,
    Send,
    Statement,
    SubProtocol,
)


def blocks(statement: Statement) -> tuple[Block, ...]:
    """The blocks directly inside `statement`."""
    match statement:
        case Send():
            return ()
        case Choice():
            return tuple(branch.body for branch in statement.branches)
        case Parallel():
            return statement.branches
        case Loop() | Rec() | Foreach():
            return (statement.body,)
        case _:
            return ()


def statements(block: Block) -> Iterator[Statement]:
    """All statements of `block` and of the blocks inside it, in source order."""
    waiting = list(reversed(block.statements))
    while waiting:
        statement = waiting.pop()
        yield statement
        if type(statement) is Send:
            continue
        for inner in reversed(blocks(statement)):
            waiting.extend(reversed(inner.statements))


def sends_in_order(protocol: Protocol) -> list[Send]:
    """Every message of the protocol and its sub-protocols, in source order."""
    bodies = [protocol.body, *(sub.body for sub in protocol.subprotocols)]
    found = [s for body in bodies for s in statements(body) if isinstance(s, Send)]
    return sorted(found, key=lambda send: (send.span.line, send.span.column))


def first_sender(block: Block, subprotocols: Mapping[str, SubProtocol]) -> RoleRef | None:
    """The sender of the first message, looked for through blocks and calls."""
    seen = set[str]()
    waiting: list[tuple[Statement | Block, Mapping[str, RoleRef]]] = [(block, {})]
    while waiting:
        here, roles = waiting.pop()
        match here:
            case Send():
                return here.sender.resolved(roles)
            case Block():
                waiting += ((statement, roles) for statement in reversed(here.statements))
            case Call(name=name) if name in subprotocols and name not in seen:
                seen.add(name)
                called = subprotocols[name]
                waiting.append((called.body, _passed(here, called, roles)))
            case _:
                waiting += ((inner, roles) for inner in reversed(blocks(here)))
    return None


def _passed(call: Call, called: SubProtocol, roles: Mapping[str, RoleRef]) -> Mapping[str, RoleRef]:
    """What the parameters of the callee stand for; a wrong number of them is said elsewhere."""
    if call.arguments is None:
        return roles
    given = (ref.resolved(roles) for ref in call.arguments)
    return dict(zip(called.parameters or (), given, strict=False))
