"""The form of a machine: what stays the same whatever its counts and bounds are bound to."""

from __future__ import annotations

from hashlib import blake2b

from ..machine import Action, Machine

SHAPE_BYTES = 8


def shape(machine: Machine) -> str:
    """Equal for two machines with the same states, steps and payloads, in the same order.

    Bounds and counts are left out: binding them gives a machine of the same shape, so that a
    module generated before they are known can be held against the machine that is played.
    """
    steps = [(t.source, _step(t.action), t.target) for t in machine.transitions]
    loops = [(s, c.loop, c.enters, c.body, c.exit) for s, c in sorted(machine.counters.items())]
    content = repr((machine.initial, sorted(machine.finals), steps, loops))
    return blake2b(content.encode(), digest_size=SHAPE_BYTES).hexdigest()


def _step(action: Action) -> tuple[object, ...]:
    message = action.message
    declared = (message.label, message.generics, message.fields)
    peer = (action.peer.role, action.peer.is_collective)
    return (action.sends, peer, declared, action.selection, action.broadcast)
