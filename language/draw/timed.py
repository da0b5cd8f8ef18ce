"""The times of a protocol and of its machines, in words for people."""

from __future__ import annotations

from collections.abc import Iterator

from ..annotations import timeout
from ..machine import Action, Machine
from ..timing import UNTIMED, Bound, duration
from ..tree import Annotation, Branch, Send


def step_text(action: Action) -> str:
    """`Clerk!Late [after 5s]`: a step, and when it may or must be taken."""
    said = [f"{_WORDS[word]} {duration(seconds)}" for word, seconds in times(action)]
    return f"{action} [{', '.join(said)}]" if said else str(action)


_WORDS = {"after": "after", "before": "before", "within": "within", "block": "block within"}


def times_json(machine: Machine) -> list[dict[str, object]]:
    """One entry for each transition that is timed: `{"transition": 2, "after": 5.0}`, where
    `transition` is its place in the list of transitions and all times are in seconds."""
    return [
        {"transition": place, **said}
        for place, transition in enumerate(machine.transitions)
        if (said := dict(times(transition.action)))
    ]


def times(action: Action) -> Iterator[tuple[str, float]]:
    """`after` and `before` for a branch of a choice with a timeout, counted from when the choice is
    reached; `within` for a step, counted from when it is the next; `block` for the blocks that
    it is in, the shortest."""
    timing = action.timing or UNTIMED
    if timing.opens:
        yield "after", max(bound.seconds for bound in timing.opens)
    if timing.closes:
        yield "before", min(bound.seconds for bound in timing.closes)
    yield from _shortest("within", [bound for bound in timing.bounds if not bound.block])
    yield from _shortest("block", [bound for bound in timing.bounds if bound.block])


def _shortest(word: str, bounds: list[Bound]) -> Iterator[tuple[str, float]]:
    if bounds:
        yield word, min(bound.seconds for bound in bounds)


def branch_text(branch: Branch) -> str:
    """`approve`, `timeout(5s)`."""
    if branch.timeout is None:
        return branch.label
    return f"{branch.label}({duration(branch.timeout.seconds)})"


def block_text(text: str, annotations: tuple[Annotation, ...]) -> str:
    """A block's heading with its time: `3 times, within 5s`."""
    seconds = timeout(annotations)
    return f"{text}, within {duration(seconds)}" if seconds else text


def message_times(send: Send) -> str:
    """` [within 5s]`, ` [sent within 5s, received within 6s]`; empty where there is none."""
    both = timeout(send.annotations)
    sender = timeout(send.sender_annotations) or both
    receiver = timeout(send.receiver_annotations) or both
    if sender and sender == receiver:
        return f" [within {duration(sender)}]"
    sides = (("sent", sender), ("received", receiver))
    said = [f"{side} within {duration(seconds)}" for side, seconds in sides if seconds]
    return f" [{', '.join(said)}]" if said else ""
