"""What a durable session is to its user: started once, cancelled, failed, looked at, gone on with."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pavane
from pavane.actors.durable import records
from pavane.actors.durable.audit import audit
from pavane.actors.durable.errors import OtherSession
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place
from pavane.actors.durable.records import Taken
from pavane.actors.errors import CallFailed, SessionCancelled
from pavane.broker.contract import Broker
from pavane.broker.errors import Fenced
from pavane.effects.errors import BudgetExhausted

ASK = "protocol Ask { roles: A, B; A -> B: Ask(int) B -> A: Tell(int) }"


async def asker(me: pavane.Endpoint) -> int:
    await me.send("Ask", me.input or 1)
    answer: int = await me.receive("Tell")
    return answer


async def teller(me: pavane.Endpoint) -> None:
    await me.send("Tell", 2 * await me.receive("Ask"))


async def stuck(me: pavane.Endpoint) -> None:
    await me.receive("Ask")
    await asyncio.sleep(60)


async def handle(runtime: pavane.Runtime, session: str) -> SessionHandle:
    """That of a session that is running."""
    place = Place("", "Ask", session)
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.01)
            try:
                if await runtime.broker.last(place.stream, place.operator) is not None:
                    return SessionHandle(runtime.broker, place)
            except pavane.BrokerError:
                continue


async def test_a_session_that_is_over_is_not_played_again(
    runtime: pavane.Runtime, unique: str
) -> None:
    ask = pavane.load(ASK)
    first = await runtime.run(ask, A=asker, B=teller, durable=True, session=unique, input=4)
    again = await runtime.run(ask, A=stuck, B=stuck, durable=True, session=unique, input=4)
    assert first["A"] == again["A"] == 8
    assert first.tallies == again.tallies
    found = await SessionHandle(runtime.broker, Place("", "Ask", unique)).status()
    assert (found.state, found.instances, found.ended) == ("done", 2, 2)


async def test_one_name_is_one_session(runtime: pavane.Runtime, unique: str) -> None:
    ask = pavane.load(ASK)
    await runtime.run(ask, A=asker, B=teller, durable=True, session=unique, input=4)
    with pytest.raises(OtherSession, match="another input"):
        await runtime.run(ask, A=asker, B=teller, durable=True, session=unique, input=5)
    other = pavane.load(ASK.replace("Tell(int)", "Tell(str)"))
    with pytest.raises(pavane.PavaneError):
        await runtime.run(other, A=asker, B=teller, durable=True, session=unique, input=4)


async def test_a_cancelled_session_ends_for_every_role(
    runtime: pavane.Runtime, unique: str
) -> None:
    playing = asyncio.create_task(
        runtime.run(pavane.load(ASK), A=asker, B=stuck, durable=True, session=unique)
    )
    found = await handle(runtime, unique)
    await asyncio.sleep(0.1)
    await found.cancel("too late")
    with pytest.raises(SessionCancelled, match="too late"):
        await playing
    with pytest.raises(SessionCancelled, match="too late"):
        await found.result()
    assert (await found.status()).state == "cancelled"
    with pytest.raises(SessionCancelled):
        await runtime.run(pavane.load(ASK), A=asker, B=teller, durable=True, session=unique)


async def test_a_role_that_raises_ends_the_session_for_good(
    runtime: pavane.Runtime, unique: str
) -> None:
    async def broken(me: pavane.Endpoint) -> None:
        raise ValueError("no")

    with pytest.raises(pavane.RoleFailed, match="B raised ValueError: no"):
        await runtime.run(pavane.load(ASK), A=asker, B=broken, durable=True, session=unique)
    found = SessionHandle(runtime.broker, Place("", "Ask", unique))
    with pytest.raises(pavane.PeerFailed, match="B raised ValueError"):
        await found.result()
    assert (await found.status()).state == "failed"


async def test_a_call_that_failed_fails_the_same_way_again(
    runtime: pavane.Runtime, unique: str
) -> None:
    calls: list[int] = []

    def refused() -> int:
        calls.append(1)
        raise LookupError("not here")

    async def careful(me: pavane.Endpoint) -> str:
        await me.receive("Ask")
        try:
            await me.run(refused)
        except CallFailed as error:
            await me.send("Tell", 0)
            return f"{error.kind}: {error.reason}"
        return "fine"

    ask = pavane.load(ASK)
    first = await runtime.run(ask, A=asker, B=careful, durable=True, session=unique)
    assert first["B"] == "LookupError: not here"
    (again,) = [found async for found in runtime.replay(ask, unique, "B", careful)]
    assert again.is_faithful
    assert calls == [1]


async def test_sessions_of_one_name_are_apart_where_their_protocols_are(
    runtime: pavane.Runtime, unique: str
) -> None:
    """Also to a stream that knows its latest records again by their ids."""
    for name in ("First", "Second"):
        protocol = f"{name}{unique}"
        ask = pavane.load(ASK.replace("Ask {", f"{protocol} {{"))
        await runtime.run(ask, A=asker, B=teller, durable=True, session=unique)
        found = await audit(runtime.broker, Place("", protocol, unique))
        assert (found.faults, found.messages) == ([], 2)


async def test_a_refusal_is_the_same_when_it_is_played_again(
    runtime: pavane.Runtime, unique: str
) -> None:
    """Although the budget has been raised since."""
    costly = pavane.load(
        f"protocol C{unique} {{ roles: A, B; choice A {{"
        "  dear: { A[flow_cost = 9] -> B: Dear } cheap: { A -> B: Cheap } } }"
    )
    await runtime.budgets.define(f"default.C{unique}", "A", 5)

    async def frugal(me: pavane.Endpoint) -> int:
        try:
            await me.send("Dear")
        except BudgetExhausted as error:
            await me.send("Cheap")
            return error.limit
        return 0

    async def taker(me: pavane.Endpoint) -> str:
        return (await me.offer()).label

    outcome = await runtime.run(costly, A=frugal, B=taker, durable=True, session="s")
    assert (outcome["A"], outcome["B"]) == (5, "Cheap")
    await runtime.budgets.define(f"default.C{unique}", "A", 100)
    (again,) = [found async for found in runtime.replay(costly, "s", "A", frugal)]
    assert (again.end, again.is_faithful) == ("done", True)


async def test_a57_who_hears_that_another_has_taken_over_stops(
    runtime: pavane.Runtime, outsider: Broker, unique: str
) -> None:
    playing = asyncio.create_task(
        runtime.run(pavane.load(ASK), A=asker, B=stuck, durable=True, session=unique)
    )
    await handle(runtime, unique)
    await asyncio.sleep(0.1)
    place = Place("", "Ask", unique)
    fence = place.fence("B", 0)
    await outsider.append(place.stream, fence, records.pack(Taken(2, 1, "another")))
    with pytest.raises(Fenced):
        await playing


async def test_a50_what_was_lost_on_the_way_is_read_from_the_log(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a subscription misses a message: nobody says so."""
    from pavane.actors.durable.unit import Unit

    heard = Unit._heard_log  # pyright: ignore[reportPrivateUsage]
    dropped: list[str] = []

    def hear(unit: Unit, subject: str, data: bytes) -> None:
        if ".B." in subject and len(dropped) < 1 and ".A.0.log" in subject:
            dropped.append(subject)
            return
        heard(unit, subject, data)

    monkeypatch.setattr(Unit, "_heard_log", hear)
    monkeypatch.setattr("pavane.actors.durable.catching.FIRST", 0.1)
    async with asyncio.timeout(10):
        outcome = await runtime.run(
            pavane.load(ASK), A=asker, B=teller, durable=True, session=unique
        )
    assert (outcome["A"], len(dropped)) == (2, 1)
    found = await audit(runtime.broker, Place("", "Ask", unique), runtime.journal)
    assert (found.faults, found.is_over) == ([], True)


