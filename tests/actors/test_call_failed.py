"""What `me.run` says of a call that failed."""

from __future__ import annotations

import asyncio

import pytest

from pavane.actors.endpoint.calls import around, made
from pavane.actors.errors import CallFailed


async def test_a38_a_call_over_time_says_so_in_one_line() -> None:
    with pytest.raises(CallFailed) as caught:
        await made("Shop", "sleep", lambda: asyncio.sleep(60), around(None, 0.01))
    assert caught.value.kind == "TimedOut"
    assert "\n" not in caught.value.message
    assert "hint" not in caught.value.reason
