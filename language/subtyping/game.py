"""The configurations of two machines and the moves between them.

The candidate leads. What it has sent and the original has not waits in one queue per receiver;
what the original has received and the candidate has not, in one queue per sender. The original
sends as soon as what it would send is there, and receives only when the candidate needs it to,
every message that it could receive being tried. So a candidate may send earlier than the original,
past receives and past sends to others, and receive earlier than receives from others; it may never
receive before a send that the original does first (Ghilezan et al., POPL 2021, section 3; for
two sides the relation of Bravetti et al., LMCS 2021, definition 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .side import Side
from .words import Word, head, popped, pushed

Queues = tuple[tuple[str, Word], ...]
"""The queues that are not empty, by peer."""
Configuration = tuple[int, int, Queues, Queues, bool]
"""The candidate's state, the original's, what is sent ahead, what is received ahead, and whether
the original went past a choice in a way that it might have gone past differently."""

Kind = Literal["send", "match", "demand", "take", "both"]
Successor = tuple[Kind, str, str, Configuration]
"""What was done, with whom, the label, and what it leads to. `send` and `take` are the candidate's,
`match` and `demand` the original's, `both` is a receive that both do."""

START: Configuration = (0, 0, (), (), False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a configuration must not be reached; `certain` when it refutes the candidate."""

    reason: str
    certain: bool = True


class Game:
    """`keep` is the length of the summaries of queues, 0 for none; `tags` tells letters apart by
    nothing (0), the sending state (1), or both states (2) where they were put into a queue."""

    def __init__(self, candidate: Side, original: Side, keep: int, tags: int) -> None:
        self._new = candidate
        self._old = original
        self._keep = keep
        self._tags = tags

    def moves(self, here: Configuration) -> list[Successor] | Wrong:
        """All that can happen here; no move at all where both have ended well."""
        new, old, sent, _, doubt = here
        if self._old.kinds[old] == "send" and sent:
            settled = self._settle(here)
            if settled:
                return settled
        wrong = self._never(here)
        if wrong is not None:
            return Wrong(wrong.reason, wrong.certain and not doubt)
        match self._new.kinds[new]:
            case "end":
                return self._ended(here) or []
            case "send":
                return self._send(here)
            case _:
                return self._receive(here)

    def _settle(self, here: Configuration) -> list[Successor] | Wrong | None:
        """The sends of the original that the candidate has done already."""
        new, old, sent, received, doubt = here
        ahead = dict(sent)
        choices = self._old.edges[old]
        found = list[Successor]()
        mismatch = ""
        for peer, labels in choices.items():
            word = ahead.get(peer)
            if word is None:
                continue
            label, _ = head(word)
            if label not in labels:
                mismatch = mismatch or _mismatch(peer, label, labels)
                continue
            unsure = doubt or (len(choices) > 1 and not self._old.commutes(old, peer, label))
            for rest in popped(word):
                left = _put(sent, peer, rest)
                found.append(("match", peer, label, (new, labels[label], left, received, unsure)))
        if not found and mismatch and all(peer in ahead for peer in choices):
            return Wrong(mismatch, not doubt)
        return found

    def _never(self, here: Configuration) -> Wrong | None:
        """What waits for something that can no longer come."""
        new, old, sent, received, _ = here
        if self._old.kinds[old] == "odd":
            return Wrong(_odd("original", old), certain=False)
        if self._new.kinds[new] == "odd":
            return Wrong(_odd("candidate", new), certain=False)
        for peer, word in sent:
            if old not in self._old.reaches(True, peer):
                step = f"{peer}!{head(word)[0]}"
                return Wrong(f"the candidate has sent {step}, which the original never sends here")
        for peer, word in received:
            if new not in self._new.reaches(False, peer):
                step = f"{peer}?{head(word)[0]}"
                return Wrong(f"{step} arrives, and the candidate never receives it")
        return None

    def _ended(self, here: Configuration) -> Wrong | None:
        _, old, _, _, doubt = here
        if self._old.kinds[old] == "end":
            return None
        return Wrong(
            f"the candidate ends where the original goes on with {self._next(old)}", not doubt
        )

    def _send(self, here: Configuration) -> list[Successor] | Wrong:
        new, old, sent, received, doubt = here
        kind = self._old.kinds[old]
        if kind == "end":
            return Wrong("the candidate sends where the original has ended", not doubt)
        awaited = frozenset[str]()
        if kind == "send":
            awaited = frozenset(self._old.edges[old]).difference(peer for peer, _ in sent)
        if new in self._new.runs_without(True, awaited):
            reason = "the candidate can go on sending for ever, and never does what the original"
            return Wrong(f"{reason} does next: {self._next(old)}", not doubt)
        found = list[Successor]()
        for peer, label, target in self._new.leaving(new):
            more = pushed(_get(sent, peer), self._letter(label, new, old), self._keep)
            left = _put(sent, peer, more)
            found.append(("send", peer, label, (target, old, left, received, doubt)))
        return found

    def _receive(self, here: Configuration) -> list[Successor] | Wrong:
        new, old, sent, received, doubt = here
        wanted = self._new.edges[new]
        found = list[Successor]()
        certain = not doubt and len(wanted) == 1
        for peer, word in received:
            if peer not in wanted:
                continue
            label, _ = head(word)
            if label not in wanted[peer]:
                return Wrong(_unexpected(peer, label, wanted[peer]), certain)
            target = wanted[peer][label]
            for rest in popped(word):
                left = _put(received, peer, rest)
                found.append(("take", peer, label, (target, old, sent, left, doubt)))
        return found or self._demand(here, certain)

    def _demand(self, here: Configuration, certain: bool) -> list[Successor] | Wrong:
        """The original has to receive what the candidate waits for, or what comes before it."""
        new, old, sent, received, doubt = here
        wanted = self._new.edges[new]
        peers = " or ".join(sorted(map(_named, wanted)))
        match self._old.kinds[old]:
            case "end":
                return Wrong(
                    f"the candidate waits for {peers} where the original has ended", not doubt
                )
            case "send":
                first = f"the original first does {self._next(old)}"
                return Wrong(f"the candidate waits for {peers}, but {first}", not doubt)
            case _:
                pass
        if old in self._old.runs_without(False, frozenset(wanted)):
            return Wrong(f"the candidate may wait for ever for {peers}", not doubt)
        found = list[Successor]()
        for peer, label, target in self._old.leaving(old):
            if peer not in wanted:
                more = pushed(_get(received, peer), self._letter(label, old, new), self._keep)
                left = _put(received, peer, more)
                found.append(("demand", peer, label, (new, target, sent, left, doubt)))
            elif label not in wanted[peer]:
                return Wrong(_unexpected(peer, label, wanted[peer]), certain)
            else:
                there = (wanted[peer][label], target, sent, received, doubt)
                found.append(("both", peer, label, there))
        return found

    def _letter(self, label: str, own: int, other: int) -> tuple[str, int]:
        if self._tags == 0:
            return label, 0
        return label, own if self._tags == 1 else own + other * len(self._new.kinds)

    def _next(self, state: int) -> str:
        sign = "!" if self._old.kinds[state] == "send" else "?"
        steps = [f"{peer}{sign}{label}" for peer, label, _ in self._old.leaving(state)]
        return " or ".join(steps[:4]) + (" or others" if len(steps) > 4 else "")


def _get(queues: Queues, peer: str) -> Word:
    return next((word for other, word in queues if other == peer), ())


def _put(queues: Queues, peer: str, word: Word) -> Queues:
    others = [pair for pair in queues if pair[0] != peer]
    if word != ():
        others.append((peer, word))
        others.sort(key=_peer)
    return tuple(others)


def _peer(queue: tuple[str, Word]) -> str:
    return queue[0]


def _named(peer: str) -> str:
    return peer or "the other side"


def _odd(which: str, state: int) -> str:
    return (
        f"state {state} of the {which} mixes sends and receives, or it can both end and go on, "
        "or neither"
    )


def _mismatch(peer: str, label: str, labels: dict[str, int]) -> str:
    allowed = " or ".join(sorted(labels)[:4])
    return f"the candidate sends {label} to {_named(peer)} where the original sends {allowed}"


def _unexpected(peer: str, label: str, labels: dict[str, int]) -> str:
    allowed = " or ".join(sorted(labels)[:4])
    return f"{label} can come from {_named(peer)}, and the candidate only receives {allowed}"
