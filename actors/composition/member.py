"""The members of a composition: their names, and how each of them is played."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from ..choreography import Choreography
from .errors import InvalidComposition
from .plan import SessionPlan
from .stage import Accumulated, Playable, Stage

Made = Playable[Any] | Choreography
"""What a member's function may return to have it played; anything else is a result."""

Member = Made | Callable[[Accumulated], Any | Awaitable[Any]]
"""A protocol whose roles are registered, a plan, a composition, or a function that makes one of
these from what has been accumulated. A function may also return a result of its own."""

_HINT = (
    "give a choreography, a SessionPlan, a Sequence, a Parallel, or a function of what was "
    "accumulated that returns one of them"
)


def named(kind: str, members: tuple[Member, ...], known: Mapping[str, Member]) -> dict[str, Member]:
    """Each under its own name; of several of one name the second is `Ping-2`.

    Raises `InvalidComposition` for what cannot be played.
    """
    found: dict[str, Member] = {}
    count: dict[str, int] = {}
    for member in members:
        name = _name(kind, len(found), member)
        count[name] = number = count.get(name, 0) + 1
        own = name if number == 1 else f"{name}-{number}"
        while own in found or own in known:
            count[name] += 1
            own = f"{name}-{count[name]}"
        found[own] = member
    for name, member in known.items():
        _name(kind, len(found), member)
        found[name] = member
    return found


def _name(kind: str, position: int, member: object) -> str:
    if isinstance(member, Playable | Choreography):
        return member.name
    if callable(member):
        return _called(member)
    raise InvalidComposition(
        f"member {position + 1} of a {kind}",
        f"cannot be played: it is of type {type(member).__name__}",
        hint=_HINT,
    )


def _called(function: object) -> str:
    """The name of a function, as it may stand in that of a session."""
    while isinstance(function, partial):
        function = function.func
    written = getattr(function, "__name__", type(function).__name__)
    return re.sub(r"[^A-Za-z0-9_-]+", "", written) or "phase"


async def perform(name: str, member: Member, stage: Stage, state: Accumulated) -> Any:
    """What a member comes to. Raises whatever ends it, and `InvalidComposition` where its
    function has returned nothing."""
    made: Any = member
    if not isinstance(member, Playable | Choreography):
        made = member(state)
        if inspect.isawaitable(made):
            made = await made
    if isinstance(made, Choreography):
        made = SessionPlan(made)
    if isinstance(made, Playable):
        playable: Playable[Any] = made  # pyright: ignore[reportUnknownVariableType]  # whatever it gives
        return await playable.play(stage, state)
    if made is None:
        raise InvalidComposition(name, "returned nothing to play, and no result", hint=_HINT)
    return made
