"""Live sessions from the first message to the last."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import pavane
from pavane import Endpoint

NEGOTIATION = """
#[namespace = "shop"]
protocol Negotiation { roles: Buyer, Seller;
  Buyer -> Seller: Offer(item: str, price: int);
  choice Seller {
    accept: { Seller -> Buyer: Accept; }
    reject: { Seller -> Buyer: Reject(reason: str); }
  }
}"""


def buyer_offering(price: int) -> Any:
    async def buyer(me: Endpoint) -> str:
        await me.send("Offer", item="a lamp", price=price)
        match await me.offer():
            case pavane.Received("Accept"):
                return "bought"
            case pavane.Received("Reject", payload):
                return f"refused: {payload.reason}"
            case other:
                raise AssertionError(other)

    return buyer


async def seller(me: Endpoint) -> int:
    offer = await me.receive("Offer")
    if offer.price >= 90:
        await me.send("Accept")
    else:
        await me.send("Reject", reason="too low")
    return int(offer.price)


async def test_two_roles_talk_and_their_values_come_back(runtime: pavane.Runtime) -> None:
    market = pavane.load(NEGOTIATION)
    outcome = await runtime.run(market, Buyer=buyer_offering(100), Seller=seller)
    assert outcome["Buyer"] == "bought"
    assert outcome["Seller"] == 100
    assert outcome.tallies["Buyer"].sent == 1
    assert outcome.tallies["Seller"].received == 1


async def test_a14_the_choosers_label_is_followed(runtime: pavane.Runtime) -> None:
    market = pavane.load(NEGOTIATION)
    outcome = await runtime.run(market, Buyer=buyer_offering(10), Seller=seller)
    assert outcome["Buyer"] == "refused: too low"


async def test_registered_roles_play_where_none_is_given(runtime: pavane.Runtime) -> None:
    market = pavane.load(NEGOTIATION)
    market.role("Seller")(seller)
    assert (await runtime.run(market, Buyer=buyer_offering(95)))["Buyer"] == "bought"


async def test_all_missing_roles_are_named_before_anything_starts(runtime: pavane.Runtime) -> None:
    market = pavane.load(NEGOTIATION)
    with pytest.raises(pavane.MissingRole) as caught:
        await runtime.run(market)
    assert caught.value.roles == ("Buyer", "Seller")
    assert "run(..., Buyer=function)" in caught.value.hint


async def test_a_role_that_is_not_there_is_refused(runtime: pavane.Runtime) -> None:
    market = pavane.load(NEGOTIATION)
    with pytest.raises(pavane.ActorError, match="no role Auctioneer"):
        await runtime.run(market, Auctioneer=seller)
    with pytest.raises(pavane.ActorError, match="no role Auctioneer"):
        market.role("Auctioneer")


async def test_a_step_off_the_protocol_is_refused_before_it_is_sent(
    runtime: pavane.Runtime,
) -> None:
    refusals: list[pavane.ProtocolViolation] = []

    async def buyer(me: Endpoint) -> None:
        for label in ("Accept", "Nonsense"):
            with pytest.raises(pavane.ProtocolViolation) as caught:
                await me.send(label)
            refusals.append(caught.value)
        with pytest.raises(pavane.ProtocolViolation):
            await me.receive("Accept")
        await me.send("Offer", item="x", price=90)
        await me.receive("Accept")

    await runtime.run(pavane.load(NEGOTIATION), Buyer=buyer, Seller=seller)
    assert [r.expected for r in refusals] == [("Seller!Offer",)] * 2
    assert [r.role for r in refusals] == ["Buyer"] * 2


async def test_asking_for_one_branch_where_the_peer_took_another(runtime: pavane.Runtime) -> None:
    async def buyer(me: Endpoint) -> None:
        await me.send("Offer", item="x", price=1)
        await me.receive("Accept")

    with pytest.raises(pavane.ProtocolViolation, match="asks for Accept, but Seller sent Reject"):
        await runtime.run(pavane.load(NEGOTIATION), Buyer=buyer, Seller=seller)


async def test_a05_a_wrong_payload_is_refused_before_it_is_sent(runtime: pavane.Runtime) -> None:
    async def buyer(me: Endpoint) -> None:
        with pytest.raises(pavane.PayloadError, match="price"):
            await me.send("Offer", item="a lamp", price="cheap")
        with pytest.raises(pavane.PayloadError):
            await me.send("Offer", item="a lamp")
        await me.send("Offer", "a lamp", 95)
        await me.receive("Accept")

    outcome = await runtime.run(pavane.load(NEGOTIATION), Buyer=buyer, Seller=seller)
    assert outcome["Seller"] == 95


async def test_many_sessions_run_at_once(runtime: pavane.Runtime) -> None:
    market = pavane.load(NEGOTIATION)
    prices = [80 + n for n in range(20)]
    runs = [runtime.run(market, Buyer=buyer_offering(p), Seller=seller) for p in prices]
    outcomes = await asyncio.gather(*runs)
    assert [o["Seller"] for o in outcomes] == prices
    assert [o["Buyer"] == "bought" for o in outcomes] == [p >= 90 for p in prices]
    assert len({o.session for o in outcomes}) == 20


async def test_a16_statements_after_blocks_are_executed(runtime: pavane.Runtime) -> None:
    text = """protocol P { roles: A, B;
      choice A { x: { A -> B: X; } y: { A -> B: Y; } }
      A -> B: AfterChoice;
      loop (count: 2) { A -> B: L; }
      A -> B: AfterLoop;
      parallel { A -> B: P | B -> A: Q }
      A -> B: AfterParallel;
      rec R { choice B { more: { B -> A: More; continue R; } enough: { B -> A: Enough; } } }
      A -> B: AfterRec;
    }"""
    told = ["Y", "AfterChoice", "L", "L", "AfterLoop", "P", "AfterParallel", "AfterRec"]

    async def a(me: Endpoint) -> None:
        for label in told[:6]:
            await me.send(label)
        await me.receive("Q")
        await me.send("AfterParallel")
        while (await me.offer()).label == "More":
            pass
        await me.send("AfterRec")

    async def b(me: Endpoint) -> list[str]:
        heard = [(await me.offer()).label for _ in range(5)]
        await me.send("Q")
        heard += [(await me.offer()).label for _ in range(2)]
        for label in ("More", "More", "Enough"):
            await me.send(label)
        return [*heard, (await me.offer()).label]

    assert (await runtime.run(pavane.load(text), A=a, B=b))["B"] == told


async def test_a18_the_deciders_stop_reaches_everyone(runtime: pavane.Runtime) -> None:
    text = """protocol P { roles: A, B, C;
      loop (decides: A) { A -> B: Work(int); B -> C: Part(int); C -> A: Done; }
      C -> B: Bye; }"""

    for rounds in (0, 1, 4):

        async def a(me: Endpoint, rounds: int = rounds) -> None:
            for number in range(rounds):
                await me.send("Work", number)
                await me.receive("Done")
            await me.choose("stop")

        async def b(me: Endpoint) -> list[int]:
            seen: list[int] = []
            while (got := await me.offer()).label == "Work":
                seen.append(got.payload)
                await me.send("Part", got.payload)
            assert got.label == "Bye"
            return seen

        async def c(me: Endpoint) -> int:
            count = 0
            while (await me.offer()).label == "Part":
                count += 1
                await me.send("Done")
            await me.send("Bye")
            return count

        outcome = await runtime.run(pavane.load(text), A=a, B=b, C=c)
        assert outcome["B"] == list(range(rounds))
        assert outcome["C"] == rounds


async def test_a18_a_custom_condition_is_evaluated_at_its_owner(runtime: pavane.Runtime) -> None:
    text = """protocol P { roles: A, B;
      loop (custom: "left > 0") { A -> B: Item(int); B -> A: Ok; } A -> B: End; }"""

    async def a(me: Endpoint) -> None:
        for left in (2, 1):
            me.set(left=left)
            with pytest.raises(pavane.GuardRefused):
                await me.choose("stop")
            await me.send("Item", left)
            await me.receive("Ok")
        me.set(left=0)
        with pytest.raises(pavane.GuardRefused):
            await me.send("Item", 0)
        await me.send("End")

    async def b(me: Endpoint) -> list[int]:
        seen: list[int] = []
        while (got := await me.offer()).label == "Item":
            seen.append(got.payload)
            await me.send("Ok")
        return seen

    assert (await runtime.run(pavane.load(text), A=a, B=b))["B"] == [2, 1]


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a18_counted_rounds_at_all_roles(runtime: pavane.Runtime, count: int) -> None:
    text = """protocol P { roles: A, B;
      loop (count: N) { loop (count: 2) { A -> B: M; } B -> A: R; } A -> B: End; }"""

    async def a(me: Endpoint) -> None:
        for _ in range(count):
            await me.send("M")
            await me.send("M")
            with pytest.raises(pavane.ProtocolViolation):
                await me.send("M")
            await me.receive("R")
        await me.send("End")

    async def b(me: Endpoint) -> int:
        heard = 0
        for _ in range(count):
            await me.receive("M")
            await me.receive("M")
            heard += 2
            await me.send("R")
        await me.receive("End")
        return heard

    outcome = await runtime.run(pavane.load(text), bindings={"N": count}, A=a, B=b)
    assert outcome["B"] == 2 * count


async def test_a18_a_loop_without_end_is_cancelled_at_once(runtime: pavane.Runtime) -> None:
    rounds = 0

    async def a(me: Endpoint) -> None:
        nonlocal rounds
        while True:
            await me.send("Ping")
            await me.receive("Pong")
            rounds += 1

    async def b(me: Endpoint) -> None:
        while True:
            await me.receive("Ping")
            await me.send("Pong")

    text = "protocol P { roles: A, B; loop { A -> B: Ping; B -> A: Pong; } }"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await runtime.run(pavane.load(text), A=a, B=b)
    stopped = rounds
    assert stopped > 0
    await asyncio.sleep(0.05)
    assert rounds == stopped


async def test_a20_broadcast_calls_and_recursion_as_written(runtime: pavane.Runtime) -> None:
    text = """protocol P { roles: A, B, C;
      call Later;
      A ->* : News(int);
      protocol Later { B -> C: First; call Swap(C, B); }
      protocol Swap(X, Y) { X -> Y: Second; }
    }"""

    async def a(me: Endpoint) -> None:
        await me.send("News", 7)

    async def b(me: Endpoint) -> int:
        await me.send("First")
        await me.receive("Second")
        return int(await me.receive("News"))

    async def c(me: Endpoint) -> int:
        await me.receive("First")
        await me.send("Second")
        return int(await me.receive("News"))

    outcome = await runtime.run(pavane.load(text), A=a, B=b, C=c)
    assert (outcome["B"], outcome["C"]) == (7, 7)


async def test_parallel_branches_run_in_tasks_of_the_role(runtime: pavane.Runtime) -> None:
    text = """protocol P { roles: A, B, C;
      parallel { A -> B: X; B -> A: Y | A -> C: X2; C -> A: Z } A -> B: Done; }"""
    order: list[str] = []

    async def a(me: Endpoint) -> None:
        async def with_b() -> None:
            await me.send("X")
            await me.receive("Y")
            order.append("Y")

        async def with_c() -> None:
            await me.send("X2")
            await me.receive("Z")
            order.append("Z")

        await asyncio.gather(with_b(), with_c())
        await me.send("Done")

    async def b(me: Endpoint) -> None:
        await me.receive("X")
        await asyncio.sleep(0.1)
        await me.send("Y")
        await me.receive("Done")

    async def c(me: Endpoint) -> None:
        await me.receive("X2")
        await me.send("Z")

    await runtime.run(pavane.load(text), A=a, B=b, C=c)
    assert order == ["Z", "Y"]


async def test_a02_two_namespaces_with_equal_names_at_the_same_time(
    runtime: pavane.Runtime,
) -> None:
    template = """#[namespace = "%s"]
    protocol Chat { roles: A, B; loop (count: 50) { A -> B: Say(%s); B -> A: Heard; } }"""
    texts = pavane.load(template % ("one", "str")), pavane.load(template % ("two", "int"))

    def roles(values: list[Any]) -> dict[str, Any]:
        async def a(me: Endpoint) -> None:
            for value in values:
                await me.send("Say", value)
                await me.receive("Heard")

        async def b(me: Endpoint) -> list[Any]:
            heard: list[Any] = []
            for _ in values:
                heard.append(await me.receive("Say"))
                await me.send("Heard")
            return heard

        return {"A": a, "B": b}

    words, numbers = [f"word {n}" for n in range(50)], list(range(50))
    first, second = await asyncio.gather(
        runtime.run(texts[0], session="same", **roles(words)),
        runtime.run(texts[1], session="same", **roles(numbers)),
    )
    assert first["B"] == words
    assert second["B"] == numbers


async def test_a03_one_name_registered_twice_is_a_conflict(
    runtime: pavane.Runtime, tmp_path: Any
) -> None:
    first, second = tmp_path / "first.choreo", tmp_path / "second.choreo"
    first.write_text(NEGOTIATION)
    second.write_text("\n" + NEGOTIATION)
    runtime.register(pavane.load(first))
    with pytest.raises(pavane.ActorError) as caught:
        runtime.register(pavane.load(second))
    assert f"{first}:3" in str(caught.value)
    assert f"{second}:4" in str(caught.value)
