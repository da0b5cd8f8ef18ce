"""What reading a journal back can refuse.

EffectError
├── JournalDamaged    there are faults, each with its place; nothing was replayed
├── ReducerFailed     a user's reducer raised
├── StateUnpackable   a state that no snapshot could bring back
├── ArchiveRefused    a file that is no export, or a damaged one
├── ParquetMissing    pyarrow is not installed
└── KeyUnusable       a signing key or a list of trusted ones that cannot be read
"""

from __future__ import annotations

from ...errors import EffectError
from ..findings import Findings


class JournalDamaged(EffectError):
    """Something in the journal is altered, missing, moved or foreign. Nothing was replayed.
    `findings` has every fault with its place."""

    code = "PV467"

    def __init__(self, findings: Findings, what: str = "the journal") -> None:
        faults = len(findings.faults)
        if all(fault.kind == "key" for fault in findings.faults):
            super().__init__(
                f"{what} is not to be trusted: {findings.faults[0]}",
                hint="if that key is right, give it with --trust, or in `trusted`",
            )
        else:
            count = "1 fault" if faults == 1 else f"{faults} faults"
            super().__init__(
                f"{what} is damaged: {count}; {findings.faults[0]}",
                hint="`pavane journal verify` lists them all",
            )
        self.findings = findings


class ReducerFailed(EffectError):
    """A user's reducer raised; the cause is attached. `where` is the entry it was given."""

    code = "PV468"

    def __init__(self, name: str, where: str, error: BaseException) -> None:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        super().__init__(
            f"the reducer {name or 'given'} failed at {where}: {why}",
            hint="a reducer has to take every kind of entry: sent, fact and merge",
        )
        self.name = name
        self.where = where


class StateUnpackable(EffectError):
    """A state that cannot be kept in a snapshot."""

    code = "PV469"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"the state of the reducer {name} cannot be kept: {why}",
            hint="annotate what the reducer returns; use numbers, text, lists, dictionaries, "
            "dataclasses or msgspec Structs",
        )
        self.name = name


class ArchiveRefused(EffectError):
    """A file that is not an export of a journal. `line` counts from 1, and is 0 where none can be
    read."""

    code = "PV470"

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(
            f"{path}, line {line}: {why}" if line else f"{path}: {why}",
            hint="give a file that `pavane journal export` wrote as JSON lines",
        )
        self.path = path
        self.line = line


class KeyUnusable(EffectError):
    """A key file that is not there, or holds no key."""

    code = "PV471"

    def __init__(self, path: str, why: str, hint: str) -> None:
        super().__init__(f"{path}: {why}", hint=hint)
        self.path = path


class ParquetMissing(EffectError):
    """A table in a form that needs pyarrow."""

    code = "PV472"

    def __init__(self) -> None:
        super().__init__(
            "Parquet needs pyarrow, which is not installed",
            hint='pip install "pavane[parquet]", or take csv or jsonl',
        )
