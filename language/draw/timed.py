"""The times of a protocol and of its machines, in words for people."""

from __future__ import annotations

from ..annotations import timeout
from ..machine import Action, Machine
from ..timing import duration, times
from ..tree import Annotation, Branch, Send


def step_text(action: Action) -> str:
    """`Clerk!Late [after 5s]`: a step, and when it may or must be taken."""
    said = [f"{_WORDS[word]} {duration(seconds)}" for word, seconds in times(action.timing)]
    return f"{action} [{', '.join(said)}]" if said else str(action)


_WORDS = {"after": "after", "before": "before", "within": "within", "block": "block within"}


def times_json(machine: Machine) -> list[dict[str, object]]:
    """One entry for each transition that is timed: `{"transition": 2, "after": 5.0}`, where
    `transition` is its place in the list of transitions and all times are in seconds."""
    return [
        {"transition": place, **said}
        for place, transition in enumerate(machine.transitions)
        if (said := dict(times(transition.action.timing)))
    ]


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