async def test_a53_a_slow_reader_slows_its_sender(runtime: pavane.Runtime, unique: str) -> None:
    many = pavane.load("protocol Many { roles: A, B; loop (count: 3000) { A -> B: Item(int) } }")
    ahead: list[int] = []
    sent = read = 0

    async def fast(me: pavane.Endpoint) -> None:
        nonlocal sent
        for number in range(3000):
            await me.send("Item", number)
            sent = number

    async def slow(me: pavane.Endpoint) -> None:
        nonlocal read
        for number in range(3000):
            read = await me.receive("Item")
            if number % 100 == 0:
                await asyncio.sleep(0.002)
                ahead.append(sent - read)

    await runtime.run(many, A=fast, B=slow, durable=True, session=unique)
    assert max(ahead) <= 2 * 1024


# --- the same state, whatever the process --------------------------------------------------------

REPLAYING = """
import asyncio, sys, pavane
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import killing

async def main():
    async with pavane.open(sys.argv[2], signer=killing.SIGNER) as runtime:
        for role in killing.PROTOCOL.roles:
            for _ in range(int(sys.argv[3])):
                async for found in runtime.replay(killing.PROTOCOL, "seeds", role):
                    assert found.is_faithful and found.end == "done", found
                    print(found.instance, found.hash)

asyncio.run(main())
"""


