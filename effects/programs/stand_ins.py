"""Handlers for tests, which need no runtime: one that answers from a script, one that writes along."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ..flow.receipt import Receipt
from .errors import OffScript
from .handler import Handler, Limit, Message
from .program import Program
from .results import Account


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of a script; without a `sender` it may be anybody's. For `branches` see
    `Endpoint.offer`."""

    label: str
    payload: Any = None
    sender: str = ""
    index: int | None = None
    branches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a program sent. `to` is None where it named nobody."""

    to: str | None
    label: str
    values: tuple[Any, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class _Nothing:
    """An account on which nothing happens."""

    charged: int = 0
    facts: list[str] = field(default_factory=list[str])
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    denials: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _NoLimit:
    passed: bool = False


class ScriptedHandler:
    """Answers a program from a script, in order, and keeps what it does: `sent`, `chosen`, `effects`
    and `values`. Calls are made.

    An answer is an `Answer`, a pair of label and payload, or an exception, which is raised.
    `performs` is called with each effect of an extension. Raises `OffScript`.
    """

    def __init__(
        self,
        script: Iterable[Answer | tuple[str, Any] | Exception] = (),
        *,
        role: str = "Role",
        index: int = 0,
        input: Any = None,
        sizes: dict[str, int] | None = None,
        performs: Callable[[Any], Any] | None = None,
    ) -> None:
        self._script = deque(script)
        self._sizes = sizes or {}
        self._performs = performs
        self.role = role
        self.index = index
        self.input = input
        self.tally: Account = _Nothing()
        self.sent: list[Sent] = []
        self.chosen: list[str] = []
        self.effects: list[object] = []
        self.values: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return f"{self.role}[{self.index}]" if self.role in self._sizes else self.role

    @property
    def left(self) -> tuple[Answer | tuple[str, Any] | Exception, ...]:
        """What of the script nobody has asked for."""
        return tuple(self._script)

    def size(self, role: str) -> int:
        return self._sizes.get(role, 1)

    def admit(self, program: Program) -> None:
        """There is no machine to hold it to."""

    async def send(self, label: str, *values: Any, to: str | None = None, **fields: Any) -> None:
        self.sent.append(Sent(to, label, values, fields))

    async def choose(self, branch: str) -> None:
        self.chosen.append(branch)

    async def receive(self, label: str | None = None, *, sender: str | None = None) -> Any:
        wanted = f"{sender or ''}?{label or 'any message'}"
        answer = self._next(wanted)
        if label not in (None, answer.label) or (
            answer.sender and sender is not None and answer.sender != sender.partition("[")[0]
        ):
            raise OffScript(wanted, f"{answer.sender}?{answer.label}")
        return answer.payload

    async def offer(self) -> Message:
        return self._next("any message")

    def _next(self, wanted: str) -> Answer:
        if not self._script:
            raise OffScript(wanted, "come to its end")
        answer = self._script.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(*answer)

    def set(self, **values: Any) -> None:
        self.values.update(values)

    async def run(self, function: Callable[..., Any], *args: Any, name: str = "") -> Any:
        result = function(*args)
        return await result if inspect.isawaitable(result) else result

    async def perform(self, effect: object) -> Any:
        self.effects.append(effect)
        return None if self._performs is None else self._performs(effect)

    def deadline(self) -> AbstractAsyncContextManager[Limit]:
        return nullcontext(_NoLimit())


class RecordingHandler:
    """Hands everything on to another handler, and writes it down: `log` has a line for each thing
    done (`Bob!Hello(text='hi')`, `Bob?Ack`, `choose accept`), in order.

        async def buyer(me: pavane.Endpoint) -> object:
            recording = RecordingHandler(me)
            return await program(recording)
    """

    def __init__(self, inner: Handler) -> None:
        self._inner = inner
        self.log: list[str] = []

    @property
    def role(self) -> str:
        return self._inner.role

    @property
    def index(self) -> int:
        return self._inner.index

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def input(self) -> Any:
        return self._inner.input

    @property
    def tally(self) -> Account:
        return self._inner.tally

    def size(self, role: str) -> int:
        return self._inner.size(role)

    def admit(self, program: Program) -> None:
        self._inner.admit(program)

    async def send(self, label: str, *values: Any, to: str | None = None, **fields: Any) -> None:
        await self._inner.send(label, *values, to=to, **fields)
        given = [repr(value) for value in values]
        given += [f"{name}={value!r}" for name, value in fields.items()]
        self.log.append(f"{to or ''}!{label}({', '.join(given)})")

    async def choose(self, branch: str) -> None:
        await self._inner.choose(branch)
        self.log.append(f"choose {branch}")

    async def receive(self, label: str | None = None, *, sender: str | None = None) -> Any:
        payload = await self._inner.receive(label, sender=sender)
        self.log.append(f"{sender or ''}?{label or ''} {payload!r}")
        return payload

    async def offer(self) -> Message:
        message = await self._inner.offer()
        self.log.append(f"{message.sender}?{message.label} {message.payload!r}")
        return message

    def set(self, **values: Any) -> None:
        self._inner.set(**values)
        self.log += [f"set {name}={value!r}" for name, value in values.items()]

    async def run(self, function: Callable[..., Any], *args: Any, name: str = "") -> Any:
        value = await self._inner.run(function, *args, name=name)
        self.log.append(f"call {name} = {value!r}")
        return value

    async def perform(self, effect: object) -> Any:
        value = await self._inner.perform(effect)
        self.log.append(f"ext {effect!r} = {value!r}")
        return value

    def deadline(self) -> AbstractAsyncContextManager[Limit]:
        return self._inner.deadline()
