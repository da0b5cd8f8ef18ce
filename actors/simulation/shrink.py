"""From a failure to the smallest one that is still the same.

Faults are taken away by delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
failure-inducing input", 2002); what is left is made simpler value by value, as Hypothesis does; at
last the order of processes and the times of messages are made the plainest that still fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...broker.sim.faults import Fault
from .campaign import CALM, Campaign, Failure, Trial

ATTEMPTS = 300
"""The most trials that shrinking takes."""


class _Search:
    def __init__(self, campaign: Campaign, failure: Failure) -> None:
        self._campaign = campaign
        self.best = failure
        self._left = ATTEMPTS
        self._tried: set[Trial] = {failure.trial}

    def takes(self, trial: Trial) -> bool:
        """Whether `trial` fails as well; then it is the best."""
        if trial in self._tried or not self._left:
            return False
        self._tried.add(trial)
        self._left -= 1
        found = self._campaign.attempt(trial)
        if found is None or found.rule != self.best.rule:
            return False
        self.best = found
        return True

    def faults(self) -> None:
        """Take away parts of the faults, large ones first."""
        size = len(self.best.trial.faults)
        while size:
            faults = self.best.trial.faults
            for start in range(0, len(faults), size):
                left = faults[:start] + faults[start + size :]
                if self.takes(replace(self.best.trial, faults=left)):
                    break
            else:
                size //= 2

    def values(self) -> None:
        changed = True
        while changed:
            changed = False
            for place, fault in enumerate(self.best.trial.faults):
                faults = self.best.trial.faults
                for simpler in _simpler(fault):
                    tried = (*faults[:place], simpler, *faults[place + 1 :])
                    if self.takes(replace(self.best.trial, faults=tried)):
                        changed = True
                        break

    def schedule(self) -> None:
        """A plainer order and plainer times."""
        for plain in (
            replace(self.best.trial, shuffled=False, latency=CALM),
            replace(self.best.trial, shuffled=False),
            replace(self.best.trial, latency=CALM),
        ):
            if self.takes(plain):
                return


def _simpler(fault: Fault) -> Iterator[Fault]:
    """The same fault earlier, shorter, or of fewer roles."""
    if fault.after > 1:
        yield replace(fault, after=1)
        yield replace(fault, after=fault.after - 1)
    if fault.at:
        yield replace(fault, at=0.0)
        yield replace(fault, at=round(fault.at / 2, 3))
    if fault.roles:
        yield replace(fault, roles=fault.roles[:-1])
    if abs(fault.seconds) > 1 and fault.seconds != int(fault.seconds):
        yield replace(fault, seconds=float(int(fault.seconds)))
    if abs(fault.seconds) > 0.01:
        yield replace(fault, seconds=round(fault.seconds / 2, 3))


def shrunk(campaign: Campaign, failure: Failure) -> Failure:
    """The smallest that was found; it breaks the same rule."""
    search = _Search(campaign, failure)
    search.faults()
    search.values()
    search.schedule()
    search.faults()
    return search.best
