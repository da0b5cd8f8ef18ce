"""A program: play durable sessions in child processes that are killed or stopped at random moments.

    killing.py URL kill|stop COUNT SEED

Each session is played by one child after the other until one comes to the end; sessions are played
until COUNT children have been killed or stopped in the middle of one. Prints, as JSON: how many
sessions that took, the faults of all logs, and what was charged.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sys
import time

import pavane
from pavane.actors.durable.audit import Audit, audit
from pavane.actors.durable.names import Place
from pavane.broker.connect import connect
from pavane.broker.errors import Fenced
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer

ORDERS = """
protocol Orders {
    roles: Buyer, Seller, Bank, Clerks[2];
    loop (count: 20) { Buyer -> Bank: Ask(int) Bank -> Buyer: Tell(int) }
    loop (count: 5) {
        Buyer[guard_capability = "order", flow_cost = 7, journal_facts = "ordered"] -> Seller: Order(int)
        Seller -> Clerks[*]: Look(int)
        Clerks[*] -> Seller: Seen(int)
        Seller -> Buyer: Price(int)
    }
    loop (count: 300) {
        Buyer[guard_capability = "order", flow_cost = 2, journal_facts = "noted, kept"] -> Bank: Note(int)
    }
    Buyer -> Bank: Pay(int)
    Bank[flow_cost = 1, journal_facts = "paid"] -> Seller: Paid(int)
}
"""
COST = 5 * 7 + 300 * 2 + 1
SIGNER = Signer(b"a key that is kept for all tests")
PROTOCOL = pavane.load(ORDERS)
FENCED = 9
UNHURT = 3


BEGUN, BEGINS = os.pipe()
"""A byte comes through for each child that begins to play, and when it ends."""


@PROTOCOL.role("Buyer")
async def buyer(me: pavane.Endpoint) -> int:
    os.write(BEGINS, b"b")
    total, talked = 0, 0
    for _ in range(20):
        await me.send("Ask", talked)
        talked = await me.receive("Tell") % 1000
    for _ in range(5):
        await me.send("Order", me.random().randint(1, 100) + talked)
        total += await me.receive("Price")
    for number in range(300):
        await me.send("Note", number)
    await me.send("Pay", total)
    return total


@PROTOCOL.role("Seller")
async def seller(me: pavane.Endpoint) -> int:
    total = 0
    for _ in range(5):
        order = await me.receive("Order")
        await me.send("Look", order)
        seen = await me.receive("Seen")
        price = await me.run(quote, sum(seen.values()))
        total += price
        await me.send("Price", price)
    paid = await me.receive("Paid")
    assert paid == total, (paid, total)
    return total


async def quote(about: int) -> int:
    """Another answer each time it is asked."""
    await asyncio.sleep(0.001)
    return random.randint(1, 10**6) + about


@PROTOCOL.role("Bank")
async def bank(me: pavane.Endpoint) -> int:
    for _ in range(20):
        await me.send("Tell", 3 * await me.receive("Ask") + me.random().randint(0, 9))
    assert [await me.receive("Note") for _ in range(300)] == list(range(300))
    total: int = await me.receive("Pay")
    await me.sleep(0.002)
    await me.send("Paid", total)
    return total


@PROTOCOL.role("Clerks")
async def clerk(me: pavane.Endpoint) -> float:
    for _ in range(5):
        await me.send("Seen", await me.receive("Look") + me.index)
    return await me.now()


async def play(url: str, session: str) -> None:
    async with pavane.open(url, signer=SIGNER) as runtime, asyncio.timeout(30):
        outcome = await runtime.run(PROTOCOL, durable=True, session=session)
        assert outcome["Buyer"] == outcome["Seller"] == outcome["Bank"], outcome
        assert outcome.charged == COST, outcome.charged


def child(url: str, session: str) -> int:
    """Fork a process that plays the session to its end; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        asyncio.run(play(url, session))
        code = 0
    except Fenced:
        code = FENCED
    except BaseException as error:  # noqa: BLE001 (it is the end of the process)
        print(f"{session}: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        # One that finds its session over has never begun.
        os.write(BEGINS, b"e")
        os._exit(code)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def drain() -> None:
    """Forget who has begun."""
    while select.select([BEGUN], [], [], 0)[0]:
        os.read(BEGUN, 1)


def killed(url: str, session: str, rng: random.Random, span: float) -> int:
    """Kill one child after the other until one has come to its end; how many were killed."""
    deaths = 0
    while True:
        pid = child(url, session)
        if deaths < 4:
            # One in four before it has begun.
            if rng.random() < 0.75:
                os.read(BEGUN, 1)
            time.sleep(rng.uniform(0, 0.7) * span)
            os.kill(pid, signal.SIGKILL)
        code = wait(pid)
        drain()
        if code == 0:
            return deaths
        assert code == -signal.SIGKILL, code
        deaths += 1


def stopped(url: str, session: str, rng: random.Random, span: float) -> int:
    """Stop a child, have another take its session over, and let the first go on: what it then does
    must come to nothing. Whether it was stopped before its end."""
    pid = child(url, session)
    os.read(BEGUN, 1)
    time.sleep(rng.uniform(0, 0.9) * span)
    os.kill(pid, signal.SIGSTOP)
    assert wait(child(url, session)) == 0
    os.kill(pid, signal.SIGCONT)
    code = wait(pid)
    drain()
    assert code in (0, FENCED), code
    return code == FENCED


def timed(url: str, session: str) -> float:
    """Seconds that a session takes from its first step on when nothing happens to it."""
    pid = child(url, session)
    os.read(BEGUN, 1)
    began = time.monotonic()
    assert wait(pid) == 0
    return time.monotonic() - began


async def look(url: str, sessions: list[str]) -> dict[str, object]:
    broker = await connect(url)
    journal = Journal(broker, SIGNER)
    found: list[Audit] = []
    for session in sessions:
        found.append(await audit(broker, Place("", "Orders", session), journal))
    spent = 0
    for role in ("Buyer", "Bank"):
        level = await broker.level(f"flow.default.Orders.{role}")
        assert level is not None
        spent += level.spent
    await broker.close()
    return {
        "faults": [f"{one.session}: {fault}" for one in found for fault in one.faults],
        "over": sum(one.is_over for one in found),
        "messages": sum(one.messages for one in found),
        "takeovers": sum(one.takeovers for one in found),
        "spent": spent / COST - UNHURT,
    }


def main(url: str, how: str, count: int, seed: int) -> None:
    rng = random.Random(seed)
    sessions: list[str] = []
    hurt = 0
    span = min(timed(url, f"{how}{seed}-unhurt-{number}") for number in range(UNHURT))
    attempt = killed if how == "kill" else stopped
    while hurt < count:
        sessions.append(f"{how}{seed}-{len(sessions)}")
        hurt += attempt(url, sessions[-1], rng, span)
    result = asyncio.run(look(url, sessions))
    print(json.dumps({**result, "sessions": len(sessions)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
