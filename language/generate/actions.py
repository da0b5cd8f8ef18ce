"""What a program does at each state of a machine: the steps as its author sees them.

Selections and counters have no place in a program. A selection is sent with the message that
follows it and read with the one that it announces; what is left of it is a choice, where
nothing follows, and a branch, where nothing arrives. Passing a counter leaves several states
that can be next. All of this is what `Endpoint` does by itself when the program runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from ..machine import Action, Machine, Transition
from .form import Form

Targets = tuple[int, ...]
"""The states that can be next, none of which counts; the rounds of a loop before its end."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A message to send. `place` is which of the state's steps of this label it is, where the
    label alone does not tell, else -1."""

    action: Action
    targets: Targets
    place: int = -1


@dataclass(frozen=True, slots=True)
class Choosing:
    """A branch of one's own that has nothing to send, or does not show in what is sent."""

    branch: str
    targets: Targets


@dataclass(frozen=True, slots=True)
class Receiving:
    """Something that can arrive: a message, or with `action` None the branch `label`.

    `place` is as in `Sending`.
    """

    label: str
    action: Action | None
    targets: Targets
    place: int = -1


@dataclass(frozen=True, slots=True)
class Doings:
    """All that can be done in one state; `alone` are the messages that can be waited for
    without regard to the others."""

    sends: tuple[Sending, ...] = ()
    choices: tuple[Choosing, ...] = ()
    receives: tuple[Receiving, ...] = ()
    alone: tuple[Receiving, ...] = ()
    may_end: bool = False


