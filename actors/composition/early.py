"""What has come of a family's messages, before all of it has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from ...broker.errors import FrameError
from ...effects.pipeline.pipeline import Heard
from ...language.errors import PavaneError
from ...language.table import Step
from ..around import opened
from ..endpoint.endpoint import Endpoint
from ..endpoint.listener import unfit
from ..endpoint.seat import Seat
from ..mailbox.inlet import Inlet


async def early(
    me: Endpoint, label: str, *, quorum: int | None = None, timeout: float | None = None
) -> dict[int, Any]:
    """The payloads of `label` that have come from a family so far, by index: as soon as `quorum`
    instances have sent it, else all of them; after `timeout` seconds, those that have until then.

    It takes no step. The protocol still owes the messages, and `me.receive(label)` reads every one
    of them: this is for what the role can do meanwhile. In a durable session what it came to is
    recorded. Raises `ProtocolViolation` where no family may say `label` now, or where a payload
    does not fit; `CapabilityDenied` for a sender that may not say it.
    """
    seat = me.seat
    steps = [
        s for s in seat.monitor.state.receives.get(label, ()) if s.peer_role in _families(seat)
    ]
    if not steps:
        raise seat.monitor.refuse(f"?{label} of a family", None)
    everyone = {inlet.index: (step, inlet) for step in steps for inlet in _inlets(seat, step)}
    wanted = len(everyone) if quorum is None else min(quorum, len(everyone))

    async def come() -> dict[int, Any]:
        try:
            async with asyncio.timeout(timeout):
                while len(found := _here(everyone, label)) < wanted:
                    await seat.mailbox.arrival()
        except TimeoutError:
            found = _here(everyone, label)
        return {index: _read(seat, *everyone[index]) for index in found}

    if seat.settle is None:
        raw = await come()
    else:
        raw = {int(i): value for i, value in (await me.run(come, name=f"early {label}")).items()}
    unpack = seat.part.moves[steps[0].number].unpack
    return {index: unpack(value) for index, value in sorted(raw.items())}


def _families(seat: Seat) -> set[str]:
    return {role for role, size in seat.part.sizes.items() if size is not None}


def _inlets(seat: Seat, step: Step) -> Iterator[Inlet]:
    for index in step.partners(seat.role, seat.index):
        inlet = seat.mailbox.inlet(step.peer_role, index)
        assert inlet is not None, "a machine hears whom it receives from"
        yield inlet


def _here(everyone: dict[int, tuple[Step, Inlet]], label: str) -> list[int]:
    """Whose next message it is."""
    return [
        index for index, (_, inlet) in everyone.items() if inlet.queue and inlet.head.label == label
    ]


def _read(seat: Seat, step: Step, inlet: Inlet) -> Any:
    """A payload in plain form, its sender checked, without taking the message."""
    move = seat.part.moves[step.number]
    sender = seat.identity_of(inlet.role, inlet.index)
    if move.arrival is not None:
        heard = Heard(when=inlet.heard)
        seat.session.pipeline.check_arrival(step.action, inlet.token or b"", sender, heard)
    payload = inlet.head.payload
    try:
        if seat.codec is not None:
            payload = opened(seat.codec, sender, seat.role, step.label, payload)
        raw = move.read(payload)
        move.unpack(raw)
    except (FrameError, PavaneError) as error:
        raise unfit(seat, inlet, step, error) from error
    return raw
