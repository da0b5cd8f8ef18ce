"""From text to what can be run: parse, check, find the selections, project.

for verdict in verdicts(text):     # one per protocol, refused ones too
    ...
for compiled in compile_text(text):  # raises with all errors of the file
    compiled.project({"Followers": 5})
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b

from .bindings import (
    ascending,
    bounds,
    counts,
    deciding,
    given,
    highest,
    resolve,
    variables,
)
from .errors import ChoreographyError, Diagnostic
from .knowledge import Elaborated, Selection, elaborate
from .parser import Parsed, parse
from .projection import Projection
from .tree import Protocol
from .wellformed import check

FINGERPRINT_BYTES = 8

ORDERED = frozenset({"PV181", "PV194"})
"""What is said of protocols whose machines are not the same before counts are bound."""


@dataclass(frozen=True)
class Compiled:
    """A protocol that was accepted. `diagnostics` are its warnings and notes, `extension_keys` the
    annotation keys that mean something to whoever plays it."""

    protocol: Protocol
    text: str
    file: str
    diagnostics: tuple[Diagnostic, ...]
    selections: tuple[Selection, ...]
    strict: bool = False
    extension_keys: frozenset[str] = frozenset()
    _projections: dict[tuple[tuple[str, int], ...], Projection] = field(
        default_factory=dict[tuple[tuple[str, int], ...], Projection], repr=False, compare=False
    )

    @property
    def name(self) -> str:
        return self.protocol.name

    @property
    def namespace(self) -> str:
        return self.protocol.namespace

    @cached_property
    def fingerprint(self) -> bytes:
        """Equal for two texts of the same protocol, whatever their layout and comments."""
        content = repr((1, self.strict, self.protocol)).encode()
        return blake2b(content, digest_size=FINGERPRINT_BYTES).digest()

    @property
    def open_counts(self) -> dict[str, str]:
        """For each family whose size must be bound the name that its declaration gives it."""
        return counts(self.protocol)

    @property
    def open_bounds(self) -> frozenset[str]:
        """Range bounds and loop counts that must be bound."""
        return bounds(self.protocol)

    @property
    def bindable(self) -> frozenset[str]:
        """Every name that can be bound: sizes, bounds, and index variables, which need not be."""
        sizes = self.open_counts
        return frozenset((*sizes, *sizes.values(), *self.open_bounds, *variables(self.protocol)))

    def project(self, bindings: Mapping[str, int] | None = None) -> Projection:
        """The local machines with every count bound.

        Raises `BindingError` for a count that is missing or does not fit, `ChoreographyError`
        where these very counts make a role unable to follow.
        """
        resolved = resolve(self.protocol, bindings or {})
        key = tuple(sorted(resolved.items()))
        if key not in self._projections:
            self._projections[key] = self._project(resolved)
        return self._projections[key]

    def outline(self, bindings: Mapping[str, int] | None = None) -> Projection:
        """The local machines with what is bound so far; open counts stay names."""
        return self._project(dict(bindings or {}))

    def sketch(self) -> Projection:
        """The local machines for what can be said of a role whatever its counts, such as what it
        says to whom: open counts stay names, and where their order matters they are large enough
        for every class of instances."""
        try:
            return self.outline()
        except ChoreographyError as error:
            if error.diagnostics[0].code not in ORDERED | {"PV191"}:
                raise
        return self.project(_typical(self.protocol))

    def _project(self, bindings: Mapping[str, int]) -> Projection:
        try:
            elaborated = elaborate(
                self.protocol, bindings, strict=self.strict, extension_keys=self.extension_keys
            )
        except ChoreographyError as error:
            raise refusal(self.file, error.diagnostics) from None
        if elaborated.diagnostics:
            raise refusal(self.file, elaborated.diagnostics)
        tried = elaborated.attempt
        return Projection(self.protocol, bindings, tried.flow.instances.sizes, tried.machines)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the compiler says of one protocol of a file; `compiled` is None if it is refused.

    A file in which no protocol could be read gives one verdict without a `protocol`.
    """

    protocol: Protocol | None
    diagnostics: tuple[Diagnostic, ...]
    compiled: Compiled | None

    @property
    def ok(self) -> bool:
        return self.compiled is not None


