"""Where journals are on the broker: streams, subjects, and who a subject belongs to."""

from __future__ import annotations

from functools import lru_cache

from ...broker import subjects
from ..identity import Identity

JOURNAL = "JOURNAL"
HEADS = "JOURNAL_HEADS"
SNAPSHOTS = "JOURNAL_SNAPSHOTS"

# Exactly six names: a mailbox of a namespace called `journal` has four, a message to it seven.
JOURNAL_SUBJECTS = ["journal.*.*.*.*.*"]
HEAD_SUBJECTS = ["journal_heads.*.*.*.*.*"]
SNAPSHOT_SUBJECTS = ["journal_snapshots.*"]


def journal_subject(writer: Identity) -> str:
    """`journal.namespace.protocol.session.role.index`."""
    return ".".join(("journal", *writer.tokens()))


def head_subject(writer: Identity) -> str:
    return ".".join(("journal_heads", *writer.tokens()))


def pattern(namespace: str, protocol: str, session: str, role: str, index: str = "*") -> str:
    """The journal subjects of all writers that fit; an empty name fits all."""
    names = (
        subjects.namespace_token(namespace) if namespace else "*",
        *(subjects.token(name) if name else "*" for name in (protocol, session, role)),
    )
    return ".".join(("journal", *names, index))


def as_heads(journal_pattern: str) -> str:
    return "journal_heads" + journal_pattern.removeprefix("journal")


def as_journal(head_subject: str) -> str:
    return "journal" + head_subject.removeprefix("journal_heads")


@lru_cache(maxsize=4096)
def writer_of(subject: str) -> Identity:
    """Who writes on a journal or head subject; a plain role reads as instance 0."""
    _, namespace, protocol, session, role, index = subject.split(".")
    return Identity(namespace, protocol, session, role, int(index))
