"""Full merging: what a class may do where several continuations are possible.

Every alternative is one silent outcome of the choices of others. Sends merge where all
alternatives allow the same ones; receives from one sender merge to their union; an end merges
with ends only. (Full merging is that of Demangeon and Honda, Nested Protocols in Session Types,
CONCUR 2012, section 3; taking it over sets of graph nodes makes it coinductive, as in Li, Stutz,
Wies and Zufferey, Complete Multiparty Session Type Projection with Automata, CAV 2023.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import structs

from .machine import Action, Peer
from .tree import Message
from .view import Heads

Key = tuple[bool, Peer, str]


@dataclass(slots=True)
class Move:
    """An action and the heads that the class can be at after it.

    `onwards` is the graph node after the message: where the target's decisions are looked up.
    """

    action: Action
    target: Heads
    onwards: int = field(default=-1, compare=False)
    key: Key = field(init=False, compare=False)

    def __post_init__(self) -> None:
        action = self.action
        self.key = (action.sends, action.peer, action.message.label)


@dataclass(frozen=True, slots=True)
class Clash:
    """Why alternatives do not merge: the first two, in words.

    `choices` are the choices of others, by node number, that the role does not know the outcome
    of; the outermost first. `hint` says what to do, where that is special.
    """

    reason: str
    one: str = ""
    other: str = ""
    choices: tuple[int, ...] = ()
    hint: str = ""


@dataclass(slots=True)
class Alternative:
    """One continuation: what can be done, and whether the role's part may be over.

    `clash` is set where its own beginning does not merge.
    """

    moves: list[Move] = field(default_factory=list[Move])
    ends: bool = False
    interleaved: bool = False
    clash: Clash | None = None


def merge(alternatives: Sequence[Alternative]) -> Alternative:
    """All alternatives as one, with the clash if they do not merge."""
    if len(alternatives) == 1 and len(alternatives[0].moves) < 2:
        return alternatives[0]
    first, *others = alternatives
    for other in alternatives:
        clash = other.clash or (_clash(first, other) if others else None)
        if clash:
            return Alternative(clash=clash)
    moves: dict[Key, Move] = {}
    for alternative in alternatives:
        for move in _distinct(alternative.moves):
            if isinstance(move, Clash):
                return Alternative(clash=move)
            known = moves.get(move.key)
            if known is None:
                moves[move.key] = move
                continue
            joined = _joined(known, move)
            if isinstance(joined, Clash):
                return Alternative(clash=joined)
            moves[move.key] = joined
    interleaved = any(a.interleaved for a in alternatives)
    return Alternative(list(moves.values()), any(a.ends for a in alternatives), interleaved)


def _distinct(moves: Sequence[Move]) -> Sequence[Move | Clash]:
    """The moves, or a clash where two branches of one's own choice begin alike."""
    if len({move.key for move in moves}) == len(moves):
        return moves
    seen: dict[Key, Move] = {}
    result = list[Move | Clash]()
    for move in moves:
        twin = seen.get(move.key)
        if twin is not None and twin != move:
            result.append(
                Clash(
                    "two branches begin with the same message", str(twin.action), str(move.action)
                )
            )
        seen[move.key] = move
        result.append(move)
    return result


def _clash(one: Alternative, other: Alternative) -> Clash | None:
    if not one.moves and not other.moves:
        return None
    if not one.moves or not other.moves or one.ends != other.ends:
        return Clash("its part is over in one branch and not in the other", text(one), text(other))
    if one.interleaved or other.interleaved:
        same = {m.key for m in one.moves} == {m.key for m in other.moves}
        return None if same else Clash("parallel steps differ", text(one), text(other))
    if one.moves[0].action.sends != other.moves[0].action.sends:
        return Clash("it sends in one branch and receives in the other", text(one), text(other))
    if one.moves[0].action.sends:
        if {m.key for m in one.moves} != {m.key for m in other.moves}:
            return Clash("it would have to send different messages", text(one), text(other))
    elif one.moves[0].action.peer != other.moves[0].action.peer:
        return Clash("it would wait for different senders", text(one), text(other))
    return None


def _joined(one: Move, other: Move) -> Move | Clash:
    """The same step in two alternatives, with the places it can lead to."""
    left, right = one.action, other.action
    if _declared(left.message) != _declared(right.message):
        return Clash("one message has two payload types", text_of(left), text_of(right))
    if left.annotations != right.annotations or left.guards != right.guards:
        return Clash("one message has two sets of annotations", text_of(left), text_of(right))
    branches = left.branches if left.branches == right.branches else ()
    step = min(left.step, right.step)
    action = left
    if (step, branches) != (left.step, left.branches):
        action = structs.replace(left, step=step, branches=branches)
    return Move(action, one.target | other.target)


def _declared(message: Message) -> tuple[object, ...]:
    return (message.label, message.generics, message.fields)


def text_of(action: Action) -> str:
    """`sends Vote to Leader`, `receives Vote from Followers[*]`."""
    if action.sends:
        return f"sends {action.label} to {action.peer}"
    return f"receives {action.label} from {action.peer}"


def text(alternative: Alternative) -> str:
    """An alternative in words."""
    if not alternative.moves:
        return "is over"
    return " or ".join(dict.fromkeys(text_of(m.action) for m in alternative.moves))
