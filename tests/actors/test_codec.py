"""Payloads that only the roles can read."""

from __future__ import annotations

import asyncio
import secrets

import pytest

import pavane
from pavane import About, Endpoint, PayloadCipher
from pavane.broker.contract import Broker
from pavane.broker.errors import CodecError

TEXT = """#[namespace = "%s"]
protocol Sealed { roles: A, W[N];
  A -> W[*]: Ask(text: str); W[i] -> A: Answer(text: str);
  A[flow_cost = 1, journal_facts = "asked"] -> W[0]: More(text: str);
  choice A { yes { A -> W[*]: Yes; } no { A -> W[*]: No(str); } } }"""
MARK = "mark-of-a-payload"


async def a(me: Endpoint) -> list[str]:
    await me.send("Ask", text=f"{MARK}-ask")
    answers = await me.receive("Answer")
    await me.send("More", text=f"{MARK}-more")
    await me.send("No", f"{MARK}-no")
    return [answer.text for answer in answers.values()]


async def w(me: Endpoint) -> list[str]:
    asked = await me.receive("Ask")
    await me.send("Answer", text=f"{asked.text}-{me.index}")
    heard = [(await me.receive("More")).text] if me.index == 0 else []
    return [*heard, (await me.offer()).payload]


class Seeing:
    """Turns payloads round, and keeps what it has seen."""

    def __init__(self) -> None:
        self.encoded: list[tuple[str, About]] = []
        self.decoded: list[tuple[str, About]] = []

    def encode(self, payload: bytes, about: About) -> bytes:
        self.encoded.append((about.label, about))
        return payload[::-1]

    def decode(self, data: bytes, about: About) -> bytes:
        self.decoded.append((about.label, about))
        return data[::-1]


async def test_a61_a_codec_sees_every_payload_in_both_directions(
    broker_url: str, unique: str
) -> None:
    codec = Seeing()
    async with pavane.open(broker_url, codec=codec) as runtime:
        outcome = await runtime.run(pavane.load(TEXT % unique).bind(N=2), A=a, W=w)
    assert outcome["A"] == [f"{MARK}-ask-0", f"{MARK}-ask-1"]
    assert sorted(label for label, _ in codec.encoded) == ["Answer", "Answer", "Ask", "More", "No"]
    assert {*codec.decoded} == {*codec.encoded}
    assert len(codec.decoded) == 7  # two instances decode what was sent to all


@pytest.mark.parametrize("sealed", [True, False])
async def test_a61_encrypted_payloads_are_nowhere_on_the_wire(
    broker_url: str, outsider: Broker, unique: str, sealed: bool
) -> None:
    heard: list[bytes] = []
    await outsider.subscribe(f"{unique}.>", lambda _subject, data: heard.append(data))
    cipher = PayloadCipher({"k": secrets.token_bytes(32)}, "k") if sealed else None
    async with pavane.open(broker_url, codec=cipher) as runtime:
        outcome = await runtime.run(pavane.load(TEXT % unique).bind(N=2), A=a, W=w)
    assert outcome["W"][0] == [f"{MARK}-more", f"{MARK}-no"]
    async with asyncio.timeout(5):
        while len(heard) < 4:
            await asyncio.sleep(0.01)
    assert any(MARK.encode() in data for data in heard) is not sealed


async def test_a61_processes_with_other_keys_name_each_other(broker_url: str, unique: str) -> None:
    talk = pavane.load(TEXT % unique).bind(N=2)
    one, other = (PayloadCipher({"k": secrets.token_bytes(32)}, "k") for _ in range(2))
    async with (
        pavane.open(broker_url, codec=one) as first,
        pavane.open(broker_url, codec=other) as second,
    ):
        results = await asyncio.gather(
            first.join(talk, session="s", A=a),
            second.join(talk, session="s", W=w),
            return_exceptions=True,
        )
    assert isinstance(results[1], pavane.ProtocolViolation)
    assert results[1].role == "A"
    assert "does not open" in results[1].message
    assert isinstance(results[0], pavane.SessionAborted)


async def test_a61_what_an_exception_says_stays_in_its_process_with_a_codec(
    broker_url: str, unique: str
) -> None:
    async def careless(me: Endpoint) -> None:
        raise ValueError((await me.receive("Ask")).text)

    talk = pavane.load(TEXT % unique).bind(N=1)
    cipher = PayloadCipher({"k": bytes(32)}, "k")
    async with (
        pavane.open(broker_url, codec=cipher) as first,
        pavane.open(broker_url, codec=cipher) as second,
    ):
        results = await asyncio.gather(
            first.join(talk, session="s", A=a),
            second.join(talk, session="s", W=careless),
            return_exceptions=True,
        )
    assert isinstance(results[1], pavane.RoleFailed)
    assert isinstance(results[0], pavane.SessionAborted)
    assert "ValueError" in results[0].reason
    assert MARK not in str(results[0])


def test_a_cipher_opens_old_keys_and_nothing_that_was_moved_or_altered() -> None:
    about = About("", "P", "s", "A", "B", "M")
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    before = PayloadCipher({"old": old}, "old")
    after = PayloadCipher({"old": old, "new": new}, "new")
    sealed = before.encode(b"payload", about)
    assert after.decode(sealed, about) == b"payload"
    assert len(sealed) == len(b"payload") + 42 + len("old")
    with pytest.raises(CodecError, match="not known"):
        before.decode(after.encode(b"payload", about), about)
    for field in ("namespace", "protocol", "session", "sender", "receiver", "label"):
        values = {name: getattr(about, name) for name in About.__slots__}
        moved = About(**{**values, field: "other"})
        with pytest.raises(CodecError, match="does not open"):
            after.decode(sealed, moved)
    for at in range(len(sealed)):
        with pytest.raises(CodecError):
            after.decode(sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :], about)
        with pytest.raises(CodecError):
            after.decode(sealed[:at], about)
    assert old.hex() not in repr(before)


@pytest.mark.parametrize(
    ("keys", "current"), [({}, "k"), ({"k": b"short"}, "k"), ({"": bytes(32)}, "")]
)
def test_a_cipher_with_keys_that_are_none_is_refused(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ValueError, match="key"):
        PayloadCipher(keys, current)
