"""What steps, peers and values are called in generated code."""

from __future__ import annotations

from collections.abc import Iterable

from ..machine import Action, Machine, Peer
from ..timing import UNTIMED, duration
from ..tree import Attribute, Expr, Literal_, Message, Name
from .actions import Doings, Receiving
from .names import camel
from .payloads import Payload

LONGEST = 48
"""The longest name of a state, if its role's name lets it be."""


def summary(doings: Doings) -> str:
    """What can be done in a state, in words."""
    parts = [f"send {s.action.label} to {s.action.peer}" for s in doings.sends]
    parts += [f"choose {c.branch}" for c in doings.choices]
    for receive in doings.receives:
        if receive.action is None:
            parts.append(f"learn of {receive.label}")
        else:
            parts.append(f"receive {receive.label} from {receive.action.peer}")
    return " or ".join([*parts, *["end"] * doings.may_end])


def when(action: Action) -> str:
    """`, once 5s have passed`: the times of a step, after the word for it."""
    timing = action.timing or UNTIMED
    if timing.opens:
        return f", once {duration(timing.late)} have passed"
    limits = timing.closes or tuple(bound for bound in timing.bounds if not bound.block)
    return f", within {duration(min(b.seconds for b in limits))}" if limits else ""


def state_name(prefix: str, doings: Doings, number: int) -> str:
    """`BuyerAwaitsQuote`, `SellerSendsAcceptOrReject`: a state by what can be done in it.

    So a step that is added elsewhere changes no name that a program uses. What would be too
    long is cut, and where even that does not help, the state has its `number`.
    """
    sends = [s.action.label for s in doings.sends] + [c.branch for c in doings.choices]
    receives = [r.label for r in doings.receives]
    for shown in (3, 2, 1):
        said = [f"Sends{_either(sends, shown)}"] * bool(sends)
        said += [f"Awaits{_either(receives, shown)}"] * bool(receives)
        name = prefix + "Or".join(said)
        if len(name) <= LONGEST:
            return name
    return f"{prefix}State{number}"


def _either(labels: list[str], shown: int) -> str:
    words = [camel(label) for label in dict.fromkeys(labels)]
    return "Or".join(words if len(words) <= shown else [*words[:shown], "Others"])


def peer_name(peer: Peer) -> str:
    """`Worker`, `Worker0`, `WorkerNext`: a peer in a name."""
    if peer.relative:
        offset = peer.start if isinstance(peer.start, int) else 0
        near = {1: "Next", -1: "Previous"}.get(offset)
        return peer.role + (near or f"{'Plus' if offset >= 0 else 'Minus'}{abs(offset)}")
    if peer.every or peer.start is None:
        return peer.role
    return peer.role + "To".join(bound_name(b) for b in (peer.start, peer.stop) if b is not None)


def bound_name(bound: int | str) -> str:
    """`3`, `Threshold`, `NMinus1`: a bound in a name."""
    text = str(bound).replace("+", "Plus").replace("-", "Minus").replace(".", "_")
    return text[:1].upper() + text[1:]


def received_type(payload: Payload, action: Action) -> str:
    """What receiving hands over: of a gather, a payload for each index."""
    return f"dict[int, {payload.type}]" if action.peer.is_collective else payload.type


def value_of(raw: str, payload: Payload, action: Action) -> str:
    """The expression for the payload as its type says; only named fields need one."""
    if not payload.struct:
        return raw
    return f"{'gathered' if action.peer.is_collective else 'record'}({payload.struct}, {raw})"


def pattern(receive: Receiving) -> str:
    """What `Received` shows of this message and no other of the same state."""
    if receive.action is None or receive.place < 0:
        return f'"{receive.label}", _, _'
    peer = receive.action.peer
    index = "_"
    if isinstance(peer.start, int) and not peer.is_collective and not peer.relative:
        index = str(peer.start)
    return f'"{receive.label}", "{peer.role}", {index}'


def names_in(expression: Expr) -> list[str]:
    """The names in an expression; of `a.b` the first."""
    found, waiting = list[str](), [expression]
    while waiting:
        match waiting.pop():
            case Name(name=name):
                found.append(name)
            case Attribute(value=value):
                waiting.append(value)
            case Literal_():
                pass
            case operation:
                waiting += operation.operands
    return found


def messages(machine: Machine) -> Iterable[Message]:
    """The messages of a machine that carry a payload."""
    return (t.action.message for t in machine.transitions if not t.action.selection)
