"""What a role does that does not keep to the protocol, though its code does."""

from __future__ import annotations

import msgspec

from ..frame import encode
from .faults import Fault
from .link import Link
from .network import Network
from .trace import frame_of

More = list[tuple[str, bytes]]


def mischief(
    fault: Fault, network: Network, link: Link, subject: str, payload: bytes
) -> tuple[bytes, More]:
    """The frame as it leaves, and what is sent besides."""
    match fault.kind:
        case "wrong_label":
            return _relabelled(network, subject, payload), []
        case "forged_sender":
            return payload, _forged(network, link, subject, payload)
        case "replay":
            return payload, link.said[:1] or [(subject, payload)]
        case _:
            return payload, []


def _relabelled(network: Network, subject: str, payload: bytes) -> bytes:
    """The first message under a label that its receiver hears from others only, if from anybody.
    (One that it could have sent as well is no lie that anybody could find out.)"""
    frame = frame_of(payload)
    assert frame is not None, "only frames are struck"
    first, *rest = frame.messages
    _, _, role, _, _, sender, _ = subject.split(".")[:7]
    usual = network.labels.get((sender, role), frozenset())
    others = sorted(frozenset[str]().union(*network.labels.values()) - usual) or ["Nonsense"]
    wrong = msgspec.structs.replace(first, label=network.chance.choice(others))
    return encode(msgspec.structs.replace(frame, messages=(wrong, *rest)))


def _forged(network: Network, link: Link, subject: str, payload: bytes) -> More:
    """The same frame in the name of each role that is connected and is not played here."""
    names = subject.split(".")
    roles = sorted({role for other in network.links.values() for role in other.roles} - link.roles)
    return [(".".join((*names[:5], role, *names[6:])), payload) for role in roles]