class Actions:
    """The actions of one machine, in time and space linear in it for each state."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._form = Form.of(machine)
        self._leaving: dict[int, list[tuple[int, Transition]]] = defaultdict(list)
        places: Counter[tuple[int, bool, str]] = Counter()
        for transition in machine.transitions:
            key = (transition.source, transition.action.sends, transition.action.label)
            self._leaving[transition.source].append((places[key], transition))
            places[key] += 1

    @cached_property
    def initial(self) -> Targets:
        return self.settled(self.machine.initial)

    @property
    def form(self) -> str:
        """The machine's form as text."""
        return self._form.text()

    def settled(self, state: int) -> Targets:
        """Where one can be after arriving at `state`, all counters passed."""
        return tuple(self._form.settled(state))

    def standing(self, state: int) -> int:
        """The state that the program sees at `state`: a lone selection is not waited for."""
        seen = set[int]()
        while state not in seen:
            seen.add(state)
            match self._leaving[state]:
                case [(_, Transition(action=action, target=target))] if (
                    action.selection and not action.sends
                ):
                    following = self.settled(target)
                    if len(following) != 1:
                        return state
                    state = following[0]
                case _:
                    return state
        return state

    def is_over(self, state: int) -> bool:
        return not self._leaving[state]

    def doings(self, state: int) -> Doings:
        """What can be done at `state`."""
        sends, choices = self._sends(state)
        receives = self._receives(state)
        final = state in self.machine.finals and not self.is_over(state)
        return Doings(sends, choices, receives, self._alone(state, receives), final)

    # sending ------------------------------------------------------------------------------

    def _sends(self, state: int) -> tuple[tuple[Sending, ...], tuple[Choosing, ...]]:
        direct, announced = self._sending_steps(state)
        labels = Counter(label for label, *_ in direct)
        nested = {t.action.label: self._after_announcing(t) for _, t in announced}
        for targets in nested.values():
            labels.update(set(self._labels_beyond(targets)))
        sends = [
            Sending(t.action, self._after_sending(t), n if labels[label] > 1 else -1)
            for label, n, t in direct
        ]
        choices = list[Choosing]()
        for label, targets in nested.items():
            beyond = self._labels_beyond(targets)
            if beyond and all(labels[b] == 1 for b in beyond):
                sends += (
                    Sending(t.action, self._after_sending(t)) for _, t in self._leaving[targets[0]]
                )
            else:
                choices.append(Choosing(label.removeprefix("@"), targets))
        return tuple(sends), tuple(choices)

    def _sending_steps(
        self, state: int
    ) -> tuple[list[tuple[str, int, Transition]], list[tuple[int, Transition]]]:
        """The messages to send, and the branches to announce."""
        leaving = [(n, t) for n, t in self._leaving[state] if t.action.sends]
        direct = [(t.action.label, n, t) for n, t in leaving if not t.action.selection]
        return direct, [(n, t) for n, t in leaving if t.action.selection]

    def _labels_beyond(self, targets: Targets) -> list[str]:
        """What can be sent after announcing a branch, if that is all there is to do then."""
        leaving = self._leaving[targets[0]] if len(targets) == 1 else []
        if any(not t.action.sends or t.action.selection for _, t in leaving):
            return []
        return [t.action.label for _, t in leaving]

    def _after_announcing(self, first: Transition) -> Targets:
        """Where one is when all who must be told of the branch have been."""
        targets, seen = self.settled(first.target), {first.source}
        while len(targets) == 1 and targets[0] not in seen:
            seen.add(targets[0])
            match self._leaving[targets[0]]:
                case [(_, Transition(action=action, target=target))] if (
                    action.sends and action.selection and action.label == first.action.label
                ):
                    targets = self.settled(target)
                case _:
                    break
        return targets

    def _after_sending(self, first: Transition) -> Targets:
        """Where one is after a message, or after all of a broadcast."""
        targets = self.settled(first.target)
        told = {first.action.peer.role}
        while first.action.broadcast and len(targets) == 1:
            rest = [
                t
                for _, t in self._leaving[targets[0]]
                if t.action.broadcast
                and (t.action.step, t.action.label) == (first.action.step, first.action.label)
                and t.action.peer.role not in told
            ]
            if not rest:
                break
            told.add(rest[0].action.peer.role)
            targets = self.settled(rest[0].target)
        return targets

    # receiving ----------------------------------------------------------------------------

    def _receives(self, state: int) -> tuple[Receiving, ...]:
        """The messages and branches that can arrive, those of one name and sender as one."""
        arriving = self._arriving(state)
        senders: dict[str, set[object]] = defaultdict(set)
        for label, _, transition, _ in arriving:
            senders[label].add(_sender(transition))
        groups: dict[tuple[str, object], Receiving] = {}
        for label, place, transition, targets in arriving:
            several = len(senders[label]) > 1
            key = (label, _sender(transition) if several else None)
            known = groups.get(key)
            action = transition.action if transition else None
            joined = tuple(dict.fromkeys((*(known.targets if known else ()), *targets)))
            first = known.place if known else (place if several else -1)
            groups[key] = Receiving(label, known.action if known else action, joined, first)
        return tuple(groups.values())

    def _arriving(self, state: int) -> list[tuple[str, int, Transition | None, Targets]]:
        found = list[tuple[str, int, Transition | None, Targets]]()
        waiting, seen = [state], set[int]()
        while waiting:
            here = waiting.pop(0)
            if here in seen:
                continue
            seen.add(here)
            for place, step in self._leaving[here]:
                if step.action.sends:
                    continue
                targets = self.settled(step.target)
                if not step.action.selection:
                    found.append((step.action.label, place, step, targets))
                    continue
                waiting += (s for s in targets if self._hears(s))
                branch = tuple(s for s in targets if not self._hears(s))
                if branch:
                    found.append((step.action.label.removeprefix("@"), -1, None, branch))
        return found

    def _hears(self, state: int) -> bool:
        return any(not t.action.sends for _, t in self._leaving[state])

    def _alone(self, state: int, receives: tuple[Receiving, ...]) -> tuple[Receiving, ...]:
        """The messages that need no `offer`: the only one, or those of independent senders."""
        if len(receives) == 1:
            return receives if receives[0].action is not None else ()
        if any(t.action.selection and not t.action.sends for _, t in self._leaving[state]):
            return ()
        peers = Counter(r.action.peer for r in receives if r.action is not None)
        return tuple(r for r in receives if r.action is not None and peers[r.action.peer] == 1)


def _sender(transition: Transition | None) -> object:
    return transition.action.peer if transition is not None else None
