"""The names on the broker, made and read in this one place.

A mailbox is `namespace.protocol.role.index`. A message goes to

    namespace . protocol . role . index . session . sender . sender_index

with `all` in place of the index for every instance of a family; a plain role is instance 0.
The sender stands in the subject so that permissions of the server alone can stop one role
from speaking as another. For the same reason there are no separate control subjects:
acknowledgements, credits and aborts are frames too, and travel from the role that speaks to
the mailbox of the role it speaks to. What they are is written in the frame, not in the subject.

A protocol without a namespace stands in `default`. A protocol nested in another by name
(`Outer.Inner`) is not one token and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .errors import BadSubject

DEFAULT_NAMESPACE = "default"
ALL = "all"
TOKEN_LIMIT = 128
SUBJECT_LIMIT = 1024
_INDEX_LIMIT = 10_000

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\Z")
# NATS takes nearly any byte in a subject; ours are printable ASCII without its own signs.
_SUBJECT = re.compile(r"[!-)+,\-/-=?-~]+(\.[!-)+,\-/-=?-~]+)*\Z")


@dataclass(frozen=True, slots=True)
class Route:
    """What a message subject says. `index` is None for `all`."""

    namespace: str
    protocol: str
    role: str
    index: int | None
    session: str
    sender: str
    sender_index: int


@lru_cache(maxsize=4096)
def token(name: str) -> str:
    """`name`, if it may stand as one token of a subject; else raises `BadSubject`."""
    if not name:
        raise BadSubject(name, "it is empty")
    if len(name) > TOKEN_LIMIT:
        raise BadSubject(name, f"it is longer than {TOKEN_LIMIT} characters")
    if not _TOKEN.match(name):
        raise BadSubject(name, "it has a character that is not a letter, digit, `_` or `-`")
    return name


def namespace_token(namespace: str) -> str:
    """The first token: `default` for none. `_...` is refused, as the server's inboxes use it."""
    if namespace.startswith("_"):
        raise BadSubject(namespace, "a namespace does not begin with `_`")
    return token(namespace or DEFAULT_NAMESPACE)


def index_token(index: int | None) -> str:
    if index is None:
        return ALL
    if not 0 <= index < _INDEX_LIMIT:
        raise BadSubject(str(index), f"an index is 0 to {_INDEX_LIMIT - 1}")
    return str(index)


@lru_cache(maxsize=4096)
def family(namespace: str, protocol: str, role: str) -> str:
    """`namespace.protocol.role`, what all mailboxes of a role begin with."""
    return f"{namespace_token(namespace)}.{token(protocol)}.{token(role)}"


def mailbox(namespace: str, protocol: str, role: str, index: int | None = 0) -> str:
    """The mailbox of one instance, or of all with `index` None."""
    return f"{family(namespace, protocol, role)}.{index_token(index)}"


def message(
    namespace: str,
    protocol: str,
    role: str,
    index: int | None,
    session: str,
    sender: str,
    sender_index: int = 0,
) -> str:
    """The subject of a message of `session` from `sender` to `role`."""
    box = mailbox(namespace, protocol, role, index)
    return f"{box}.{token(session)}.{token(sender)}.{index_token(sender_index)}"


def inbox(namespace: str, protocol: str, role: str, session: str | None = None) -> str:
    """What one process subscribes to for the instances of a role that it serves, those sent
    to `all` included: one session's messages, or every session's with None."""
    middle = "*" if session is None else token(session)
    return f"{family(namespace, protocol, role)}.*.{middle}.*.*"


def instance_inbox(
    namespace: str, protocol: str, role: str, index: int | None, session: str | None = None
) -> str:
    """As `inbox`, for one instance alone (or what goes to `all` alone, with `index` None)."""
    middle = "*" if session is None else token(session)
    return f"{mailbox(namespace, protocol, role, index)}.{middle}.*.*"


def everything(namespace: str) -> str:
    """All mailboxes of a namespace."""
    return f"{namespace_token(namespace)}.>"


def parse(subject: str) -> Route:
    """The route that a message subject says; raises `BadSubject` for any other subject."""
    parts = subject.split(".", 7)
    if len(parts) != 7:
        raise BadSubject(subject, "a message subject has seven names")
    space, protocol, role, index, session, sender, sender_index = parts
    for part in (space, protocol, role, session, sender):
        token(part)
    return Route(
        namespace=space,
        protocol=protocol,
        role=role,
        index=None if index == ALL else _index(index, subject),
        session=session,
        sender=sender,
        sender_index=_index(sender_index, subject),
    )


def _index(text: str, subject: str) -> int:
    # Only the form that index_token writes: `007` or `+1` would name a mailbox twice.
    if text.isascii() and text.isdigit() and len(text) <= 4 and (text == "0" or text[0] != "0"):
        return int(text)
    raise BadSubject(subject, f"{text[:20]!r} is not an index")


# --- what the drivers check -------------------------------------------------------------


def check_subject(subject: str) -> None:
    """Raise `BadSubject` unless one may publish on `subject`: no wildcards, no empty names,
    nothing of the server's own (`$...`, `_...`)."""
    if len(subject) > SUBJECT_LIMIT:
        raise BadSubject(subject, f"it is longer than {SUBJECT_LIMIT} characters")
    if not _SUBJECT.match(subject):
        raise BadSubject(subject, "it has an empty name, a wildcard or a sign that is not allowed")
    if subject[0] in "$_":
        raise BadSubject(subject, "names that begin with `$` or `_` belong to the server")


def check_topic(topic: str) -> None:
    """Raise `BadSubject` unless `topic` is empty or consists of names joined by dots."""
    for name in topic.split(".") if topic else ():
        token(name)


def check_pattern(pattern: str) -> None:
    """As `check_subject`, where `*` may stand for a name and `>` for the rest."""
    names = pattern.split(".")
    if names[-1] == ">":
        names.pop()
    if names:
        check_subject(".".join("x" if name == "*" else name for name in names))


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to `pattern` gets what is published on `subject`."""
    wanted, names = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        del wanted[-1]
        if len(names) <= len(wanted):
            return False
        names = names[: len(wanted)]
    return len(wanted) == len(names) and all(
        w in ("*", n) for w, n in zip(wanted, names, strict=True)
    )


def overlap(first: str, second: str) -> bool:
    """Whether some subject matches both patterns."""
    a, b = first.split("."), second.split(".")
    for x, y in zip(a, b, strict=False):
        if ">" in (x, y):
            return True
        if x != y and "*" not in (x, y):
            return False
    return len(a) == len(b)


def covers(wide: str, narrow: str) -> bool:
    """Whether every subject that matches `narrow` matches `wide` too."""
    a, b = wide.split("."), narrow.split(".")
    for x, y in zip(a, b, strict=False):
        if x == ">":
            return True
        if y == ">" or (x != y and x != "*"):
            return False
    return len(a) == len(b)


def joined(patterns: list[str]) -> list[str]:
    """`patterns` without those that another one covers, in order; no server takes both."""
    unique = list(dict.fromkeys(patterns))
    return [p for p in unique if not any(q != p and covers(q, p) for q in unique)]
