"""What is known of one version of a document. Made in a thread; each part at its first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..language.compiler import Verdict, verdicts
from ..language.errors import ChoreographyError, Diagnostic
from ..language.machine import Machine
from ..language.parser import parse
from ..language.tree import Protocol, Send
from ..language.walk import sends_in_order
from ..language.wellformed import check
from .symbols import Symbols
from .text import Text
from .words import Words

PROJECTION_LIMIT = 300_000
"""Characters. A longer text is parsed and checked, but not projected, while it is edited."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user configured in the editor."""

    strict: bool = False
    extension_keys: tuple[str, ...] = ()


@dataclass
class Analysis:
    """One version of one document."""

    text: Text
    settings: Settings = field(default_factory=Settings)
    _machines: dict[int, Mapping[str, tuple[Machine, ...]] | None] = field(
        default_factory=dict[int, Mapping[str, tuple[Machine, ...]] | None]
    )

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        source = self.text.text
        keys = self.settings.extension_keys
        if len(source) > PROJECTION_LIMIT:
            return self._checked(source)
        return verdicts(source, strict=self.settings.strict, extension_keys=keys)

    def _checked(self, source: str) -> tuple[Verdict, ...]:
        parsed = parse(source)
        found = tuple(
            Verdict(p, check(p, extension_keys=self.settings.extension_keys), None)
            for p in parsed.protocols
        )
        return (Verdict(None, parsed.diagnostics, None), *found)

    @cached_property
    def protocols(self) -> tuple[Protocol, ...]:
        return tuple(v.protocol for v in self.verdicts if v.protocol is not None)

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        found = {d: None for v in self.verdicts for d in v.diagnostics}
        return tuple(sorted(found, key=lambda d: (d.span.line, d.span.column)))

    @cached_property
    def words(self) -> Words:
        return Words(self.text.text)

    @cached_property
    def symbols(self) -> Symbols:
        return Symbols(self.text, self.words, self.protocols)

    @cached_property
    def sends(self) -> dict[int, tuple[int, int, Send]]:
        """By the offset of its message's label: the protocol, the step number and the send."""
        return {
            self.text.offset(send.message.span.line, send.message.span.column): (place, step, send)
            for place, protocol in enumerate(self.protocols)
            for step, send in enumerate(sends_in_order(protocol), start=1)
        }

    def machines(self, place: int) -> Mapping[str, tuple[Machine, ...]] | None:
        """The local machines by role of the protocol with that number; None if it is refused."""
        if place not in self._machines:
            protocol = self.protocols[place]
            compiled = next((v.compiled for v in self.verdicts if v.protocol is protocol), None)
            try:
                found = compiled.outline().machines if compiled else None
            except ChoreographyError:
                found = None
            self._machines[place] = found
        return self._machines[place]

    def protocol_at(self, offset: int) -> int | None:
        """The number of the protocol around an offset."""
        for place, protocol in enumerate(self.protocols):
            start, end = self.text.extent(protocol.span)
            if start <= offset <= end:
                return place
        return None
