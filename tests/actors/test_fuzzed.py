"""ACCEPTANCE 51: whatever bytes come on whatever subject, a session says so or drops them."""

from __future__ import annotations

import asyncio
import random
import resource
from collections.abc import Callable

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.live.post import Post
from pavane.actors.mailbox.inlet import Inlet
from pavane.actors.mailbox.mailbox import FULL
from pavane.broker.errors import FrameError
from pavane.broker.frame import Abort, Ack, Control, Frame, Message, Parts, encode
from pavane.broker.payload import pack, unpack
from pavane.language.errors import PavaneError

TEXT = """protocol P { roles: A, B, W[3];
  loop (count: 9) { A -> B: M(int, str); B -> A: N(list[int]); A -> W[*]: Go(str); } }"""

LABELS = ("M", "N", "Go", "", "M" * 300, "\u2603", "done")
TOKENS = ("default", "P", "A", "B", "W", "0", "1", "00", "-1", "all", "*", ">", "", "x" * 200, "é")


class Desk:
    """Stands where a session is told of what came, and goes on, so that more can come."""

    def __init__(self) -> None:
        self.failed: dict[str, int] = {}
        self.culprits: set[str] = set()
        self.dropped = 0
        self.words = 0

    def fail(self, error: PavaneError, culprit: str) -> None:
        assert error.code and error.message
        self.failed[error.code] = self.failed.get(error.code, 0) + 1
        self.culprits.add(culprit)

    def refused(self, subject: str, reason: str) -> None:
        assert reason
        self.dropped += 1

    def heard(self, role: str, control: Control) -> None:
        self.words += 1


class Fuzzer:
    """Frames from well formed to random, the same for the same seed."""

    def __init__(self, seed: int, fingerprint: bytes, session: str) -> None:
        self.rng = random.Random(seed)
        self._fingerprint = fingerprint
        self._session = session
        self._kinds: list[Callable[[int], bytes]] = [
            self._frame, self._mutated, self._mutated, self._noise, self._bomb, self._word,
        ]  # fmt: skip

    def subject(self) -> str:
        if self.rng.random() < 0.9:
            to = self.rng.choice(("B.0", "B.0", "W.0", "W.1", "W.all"))
            return f"default.P.{to}.{self._session}.A.0"
        size = self.rng.choice((6, 7, 7, 7, 8))
        names = [self.rng.choice((*TOKENS, self._session)) for _ in range(size)]
        return ".".join(names)

    def data(self, number: int) -> bytes:
        return self.rng.choice(self._kinds)(number)

    def _message(self, number: int) -> Message:
        rng = self.rng
        payload = rng.choice((pack([1, "x"]), pack({"a": [1]}), rng.randbytes(9), b"", b"\xc1"))
        parts = Parts(rng.randrange(4), rng.randrange(4), rng.randbytes(8))
        return Message(
            max(0, number + rng.choice((0, 0, 0, 0, -1, 1, 2**40))),
            rng.choice(LABELS[:3] if rng.random() < 0.9 else LABELS),
            payload,
            ("left",) * rng.choice((0, 0, 1, 70)),
            parts if rng.random() < 0.1 else None,
        )

    def _frame(self, number: int) -> bytes:
        count = self.rng.choice((1, 1, 1, 2, 5))
        messages = tuple(self._message(number + n) for n in range(count))
        other = self.rng.random() < 0.02
        return encode(Frame(bytes(8) if other else self._fingerprint, messages))

    def _mutated(self, number: int) -> bytes:
        data = bytearray(self._frame(number))
        for _ in range(self.rng.randint(1, 4)):
            at = self.rng.randrange(len(data)) if data else 0
            match self.rng.randrange(4):
                case 0 if data:
                    data[at] = self.rng.randrange(256)
                case 1:
                    del data[at:]
                case 2:
                    data += data[:at]
                case _:
                    data.insert(at, self.rng.randrange(256))
        return bytes(data)

    def _noise(self, _: int) -> bytes:
        return self.rng.randbytes(self.rng.randrange(60))

    def _bomb(self, _: int) -> bytes:
        """Lengths that are not there, and nesting that is."""
        rng = self.rng
        head = b"\x97\x01\xc4\x08" + self._fingerprint
        opener = rng.choice((b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"))
        size = rng.choice((2**32 - 1, 2**31, 65_537)).to_bytes(4, "big")
        deep = rng.choice((b"\x91", b"\x81", b"\xdc\x00\x01")) * rng.choice((3, 70, 3000))
        return rng.choice((head + opener + size, head + b"\x91" + opener + size, head + deep, deep))

    def _word(self, number: int) -> bytes:
        rng = self.rng
        big = rng.choice((0, number, 2**53 - 1))
        return encode(
            rng.choice(
                (
                    Frame(self._fingerprint, ack=Ack(big, big)),
                    Frame(self._fingerprint, ack=Ack(big, big), control=Control("all")),
                    Frame(self._fingerprint, abort=Abort("so it is", "PV1", "W[9]")),
                    Frame(self._fingerprint, control=Control("hello", rng.randbytes(5))),
                )
            )
        )


def read(inlet: Inlet) -> None:
    """Take what was accepted: each payload is a value or refused."""
    while inlet.unread:
        message = inlet.take()
        try:
            unpack(message.payload)
        except FrameError:
            pass


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)])
async def test_a51_fuzzed_frames_crash_nothing_and_hang_nothing(count: int) -> None:
    desk = Desk()
    reached = 0

    async def b(me: Endpoint) -> None:
        nonlocal reached
        seats = {("B", 0): me.seat}
        post = Post(desk, me.session, fingerprint, seats)
        fuzzer = Fuzzer(count, fingerprint, me.session)
        inlet = me.seat.mailbox.inlet("A", 0)
        assert inlet is not None
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(count):
            had = inlet.alone.last
            post.deliver(fuzzer.subject(), fuzzer.data(had + 1))
            reached += inlet.alone.last > had
            assert inlet.unread <= FULL
            if fuzzer.rng.random() < 0.2:
                read(inlet)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 64 * 1024, f"{grown} KiB more"
        raise KeyError("enough")

    async def silent(me: Endpoint) -> None:
        await me.receive()

    protocol = pavane.load(TEXT)
    fingerprint = protocol.compiled.fingerprint
    async with pavane.for_testing() as runtime:
        with pytest.raises(pavane.RoleFailed):
            await runtime.run(protocol, A=_waiting, B=b, W=silent)
    assert reached > count // 100 and desk.dropped > count // 100
    assert desk.words > count // 1000 and sum(desk.failed.values()) > count // 4
    assert desk.culprits <= {"A", "B", "W[0]", "W[1]"}


async def _waiting(me: Endpoint) -> None:
    await asyncio.sleep(3600)
