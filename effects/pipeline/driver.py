"""Drivers execute what handlers decide. The pipeline knows these two interfaces only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ...language.machine import Action
from ..capability.verifier import Verifier
from ..flow.budget import Charged
from ..flow.receipt import Receipt
from ..identity import Identity, SendContext
from ..journal.entry import Entry
from .command import Command, Snapshot
from .effect import Effect
from .plan import Plan, Simple
from .series import Series


class Transaction(Protocol):
    """All that one message does, to be committed or withdrawn as a whole."""

    @property
    def charged(self) -> int: ...
    @property
    def charges(self) -> tuple[Charged, ...]:
        """What was taken from which budget, flow and leakage."""
        ...

    @property
    def receipt(self) -> Receipt | None:
        """After `commit`, if anything was charged."""
        ...

    @property
    def entries(self) -> tuple[Entry, ...]:
        """After `commit`."""
        ...

    async def execute(self, effect: Effect, command: Command) -> str:
        """Do one command and say in a few words what was done. Raises to refuse the message."""
        ...

    async def commit(self) -> None:
        """Issue the receipt and store what goes into the journal."""
        ...

    async def withdraw(self, reason: str) -> None:
        """Undo everything exactly; the message was not sent."""
        ...


Still = Callable[[], Awaitable[None]]
"""Raises unless something still holds."""


async def always() -> None:
    """It does."""


class Driver(Protocol):
    @property
    def verifier(self) -> Verifier: ...

    def begin(self, snapshot: Snapshot) -> Transaction: ...

    async def ahead(
        self, snapshot: Snapshot, simple: Simple
    ) -> tuple[Transaction, asyncio.Future[None]] | None:
        """All that a send of a durable instance does, and what is done when the journal has it; that
        fails with `JournalBroken`, and is shared with others. None, and nothing has happened,
        where something else has to be waited for, or refuses it."""
        ...

    def series(self, context: SendContext, plan: Plan, simple: Simple) -> Series | None:
        """Begin a series of such messages of a durable instance, the capabilities having been shown
        in this turn. None, and nothing has happened, where something has to be waited for."""
        ...

    async def admit(self, context: SendContext, plans: Sequence[Plan]) -> None:
        """Raise what would refuse these sends for lack of a budget."""
        ...

    def require(self, holder: Identity, token: bytes, capability: str) -> None:
        """Raise `CapabilityDenied` unless the token shows the capability."""
        ...

    async def merge(self, context: SendContext, action: Action, peer: Identity) -> None:
        """Join the journal of `peer`, as far as it is stored, into that of the context."""
        ...

    async def take_over(
        self, context: SendContext, worker: str, still: Still = always
    ) -> tuple[Entry, ...]:
        """From now on only this process writes for the instance; what it has journaled so far.

        `still` raises where it is another's to play by now: nothing is written then."""
        ...

    async def leave(self, context: SendContext) -> None:
        """Another play writes for the instance: forget it, and write nothing."""
        ...

    async def finish(self, context: SendContext) -> None:
        """Nothing more comes of this play of the instance."""
        ...

    async def close(self) -> None: ...
