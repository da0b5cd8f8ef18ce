"""Programs play roles: held to their machines beforehand, on memory and on NATS."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

import pavane
from pavane.actors.events import Event, MessageSent
from pavane.effects.errors import UnregisteredEffect
from pavane.effects.pipeline.handlers import standard_registry

Program = pavane.Program

NEGOTIATION = """protocol Negotiation {
    roles: Buyer, Seller;
    Buyer -> Seller: Offer(price: int);
    choice Seller {
        accept { Seller -> Buyer: Accept; }
        reject { Seller -> Buyer: Reject(reason: str); }
    }
}"""

BUYER = (
    Program()
    .send("Seller", "Offer", price=95)
    .offer(Accept=Program().recv("Seller", "Accept"), reject=Program().recv("Seller", "Reject"))
)
SELLER = (
    Program()
    .recv("Buyer", "Offer")
    .choose(
        lambda got: "accept" if got["Offer"].price >= 90 else "reject",
        accept=Program().send("Buyer", "Accept"),
        reject=Program().send("Buyer", "Reject", reason=lambda got: f"{got['Offer'].price} is low"),
    )
)


async def silent(me: pavane.Endpoint) -> None:
    await asyncio.sleep(30)


async def test_a35_programs_play_beside_functions_and_as_registered_roles(
    runtime: pavane.Runtime,
) -> None:
    market = pavane.load(NEGOTIATION)
    assert market.role("Seller")(SELLER) is SELLER

    async def buyer(me: pavane.Endpoint) -> str:
        await me.send("Offer", price=10)
        return str((await me.receive("Reject")).reason)

    assert (await runtime.run(market, Buyer=buyer))["Buyer"] == "10 is low"
    outcome = await runtime.run(market, Buyer=BUYER)
    assert outcome["Buyer"].selected == ("Accept",)
    assert outcome["Seller"]["Offer"].price == 95
    assert outcome["Buyer"].state == outcome["Seller"].state == "completed"


async def test_a35_two_programs_put_together_are_one_run(runtime: pavane.Runtime) -> None:
    protocol = pavane.load("""protocol Transfer {
        roles: Alice, Bob;
        Alice -> Bob: Hello; Bob -> Alice: Welcome(size: int);
        loop (count: 2) { Alice -> Bob: Data(n: int); Bob -> Alice: Ack(n: int); }
    }""")
    handshake = Program().send("Bob", "Hello").recv("Bob", "Welcome").end()
    data = Program().send("Bob", "Data", n=lambda got: got["Welcome"].size + got.round)
    transfer = Program().loop(data.recv("Bob", "Ack"), count=2).end()
    answer = Program().recv("Alice", "Data").send("Alice", "Ack", n=lambda got: got.last.n)
    bob = Program().recv("Alice", "Hello").send("Alice", "Welcome", size=7).loop(answer, count=2)
    sessions: list[str] = []
    runtime.observe(lambda event: sessions.append(event.session))
    outcome = await runtime.run(protocol, Alice=handshake.then(transfer), Bob=bob)
    assert len(set(sessions)) == 1
    alice = outcome["Alice"]
    assert [heard.label for heard in alice.received] == ["Welcome", "Ack", "Ack"]
    assert [ack.n for ack in alice.values[1:]] == [7, 8]
    with pytest.raises(pavane.ProgramDeparts) as refused:
        await runtime.run(protocol, Alice=handshake, Bob=bob)
    assert refused.value.expected == ("Bob!Data",)


async def test_a35_a_durable_session_is_played_by_programs(
    runtime: pavane.Runtime, unique: str
) -> None:
    market = pavane.load(NEGOTIATION)
    roles = {"Buyer": BUYER, "Seller": SELLER}
    for _ in range(2):
        outcome = await runtime.run(market, roles, durable=True, session=unique)
        result = pavane.ProgramResult.of(outcome["Buyer"])
        assert (result.state, result.selected) == ("completed", ("Accept",))
    short = Program().send("Seller", "Offer", price=95)
    with pytest.raises(pavane.ProgramDeparts):
        await runtime.run(market, Buyer=short, Seller=SELLER, durable=True, session=f"{unique}x")


async def test_a35_a_simulated_runtime_plays_programs() -> None:
    async with pavane.for_simulation(7) as runtime:
        outcome = await runtime.run(pavane.load(NEGOTIATION), Buyer=BUYER, Seller=SELLER)
        assert pavane.ProgramResult.of(outcome["Buyer"]).selected == ("Accept",)


@pytest.mark.parametrize("durable", [False, True])
async def test_a35_arms_of_a_parallel_wait_for_messages_that_cross(
    runtime: pavane.Runtime, unique: str, durable: bool
) -> None:
    both = pavane.load("""protocol Both {
        roles: Hub, Left, Right;
        parallel {
            Hub -> Left: Go; Left -> Hub: DoneLeft(steps: int)
            |
            Hub -> Right: Go; Right -> Hub: DoneRight(steps: int)
        }
        Hub -> Left: Bye(steps: int);
    }""")
    arms = [Program().send(role, "Go").recv(role, f"Done{role}") for role in ("Left", "Right")]
    hub = (
        Program()
        .parallel(*arms)
        .send("Left", "Bye", steps=lambda got: got["DoneLeft"].steps + got["DoneRight"].steps)
    )

    async def left(me: pavane.Endpoint) -> int:
        await me.receive("Go")
        await me.sleep(0.02)
        await me.send("DoneLeft", steps=1)
        return int((await me.receive("Bye")).steps)

    right = Program().recv("Hub", "Go").send("Hub", "DoneRight", steps=2)
    outcome = await runtime.run(
        both, Hub=hub, Left=left, Right=right, durable=durable, session=unique
    )
    assert outcome["Left"] == 3


async def test_a35_families_broadcasts_and_gathers(runtime: pavane.Runtime) -> None:
    poll = pavane.load("""protocol Poll {
        roles: Chair, Voter[N];
        Chair -> Voter[*]: Ask(motion: str);
        Voter[*] -> Chair: Vote(yes: bool);
        foreach i in Voter { Chair -> Voter[i]: Seat(number: int); }
    }""")
    seat = Program().send("Voter", "Seat", number=lambda got: got.round)
    chair = (
        Program()
        .send("Voter[*]", "Ask", motion="lunch")
        .recv("Voter[*]", "Vote")
        .loop(seat, count="Voter")
    )
    voter = (
        Program()
        .recv("Chair", "Ask")
        .send("Chair", "Vote", yes=lambda got: got.index % 2 == 0)
        .recv("Chair", "Seat")
    )
    outcome = await runtime.run(poll, bindings={"N": 3}, Chair=chair, Voter=voter)
    assert [vote.yes for vote in outcome["Chair"]["Vote"].values()] == [True, False, True]
    assert {i: result["Seat"].number for i, result in outcome["Voter"].items()} == {
        0: 0,
        1: 1,
        2: 2,
    }
    few = Program().send("Voter", "Ask", motion="x").recv("Voter", "Vote").loop(seat, count=2)
    with pytest.raises(pavane.ProgramDeparts, match=r"Voter\[.*!Seat"):
        await runtime.run(poll, bindings={"N": 3}, Chair=few, Voter=voter)


ANNOTATED = """protocol Paid {
    roles: Client, Shop;
    Client[flow_cost = 30, journal_facts = "ordered"] -> Shop: Order;
    Client[guard_capability = "shop:pay", flow_cost = 20, journal_facts = "paid"] -> Shop: Pay;
}"""


async def test_a35_charges_facts_receipts_and_denials_are_in_the_result(broker_url: str) -> None:
    client = Program().send("Shop", "Order").send("Shop", "Pay")
    shop = Program().recv("Client", "Order").recv("Client", "Pay")
    paid = pavane.load(ANNOTATED)
    async with pavane.open(broker_url) as runtime:
        result = (await runtime.run(paid, Client=client, Shop=shop))["Client"]
    assert (result.charged, result.facts, result.denials) == (50, ("ordered", "paid"), ())
    assert [receipt.cost for receipt in result.receipts] == [30, 20]
    async with pavane.open(broker_url, grants={"Client": []}) as runtime:
        denied = pavane.Performance(client)
        with pytest.raises(pavane.CapabilityDenied):
            await runtime.run(paid, Client=denied, Shop=shop)
    result = denied.result
    assert result is not None
    assert (result.state, result.operation) == ("failed", "send Shop!Pay (2)")
    assert (result.charged, result.facts) == (30, ("ordered",))
    assert len(result.denials) == 1 and "shop:pay" in result.denials[0]
    assert result.reason.startswith("Client lacks the capability shop:pay")


async def test_a35_a_program_out_of_time_ends_the_session_as_timed_out(
    runtime: pavane.Runtime,
) -> None:
    waiting = pavane.Performance(Program().timeout(0.05, BUYER))
    with pytest.raises(pavane.ProgramTimedOut):
        await runtime.run(pavane.load(NEGOTIATION), Buyer=waiting, Seller=silent)
    assert waiting.result is not None
    assert (waiting.result.state, waiting.result.error.__class__) == (
        "timed out",
        pavane.ProgramTimedOut,
    )


async def test_a35_an_undecided_choice_takes_the_timeout_branch(runtime: pavane.Runtime) -> None:
    approval = pavane.load("""protocol Approval {
        roles: Boss, Clerk;
        choice at Boss {
            approve: { Boss -> Clerk: Approve; }
            timeout(50ms): { Boss -> Clerk: Undecided; }
        }
    }""")

    async def never(got: pavane.Results) -> str:
        await asyncio.sleep(30)
        return "approve"

    boss = Program().choose(
        never,
        approve=Program().send("Clerk", "Approve"),
        timeout=Program().send("Clerk", "Undecided"),
    )
    clerk = Program().offer(
        Approve=Program().recv("Boss", "Approve"), Undecided=Program().recv("Boss", "Undecided")
    )
    outcome = await runtime.run(approval, Boss=boss, Clerk=clerk)
    assert outcome["Clerk"].selected == ("Undecided",)


@dataclass(frozen=True)
class Note:
    text: str


async def test_a35_an_extension_is_performed_or_refused_beforehand(broker_url: str) -> None:
    noted: list[str] = []
    registry = standard_registry()

    @registry.performs(Note)
    async def note(effect: Note) -> int:
        noted.append(effect.text)
        return len(noted)

    buyer = Program().ext(Note("begun")).then(BUYER).ext(Note, text=lambda got: got.selected[-1])
    market = pavane.load(NEGOTIATION)
    async with pavane.open(broker_url, registry=registry) as runtime:
        outcome = await runtime.run(market, Buyer=buyer, Seller=SELLER)
    assert (noted, outcome["Buyer"].returned) == (["begun", "Accept"], {"Note": 2})
    async with pavane.open(broker_url) as runtime:
        with pytest.raises(UnregisteredEffect, match="Note has no handler at role Buyer"):
            await runtime.run(market, Buyer=buyer, Seller=SELLER)
    assert len(noted) == 2


async def test_a35_a_piece_of_a_part_is_played_inside_a_function(runtime: pavane.Runtime) -> None:
    log: list[str] = []

    async def buyer(me: pavane.Endpoint) -> str:
        with pytest.raises(pavane.ProgramDeparts, match="state 0"):
            await Program().recv("Seller", "Accept")(me)
        recording = pavane.RecordingHandler(me)
        await Program().send("Seller", "Offer", price=95)(recording)
        log.extend(recording.log)
        return (await me.offer()).label

    outcome = await runtime.run(pavane.load(NEGOTIATION), Buyer=buyer, Seller=SELLER)
    assert (outcome["Buyer"], log) == ("Accept", ["Seller!Offer(price=95)"])


# --- departures --------------------------------------------------------------------------------

ACCEPT, REJECT = Program().recv("Seller", "Accept"), Program().recv("Seller", "Reject")
OFFER = Program().send("Seller", "Offer", price=1)


@pytest.mark.parametrize(
    ("buyer", "place", "state", "got"),
    [
        (Program().send("Seller", "Ofer", price=1), "1", 0, "Seller!Ofer"),
        (Program().send("Seller", "Offer", price="1"), "1", 0, "str"),
        (ACCEPT, "1", 0, "Seller?Accept"),
        (OFFER.then(ACCEPT), "2", 1, "recv Seller?Accept"),
        (OFFER.offer(Accept=ACCEPT), "2", 1, "offer Accept"),
        (OFFER.offer(Accept=ACCEPT, reject=Program()), "", 2, None),
        (OFFER.offer(Accept=ACCEPT, reject=ACCEPT), "2.reject.1", 2, "recv Seller?Accept"),
        (OFFER.loop(Program().offer(Accept=ACCEPT, reject=REJECT), count=2), "2.1", 2, None),
        (OFFER.loop(OFFER, while_=lambda got: False), "2.1", 1, "Seller!Offer"),
        (OFFER, "", 1, "end"),
        (BUYER.then(OFFER), "3", 2, "Seller!Offer"),
    ],
)
async def test_a35_a_departure_is_refused_before_anything_is_sent(
    buyer: pavane.Program, place: str, state: int, got: str | None
) -> None:
    market = pavane.load(NEGOTIATION)
    events: list[Event] = []
    async with pavane.for_testing() as runtime:
        runtime.observe(events.append)
        with pytest.raises(pavane.ProgramDeparts) as caught:
            await runtime.run(market, Buyer=buyer, Seller=SELLER)
    refused = caught.value
    assert not [event for event in events if isinstance(event, MessageSent)]
    assert refused.role == "Buyer"
    if got is not None:
        assert (refused.place, refused.state, refused.got) == (place, state, got)
    assert refused.operation
    assert refused.expected or refused.state == 2
