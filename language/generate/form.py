"""The form of a machine, held in a generated module: what its classes were made for.

The machine that is played has its counts bound, and can be smaller: a loop without rounds
leaves nothing, nor does a step with an empty range of instances. So a played state is matched
with the states of the form that allow the same steps now and ever after, which is a simulation
(Milner, An Algebraic Definition of Simulation between Programs, 1971) of reachable pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..machine import Action, Machine
from ..tree import Message
from ..types import show

RANGE = "[..]"
"""In the text of a step whose range of instances can be empty."""

Pair = tuple[int, int]
Pairs = Mapping[Pair, bool]
"""A played state and one of the form; False where that has an empty step to take first."""


@dataclass(frozen=True, slots=True)
class Form:
    """States from 0 on: the texts of their steps with targets, and where counters lead.

    Two steps with one text can be exchanged in a program; bounds and counts are left out.
    """

    steps: dict[int, list[tuple[str, int]]] = field(
        default_factory=lambda: defaultdict[int, list[tuple[str, int]]](list)
    )
    counters: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    finals: set[int] = field(default_factory=set[int])

    @classmethod
    def of(cls, machine: Machine) -> Form:
        """The form of a machine whose first state is 0, as that of all projections is."""
        form = cls()
        for transition in machine.transitions:
            text = step_text(transition.action)
            form.steps[transition.source].append((text, transition.target))
        for state in machine.counters:
            form.counters[state] = tuple(counter_targets(machine, state))
        form.finals.update(machine.finals)
        return form

    @classmethod
    def read(cls, text: str) -> Form:
        """What `text` wrote."""
        form = cls()
        for line in text.splitlines():
            before, _, after = line.rpartition(" -> ")
            state, _, step = before.partition(" ")
            if step == "loop":
                form.counters[int(state)] = tuple(map(int, after.split()))
            elif step:
                form.steps[int(state)].append((step, int(after)))
            else:
                form.finals.add(int(line.partition(" ")[0]))
        return form

    def text(self) -> str:
        """One line for each step, counter and final state."""
        lines = [
            (s, f"{s} {step} -> {to}") for s, steps in self.steps.items() for step, to in steps
        ]
        for state, targets in self.counters.items():
            lines.append((state, f"{state} loop -> {' '.join(map(str, targets))}"))
        lines += [(state, f"{state} final") for state in self.finals]
        return "\n".join(line for _, line in sorted(lines, key=lambda entry: entry[0]))

    def settled(self, state: int) -> list[int]:
        """Where one can be after arriving at `state`, all counters passed; rounds before ends."""
        found: dict[int, None] = {}
        waiting, seen = [state], set[int]()
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                if here in self.counters:
                    waiting += reversed(self.counters[here])
                else:
                    found[here] = None
        return list(found)

    def alike(self, state: int, other: Form, there: int) -> bool:
        """Whether two states allow the same steps."""
        mine, theirs = self.steps.get(state, []), other.steps.get(there, [])
        same = [text for text, _ in mine] == [text for text, _ in theirs]
        return same and (state in self.finals) == (there in other.finals)

    def beyond_empty(self, state: int) -> int | None:
        """What follows on the only step of a state, if that can be empty."""
        match self.steps.get(state, []):
            case [(text, target)] if RANGE in text:
                return target
            case _:
                return None


def counter_targets(machine: Machine, state: int) -> Iterator[int]:
    """Where the counter at `state` can lead: the body before the end."""
    counter = machine.counters[state]
    rounds = counter.count if isinstance(counter.count, int) else None
    if rounds is None or rounds > (0 if counter.enters else 1):
        yield counter.body
    if rounds is None or rounds == 0 or not counter.enters:
        yield counter.exit


def step_text(action: Action) -> str:
    """`Seller!Offer(price: int)`: all of a step that a program depends on."""
    many = ("[]" if action.peer.every else RANGE) if action.peer.is_collective else ""
    return f"{action.peer.role}{many}{'!' if action.sends else '?'}{_declared(action.message)}"


def _declared(message: Message) -> str:
    generics = ", ".join(map(show, message.generics))
    fields = ", ".join(
        ": ".join([*[f.name] * bool(f.name), *([show(f.type)] if f.type else [])])
        for f in message.fields
    )
    return f"{message.label}{f'<{generics}>' if generics else ''}{f'({fields})' if fields else ''}"


def matched(played: Form, form: Form) -> Pairs:
    """Each played state with the states of `form` that it can stand for; empty if the first
    state has none. Time and space are linear in the pairs that can be reached and their steps.
    """
    pairs, needs = _reachable(played, form)
    using: dict[Pair, list[Pair]] = defaultdict(list)
    for pair, alternatives in needs.items():
        for options in alternatives:
            for option in options:
                using[option].append(pair)
    failed = [pair for pair in pairs if not _holds(needs[pair], pairs)]
    while failed:
        pair = failed.pop()
        if pair in pairs:
            del pairs[pair]
            failed += (user for user in using[pair] if not _holds(needs[user], pairs))
    begins = all(
        any((mine, theirs) in pairs for theirs in form.settled(0)) for mine in played.settled(0)
    )
    return {pair: direct for pair, direct in pairs.items() if begins}


def _holds(alternatives: list[list[Pair]], pairs: Mapping[Pair, bool]) -> bool:
    return all(any(option in pairs for option in options) for options in alternatives)


def _reachable(played: Form, form: Form) -> tuple[dict[Pair, bool], dict[Pair, list[list[Pair]]]]:
    """The pairs that may match, and for each what must hold of others: one of every list."""
    waiting = [(mine, theirs) for mine in played.settled(0) for theirs in form.settled(0)]
    pairs: dict[Pair, bool] = {}
    needs: dict[Pair, list[list[Pair]]] = {}
    while waiting:
        mine, theirs = pair = waiting.pop()
        if pair in pairs:
            continue
        if not played.alike(mine, form, theirs):
            if (beyond := form.beyond_empty(theirs)) is not None:
                pairs[pair] = False
                needs[pair] = [[(mine, there) for there in form.settled(beyond)]]
                waiting += needs[pair][0]
            continue
        pairs[pair] = True
        needs[pair] = []
        steps = zip(played.steps.get(mine, []), form.steps.get(theirs, []), strict=True)
        for (_, target), (_, other) in steps:
            for after in played.settled(target):
                options = [(after, there) for there in form.settled(other)]
                needs[pair].append(options)
                waiting += options
    return pairs, needs
