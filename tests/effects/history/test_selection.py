"""A filter is checked for names that there are not: such a one would choose everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from pavane.effects.journal.journal import Journal

if TYPE_CHECKING:
    from .conftest import Desk


async def _all(found: Any) -> list[Any]:
    return [one async for one in found]


Verb = Callable[[Journal, dict[str, Any]], Awaitable[Any]]

FILTERED: dict[str, Verb] = {
    "entries": lambda journal, chosen: _all(journal.entries(**chosen)),
    "query": lambda journal, chosen: _all(journal.query(**chosen)),
    "tail": lambda journal, chosen: _all(journal.tail(**chosen)),
}

OF_WRITERS: dict[str, Verb] = {
    "verify": lambda journal, chosen: journal.verify(**chosen),
    "survey": lambda journal, chosen: journal.survey(**chosen),
    "digest": lambda journal, chosen: journal.digest(**chosen),
    "compare": lambda journal, chosen: journal.compare(journal, **chosen),
    "rebuild": lambda journal, chosen: journal.rebuild(lambda n, _: n + 1, 0, **chosen),
}


@pytest.mark.parametrize("verb", [*FILTERED, *OF_WRITERS])
async def test_a_misspelt_filter_chooses_nothing(desk: Desk, verb: str) -> None:
    await desk.send(desk.who(), "f")
    with pytest.raises(TypeError, match="'protocl'; did you mean protocol"):
        await {**FILTERED, **OF_WRITERS}[verb](desk.journal, {"protocl": "Other"})


@pytest.mark.parametrize("verb", OF_WRITERS)
async def test_a_chain_is_not_verified_in_parts(desk: Desk, verb: str) -> None:
    await desk.send(desk.who(), "f")
    with pytest.raises(TypeError, match="'fact'; there are namespace, protocol, role, session"):
        await OF_WRITERS[verb](desk.journal, {"fact": "f"})
