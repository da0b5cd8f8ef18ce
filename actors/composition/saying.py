"""Values said as a message's declaration wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...language.table import Step
from ..endpoint.endpoint import Endpoint


def allowed(me: Endpoint, label: str, *, sends: bool) -> Step | None:
    """The step of that message, where it may be taken now."""
    state = me.seat.monitor.state
    return next(iter((state.sends if sends else state.receives).get(label, ())), None)


async def say(me: Endpoint, label: str, value: Any) -> None:
    """Send `value`: a mapping as the fields of a message that names them, anything else as it
    is."""
    step = allowed(me, label, sends=True)
    if step is None or not any(field.name for field in step.action.message.fields):
        await (me.send(label) if value is None else me.send(label, value))
    elif isinstance(value, Mapping):
        fields: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]  # checked below
        await me.send_raw(label, me.seat.part.moves[step.number].pack((), fields))
    else:
        await me.send(label, value)
