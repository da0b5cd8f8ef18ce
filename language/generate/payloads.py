"""The payloads of a protocol as Python sees them: parameters to send, a type to receive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..tree import Message
from .layout import alias, docstring, fits
from .names import BUILTIN, Names, camel
from .python_types import annotation

RESERVED = BUILTIN | {"Any", "me", "self"}
"""What a field cannot be called, as its own annotation or method needs the name."""

Parameter = tuple[str, str]
"""A name and its annotation, with the default where there is one."""


@dataclass(frozen=True, slots=True)
class Payload:
    """How one message is sent and received.

    `struct` is the message class of a payload with named fields, which is then its `type`.
    """

    parameters: tuple[Parameter, ...]
    type: str
    struct: str = ""


class Payloads:
    """The payloads of one module; `types` is the Python module of the user's own types."""

    def __init__(self, names: Names, types: str = "") -> None:
        self._names = names
        self._types = types
        self._foreign: dict[str, str] = {}
        self._payloads: dict[tuple[object, ...], Payload] = {}
        self._structs: list[tuple[Message, Payload]] = []

    def learn(self, messages: Iterable[Message]) -> None:
        """Give names to the foreign types first, and then to the message classes."""
        known = dict.fromkeys(messages)
        for message in known:
            for written in (*message.generics, *(f.type for f in message.fields)):
                if written is not None:
                    annotation(written, self._known)
        for message in known:
            self.of(message)

    def of(self, message: Message) -> Payload:
        """The payload of a message; those declared alike have the same."""
        key = (message.label, message.generics, message.fields)
        if key not in self._payloads:
            self._payloads[key] = self._made(message)
        return self._payloads[key]

    def _made(self, message: Message) -> Payload:
        if any(field.name for field in message.fields):
            return self._named(message)
        types = [f.type for f in message.fields if f.type is not None] or message.generics
        written = [annotation(type_, self._known) for type_ in types]
        match written:
            case []:
                return Payload((("value", "Any = None"),), "Any")
            case ["None"]:
                return Payload((), "None")
            case [one]:
                return Payload((("value", one),), one)
            case _:
                numbered = tuple((f"value{n}", one) for n, one in enumerate(written, start=1))
                return Payload(numbered, f"tuple[{', '.join(written)}]")

    def _named(self, message: Message) -> Payload:
        own = Names(RESERVED | frozenset(self._foreign.values()))
        parameters = list[Parameter]()
        for position, field in enumerate(message.fields):
            name, type_ = field.name or f"field{position + 1}", field.type
            if type_ is None and position < len(message.generics):
                type_ = message.generics[position]
            written = "Any" if type_ is None else annotation(type_, self._known)
            parameters.append((own.new(name, f"{name}_"), written))
        struct = self._names.new(camel(message.label), f"{camel(message.label)}Message")
        payload = Payload(tuple(parameters), struct, struct)
        self._structs.append((message, payload))
        return payload

    def _known(self, name: str, arguments: tuple[str, ...]) -> str:
        """A type of the user's own. What is not imported can be any plain value."""
        if name not in self._foreign:
            self._foreign[name] = self._names.new(name, f"{name}Type")
        text = self._foreign[name]
        return f"{text}[{', '.join(arguments)}]" if arguments and self._types else text

    # text -----------------------------------------------------------------------------------

    def imports(self) -> list[str]:
        """The line that imports the user's types, if there are any."""
        if not self._types or not self._foreign:
            return []
        parts = [n if n == own else f"{n} as {own}" for n, own in sorted(self._foreign.items())]
        line = f"from {self._types} import {', '.join(parts)}"
        if fits(line):
            return [line]
        return [f"from {self._types} import (", *(f"    {part}," for part in parts), ")"]

    def aliases(self) -> list[str]:
        """The types that nobody has told us about."""
        if self._types:
            return []
        return [line for own in sorted(self._foreign.values()) for line in alias(own, "Any")]

    def classes(self) -> list[list[str]]:
        """The message classes."""
        return [
            [
                f"class {payload.struct}(Struct, frozen=True):",
                *docstring("    ", f"The payload of {message.label}."),
                "",
                *(f"    {name}: {type_}" for name, type_ in payload.parameters),
            ]
            for message, payload in self._structs
        ]
