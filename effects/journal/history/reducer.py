"""Reducers: how a state follows from the entries of a journal."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast, overload

import msgspec

from ..entry import Entry
from .errors import StateUnpackable

S = TypeVar("S")

Reduce = Callable[[S, Entry], S]


@dataclass(frozen=True, slots=True)
class Reducer(Generic[S]):
    """`reduce(state, entry)` returns the state after `entry`, and may change `state` for it; the
    same entries must come to the same state. It begins with `initial()`.

    Snapshots are found by `name` and `version`: raise the version when the function changes
    what it computes. `type` is what the state is read back as from a snapshot; a reducer
    without a name has no snapshots.
    """

    reduce: Reduce[S]
    initial: Callable[[], S]
    name: str = ""
    version: int = 1
    type: Any = Any

    def __call__(self, state: S, entry: Entry) -> S:
        return self.reduce(state, entry)

    def pack(self, state: S) -> bytes:
        """Raises `StateUnpackable` for a state that a snapshot could not bring back."""
        try:
            packed = msgspec.msgpack.encode(state)
            survives = self.unpack(packed) == state
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise StateUnpackable(self.name, str(error)) from None
        if not survives:
            raise StateUnpackable(self.name, "read back, it is not equal to what it was")
        return packed

    def unpack(self, packed: bytes) -> S:
        """Raises `ValueError` whatever the bytes are."""
        state: S = msgspec.msgpack.decode(packed, type=self.type)
        return state


def reduced_by(function: Reducer[S] | Reduce[S], initial: Any) -> Reducer[S]:
    """A reducer as it is, a mere function as one without snapshots."""
    if isinstance(function, Reducer):
        return cast("Reducer[S]", function)
    return Reducer(function, lambda: initial)


@overload
def reducer(function: Reduce[S], /) -> Reducer[S]: ...
@overload
def reducer(
    *, initial: Callable[[], S], name: str = ..., version: int = ...
) -> Callable[[Reduce[S]], Reducer[S]]: ...
def reducer(
    function: Reduce[Any] | None = None,
    /,
    *,
    initial: Callable[[], Any] | None = None,
    name: str = "",
    version: int = 1,
) -> Any:
    """Make a function a reducer that has snapshots.

    `initial` makes the first state; without it, what the function's annotation says it returns
    is called: `dict[str, int]` begins as `{}`. The annotation also says how the state is read
    back from a snapshot. `name` is the function's own unless it is given.
    """

    def made(function: Reduce[Any]) -> Reducer[Any]:
        state = typing.get_type_hints(function).get("return", Any)
        begin: Any = initial or typing.get_origin(state) or state
        if begin is Any or not callable(begin):
            raise StateUnpackable(
                function.__qualname__, "nothing says how it begins; give initial="
            )
        called = name or f"{function.__module__}:{function.__qualname__}"
        return Reducer(function, begin, called, version, state)

    return made if function is None else made(function)
