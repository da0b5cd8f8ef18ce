"""Whether a journal is whole, and who signed for it: `pavane journal verify`."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..effects.journal.findings import Findings, who
from ..effects.journal.history.keyfile import Length
from .errors import RunFailed
from .escapes import printable
from .journals import Book, Query, Trust, nothing
from .screen import complaints, plural, say, write_json

SHOWN = 5
"""How many writers are named whose last entries are not signed."""

SHORT = 16
"""Digits of a key that are shown to people."""


async def verify(book: Book, query: Query, json: bool, *, trust_new: bool = False) -> None:
    """Count what is whole and name what is not; raises `RunFailed` for a fault. Who signed is
    remembered, if nobody was before, or with `trust_new`."""
    keys = None if trust_new else book.trust.keys()
    findings = await book.history.verify(trusted=keys, **query.writers())
    before = book.trust.known()
    longest = book.trust.length() if query == Query() else None
    shrunk = not trust_new and _has_shrunk(findings, longest)
    if findings.ok and keys is None:
        book.trust.remember(findings.signers)
    if findings.ok and not shrunk and query == Query() and findings.entries:
        book.trust.remember_length(findings.entries, findings.beginning)
    if json:
        write_json(findings_json(findings) | {"known_entries": longest and longest.entries})
    elif shrunk and longest is not None:
        _show_shrunk(findings, longest)
    elif findings.ok and not findings.entries:
        say(nothing(query))
    elif findings.ok:
        entries = "1 entry" if findings.entries == 1 else f"{findings.entries} entries"
        writers = plural(findings.writers, "writer")
        say(Text.assemble(("whole  ", "bold green"), f"{entries} of {writers}"))
        for signer in sorted(findings.signers):
            say(_signed(signer, book.trust, before))
        if longest is not None and longest.beginning != findings.beginning.hex():
            day = longest.when.date().isoformat()
            say(f"It is another journal than the one that was here on {day}.")
        say_unsigned(findings)
    else:
        _show_faults(findings)
    if not findings.ok:
        raise RunFailed("the journal is damaged")
    if shrunk:
        raise RunFailed("the journal is shorter than it was")


def _has_shrunk(findings: Findings, longest: Length | None) -> bool:
    """Whether it is a journal that was longer; one that was begun anew is another."""
    if longest is None or not findings.ok or not findings.entries:
        return False
    return findings.beginning.hex() == longest.beginning and findings.entries < longest.entries


def _show_shrunk(findings: Findings, longest: Length) -> None:
    day = longest.when.date().isoformat()
    say(
        f"The journal had {longest.entries} entries on {day}, and has {findings.entries} now. "
        "What is there is whole: an older copy was put in its place, or all of a writer was removed, "
        "with its heads.",
        console=complaints(),
    )
    say(
        "If that is right, take it as it is: pavane journal verify --trust-new",
        console=complaints(),
    )


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


def say_unsigned(findings: Findings) -> None:
    """Name the entries that nobody has signed, if there are any."""
    for subject, count in list(findings.unsigned.items())[:SHOWN]:
        entries = "its last entry is" if count == 1 else f"its last {count} entries are"
        say(
            f"{printable(who(subject))}: {entries} not signed: it is being written, its process was killed, or "
            "somebody else added to it",
            console=complaints(),
        )
    if len(findings.unsigned) > SHOWN:
        more = plural(len(findings.unsigned) - SHOWN, "writer")
        say(f"... and the last entries of {more}", console=complaints())


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
        "unsigned": findings.unsigned,
        "faults": faults,
    }


def _show_faults(findings: Findings) -> None:
    for fault in findings.faults:
        line = Text.assemble((f"{fault.kind:<11}", "bold red"), printable(str(fault)))
        say(line, console=complaints())
    found = plural(len(findings.faults), "fault")
    say(f"The journal is damaged: {found} in {findings.entries} entries.", console=complaints())
    if any(fault.kind == "key" for fault in findings.faults):
        say(
            "If the other key is right, have it trusted: pavane journal verify --trust-new",
            console=complaints(),
        )
