"""What a role does beside its protocol: calls to the world, looks at the clock, sleeps.

In a live session they are just done. In a durable one what they came to is recorded, so that a
role that is played again sees the same; and so in both a result is what can be recorded of it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from functools import lru_cache, partial
from random import Random
from typing import Any, Protocol

import msgspec

from ...effects.resilience.resilient import Resilience
from ...effects.resilience.retry import Retry
from ...language.errors import PavaneError
from ..errors import CallFailed, NotRecordable
from .clock import Clock

Call = Callable[[], Any]
"""A call with its arguments; what it returns may have to be awaited."""


class Caller(Protocol):
    """The instance that makes them."""

    @property
    def name(self) -> str: ...
    @property
    def index(self) -> int: ...


class Calls(Protocol):
    """A session's way to make them."""

    async def run(self, caller: Caller, name: str, call: Call, around: Resilience) -> bytes:
        """What `call` came to, packed; raises `CallFailed`."""
        ...

    async def now(self, caller: Caller) -> float: ...
    async def sleep(self, caller: Caller, seconds: float) -> None: ...


class LiveCalls:
    """They are just done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self, caller: Caller, name: str, call: Call, around: Resilience) -> bytes:
        return await made(caller.name, name, call, around)

    async def now(self, caller: Caller) -> float:
        return self._clock.now()

    async def sleep(self, caller: Caller, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def made(who: str, name: str, call: Call, around: Resilience) -> bytes:
    """Make the call and pack what it returned. Raises `CallFailed` from whatever it raised, and
    `NotRecordable`."""

    async def once() -> Any:
        result = call()
        return await result if inspect.isawaitable(result) else result

    try:
        result = await around.call(once, name=name)
    except Exception as error:
        said = error.message if isinstance(error, PavaneError) else str(error)
        raise CallFailed(who, name, type(error).__name__, said) from error
    return packed(result, name)


def around(retry: Retry | None, timeout: float | None) -> Resilience:
    return _PLAIN if retry is None and timeout is None else Resilience(retry, timeout=timeout)


_PLAIN = Resilience()


def packed(value: Any, what: str) -> bytes:
    """Anything that msgspec knows: builtins, dataclasses, structs, dates, decimals, UUIDs, enums.

    Raises `NotRecordable`.
    """
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotRecordable(what, str(error)) from None


def unpacked(data: bytes, function: Callable[..., Any], what: str) -> Any:
    """The value again, as the return type that `function` declares, if it does."""
    try:
        return _decoder_for(_inner(function)).decode(data)
    except (msgspec.MsgspecError, TypeError) as error:
        raise NotRecordable(what, f"it does not come back as declared: {error}") from None


def named(function: Callable[..., Any]) -> str:
    inner = _inner(function)
    return getattr(inner, "__qualname__", type(inner).__name__).replace("<locals>.", "")


def seeded(session: str, name: str) -> Random:
    """The same numbers for the same instance of the same session, in every process."""
    return Random(f"{session}/{name}")


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial):
        function = function.func
    return function


@lru_cache(maxsize=1024)
def _decoder_for(function: Callable[..., Any]) -> msgspec.msgpack.Decoder[Any]:
    try:
        declared = typing.get_type_hints(function).get("return", Any)
    except (NameError, TypeError):
        declared = Any
    if isinstance(declared, typing.TypeVar):
        declared = Any
    return msgspec.msgpack.Decoder(declared)


_encoder = msgspec.msgpack.Encoder()
