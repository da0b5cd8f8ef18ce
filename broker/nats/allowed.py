"""What permissions of the server each verb of a connection needs: all that it asks, and no more.

`allow_responses` is never among it: it lets answers past every other permission. Nor is
`$JS.API.DIRECT.GET`: it answers with a record's bytes alone, under a subject of the asker's choice,
and so would let who may write a record speak as anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .work import work_consumer, work_subject


@dataclass(frozen=True, slots=True)
class Allowed:
    """Subjects that one may publish on and subscribe to; `+` joins what two verbs need."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def __add__(self, other: Allowed) -> Allowed:
        return Allowed(
            tuple(dict.fromkeys((*self.publish, *other.publish))),
            tuple(dict.fromkeys((*self.subscribe, *other.subscribe))),
        )


def all_of(parts: Iterable[Allowed]) -> Allowed:
    return sum(parts, Allowed())


def connecting(inbox: str) -> Allowed:
    """A scoped connection whose answers come below `inbox`; it sends itself messages there."""
    answers = f"{inbox}.*.*"
    return Allowed(("$JS.API.INFO", answers), (answers,))


def publishing(subject: str) -> Allowed:
    """`publish`, and `append` where a stream captures the subject."""
    return Allowed((subject,))


def listening(pattern: str) -> Allowed:
    return Allowed((), (pattern,))


def reading(stream: str, pattern: str) -> Allowed:
    """`read` and `last` of the records on `pattern`, or on what it covers."""
    return Allowed(
        (f"$JS.API.CONSUMER.CREATE.{stream}.*.{pattern}", f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*")
    )


def taking(queue: str, topic: str) -> Allowed:
    """`take` from one topic of a queue: its consumer is of that name and filter, or is none."""
    name = work_consumer(topic)
    made = f"$JS.API.CONSUMER.CREATE.{queue}.{name}.{work_subject(queue, topic)}"
    asked = f"$JS.API.CONSUMER.MSG.NEXT.{queue}.{name}"
    return Allowed((f"$JS.API.STREAM.INFO.{queue}", made, asked, f"$JS.ACK.{queue}.{name}.>"))


def putting(queue: str, topic: str) -> Allowed:
    return Allowed((f"$JS.API.STREAM.INFO.{queue}", work_subject(queue, topic)))


def listing() -> Allowed:
    """`streams`."""
    return Allowed(("$JS.API.STREAM.NAMES",))


def purging(stream: str) -> Allowed:
    return Allowed((f"$JS.API.STREAM.PURGE.{stream}",))


def making(stream: str) -> Allowed:
    """`ensure_stream` and `last` of a connection that is not scoped."""
    verbs = ("INFO", "CREATE", "UPDATE", "MSG.GET")
    return Allowed(tuple(f"$JS.API.STREAM.{verb}.{stream}" for verb in verbs))