def verdicts(
    text: str,
    file: str = "<text>",
    *,
    strict: bool = False,
    extension_keys: Collection[str] = (),
    bindings: Mapping[str, int] | None = None,
) -> tuple[Verdict, ...]:
    """Judge every protocol of a text. Never raises on what the text says.

    `bindings` may give some counts and index variables; a protocol is then judged with those that
    it has a use for. Raises `BindingError` for one that does not fit.
    """
    parsed = parse(text)
    if not parsed.protocols:
        return (Verdict(None, parsed.diagnostics, None),)
    result = list[Verdict]()
    for protocol, own in zip(parsed.protocols, _by_protocol(parsed), strict=True):
        bound = deciding(protocol) & (bindings or {}).keys()
        found = (*own, *check(protocol, extension_keys=extension_keys, bound=bound))
        selections: tuple[Selection, ...] = ()
        if not _errors(found):
            counted = given(protocol, bindings) if bindings else {}
            further, selections = _knowledge(
                protocol, counted, strict=strict, extension_keys=extension_keys
            )
            found += further
        found = tuple(sorted(found, key=lambda d: (d.span.line, d.span.column)))
        compiled = None
        if not _errors(found):
            keys = frozenset(extension_keys)
            compiled = Compiled(protocol, text, file, found, selections, strict, keys)
        result.append(Verdict(protocol, found, compiled))
    return tuple(result)


def compile_text(
    text: str,
    file: str = "<text>",
    *,
    strict: bool = False,
    extension_keys: Collection[str] = (),
    bindings: Mapping[str, int] | None = None,
) -> tuple[Compiled, ...]:
    """All protocols of a text. Raises `ChoreographyError` with every error of the text."""
    judged = verdicts(text, file, strict=strict, extension_keys=extension_keys, bindings=bindings)
    errors = [d for verdict in judged for d in verdict.diagnostics if d.severity == "error"]
    if errors:
        raise refusal(file, errors)
    return tuple(v.compiled for v in judged if v.compiled is not None)


def refusal(file: str, diagnostics: Collection[Diagnostic]) -> ChoreographyError:
    """The error that carries `diagnostics`."""
    errors = [d for d in diagnostics if d.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    message = f"{file}:{first.span.line}:{first.span.column}: {first.message}{more}"
    return ChoreographyError(message, file=file, diagnostics=tuple(diagnostics), hint=first.hint)


def _errors(diagnostics: Collection[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in diagnostics)


def _by_protocol(parsed: Parsed) -> list[list[Diagnostic]]:
    """What is wrong with the text, given to the last protocol that begins before it, or the
    file's first."""
    begins = [(protocol.span.line, protocol.span.column) for protocol in parsed.protocols]
    shares: list[list[Diagnostic]] = [[] for _ in begins]
    for diagnostic in parsed.diagnostics:
        place = (diagnostic.span.line, diagnostic.span.column)
        shares[max(bisect_right(begins, place) - 1, 0)].append(diagnostic)
    return shares


def _knowledge(
    protocol: Protocol,
    bindings: Mapping[str, int],
    *,
    strict: bool,
    extension_keys: Collection[str],
) -> tuple[tuple[Diagnostic, ...], tuple[Selection, ...]]:
    try:
        elaborated = _elaborated(protocol, bindings, strict=strict, extension_keys=extension_keys)
    except ChoreographyError as error:
        return error.diagnostics, ()
    notes = tuple(
        Diagnostic(
            "PV172",
            "note",
            f"{s.chooser} tells {s.receiver} that it took {s.branch}: {s} is added",
            s.span,
            f"let the first message that {s.receiver} gets there come from {s.chooser}",
        )
        for s in elaborated.selections
        if not s.construct
    )
    return elaborated.diagnostics + notes, elaborated.selections


def _elaborated(
    protocol: Protocol,
    bindings: Mapping[str, int],
    *,
    strict: bool,
    extension_keys: Collection[str],
) -> Elaborated:
    """Judge with open counts; where their order matters, with counts that are large enough."""
    judge = partial(elaborate, protocol, strict=strict, extension_keys=extension_keys)
    try:
        return judge(bindings)
    except ChoreographyError as error:
        if error.diagnostics[0].code not in ORDERED:
            raise
    large = {**_typical(protocol), **bindings}
    resolve(protocol, large)
    return judge(large)


def _typical(protocol: Protocol) -> dict[str, int]:
    """Counts at which all the classes of every family have an instance, where that can be."""
    names = ascending(protocol)
    typical = {name: 2 * place + 1 for place, name in enumerate(names, start=1)}
    for name, most in highest(protocol).items():
        typical[name] = min(typical.get(name, most), most)
    sizes = counts(protocol)
    return typical | {n: 4 + 2 * len(names) for pair in sizes.items() for n in pair}
