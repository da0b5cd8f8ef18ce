"""Which steps of an automaton do not depend on its other steps, and which it may still come to.

The branches of a `parallel` are interleaved in one automaton; exploring need not try every order
of steps that commute.
"""

from __future__ import annotations

from functools import cache

from .system import Automaton, Step


class Independence:
    """What is known of one automaton, worked out when it is asked for."""

    def __init__(self, automaton: Automaton) -> None:
        self._edges = automaton.edges
        self.detached = cache(self._detached)
        self.hears = cache(self._hears)

    def _detached(self, state: int, step: Step) -> bool:
        """Whether the step stays possible, on a channel of its own, commutes with everything that the
        automaton can do from `state` before it takes it, and lets it take nothing from those it
        waits for that it could not take without: or a reception that is not specified would be missed."""
        found = {state}
        waiting = [state]
        while waiting:
            here = self._edges[waiting.pop()]
            if step not in here or not self._commutes(here, step):
                return False
            for other, target in here.items():
                if other != step and target not in found:
                    found.add(target)
                    waiting.append(target)
        return True

    def _hears(self, state: int) -> frozenset[tuple[str, str]]:
        """The messages, by sender and label, that the automaton may receive from `state` on."""
        found = {state}
        waiting = [state]
        heard = set[tuple[str, str]]()
        while waiting:
            for step, target in self._edges[waiting.pop()].items():
                if not step.sends:
                    heard.add((step.peer, step.label))
                if target not in found:
                    found.add(target)
                    waiting.append(target)
        return frozenset(heard)

    def _commutes(self, here: dict[Step, int], step: Step) -> bool:
        after = self._edges[here[step]]
        waits = {other.peer for other in here if other != step and not other.sends}
        if any(new.peer in waits and new not in here for new in after if not new.sends):
            return False
        return all(
            (other.sends, other.peer) != (step.sends, step.peer)
            and other in after
            and self._edges[target].get(step) == after[other]
            for other, target in here.items()
            if other != step
        )
