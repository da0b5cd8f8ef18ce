"""What a program has got so far, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol

import msgspec

from ..flow.receipt import Receipt
from .errors import NotReceived

_SAID = {"CancelledError": "it was cancelled"}

EndState = Literal["completed", "timed out", "failed"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that a program received. A gather has index None and a dict as payload."""

    label: str
    payload: Any
    sender: str
    index: int | None = None


class Account(Protocol):
    """What a role instance came to so far, as its endpoint counts it."""

    @property
    def charged(self) -> int: ...
    @property
    def facts(self) -> Sequence[str]: ...
    @property
    def receipts(self) -> Sequence[Receipt]: ...
    @property
    def denials(self) -> Sequence[str]: ...


class Who(Protocol):
    """The instance that plays."""

    @property
    def role(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def input(self) -> Any: ...
    def size(self, role: str) -> int: ...


class Results:
    """What the functions of a program are given. They read it; it grows as the program goes on."""

    __slots__ = ("_heard", "_latest", "_returned", "_selected", "_who", "round")

    def __init__(self, who: Who) -> None:
        self._who = who
        self._heard: list[Heard] = []
        self._latest: dict[str, Any] = {}
        self._selected: list[str] = []
        self._returned: dict[str, Any] = {}
        self.round = 0
        """Which round of the innermost loop this is, from 0 on."""

    @property
    def received(self) -> tuple[Heard, ...]:
        """All messages, in order."""
        return tuple(self._heard)

    def __getitem__(self, label: str) -> Any:
        """The payload of the latest message of that label. Raises `NotReceived`."""
        if label not in self._latest:
            raise NotReceived(label, self._latest)
        return self._latest[label]

    def __contains__(self, label: object) -> bool:
        return label in self._latest

    def all(self, label: str) -> list[Any]:
        """The payloads of all messages of that label, in order."""
        return [heard.payload for heard in self._heard if heard.label == label]

    @property
    def last(self) -> Any:
        """The payload of the latest message. Raises `NotReceived`."""
        if not self._heard:
            raise NotReceived("any message", ())
        return self._heard[-1].payload

    @property
    def selected(self) -> tuple[str, ...]:
        """The branches chosen and offered, in order."""
        return tuple(self._selected)

    @property
    def returned(self) -> Mapping[str, Any]:
        """What calls and extensions came to, the latest by name."""
        return MappingProxyType(self._returned)

    @property
    def role(self) -> str:
        return self._who.role

    @property
    def index(self) -> int:
        """Which instance of a family this is; 0 for a plain role."""
        return self._who.index

    @property
    def name(self) -> str:
        return self._who.name

    @property
    def input(self) -> Any:
        """What the session was started with."""
        return self._who.input

    def size(self, role: str) -> int:
        """How many instances a family has; 1 for a plain role."""
        return self._who.size(role)

    # --- for the interpreter ---------------------------------------------------------------

    def hear(self, heard: Heard) -> None:
        self._heard.append(heard)
        self._latest[heard.label] = heard.payload

    def select(self, label: str) -> None:
        self._selected.append(label)

    def give(self, name: str, value: Any) -> None:
        self._returned[name] = value


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What a program came to at one instance.

    `state` is `completed`, `timed out` or `failed`; in the latter two `error` is what was raised
    and `operation` where. `received` has each message once, in the order in which the program took
    them. `charged` to `denials` are those of the messages the instance sent while the program was
    playing; a denial ends it, unless its handler goes on.
    """

    name: str
    state: EndState
    received: tuple[Heard, ...] = ()
    selected: tuple[str, ...] = ()
    returned: Mapping[str, Any] = field(default_factory=dict[str, Any])
    charged: int = 0
    facts: tuple[str, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    denials: tuple[str, ...] = ()
    operation: str = ""
    error: BaseException | None = None

    @staticmethod
    def of(plain: object) -> ProgramResult:
        """The result again of what a durable session gives for it (`outcome["Buyer"]`): builtins."""
        return msgspec.convert(plain, ProgramResult, strict=False)

    @property
    def values(self) -> tuple[Any, ...]:
        """The payloads received, in order."""
        return tuple(heard.payload for heard in self.received)

    @property
    def reason(self) -> str:
        """Why it did not complete, in a sentence; empty where it did."""
        if self.error is None:
            return ""
        said = getattr(self.error, "message", "") or str(self.error)
        return said or _SAID.get(type(self.error).__name__, type(self.error).__name__)

    def __getitem__(self, label: str) -> Any:
        """The payload of the latest message of that label. Raises `NotReceived`."""
        for heard in reversed(self.received):
            if heard.label == label:
                return heard.payload
        raise NotReceived(label, (heard.label for heard in self.received))
