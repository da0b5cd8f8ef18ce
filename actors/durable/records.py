"""What stands in the log of a durable session besides the frames of its messages.

A word to the session, or a fence, is one struct in msgpack, tagged with its kind. A record of
a unit's own log is a list of steps, in the order in which they were taken. Fields are only ever
added at the end, with a default, so that an old log can be read.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

NIL = b"\xc0"


class _Record(msgspec.Struct, array_like=True, frozen=True):
    """Arrays, as frames are: `[kind, ...]`."""


# --- words to the session, and fences ------------------------------------------------------


class Started(_Record, frozen=True, tag="started"):
    """The first record of a session. `blocks` are its units: role, first instance, end.

    `input` is packed and sealed; `time` is the starter's, in seconds since 1970.
    `trace` is the context of its trace, where it is traced.
    """

    fingerprint: bytes
    bindings: dict[str, int]
    blocks: list[tuple[str, int, int]]
    input: bytes = NIL
    devices: dict[str, tuple[str, ...]] = {}
    time: float = 0.0
    trace: str = ""


class Cancelled(_Record, frozen=True, tag="cancelled"):
    """Everyone is to stop at the next step."""

    reason: str
    time: float = 0.0


class Purged(_Record, frozen=True, tag="purged"):
    """What is kept of a session whose log was removed: that there was one. `roles` are those it had
    units of."""

    roles: list[str]
    time: float = 0.0


class Taken(_Record, frozen=True, tag="taken"):
    """A worker plays the unit from now on. `incarnation` counts from 1.

    `put` is how often the unit had been put on the queue, `delivery` how often the item that the
    worker has was given out, `item` that item's number; all are 0 where there is no queue. With
    `left` this incarnation has stopped playing of its own accord: nobody plays the unit until it is
    taken again. `yielded` counts how often that was to let others have its place.
    """

    incarnation: int
    stop: int
    worker: str = ""
    time: float = 0.0
    put: int = 0
    delivery: int = 0
    left: bool = False
    yielded: int = 0
    item: int = 0


class Tallied(_Record, frozen=True):
    """What one instance came to: its value, packed and sealed, and its counts."""

    value: bytes = NIL
    sent: int = 0
    received: int = 0
    charged: int = 0
    facts: list[str] = []
    denials: list[str] = []


class Done(_Record, frozen=True, tag="done"):
    """Instances of a unit are at their ends. `last` with the last of the unit's."""

    ended: dict[int, Tallied]
    last: bool = True
    time: float = 0.0


class Failed(_Record, frozen=True, tag="failed"):
    """The session is over because of `instance`: `error` is what happened there."""

    instance: str
    code: str
    reason: str
    time: float = 0.0


Word = Started | Cancelled | Purged | Taken | Done | Failed


# --- steps of a unit's own log ---------------------------------------------------------------
#
# `index` is the instance and `number` counts its steps from 1, in the order they were begun.


class Ran(_Record, frozen=True, tag="ran"):
    """What a call of `me.run` came to: a packed value, or an error by kind and text; where the
    session has a codec, `value` is sealed, or has the text, sealed."""

    index: int
    number: int
    name: str
    value: bytes = NIL
    error: str = ""
    reason: str = ""


class Looked(_Record, frozen=True, tag="now"):
    """A look at the clock, in seconds since 1970."""

    index: int
    number: int
    time: float


class Slept(_Record, frozen=True, tag="sleep"):
    """A sleep began that ends at `until`."""

    index: int
    number: int
    until: float


class Read(_Record, frozen=True, tag="read"):
    """Where several might have spoken, `role[sender]` was heard first."""

    index: int
    number: int
    role: str
    sender: int


class Refused(_Record, frozen=True, tag="refused"):
    """The effects refused a message; the `fields` of the error by name, as far as they pack, packed
    and sealed. `passed` annotated messages of the instance were not refused before; -1 where
    that was not recorded."""

    index: int
    number: int
    code: str
    fields: bytes
    passed: int = -1


class Merged(_Record, frozen=True, tag="merged"):
    """The journal of a sender was joined to the receiver's."""

    index: int
    number: int
    role: str
    sender: int


class Barred(_Record, frozen=True, tag="barred"):
    """The `message`-th message of `role[sender]` on its lane to the instance, or `to_all` of its family,
    was refused for want of a right; the error by `code` and `fields`, as in `Refused`. No step of the
    code: `number` is 0."""

    index: int
    number: int
    role: str
    sender: int
    to_all: bool
    message: int
    code: str
    fields: bytes


class Handed(_Record, frozen=True, tag="handed"):
    """A durable session was begun in the call `call`, which hands the work of the instance on to it.
    No step of the code: `number` is 0."""

    index: int
    number: int
    call: str
    namespace: str
    protocol: str
    session: str


class Timed(_Record, frozen=True, tag="timed"):
    """The instance's `move`-th step, or its beginning for 0, was taken at `time` (since 1970): the
    clocks that begin there run from then. No step of the code: `number` is 0."""

    index: int
    number: int
    move: int
    time: float


class Limited(_Record, frozen=True, tag="limited"):
    """A block of `me.deadline()`, the `block`-th, came to its end after `moves` steps of the
    protocol; `passed` if time was up. `open` are the steps of the code that were begun before and
    had not come to anything: what they were may not stand in the log."""

    index: int
    number: int
    block: int
    passed: bool
    time: float
    moves: int = 0
    open: list[int] = []


class Judged(_Record, frozen=True, tag="judged"):
    """Whether a branch might be taken at `time`: `verdict` is empty, `late` or `early`; then
    `seconds` are those of its timeout, and `wait` how long it is too early."""

    index: int
    number: int
    verdict: str
    time: float
    seconds: float = 0.0
    wait: float = 0.0


class Left(_Record, frozen=True, tag="left"):
    """A look at the time that is left, in seconds, or at whether a branch is open: 1 or 0."""

    index: int
    number: int
    seconds: float | None


Step = (
    Ran
    | Looked
    | Slept
    | Read
    | Refused
    | Merged
    | Barred
    | Handed
    | Timed
    | Limited
    | Judged
    | Left
)


def pack(record: Word) -> bytes:
    return _encoder.encode(record)


def unpack_word(data: bytes) -> Word:
    """Raises `msgspec.MsgspecError` for anything else."""
    return _words.decode(data)


def pack_steps(steps: Sequence[Step]) -> bytes:
    return _encoder.encode(steps)


def unpack_steps(data: bytes) -> list[Step]:
    """Raises `msgspec.MsgspecError` for anything else."""
    return _steps.decode(data)


_encoder = msgspec.msgpack.Encoder()
_words: msgspec.msgpack.Decoder[Word] = msgspec.msgpack.Decoder(Word)
_steps = msgspec.msgpack.Decoder(list[Step])
