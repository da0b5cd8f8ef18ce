"""What handlers decide: commands, yielded over a snapshot and executed by a driver.

A handler is a pure generator. It sees what is known before anything happens, and says
what must be done; so the same guard runs in testing, production and simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ...language.annotations import COST_LIMIT
from ...language.errors import PavaneError
from ...language.machine import Action
from ..errors import HandlerFailed
from ..identity import SendContext
from .effect import is_amount, is_observer, is_text


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known when a message is about to leave.

    `copies` is the number of receivers. `time` is in ns since 1970. `payload` is what the
    sender gave, already checked; handlers must not change it.
    """

    context: SendContext
    action: Action
    copies: int
    time: int
    payload: Any = None


@dataclass(frozen=True, slots=True)
class RequireCapability:
    """Refuse the message unless the sender's token shows the capability."""

    capability: str


@dataclass(frozen=True, slots=True)
class Charge:
    """Take `amount` from the sender's flow budget."""

    amount: int


@dataclass(frozen=True, slots=True)
class Leak:
    """Take `amount` from what one class of observers may learn."""

    observer: str
    amount: int


@dataclass(frozen=True, slots=True)
class Record:
    """Put facts into the sender's journal, together with the message."""

    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """Join the peer's journal into the sender's own."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Refuse the message."""

    reason: str


Command = RequireCapability | Charge | Leak | Record | Merge | Deny

Handler = Callable[[Any, Snapshot], Iterator[Command]]
"""`handle(effect, snapshot)` yields commands, in the order they are executed."""


def decided(effect: object, handler: Handler, snapshot: Snapshot) -> Iterator[Command]:
    """What `handler` yields. Raises `HandlerFailed` where it raises what is no error of
    ours, and for what is no command, or one that nobody could do."""
    name = type(effect).__name__
    try:
        for command in handler(effect, snapshot):
            if not isinstance(command, Command):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise HandlerFailed(name, f"it yielded {command!r}, which is no command")
            wanted = _wanted(command, snapshot.copies)
            if wanted:
                raise HandlerFailed(name, f"it yielded {command!r:.200}, and {wanted}")
            yield command
    except PavaneError:
        raise
    except Exception as error:
        raise HandlerFailed(name, f"{type(error).__name__}: {error}") from error


_AMOUNT = f"an amount is a whole number from 0 to {COST_LIMIT}, for each receiver"


def _wanted(command: Command, copies: int) -> str:
    """What a command should be that nobody could do; empty for the others."""
    match command:
        case Charge(amount) if not is_amount(amount, copies):
            return _AMOUNT
        case Leak(observer, _) if not is_observer(observer):
            return "a class of observers is named by letters, digits, `_`, `-`"
        case Leak(_, amount) if not is_amount(amount, copies):
            return _AMOUNT
        case Record(facts) if not _are_facts(facts):
            return "facts are a tuple of texts of 1 to 256 printable characters"
        case RequireCapability(capability) if not is_text(capability):
            return "a capability is a name"
        case Deny(reason) if not _is_string(reason):
            return "a reason is a text"
        case _:
            return ""


def _are_facts(facts: object) -> bool:
    return isinstance(facts, tuple | list) and all(is_text(fact) for fact in facts)  # pyright: ignore


def _is_string(value: object) -> bool:
    return isinstance(value, str)
