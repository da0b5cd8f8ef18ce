"""Protocols compiled for the command line: one judgement each, also beside refused neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..language.bindings import BindingError
from ..language.compiler import Compiled, Verdict, verdicts
from ..language.errors import Diagnostic
from ..language.projection import Projection
from .errors import Refused, UsageError
from .screen import complaints, plural, say, show_diagnostic
from .sources import Source, load, read_all


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with the file that it is about; `name` is None for a file without a protocol."""

    source: Source
    verdict: Verdict

    @property
    def name(self) -> str | None:
        return self.verdict.protocol.name if self.verdict.protocol else None

    @property
    def namespace(self) -> str | None:
        return self.verdict.protocol.namespace if self.verdict.protocol else None

    @property
    def full_name(self) -> str:
        return self.verdict.protocol.full_name if self.verdict.protocol else "no protocol"

    @property
    def compiled(self) -> Compiled | None:
        return self.verdict.compiled

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self.verdict.diagnostics

    def show(self, *, errors_only: bool = False) -> None:
        """Write the diagnostics: to the standard error when they are not what was asked for."""
        for diagnostic in self.diagnostics:
            if errors_only and diagnostic.severity != "error":
                continue
            console = complaints() if errors_only else None
            show_diagnostic(diagnostic, self.source.text, self.source.file, console)
            say(console=console)


def judge(files: list[str], bindings: Mapping[str, int], *, strict: bool = False) -> list[Judged]:
    """A judgement on every protocol of every file, in order.

    Raises `UsageError` for a file that is not there and a binding that nothing uses,
    `BindingError` for one that does not fit.
    """
    sources, missing = read_all(files)
    if missing:
        raise missing[0].error
    return judge_all(sources, bindings, strict=strict)


def judge_all(
    sources: Sequence[Source],
    bindings: Mapping[str, int],
    *,
    strict: bool = False,
    keys: Collection[str] = (),
) -> list[Judged]:
    """As `judge`, of files that have been read. `keys` are the annotation keys of extensions."""
    judged = [
        one for source in sources for one in _judged(source, bindings, strict=strict, keys=keys)
    ]
    refuse_strangers(bindings, [one.compiled for one in judged if one.compiled])
    return judged


def _judged(
    source: Source,
    bindings: Mapping[str, int],
    *,
    strict: bool = False,
    keys: Collection[str] = (),
) -> list[Judged]:
    if source.fault is not None:
        return [Judged(source, Verdict(None, (source.fault,), None))]
    found = verdicts(
        source.text, source.file, strict=strict, extension_keys=keys, bindings=bindings
    )
    return [Judged(source, verdict) for verdict in found]


def only(
    file: str,
    name: str | None,
    keys: Collection[str] = (),
    bindings: Mapping[str, int] | None = None,
) -> Compiled:
    """The one protocol of a file, or the one called `name`, whatever its neighbours are.

    Raises `Refused` for a refused protocol and `UsageError` for an unclear choice.
    """
    source = load(file)
    judged = _judged(source, bindings or {}, keys=keys)
    chosen = [one for one in judged if name in (None, one.name, one.full_name)]
    known = ", ".join(one.full_name for one in judged if one.name)
    if not known:
        refuse(judged)
    refuse(chosen)
    if not chosen:
        raise UsageError(f"{file} has no protocol {name}", hint=f"it has {known}")
    if len(chosen) > 1:
        raise UsageError(
            f"{file} has {len(chosen)} protocols", hint=f"choose one with --name: {known}"
        )
    compiled = chosen[0].compiled
    assert compiled is not None, "what was not refused is compiled"
    return compiled


def refuse(judged: Sequence[Judged]) -> None:
    """Show the errors of what was refused on the standard error and raise `Refused`."""
    refused = [one for one in judged if not one.verdict.ok]
    for one in refused:
        one.show(errors_only=True)
        what = f"{one.full_name} is refused" if one.name else "this is not a protocol"
        say(f"{one.source.file}: {what}", console=complaints())
    if refused:
        raise Refused(f"{plural(len(refused), 'protocol')} refused")


def project(compiled: Compiled, bindings: Mapping[str, int]) -> Projection:
    """The machines with what is bound; counts that are not bound stay names."""
    own = relevant(bindings, compiled)
    try:
        return compiled.project(own)
    except BindingError as error:
        if not error.is_missing:
            raise
    return compiled.outline(own)


def relevant(bindings: Mapping[str, int], compiled: Compiled) -> dict[str, int]:
    """Those of the bindings that this protocol has a use for."""
    return {name: value for name, value in bindings.items() if name in compiled.bindable}


def refuse_strangers(bindings: Mapping[str, int], accepted: Sequence[Compiled]) -> None:
    """A binding that none of the protocols has a use for is a mistake."""
    known = frozenset[str]().union(*(one.bindable for one in accepted))
    strange = sorted(set(bindings) - known)
    if strange and accepted:
        takes = f"what can be bound: {', '.join(sorted(known))}" if known else "leave it out"
        raise UsageError(f"--bind {strange[0]}: no protocol here has such a name", hint=takes)
