"""`pavane replay`: other code, and other versions, on the log of a session that was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import pavane as library

from .conftest import Pavane

FIRST = """#[namespace = "SPACE"]
protocol Chat {
    roles: C, S;
    C -> S: Ask(n: int);
    choice C { go { C -> S: Go } stop { C -> S: Stop } }
    S -> C: Bye(n: int)
}
"""
SECOND = FIRST.replace("stop {", "wait { C -> S: Wait } stop {")
THIRD = FIRST.replace("roles: C, S;", "roles: C, S, T;").replace(
    "C -> S: Ask", "C -> T: Too C -> S: Ask"
)
MODULE = '''
import asyncio

import pavane

chat = pavane.load("""TEXT""")


@chat.role("C")
async def c(me):
    await me.send("Ask", 1)
    await me.send("Go")
    return (await me.receive("Bye")).n


@chat.role("S")
async def s(me):
    await me.receive("Ask")
    WHAT
    said = await me.offer()
    await me.send("Bye", 1)
    return said.label
'''


async def c(me: library.Endpoint) -> None:
    await me.send("Ask", 1)
    await me.send("Go")
    await me.receive("Bye")


async def s(me: library.Endpoint) -> None:
    await me.receive("Ask")
    await me.offer()
    await me.send("Bye", 1)


@pytest.fixture
def played(nats_url: str, unique: str) -> str:
    """A session in the first version, which is on the broker's shelf."""

    async def play() -> None:
        chat = library.load(FIRST.replace("SPACE", unique))
        async with library.open(nats_url) as runtime:
            with pytest.raises(library.PavaneError, match="no worker serves"):
                await runtime.start(chat)  # It has put the text on the shelf.
            await runtime.run(chat, C=c, S=s, durable=True, session="r1")

    asyncio.run(play())
    return unique


class Trial:
    """A module of other code, and what comes of it."""

    def __init__(self, pavane: Pavane, folder: Path, space: str, url: str) -> None:
        self._pavane = pavane
        self._folder = folder
        self._space = space
        self._url = url

    def __call__(self, role: str, text: str = FIRST, what: str = "pass") -> tuple[int, str]:
        module = MODULE.replace("TEXT", text.replace("SPACE", self._space)).replace("WHAT", what)
        (self._folder / "again.py").write_text(module)
        done = self._pavane("replay", "r1", f"again:chat.{role}", "--url", self._url)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def trial(pavane: Pavane, tmp_path: Path, played: str, nats_url: str) -> Trial:
    return Trial(pavane, tmp_path, played, nats_url)


def test_a_version_that_can_stand_in_plays_the_sessions_own_machine(trial: Trial) -> None:
    code, said = trial("S", SECOND)
    assert (code, "S: 3 messages, to its end" in said) == (0, True), said
    code, said = trial("S", SECOND, "await me.send('Bye', 1)")
    assert (code, "S: 1 message, failed" in said) == (3, True), said


def test_one_that_cannot_says_why(trial: Trial) -> None:
    code, said = trial("C", SECOND)
    assert code == 3
    assert "this version of C cannot stand in for the session's: after S!Ask, new C sends" in said
    code, said = trial("C", THIRD)
    assert (code, "cannot stand in" in said) == (3, True), said


@pytest.mark.parametrize(
    "kind",
    ["SystemExit", "asyncio.CancelledError", "KeyboardInterrupt", "BaseException", "ValueError"],
)
def test_code_that_fails_is_told_from_code_that_does_not(trial: Trial, kind: str) -> None:
    code, said = trial("S", what=f"raise {kind}(0)")
    assert code == 3
    assert f"S: 1 message, failed: S raised {kind.rpartition('.')[2]}: 0" in said


def test_code_that_ends_the_process_later_has_failed(trial: Trial) -> None:
    code, said = trial("S", what="asyncio.get_running_loop().call_soon(exit, 0)")
    assert (code, "failed: a task that the code began raised SystemExit" in said) == (3, True), said
