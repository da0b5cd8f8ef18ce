"""Who stands behind the instances of a family: identities by index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from .endpoint.endpoint import Endpoint
from .errors import WrongIdentities

Devices = Mapping[str, tuple[str, ...]]
Player = Callable[[Endpoint], Awaitable[Any]]


def checked(role: str, identities: Sequence[str]) -> tuple[str, ...]:
    """The identities of a family, one for each instance, no two alike.

    Raises `WrongIdentities`.
    """
    if isinstance(identities, str) or not all(identities) or not identities:
        raise WrongIdentities(role, "every instance has to have a name")
    twice = sorted({name for name in identities if list(identities).count(name) > 1})
    if twice:
        raise WrongIdentities(role, f"{twice[0]} is named more than once")
    return tuple(identities)


def fitting(devices: Devices, sizes: Mapping[str, int | None]) -> None:
    """Raise `WrongIdentities` where a list is not as long as its family."""
    for role, identities in devices.items():
        if sizes[role] != len(identities):
            problem = f"there are {sizes[role]} instances, and {len(identities)} identities"
            raise WrongIdentities(role, problem)


def dispatching(role: str, players: Mapping[str, Player], devices: Devices) -> Player:
    """One function for a family whose instances are played by functions of their own.

    Raises `WrongIdentities` where an identity has none, or a function no identity.
    """
    known = devices.get(role, ())
    strangers = sorted(set(players) ^ set(known))
    if strangers:
        problem = "has no function" if strangers[0] in known else "is nobody's identity"
        raise WrongIdentities(role, f"{strangers[0]} {problem}")
    return Dispatch(players)


class Dispatch:
    """Plays each instance by the function of its identity."""

    def __init__(self, players: Mapping[str, Player]) -> None:
        self.players = players

    async def __call__(self, me: Endpoint) -> Any:
        return await self.players[me.identity](me)
