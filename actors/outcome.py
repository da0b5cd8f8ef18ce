"""What a session came to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..effects.flow.receipt import Receipt


@dataclass(slots=True)
class Tally:
    """What one instance did: messages (a collective counts once for each receiver), selections
    left out; units charged; facts journaled; refusals it met.

    `receipts` are of live sessions. In the outcome of a durable one they are left out, as there may
    be more than its log takes in one record: `journal.receipts(identity)` reads them, from the
    journal, where they are kept.
    """

    sent: int = 0
    received: int = 0
    charged: int = 0
    facts: list[str] = field(default_factory=list[str])
    denials: list[str] = field(default_factory=list[str])
    receipts: list[Receipt] = field(default_factory=list[Receipt])

    def count(self, charge: int, facts: Iterable[str], receipt: Receipt | None) -> None:
        """Add what annotated messages came to: one, or a series with one receipt."""
        self.charged += charge
        self.facts.extend(facts)
        if receipt is not None:
            self.receipts.append(receipt)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The values that the role functions returned, by role (`outcome["Buyer"]`);
    those of a family in a dict by index.

    `tallies` is by instance name (`Leader`, `Followers[0]`).
    """

    session: str
    values: Mapping[str, Any]
    tallies: Mapping[str, Tally]

    def __getitem__(self, role: str) -> Any:
        return self.values[role]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    @property
    def charged(self) -> int:
        """All units charged in this session."""
        return sum(tally.charged for tally in self.tallies.values())

    @property
    def facts(self) -> tuple[str, ...]:
        """All facts journaled, by role in order."""
        return tuple(fact for tally in self.tallies.values() for fact in tally.facts)
