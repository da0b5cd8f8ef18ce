"""Full merging: what a class may do where several continuations are possible.

Every alternative is one silent outcome of the choices of others. Sends merge where all
alternatives allow the same ones; receives from one sender merge to their union; an end merges
with ends only. (Full merging is that of Demangeon and Honda, Nested Protocols in Session Types,
CONCUR 2012, section 3; taking it over sets of graph nodes makes it coinductive, as in Li, Stutz,
Wies and Zufferey, Complete Multiparty Session Type Projection with Automata, CAV 2023.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from msgspec import Struct, structs

from .annotations import effective, value_text
from .machine import Action, Peer
from .meaning import alike, declaration
from .timing import UNTIMED, joined
from .view import Heads

Key = tuple[bool, Peer, str]


class Move(Struct, frozen=True, gc=False):
    """An action and the heads that the class can be at after it.

    `onwards` is the graph node after the message: where the target's decisions are looked up.
    """

    action: Action
    target: Heads
    onwards: int = -1

    @property
    def key(self) -> Key:
        action = self.action
        return (action.sends, action.peer, action.message.label)


@dataclass(frozen=True, slots=True)
class Clash:
    """Why alternatives do not merge: the first two, in words.

    `choices` are the choices of others, by node number, that the role does not know the outcome
    of; the outermost first. `own` is the choice of the role itself whose branches are at fault.
    `hint` says what to do, where that is special.
    """

    reason: str
    one: str = ""
    other: str = ""
    choices: tuple[int, ...] = ()
    own: int | None = None
    hint: str = ""


SILENT = Clash(
    "it decides, and does not begin the branch with a message of its own",
    hint="let the role that decides send something first, in every branch and every round",
)


ROUND = Clash("it could go round without a message")
OWED = Clash(
    "what it does after the `parallel` is never reached in one branch, and in another it is"
)


class Alternative(Struct, gc=False):
    """One continuation: what can be done, and whether the role's part may be over.

    `clash` is set where its own beginning does not merge.
    """

    moves: list[Move] = []
    ends: bool = False
    interleaved: bool = False
    clash: Clash | None = None


def merge(alternatives: Sequence[Alternative], keys: Collection[str] = ()) -> Alternative:
    """All alternatives as one, with the clash if they do not merge.

    `keys` are the annotation keys of extensions. Of annotations that come to the same, those of the
    first statement stay.
    """
    first, *others = alternatives
    if not others and (len(first.moves) < 2 or _all_differ(first.moves)):
        return first
    if told := _told_apart(alternatives):
        return Alternative(told)
    clash = first.clash
    for other in others:
        clash = clash or other.clash or _clash(first, other)
    if clash:
        return Alternative(clash=clash)
    moves: dict[Key, Move] = {}
    for alternative in alternatives:
        for move in distinct(alternative.moves):
            if isinstance(move, Clash):
                return Alternative(clash=move)
            key = move.key
            known = moves.get(key)
            joined = move if known is None else _joined(known, move, keys)
            if isinstance(joined, Clash):
                return Alternative(clash=joined)
            moves[key] = joined
    interleaved = any(a.interleaved for a in alternatives)
    return Alternative(list(moves.values()), any(a.ends for a in alternatives), interleaved)


def _told_apart(alternatives: Sequence[Alternative]) -> list[Move]:
    """The moves of alternatives that merge for sure: each begins with one message from the same sender,
    all with different labels. Empty where more has to be asked."""
    moves = list[Move]()
    for one in alternatives:
        if len(one.moves) != 1 or one.ends or one.interleaved or one.clash:
            return []
        moves.append(one.moves[0])
    labels = set[str]()
    peer = moves[0].action.peer
    for action in [move.action for move in moves]:
        if action.sends or (action.peer is not peer and action.peer != peer):
            return []
        labels.add(action.message.label)
    return moves if len(labels) == len(moves) else []


def distinct(moves: Sequence[Move]) -> Sequence[Move | Clash]:
    """The moves, or a clash where two branches of one's own choice begin alike."""
    if len(moves) < 2 or _all_differ(moves):
        return moves
    seen: dict[Key, Move] = {}
    result = list[Move | Clash]()
    for move in moves:
        twin = seen.get(move.key)
        if twin is not None and (twin.action, twin.target) != (move.action, move.target):
            result.append(
                Clash(
                    "two branches begin with the same message",
                    text_of(twin.action),
                    text_of(move.action),
                    hint="begin each branch with a message of its own",
                )
            )
        seen[move.key] = move
        result.append(move)
    return result


def _all_differ(moves: Sequence[Move]) -> bool:
    return len({move.key for move in moves}) == len(moves)


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


def _joined(one: Move, other: Move, keys: Collection[str]) -> Move | Clash:
    """The same step in two alternatives, with the places it can lead to."""
    left, right = one.action, other.action
    if left.message != right.message and not alike(left.message, right.message):
        return Clash("one message has two payload types", _typed(left), _typed(right))
    if left.guards != right.guards:
        return Clash("one message has two guards", text_of(left), text_of(right))
    if left.annotations != right.annotations and not _act_alike(left, right, keys):
        return Clash("one message has two sets of annotations", _noted(left), _noted(right))
    if not _same_windows(left, right):
        return Clash("one message has two sets of times", text_of(left), text_of(right))
    timing = joined(left.timing, right.timing)
    branches = left.branches if left.branches == right.branches else ()
    action = left if left.step <= right.step else right
    if (branches, timing) != (action.branches, action.timing):
        action = structs.replace(action, branches=branches, timing=timing)
    return Move(action, one.target | other.target)


def _act_alike(one: Action, other: Action, keys: Collection[str]) -> bool:
    """Whether the role does the same about the annotations of both."""
    left, right = (effective(step.annotations, keys, sends=step.sends) for step in (one, other))
    return left == right


def _same_windows(one: Action, other: Action) -> bool:
    """Whether two steps are the first of branches that may be taken at the same times."""
    left, right = one.timing or UNTIMED, other.timing or UNTIMED
    return (left.opens, left.closes) == (right.opens, right.closes)


def text_of(action: Action, said: str = "") -> str:
    """`sends Vote to Leader`, `receives Vote from Followers[*]`."""
    if action.sends:
        return f"sends {said or action.label} to {action.peer}"
    return f"receives {said or action.label} from {action.peer}"


def _typed(action: Action) -> str:
    """`receives Vote(int) from Followers[*]`."""
    return text_of(action, declaration(action.message))


def _noted(action: Action) -> str:
    """`sends Vote to Leader with priority = 1`."""
    notes = ", ".join(f"{note.key} = {value_text(note)}" for note in action.annotations)
    return f"{text_of(action)} with {notes or 'none'}"


def text(alternative: Alternative) -> str:
    """An alternative in words."""
    if not alternative.moves:
        return "is over"
    return " or ".join(dict.fromkeys(text_of(m.action) for m in alternative.moves))
