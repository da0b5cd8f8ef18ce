"""A token that goes round a family, and takes something from each instance with it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..endpoint.endpoint import Endpoint
from ..playing import Implementation
from .saying import allowed, say

Fold = Callable[[Any, Endpoint], Any | Awaitable[Any]]
"""The token as the instance hands it on, made of the token as it came."""


def ring(fold: Fold, *, start: Any = None, token: str = "Token") -> Implementation:
    """Who plays a family through which one message, `token`, goes from instance to instance.

        foreach i in W[0..N-1] { W[i] -> W[i+1]: Token(votes: list[str]); }
        W[N-1] -> W[0]: Token(votes: list[str]);

        runtime.run(council, W=pavane.ring(vote, start=[]))

    Who sends first folds `start`. Each instance folds once in a round, also the last one of a
    chain that does not close; a mapping that `fold` returns is sent as named fields. The value
    of an instance is the last token that it has seen: that of the first, once round, is the
    result of all.
    """

    async def play(me: Endpoint) -> Any:
        value, folded = start, False
        while True:
            if allowed(me, token, sends=True) is not None:
                value, folded = await _folded(fold, value, me), True
                await say(me, token, value)
            elif allowed(me, token, sends=False) is not None:
                value = await me.receive(token)
            else:
                return value if folded else await _folded(fold, value, me)

    return play


async def _folded(fold: Fold, value: Any, me: Endpoint) -> Any:
    made = fold(value, me)
    return await made if inspect.isawaitable(made) else made
