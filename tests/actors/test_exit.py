"""Roles whose code exits, is interrupted, or is cancelled: their session's end, told to all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

import pavane
from pavane import Endpoint

TEXT = '#[namespace = "%s"] protocol Exit { roles: A, B; A -> B: Go; B -> A: Gone; }'


class Panic(BaseException):
    """As extensions written in other languages raise it."""


ENDS = [SystemExit(3), asyncio.CancelledError(), Panic("lost"), KeyboardInterrupt()]


async def a(me: Endpoint) -> None:
    await me.send("Go")
    await me.receive("Gone")


def raising(error: BaseException, *, calls: bool = False) -> Callable[[Endpoint], Awaitable[None]]:
    def fail() -> None:
        raise error

    async def b(me: Endpoint) -> None:
        await me.receive("Go")
        await me.run(fail) if calls else fail()

    return b


@pytest.mark.parametrize("error", ENDS[:3], ids=repr)
async def test_the_others_of_a_live_session_hear_of_it(
    broker_url: str, unique: str, error: BaseException
) -> None:
    chosen = pavane.load(TEXT % unique)
    async with pavane.open(broker_url) as one, pavane.open(broker_url) as other:
        ends = await asyncio.gather(
            one.join(chosen, session="s", A=a),
            other.join(chosen, session="s", B=raising(error)),
            return_exceptions=True,
        )
    name = type(error).__name__
    assert isinstance(ends[0], pavane.SessionAborted)
    assert f"session s ended: B raised {name}" in str(ends[0]), "it names the role once"
    assert isinstance(ends[1], pavane.RoleFailed)
    assert ends[1].__cause__ is error


@pytest.mark.parametrize("durable", [False, True])
async def test_ctrl_c_in_a_role_ends_its_host_once_its_session_is_over(
    broker_url: str, unique: str, durable: bool
) -> None:
    chosen = pavane.load(TEXT % unique)
    heard: list[BaseException] = []

    async def listening(me: Endpoint) -> None:
        try:
            await a(me)
        except pavane.PavaneError as error:
            heard.append(error)
            raise

    async with pavane.open(broker_url) as runtime:
        played = runtime.run(
            chosen, session="s", A=listening, B=raising(KeyboardInterrupt()), durable=durable
        )
        # A task that ends with it ends the loop, so it is awaited in this one.
        with pytest.raises(KeyboardInterrupt):
            await played
    assert len(heard) == 1
    assert isinstance(heard[0], pavane.SessionAborted)


@pytest.mark.parametrize("calls", [False, True], ids=["itself", "in a call"])
@pytest.mark.parametrize("error", ENDS, ids=repr)
async def test_a_worker_stays_and_plays_the_next_session(
    broker_url: str, unique: str, error: BaseException, calls: bool
) -> None:
    chosen = pavane.load(TEXT % unique)
    chosen.role("A")(a)
    lives = iter([raising(error, calls=calls)])

    @chosen.role("B")
    async def b(me: Endpoint) -> None:
        if (played := next(lives, None)) is not None:
            await played(me)
        await me.receive("Go")
        await me.send("Gone")

    async with pavane.open(broker_url) as runtime:
        worker = pavane.Worker(runtime)
        worker.serve(chosen)
        working = asyncio.create_task(worker.run())
        failed = await runtime.start(chosen, patience=10)
        with pytest.raises(pavane.PeerFailed, match=f"ended: B raised {type(error).__name__}"):
            await failed.wait(10)
        await (await runtime.start(chosen)).wait(10)
        worker.drain(0)
        await working
