"""The names that workers use on the broker, made in this one place.

| what | name |
|---|---|
| a namespace's queue of instances to be played | `WORK_<namespace>` |
| its topics | `protocol.role.fingerprint` |
| a worker says what it does | `namespace.-.worker.<name>` |
| someone asks all workers to do so now | `namespace.-.workers` |
| a host of workers says how many it keeps | `namespace.-.host.protocol.role` |
| it is told how many to keep | `namespace.-.scale.protocol.role` |
| the protocols that were ever served or started | stream `PROTOCOLS_<namespace>`, `namespace.protocol.-.protocol.<fingerprint>` |
| instances that nobody could play | stream `DEAD_<namespace>`, `namespace.protocol.role.index.session.dead` |

No protocol and no role is called `-`.
"""

from __future__ import annotations

from ...broker.subjects import index_token, namespace_token, token


def queue(namespace: str) -> str:
    return f"WORK_{namespace_token(namespace)}"


def topic(protocol: str, role: str, fingerprint: bytes) -> str:
    """What the workers of one role of one version of a protocol take from."""
    return f"{token(protocol)}.{token(role)}.{fingerprint.hex()}"


def worker(namespace: str, name: str) -> str:
    """`*` as a name is every worker's."""
    return f"{namespace_token(namespace)}.-.worker.{name if name == '*' else token(name)}"


def any_worker() -> str:
    """Every worker of every namespace."""
    return "*.-.worker.*"


def asking(namespace: str) -> str:
    return f"{namespace_token(namespace)}.-.workers"


def protocols(namespace: str) -> str:
    return f"PROTOCOLS_{namespace_token(namespace)}"


def protocol(namespace: str, name: str = "*", fingerprint: bytes | None = None) -> str:
    which = "*" if fingerprint is None else fingerprint.hex()
    return f"{namespace_token(namespace)}.{name}.-.protocol.{which}"


def dead(namespace: str) -> str:
    return f"DEAD_{namespace_token(namespace)}"


def dead_letter(namespace: str, protocol: str, role: str, start: int, session: str) -> str:
    """The subject of a block of instances that begins with `start`."""
    space = namespace_token(namespace)
    return f"{space}.{token(protocol)}.{token(role)}.{index_token(start)}.{token(session)}.dead"


def dead_letters(namespace: str, session: str = "*", protocol: str = "*") -> str:
    return f"{namespace_token(namespace)}.{protocol}.*.*.{session}.dead"


def host(namespace: str, protocol: str, role: str) -> str:
    """A host says how many workers it keeps for a role."""
    return f"{namespace_token(namespace)}.-.host.{token(protocol)}.{token(role)}"


def scale(namespace: str, protocol: str, role: str) -> str:
    """A host is told how many workers to keep, or asked with an empty payload."""
    return f"{namespace_token(namespace)}.-.scale.{token(protocol)}.{token(role)}"