def replayed(url: str, seed: int, times: int, python: str = sys.executable) -> set[str]:
    """The state hashes of all instances, replayed in a process with this hash seed."""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [python, "-c", REPLAYING, here, url, str(times)],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


@pytest.mark.parametrize(("seeds", "times"), [(2, 2), pytest.param(20, 50, marks=pytest.mark.long)])
def test_a58_a_log_comes_to_the_same_state_under_any_hash_seed(
    nats_url: str, seeds: int, times: int
) -> None:
    here = str(Path(__file__).parent)
    playing = "import asyncio, sys; sys.path.insert(0, sys.argv[1]); import killing; "
    playing += "asyncio.run(killing.play(sys.argv[2], 'seeds'))"
    subprocess.run([sys.executable, "-c", playing, here, nats_url], check=True, timeout=60)
    found = {frozenset(replayed(nats_url, seed, times)) for seed in range(seeds)}
    (states,) = found
    assert len(states) == 5


def others() -> list[str]:
    """Interpreters of other versions on this machine that have pavane."""
    names = [f"python3.{minor}" for minor in range(11, 16) if minor != sys.version_info.minor]
    known = (Path.home() / ".pyenv" / "versions").glob("3.*/bin/python")
    found = [path for name in names if (path := shutil.which(name))] + [str(path) for path in known]
    asking = "import sys, pavane.actors.durable.replay; print(sys.version_info[:2])"
    able: dict[str, str] = {}
    for path in found:
        asked = subprocess.run(
            [path, "-c", asking], capture_output=True, text=True, check=False, timeout=60
        )
        if asked.returncode == 0 and asked.stdout.strip() != str(sys.version_info[:2]):
            able.setdefault(asked.stdout, path)
    return list(able.values())


@pytest.mark.long
def test_a58_a_log_comes_to_the_same_state_under_any_python(nats_url: str) -> None:
    if not (pythons := others()):
        pytest.skip("no other Python here has pavane")
    here = str(Path(__file__).parent)
    playing = "import asyncio, sys; sys.path.insert(0, sys.argv[1]); import killing; "
    playing += "asyncio.run(killing.play(sys.argv[2], 'seeds'))"
    subprocess.run([sys.executable, "-c", playing, here, nats_url], check=True, timeout=60)
    ours = replayed(nats_url, 1, 1)
    assert len(ours) == 5
    for python in pythons:
        assert replayed(nats_url, 2, 1, python) == ours, python
