"""The lines of play of a program that is being played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .handler import Message
from .operations import ANYONE
from .results import Account


@dataclass(slots=True)
class Pending:
    """A message that an `offer` has looked at, and that its arm has still to receive."""

    message: Message
    branches: tuple[str, ...]

    @property
    def is_bare(self) -> bool:
        """Whether it may be the name of a branch that has no message for this role."""
        message = self.message
        return message.payload is None and message.label in message.branches[-1:]


class Strand:
    """One line of play. `limits` are the ends of the times that run, with their seconds."""

    __slots__ = ("children", "done", "hits", "join", "limits", "outer", "pending", "position",
                 "rounds", "wanted")  # fmt: skip

    def __init__(self, position: int, limits: tuple[tuple[float, float], ...] = ()) -> None:
        self.position = position
        self.limits = limits
        self.rounds: dict[int, int] = {}
        self.wanted: dict[int, int] = {}
        self.outer: dict[int, int] = {}
        self.hits: set[int] = set()
        self.pending: Pending | None = None
        self.children: list[Strand] = []
        self.join = 0
        self.done = False

    def waiting(self) -> Iterator[Strand]:
        """The innermost strands that are not done."""
        for child in self.children:
            yield from child.waiting()
        if not self.children and not self.done:
            yield self

    def gather(self) -> None:
        """The children have halted: go on behind them."""
        for child in self.children:
            self.hits |= child.hits
        self.children = []
        self.position = self.join


class Count:
    """How far an account was before the program."""

    def __init__(self, account: Account) -> None:
        self.charged = account.charged
        self.facts = len(account.facts)
        self.receipts = len(account.receipts)
        self.denials = len(account.denials)


def is_from(message: Message, sender: str) -> bool:
    """A script may leave open who says something."""
    if sender in (ANYONE, message.sender) or not message.sender:
        return True
    return message.index is not None and sender == f"{message.sender}[{message.index}]"
