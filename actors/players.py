"""Who plays the roles: what the user gave for them, as one function of an endpoint each."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FunctionType

from .choreography import Choreography
from .devices import dispatching
from .errors import MissingRole, Unplayable
from .playing import Implementation

Playing = Implementation | Mapping[str, Implementation]
"""A function for a role, or one for each identity of a family."""


def all_players(
    choreography: Choreography, roles: Mapping[str, Playing]
) -> dict[str, Implementation]:
    """One for each role, those left out as they are registered. Raises `MissingRole`,
    `UnknownRole`, `Unplayable`."""
    found = players(choreography, {**choreography.implementations, **roles})
    missing = [role for role in choreography.roles if role not in found]
    if missing:
        raise MissingRole(choreography.full_name, missing)
    return {role: found[role] for role in choreography.roles}


def players(choreography: Choreography, roles: Mapping[str, Playing]) -> dict[str, Implementation]:
    """One for each role that is given. Raises `UnknownRole`, `Unplayable`."""
    found: dict[str, Implementation] = {}
    for role, playing in roles.items():
        choreography.require(role)
        if callable(playing):
            found[role] = _taking_an_endpoint(role, playing)
        else:
            _refuse_other(role, playing)
            found[role] = dispatching(role, playing, choreography.devices)
    return found


def _refuse_other(role: str, given: object) -> None:
    if not isinstance(given, Mapping):
        raise Unplayable(role, f"{str(given)[:80]} is no function")


def _taking_an_endpoint(role: str, playing: Implementation) -> Implementation:
    """The same function; raises `Unplayable` for one that cannot be called with one argument."""
    if isinstance(playing, FunctionType):
        code = playing.__code__
        if code.co_argcount == 1 and not code.co_kwonlyargcount:
            # As most are written. A look at a signature takes as long as all else of a session's start.
            return playing
    try:
        inspect.signature(playing).bind(None)
    except TypeError as error:
        raise Unplayable(role, str(error)) from None
    except ValueError:
        # Written in C: it is found out when it is called.
        pass
    return playing
