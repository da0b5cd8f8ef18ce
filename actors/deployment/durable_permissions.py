"""What durable sessions and workers need on the server, beside what live ones do.

A role's log is read by what is in its subjects: what it has heard, said and recorded itself, and
the words to its sessions. Work is taken through a consumer whose name and filter have the role
and the version of the protocol, so permissions have to be printed anew for a new version.
"""

from __future__ import annotations

from ...broker import subjects
from ...broker.nats import allowed
from ...broker.nats.allowed import Allowed
from ...language.compiler import Compiled
from ..durable import names
from ..workers import places


def streams(namespace: str) -> tuple[str, ...]:
    """The streams of a namespace that an operator makes."""
    return (
        names.stream(namespace),
        places.queue(namespace),
        places.protocols(namespace),
        places.dead(namespace),
    )


def of_role(compiled: Compiled, role: str) -> Allowed:
    """Play instances of `role`, in this process or as a worker."""
    protocol = _protocol(compiled)
    stream = names.stream(compiled.namespace)
    words = names.words_of_all(compiled.namespace, compiled.name)
    heard = f"{protocol}.{role}.*.*.*.*.{names.LOG}"
    said = f"{protocol}.*.*.*.{role}.*.{names.LOG}"
    own = f"{protocol}.{role}.*.*.{role}.*.{names.OWN}"
    taken = f"{protocol}.{role}.*.*.{names.NOBODY}.*.{names.LOG}"
    return allowed.all_of(
        (
            *(allowed.publishing(subject) for subject in (said, own, taken)),
            allowed.listening(heard),
            allowed.listening(f"{protocol}.{names.NOBODY}.*.*.*.*.{names.LOG}"),
            *(allowed.reading(stream, pattern) for pattern in (heard, said, own, words)),
            _working(compiled, role),
        )
    )


def _working(compiled: Compiled, role: str) -> Allowed:
    space, name = subjects.namespace_token(compiled.namespace), compiled.name
    topic = places.topic(name, role, compiled.fingerprint)
    letters = f"{space}.{name}.{role}.*.*.dead"
    text = places.protocol(space, name, compiled.fingerprint)
    said = (
        places.worker(space, "*"),
        places.host(space, name, role),
        places.scale(space, name, role),
        letters,
    )
    return allowed.all_of(
        (
            *(allowed.publishing(subject) for subject in said),
            allowed.listening(places.asking(space)),
            allowed.listening(places.scale(space, name, role)),
            allowed.taking(places.queue(space), topic),
            allowed.putting(places.queue(space), topic),
            allowed.publishing(text),
            allowed.reading(places.protocols(space), places.protocol(space, name)),
            allowed.reading(places.dead(space), letters),
        )
    )


def of_runtime(compiled: Compiled) -> Allowed:
    """Start sessions, play all their roles, look after them."""
    space, name = subjects.namespace_token(compiled.namespace), compiled.name
    protocol = _protocol(compiled)
    logs = [f"{protocol}.*.*.*.*.*.{last}" for last in (names.LOG, names.OWN)]
    stream = names.stream(compiled.namespace)
    roles = [role.name for role in compiled.protocol.roles]
    queue = places.queue(space)
    topics = [places.topic(name, role, compiled.fingerprint) for role in roles]
    return allowed.all_of(
        (
            *(allowed.publishing(subject) for subject in logs),
            allowed.listening(logs[0]),
            allowed.reading(stream, f"{protocol}.*.*.*.*.*.*"),
            allowed.reading(places.dead(space), places.dead_letters(space, protocol=name)),
            *(_working(compiled, role) for role in roles),
            *(allowed.putting(queue, topic) for topic in topics),
            allowed.publishing(places.asking(space)),
            allowed.listening(places.worker(space, "*")),
        )
    )


def of_operator(compiled: Compiled) -> Allowed:
    """Make the streams, look at all sessions of the namespace, cancel them and retry their units.

    To verify a session, the journal of its protocol has to be read too: `permissions` has that.
    """
    space = subjects.namespace_token(compiled.namespace)
    words = f"{space}.*.{names.NOBODY}.{subjects.ALL}.*.{names.NOBODY}.0.{names.LOG}"
    letters = places.dead_letters(space)
    queue = places.queue(space)
    roles = [role.name for role in compiled.protocol.roles]
    return allowed.all_of(
        (
            *(allowed.making(stream) for stream in streams(space)),
            allowed.listing(),
            *(allowed.purging(stream) for stream in (names.stream(space), places.dead(space))),
            allowed.reading(names.stream(space), f"{space}.*.*.*.*.*.*.*"),
            allowed.reading(places.dead(space), letters),
            allowed.reading(places.protocols(space), places.protocol(space)),
            *(allowed.publishing(subject) for subject in (words, letters)),
            *(allowed.putting(queue, f"{compiled.name}.{role}.*") for role in roles),
            allowed.publishing(places.asking(space)),
            allowed.listening(places.worker(space, "*")),
        )
    )


def _protocol(compiled: Compiled) -> str:
    return f"{subjects.namespace_token(compiled.namespace)}.{compiled.name}"
