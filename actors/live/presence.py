"""Who else is in a session that several processes play, and whether they are still there.

Every process says for each of its roles, to every other process: `hello` until it has heard from
all roles, `here` from then on, `bye` when its own part is over. The frame's fingerprint and the
digest of the bindings make sure that all mean the same protocol. What a process says of itself has
a name of its life in it: one that was killed and comes back is another, and roles with the same
are played together, so that it is enough to tell one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Literal

from ...broker.frame import Control, Frame, encode
from ...broker.payload import pack, unpack
from ...broker.surroundings import unique
from ...language.errors import ProtocolViolation
from ..cast import Cast
from ..errors import Absent

BEAT = 0.5
"""Seconds between two signs of life; while waiting for the others, a fifth of it."""

SILENCE = 5.0
"""Seconds without a sign of life after which a role's process counts as gone."""

Verb = Literal["hello", "here", "bye"]
VERBS = ("hello", "here", "bye")


class Presence:
    """Owned by a session; `begin` before it plays, `leave` when its roles are done, `cancel` at
    the end. `say(local, remote, frame)` sends one; `gone(role, reason)` reports a silence, which
    means nothing while the broker is `away`."""

    __slots__ = ("_away", "_back", "_beating", "_changed", "_digest", "_done", "_fingerprint", "_gone",
                 "_heard", "_here", "_life", "_lives", "_loop", "_offer", "_say", "_verb", "offered")  # fmt: skip

    def __init__(
        self,
        cast: Cast,
        here: Collection[str],
        say: Callable[[str, str, bytes], None],
        gone: Callable[[str, str], None],
        offer: str = "",
        away: Callable[[], bool] = lambda: False,
    ) -> None:
        self.offered: dict[str, str] = {}
        """The trace contexts that the processes of other roles offer; `offer` is ours."""
        self._offer = offer
        self._here = tuple(here)
        self._heard = dict.fromkeys((role for role in cast.parts if role not in here), 0.0)
        self._done: dict[str, None] = {}
        self._digest = _digest(cast)
        self._fingerprint = cast.fingerprint
        self._life = unique(4)
        self._lives: dict[str, str] = {}
        self._say = say
        self._gone = gone
        self._away = away
        self._back = 0.0
        self._verb: Verb = "hello"
        self._changed: asyncio.Future[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # --- our side ----------------------------------------------------------------------

    async def begin(self, patience: float) -> None:
        """Wait until every role is there. Raises `Absent` after `patience` seconds."""
        if not self._heard:
            return
        self._beating = asyncio.create_task(self._beat(), name="pavane-presence")
        try:
            async with asyncio.timeout(patience):
                while not all(self._heard.values()):
                    await self._change()
        except TimeoutError:
            missing = [role for role, when in self._heard.items() if not when]
            raise Absent(missing, patience) from None
        self._verb = "here"
        self._tell_all()

    async def leave(self) -> None:
        """Say that our part is over, and wait until all the others have said so, or are gone."""
        self._verb = "bye"
        self._tell_all()
        while not self._done.keys() >= self._heard.keys():
            await self._change()

    def cancel(self) -> None:
        if self._beating is not None:
            self._beating.cancel()

    async def _change(self) -> None:
        self._changed = self._loop.create_future()
        await self._changed

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _beat(self) -> None:
        while True:
            self._tell_all()
            await asyncio.sleep(BEAT / 5 if self._verb == "hello" else BEAT)
            if self._verb != "hello":
                self._watch()

    def _watch(self) -> None:
        """Report who has been silent for too long; when we are done, that is no matter.

        Who is done goes on saying so until we are: silent, it is gone, perhaps because it has
        given us up, and with it what we may still wait for.
        """
        now = self._loop.time()
        if self._away():
            self._back = now
        for role, when in self._heard.items():
            if now - max(when, self._back) > SILENCE:
                if self._verb == "bye":
                    self._done[role] = None
                    self._wake()
                else:
                    self._gone(role, f"no sign of life from its process for {SILENCE:g} s")

    def _tell_all(self) -> None:
        word = self._word()
        for remote in self._one_of_each():
            self._tell(remote, word)

    def _tell(self, remote: str, word: bytes) -> None:
        for local in self._here:
            self._say(local, remote, word)

    def _one_of_each(self) -> list[str]:
        """A role of every other process; and all roles of which nothing is known yet."""
        lives = self._lives
        apart = {lives.get(role) or (role,): role for role in self._heard}
        return list(apart.values())

    def _word(self) -> bytes:
        facts = pack((self._digest, self._offer, self._life))
        return encode(Frame(self._fingerprint, control=Control(self._verb, facts)))

    # --- theirs ------------------------------------------------------------------------

    def heard(self, role: str, control: Control) -> None:
        """A sign of life of `role`. Raises `ProtocolViolation` for other bindings."""
        if role not in self._heard or control.verb not in VERBS:
            return
        digest = unpack(control.facts)
        life = ""
        if isinstance(digest, list):
            digest, offered, life = _three(digest)  # pyright: ignore[reportUnknownArgumentType]
            if offered:
                self.offered[role] = offered
        if digest != self._digest:
            raise ProtocolViolation(
                f"{role} plays this protocol with other counts",
                role=role,
                expected=(self._digest.hex(),),
                got=digest.hex() if isinstance(digest, bytes) else "no digest",
                hint="bind the same counts in every process",
            )
        if self._lives.setdefault(role, life) != life:
            # What it had received is gone with the process before, and nobody sends it again.
            self._gone(
                role,
                f"its process was killed and started again, or another process plays {role} too",
            )
            return
        self._heard[role] = self._loop.time()
        if control.verb == "bye":
            self._done[role] = None
        if control.verb == "hello" and self._beating is not None:
            self._answer(role)
        self._wake()

    def _answer(self, role: str) -> None:
        """Someone is waiting: do not let it wait for the next beat, but never greet for ever."""
        if self._verb != "hello":
            self._tell(role, self._word())


def _three(facts: list[object]) -> tuple[object, str, str]:
    digest, offered, life = facts if len(facts) == 3 else (None, "", "")
    return digest, _text(offered), _text(life)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _digest(cast: Cast) -> bytes:
    content = repr(sorted(cast.bindings.items())).encode()
    return blake2b(content, digest_size=8).digest()
