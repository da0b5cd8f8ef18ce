"""What plays a program: an endpoint, live or durable, or a stand-in for one in a test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from .results import Account, Who

if TYPE_CHECKING:
    from .program import Program


class Message(Protocol):
    """What `offer` gives: `branches` are the choices that it decided, outermost first. A branch that
    begins without a message has its own name as label and None as payload."""

    @property
    def label(self) -> str: ...
    @property
    def payload(self) -> Any: ...
    @property
    def sender(self) -> str: ...
    @property
    def index(self) -> int | None: ...
    @property
    def branches(self) -> tuple[str, ...]: ...


class Limit(Protocol):
    """What `deadline` gives: a block that ends when the time for the present choice is over."""

    @property
    def passed(self) -> bool: ...


class Handler(Who, Protocol):
    """The algebra's primitives. `Endpoint` is one; its documentation says what each does."""

    @property
    def tally(self) -> Account: ...

    def admit(self, program: Program) -> None:
        """Raise what speaks against playing `program` from here, before its first operation."""
        ...

    async def send(
        self, label: str, *values: Any, to: str | None = None, **fields: Any
    ) -> None: ...
    async def choose(self, branch: str) -> None: ...
    async def receive(self, label: str | None = None, *, sender: str | None = None) -> Any: ...
    async def offer(self) -> Message: ...
    def set(self, **values: Any) -> None: ...
    async def run(self, function: Callable[..., Any], *args: Any, name: str = "") -> Any: ...
    async def perform(self, effect: object) -> Any: ...
    def deadline(self) -> AbstractAsyncContextManager[Limit]: ...
