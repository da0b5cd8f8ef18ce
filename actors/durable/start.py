"""The beginning of a durable session: one record, and the units that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...broker.codec import Codec
from ...broker.contract import Broker
from ...broker.errors import WrongSequence
from ...broker.payload import pack
from ...broker.surroundings import now
from ..cast import Cast
from ..devices import Devices
from . import records
from .assignment import Assignment
from .errors import OtherSession
from .history import read
from .names import Place, captured
from .records import Started
from .sealing import INPUT, Sealing

Block = tuple[str, int, int]
"""A role, the first of its instances in the block, and the end."""


def whole(cast: Cast) -> list[Block]:
    """Each role in one block."""
    return [(role, 0, size or 1) for role, size in cast.sizes.items()]


async def start(
    broker: Broker,
    cast: Cast,
    session: str,
    *,
    given: Any = None,
    devices: Mapping[str, tuple[str, ...]] | None = None,
    blocks: Iterable[Block] | None = None,
    codec: Codec | None = None,
    trace: str = "",
) -> tuple[bool, list[Assignment]]:
    """Start a session and return its units, and whether it is new: starting it once more, after
    a crash, changes nothing and returns the units that it began with.

    The namespace's stream has to be there. Raises `OtherSession` where a session of this name
    was started with another protocol, other counts or another input, and `Unreadable`.
    """
    place = Place(cast.namespace, cast.name, session)
    found: Devices = dict(devices or {})
    sealing = Sealing(codec, place)
    begun = Started(
        cast.fingerprint,
        dict(cast.bindings),
        list(blocks if blocks is not None else whole(cast)),
        sealing.seal(None, INPUT, pack(given)),
        dict(found),
        now(),
        trace,
    )
    data = records.pack(begun)
    try:
        await broker.append(
            place.stream, place.operator, data, message_id=f"{place.operator}.{begun.time}",
            expected=0,
        )  # fmt: skip
    except WrongSequence:
        before = await started(broker, place)
        _same(session, before, begun, sealing)
        return False, units(place, before)
    return True, units(place, begun)


async def started(broker: Broker, place: Place) -> Started:
    """How a session was started. Raises `NoSuchSession`, `SessionPurged`."""
    history = await read(broker, place, place.operator)
    return history.check()


def units(place: Place, begun: Started) -> list[Assignment]:
    return [
        Assignment(
            namespace=place.namespace,
            protocol=place.protocol,
            fingerprint=begun.fingerprint,
            session=place.session,
            role=role,
            start=first,
            stop=stop,
            bindings=begun.bindings,
            input=begun.input,
            devices={role: begun.devices[role]} if role in begun.devices else {},
            trace=begun.trace,
        )
        for role, first, stop in begun.blocks
    ]


def _same(session: str, before: Started, now: Started, sealing: Sealing) -> None:
    for what, first, second in (
        ("version of the protocol", before.fingerprint, now.fingerprint),
        ("count", before.bindings, now.bindings),
        ("list of identities", before.devices, now.devices),
    ):
        if first != second:
            raise OtherSession(session, what)
    if sealing.open(None, INPUT, before.input) != sealing.open(None, INPUT, now.input):
        # What was sealed with a codec that is not here is no other input.
        sealing.value(None, INPUT, before.input)
        raise OtherSession(session, "input")


async def prepare(broker: Broker, namespace: str) -> None:
    """Have the stream of a namespace's sessions."""
    await broker.ensure_stream(Place(namespace, "-", "-").stream, captured(namespace))
