"""A role that calls `sys.exit` ends its session, and not the process that plays others as well."""

from __future__ import annotations

import sys

import pytest

import pavane

ASK = "protocol Ask { roles: A, B; A -> B: Ask(int) }"


async def leaver(me: pavane.Endpoint) -> None:
    sys.exit(3)


async def listener(me: pavane.Endpoint) -> None:
    await me.receive("Ask")


async def test_a48_sys_exit_is_a_failure_of_its_role() -> None:
    async with pavane.open("memory://") as runtime:
        with pytest.raises(pavane.RoleFailed, match="A raised SystemExit: 3"):
            await runtime.run(pavane.load(ASK), durable=True, A=leaver, B=listener)
