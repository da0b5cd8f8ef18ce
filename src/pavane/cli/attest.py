"""Whether a journal is whole, and who signed for it: `pavane journal verify`."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..effects.journal.findings import Findings
from .errors import RunFailed
from .journals import Book, Query, Trust, nothing
from .screen import complaints, plural, say, write_json

SHORT = 16
"""Digits of a key that are shown to people."""


async def verify(book: Book, query: Query, json: bool, *, trust_new: bool = False) -> None:
    """Count what is whole and name what is not; raises `RunFailed` for a fault. Who signed is
    remembered, if nobody was before, or with `trust_new`."""
    keys = None if trust_new else book.trust.keys()
    findings = await book.history.verify(trusted=keys, **query.writers())
    before = book.trust.known()
    if findings.ok and keys is None:
        book.trust.remember(findings.signers)
    if json:
        write_json(findings_json(findings))
    elif findings.ok and not findings.entries:
        say(nothing(query))
    elif findings.ok:
        entries = "1 entry" if findings.entries == 1 else f"{findings.entries} entries"
        writers = plural(findings.writers, "writer")
        say(Text.assemble(("whole  ", "bold green"), f"{entries} of {writers}"))
        for signer in sorted(findings.signers):
            say(_signed(signer, book.trust, before))
    else:
        _show_faults(findings)
    if not findings.ok:
        raise RunFailed("the journal is damaged")


def _signed(signer: bytes, trust: Trust, before: dict[bytes, Any]) -> Text:
    """Who a key belongs to, and why it is trusted."""
    owner = ", your own" if signer == trust.own else ""
    if trust.given is not None:
        reason = "named by --trust"
    elif signer in before:
        reason = f"known since {before[signer].date().isoformat()}"
    elif not trust.journal and signer == trust.own:
        reason = "trusted"
    elif not trust.journal:
        reason = "not checked: name the keys you trust with --trust"
    elif before:
        reason = "trusted from now on"
    else:
        reason = "trusted on first use"
    line = f"signed by {signer.hex()[:SHORT]}{owner}: {reason}"
    return Text(line, style="yellow" if reason.startswith("not") else "dim")


def refuse_damage(findings: Findings) -> None:
    """Write every fault and raise `RunFailed`, if there is one."""
    if not findings.ok:
        _show_faults(findings)
        raise RunFailed("the journal is damaged")


def findings_json(findings: Findings) -> dict[str, Any]:
    """What `journal verify --json` prints."""
    faults = [
        {
            "kind": fault.kind,
            "subject": fault.subject,
            "number": fault.number,
            "sequence": fault.sequence,
            "message": fault.message,
        }
        for fault in findings.faults
    ]
    trusted = findings.trusted
    return {
        "ok": findings.ok,
        "entries": findings.entries,
        "writers": findings.writers,
        "signers": sorted(signer.hex() for signer in findings.signers),
        "trusted": None if trusted is None else sorted(key.hex() for key in trusted),
        "faults": faults,
    }


def _show_faults(findings: Findings) -> None:
    for fault in findings.faults:
        line = Text.assemble((f"{fault.kind:<11}", "bold red"), str(fault))
        say(line, console=complaints())
    found = plural(len(findings.faults), "fault")
    say(f"The journal is damaged: {found} in {findings.entries} entries.", console=complaints())
    if any(fault.kind == "key" for fault in findings.faults):
        say(
            "If the other key is right, have it trusted: pavane journal verify --trust-new",
            console=complaints(),
        )
