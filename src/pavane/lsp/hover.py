"""What is shown over a name: a role's side of the protocol, a message's payload and step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from lsprotocol import types as lsp

from ..language.annotations import DEFAULT_COST, KEYS, value_text
from ..language.draw import machine_text
from ..language.draw.lines import message_text, type_text
from ..language.draw.table import instances
from ..language.lexing import Token
from ..language.machine import Machine
from ..language.tree import Annotation, Choice, Protocol, RoleDecl, Send
from ..language.walk import statements
from .analysis import Analysis
from .symbols import Occurrence

LINES = 40
"""The most lines of a machine that are shown."""
CLASSES = 4
"""The most machines of a family that are shown."""


def hover(analysis: Analysis, offset: int) -> lsp.Hover | None:
    occurrence = analysis.symbols.at(offset)
    if occurrence is None:
        return _key(analysis, offset)
    parts = [part for part in _parts(analysis, occurrence) if part]
    if not parts:
        return None
    text = analysis.text
    place = lsp.Range(text.position(occurrence.start), text.position(occurrence.end))
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, "\n\n".join(parts)), place)


def _parts(analysis: Analysis, occurrence: Occurrence) -> Iterator[str]:
    symbol = occurrence.symbol
    name = f"`{symbol.name}`"
    uses = len(analysis.symbols.all(symbol))
    match symbol.kind:
        case "role":
            yield from _role(analysis, occurrence)
        case "message":
            yield from _message(analysis, occurrence)
        case "parameter":
            yield f"**{name}** is a parameter: the role that the caller names."
        case "protocol":
            yield from _protocol(analysis, symbol.protocol)
        case "index":
            yield f"**{name}** is {_index(analysis, occurrence)}."
        case "field":
            yield f"**{name}** is a field of {_owners(analysis, occurrence)}."
        case "branch":
            yield from _branch(analysis, occurrence)
        case "rec" | "sub-protocol":
            word = "a jump target" if symbol.kind == "rec" else "a sub-protocol"
            yield f"**{name}** is {word}, named in {uses} place{'s' if uses > 1 else ''}."


def _block(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


def _branch(analysis: Analysis, occurrence: Occurrence) -> Iterator[str]:
    for choice in _choices(analysis.protocols[occurrence.symbol.protocol]):
        for branch in choice.branches:
            here = analysis.text.offset(branch.span.line, branch.span.column)
            if branch.timeout is not None and here == occurrence.start:
                yield (
                    f"**`{branch.label}`** is the branch that `{choice.chooser}` takes when it "
                    f"has begun no other within {branch.timeout.written}, and not before."
                )
                return
    yield f"**`{occurrence.symbol.name}`** is the label of a branch."


def _choices(protocol: Protocol) -> Iterator[Choice]:
    for body in (protocol.body, *(sub.body for sub in protocol.subprotocols)):
        for statement in statements(body):
            if isinstance(statement, Choice):
                yield statement


# --- roles ---


def _role(analysis: Analysis, occurrence: Occurrence) -> Iterator[str]:
    symbol = occurrence.symbol
    protocol = analysis.protocols[symbol.protocol]
    declared = protocol.role(symbol.name)
    if declared is None:
        yield f"**`{symbol.name}`** is not declared."
        return
    yield f"**`{symbol.name}`** is {_many(declared)} of `{protocol.full_name}`."
    machines = analysis.machines(symbol.protocol)
    if machines is None:
        yield "Its side of the protocol is shown once the protocol has no errors."
        return
    own = machines[symbol.name]
    for machine in own[:CLASSES]:
        if len(own) > 1:
            yield f"`{machine.name}`, {_instances(machine)}:"
        yield _block(_machine(machine))
    if len(own) > CLASSES:
        yield f"and {len(own) - CLASSES} more classes of instances."


def _many(role: RoleDecl) -> str:
    if role.size is None:
        return "a role"
    size = "any number of" if role.size == "*" else f"`{role.size}`"
    return f"a family of {size} instances"


def _instances(machine: Machine) -> str:
    count = instances(machine)
    return "1 instance" if count == 1 else f"{count} instances"


def _machine(machine: Machine) -> str:
    """The machine as text, or its beginning; never more work than a few screens are worth."""
    if len(machine.transitions) <= 4 * LINES:
        lines = (machine_text(machine) or "   0  final").splitlines()
    else:
        lines = [f"{t.source:>4}  {t.action} -> {t.target}" for t in machine.transitions[:LINES]]
        lines += [""]
    if len(lines) <= LINES:
        return "\n".join(lines)
    rest = f"... {len(machine.transitions)} transitions in all; see `pavane project`"
    return "\n".join([*lines[:LINES], rest])


# --- messages ---


def _message(analysis: Analysis, occurrence: Occurrence) -> Iterator[str]:
    found = analysis.sends.get(occurrence.start)
    if found is None:
        yield f"**`{occurrence.symbol.name}`** is a message, seen from a condition."
        return
    place, step, send = found
    sides = f"{send.sender} -> {send.receiver or '*'}"
    yield _block(f"{sides}: {message_text(send.message)}", "choreo")
    yield f"Step {step} of `{analysis.protocols[place].full_name}`."
    yield "\n".join(_payload(send))
    yield "\n".join(_annotations(send))


def _payload(send: Send) -> Iterator[str]:
    message = send.message
    if not message.fields and not message.generics:
        yield "It carries no payload."
        return
    if not message.fields:
        yield from (f"- `{type_text(t)}`" for t in message.generics)
    for number, field in enumerate(message.fields):
        type_ = field.type
        if type_ is None and number < len(message.generics):
            type_ = message.generics[number]
        name = f"`{field.name}`: " if field.name else ""
        yield f"- {name}`{type_text(type_) if type_ else 'Any'}`"


def _annotations(send: Send) -> Iterator[str]:
    notes = send.annotations + send.sender_annotations
    yield from _listed(f"{send.sender} and the statement", notes)
    if send.receiver is not None:
        yield from _listed(str(send.receiver), send.receiver_annotations)
    costs = [note.value for note in notes if note.key == "flow_cost"]
    if notes:
        yield f"- charges {costs[0] if costs else DEFAULT_COST} for each message"


def _listed(whose: str, notes: tuple[Annotation, ...]) -> Iterator[str]:
    if notes:
        yield f"Annotations of {whose}:\n"
    yield from (f"- `{note.key} = {value_text(note)}`" for note in notes)


# --- the rest ---


def _protocol(analysis: Analysis, place: int) -> Iterator[str]:
    protocol = analysis.protocols[place]
    steps = sum(number == place for number, _, _ in analysis.sends.values())
    roles = ", ".join(
        role.name if role.size is None else f"{role.name}[{role.size}]" for role in protocol.roles
    )
    yield f"**`{protocol.full_name}`**: {steps} steps between {roles}."


def _index(analysis: Analysis, occurrence: Occurrence) -> str:
    symbol = occurrence.symbol
    if symbol.scope:
        return "the variable of a `foreach`"
    families = [r.name for r in analysis.protocols[symbol.protocol].roles if r.size == symbol.name]
    if families:
        return f"the number of instances of {' and '.join(f'`{name}`' for name in families)}"
    return "an index: each instance, or a value that is bound at the start"


def _owners(analysis: Analysis, occurrence: Occurrence) -> str:
    symbol = occurrence.symbol
    owners = {
        send.message.label: None
        for place, _, send in analysis.sends.values()
        if place == symbol.protocol and any(f.name == symbol.name for f in send.message.fields)
    }
    return " and ".join(f"`{label}`" for label in owners) or "no message here"


def _key(analysis: Analysis, offset: int) -> lsp.Hover | None:
    """An annotation key says what its value must be."""
    token = _token(analysis, offset)
    known = KEYS.get(token.text) if token else None
    if token is None or known is None:
        return None
    text = f"**`{token.text}`** must be {known.wanted}.\n\n{_block(known.example)}"
    place = analysis.text.range(token.span)
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), place)


def _token(analysis: Analysis, offset: int) -> Token | None:
    tokens = analysis.words.tokens
    place = bisect_right(tokens, offset, key=lambda token: token.start) - 1
    if place < 0 or offset > tokens[place].start + len(tokens[place].text):
        return None
    return tokens[place]
