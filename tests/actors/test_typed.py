"""Typed states at run time: used once, kept when a step is refused, true to the protocol."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane.actors.endpoint.typed import Done, ModuleOutdated, StateUsed
from pavane.language.compiler import compile_text
from pavane.language.generate import generate

Typed = Callable[[str], tuple[pavane.Choreography, Any]]

SALE = """protocol Sale { roles: Buyer, Seller;
  Buyer -> Seller: Offer(price: int, item: str);
  choice Seller {
    accept { Seller -> Buyer: Accept; }
    reject { Seller -> Buyer: Reject(reason: str); }
  }
}"""


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    """A protocol with the module that is generated for it."""

    def load(text: str) -> tuple[pavane.Choreography, Any]:
        (compiled,) = compile_text(text)
        (module,) = generate([compiled])
        file = tmp_path / f"typed_{module.path[-1]}.py"
        file.write_text(module.text)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None and spec.loader is not None
        imported = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(imported)
        return pavane.Choreography(compiled), imported

    return load


async def accept(me: Any) -> Done:
    offer, deciding = await me.receive_offer()
    done: Done = await deciding.send_accept()
    return done.returning(offer)


async def test_a25_typed_roles_play_with_untyped_ones_on_every_driver(
    runtime: pavane.Runtime, typed: Typed
) -> None:
    choreography, sale = typed(SALE)

    async def buyer(me: pavane.Endpoint) -> str:
        await me.send("Offer", price=3, item="lamp")
        return (await me.offer()).label

    outcome = await runtime.run(choreography, Buyer=buyer, Seller=sale.seller(accept))
    assert outcome["Buyer"] == "Accept"
    assert outcome["Seller"] == sale.Offer(price=3, item="lamp")
    assert type(outcome["Seller"]) is sale.Offer


async def test_a25_a_state_can_be_used_once_only(typed: Typed) -> None:
    choreography, sale = typed(SALE)
    caught: list[StateUsed] = []

    async def buyer(me: Any) -> Done:
        waiting = await me.send_offer(price=1, item="a")
        with pytest.raises(StateUsed) as refused:
            await me.send_offer(price=2, item="b")
        caught.append(refused.value)
        done: Done = (await waiting.offer()).then
        with pytest.raises(StateUsed, match="was left by offer, and cannot offer"):
            await waiting.offer()
        return done

    async with pavane.for_testing() as runtime:
        roles = {"Buyer": sale.buyer(buyer), "Seller": sale.seller(accept)}
        outcome = await runtime.run(choreography, roles)
    assert outcome["Seller"].price == 1
    (error,) = caught
    assert error.code == "PV213"
    assert "this Buyer was left by send Offer" in error.message
    assert error.expected == ("Seller?Accept", "Seller?Reject")
    assert "the first step returned" in error.hint


async def test_a_refused_or_cancelled_step_leaves_the_state_as_it_was(typed: Typed) -> None:
    choreography, sale = typed(SALE)

    async def buyer(me: Any) -> Done:
        with pytest.raises(pavane.PayloadError):
            await me.send_offer(price="much", item="a")
        await asyncio.sleep(0.05)
        waiting = await me.send_offer(price=1, item="a")
        done: Done = (await waiting.offer()).then
        return done

    async def seller(me: Any) -> Done:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(me.receive_offer(), 0.01)
        return await accept(me)

    async with pavane.for_testing() as runtime:
        roles = {"Buyer": sale.buyer(buyer), "Seller": sale.seller(seller)}
        assert (await runtime.run(choreography, roles))["Seller"].item == "a"


async def test_a_role_that_forgets_the_rest_is_unfinished(typed: Typed) -> None:
    choreography, sale = typed(SALE)

    async def early(me: Any) -> Any:
        _, deciding = await me.receive_offer()
        return Done(deciding._me)

    async def buyer(me: Any) -> Done:
        waiting = await me.send_offer(price=1, item="a")
        done: Done = (await waiting.offer()).then
        return done

    async with pavane.for_testing() as runtime:
        with pytest.raises(pavane.Unfinished):
            roles = {"Buyer": sale.buyer(buyer), "Seller": sale.seller(early)}
            await runtime.run(choreography, roles)


@pytest.mark.parametrize(
    "changed",
    [
        SALE.replace("price: int", "price: float"),
        SALE.replace("Reject", "Refuse"),
        SALE.replace("Buyer -> Seller: Offer", "Seller -> Buyer: Hello; Buyer -> Seller: Offer"),
    ],
)
async def test_a_module_of_another_version_is_refused_before_the_first_step(
    changed: str, typed: Typed
) -> None:
    _, sale = typed(SALE)
    (other,) = compile_text(changed)
    async with pavane.for_testing() as runtime:
        with pytest.raises(ModuleOutdated, match="generated for another protocol") as caught:
            roles = {"Buyer": sale.buyer(accept), "Seller": sale.seller(accept)}
            await runtime.run(pavane.Choreography(other), roles)
    assert "pavane generate" in caught.value.hint


async def test_each_class_of_instances_has_its_own_function(typed: Typed) -> None:
    choreography, poll = typed("""protocol Poll { roles: C, S[*];
      C -> S[*]: Ask; S[0..few] -> C: Answer(at: int); }""")

    async def c(me: Any) -> Done:
        answers, done = await (await me.send_ask()).receive_answer()
        return done.returning(answers)  # type: ignore[no-any-return]

    async def few(me: Any) -> Done:
        _, answering = await me.receive_ask()
        return await answering.send_answer(answering.index * 10)  # type: ignore[no-any-return]

    async def others(me: Any) -> Done:
        _, done = await me.receive_ask()
        return done.returning(me.size("S"))  # type: ignore[no-any-return]

    roles = {"C": poll.c(c), "S": poll.s(s_up_to_few=few, s_from_few=others)}
    async with pavane.for_testing() as runtime:
        for few_, expected in ((2, {0: 0, 1: 10}), (4, {0: 0, 1: 10, 2: 20, 3: 30}), (0, {})):
            bindings = poll.bindings(S=4, few=few_)
            outcome = await runtime.run(choreography, roles, bindings=bindings)
            assert outcome["C"] == {i: poll.Answer(at=at) for i, at in expected.items()}
            assert [outcome["S"][i] for i in range(few_, 4)] == [4] * (4 - few_)


async def test_a_ring_of_any_size_is_played_by_the_same_functions(typed: Typed) -> None:
    choreography, ring = typed("""protocol Ring { roles: W[N];
      W[0] -> W[1]: Token(int); foreach i in W[1..N-1] { W[i] -> W[i+1]: Token(int); }
      W[N-1] -> W[0]: Token(int); }""")

    async def first(me: Any) -> Done:
        value, done = await (await me.send_token(1)).receive_token()
        return done.returning(value)  # type: ignore[no-any-return]

    async def later(me: Any) -> Done:
        value, holding = await me.receive_token()
        return await holding.send_token(value + 1)  # type: ignore[no-any-return]

    role = ring.w(w_first=first, w_second=later)
    async with pavane.for_testing() as runtime:
        for size in (3, 5, 40):
            outcome = await runtime.run(choreography, {"W": role}, bindings=ring.bindings(N=size))
            assert outcome["W"][0] == size


async def test_the_rounds_of_a_loop_are_known_to_the_monitor(typed: Typed) -> None:
    choreography, loops = typed("""protocol Loops { roles: A, B;
      loop (count: n) { A -> B: X(int); loop (count: 2) { B -> A: Y(int); } } }""")

    async def a(me: Any) -> Done:
        heard: list[int] = []
        turn = me
        while not isinstance(turn, Done):
            if isinstance(turn, loops.ASendsX):
                turn = await turn.send_x(len(heard))
            value, turn = await turn.receive_y()
            heard.append(value)
        return turn.returning(heard)

    async def b(me: Any) -> Done:
        turn, value = me, -1
        while not isinstance(turn, Done):
            if isinstance(turn, loops.BAwaitsX):
                value, turn = await turn.receive_x()
            turn = await turn.send_y(value)
        return turn

    roles = {"A": loops.a(a), "B": loops.b(b)}
    async with pavane.for_testing() as runtime:
        for rounds, heard in ((0, []), (1, [0, 0]), (3, [0, 0, 2, 2, 4, 4])):
            outcome = await runtime.run(choreography, roles, bindings=loops.bindings(n=rounds))
            assert outcome["A"] == heard


async def test_a_guard_is_given_its_values_by_set(typed: Typed) -> None:
    choreography, shop = typed("""protocol Shop { roles: C, S;
      choice C { buy when (balance > price): { C -> S: Buy(int); } leave { C -> S: Leave; } } }""")

    async def c(me: Any) -> Done:
        me.set(balance=1, price=2)
        with pytest.raises(pavane.GuardRefused):
            await me.send_buy(2)
        me.set(balance=3)
        return await me.send_buy(2)  # type: ignore[no-any-return]

    async def s(me: Any) -> Done:
        got = await me.offer()
        assert isinstance(got, shop.GotBuy)
        done: Done = got.then
        return done.returning(got.payload)

    async with pavane.for_testing() as runtime:
        outcome = await runtime.run(choreography, {"C": shop.c(c), "S": shop.s(s)})
    assert outcome["S"] == 2


async def test_branches_that_begin_alike_are_chosen_by_name(typed: Typed) -> None:
    choreography, alike = typed("""protocol Alike { roles: A, B, C;
      choice A { x { A -> B: M(int); C -> A: Q; } y { A -> C: M(int); C -> A: Q; } } }""")

    async def a(me: Any) -> Done:
        assert not hasattr(me, "send_m")
        asked = await (await me.choose_y()).send_m(5)
        return (await asked.receive_q())[1]  # type: ignore[no-any-return]

    async def b(me: Any) -> Done:
        got = await me.offer()
        assert isinstance(got, alike.TookY)
        return got.then  # type: ignore[no-any-return]

    async def c(me: Any) -> Done:
        got = await me.offer()
        assert isinstance(got, alike.GotM)
        assert got.payload == 5
        return await got.then.send_q()  # type: ignore[no-any-return]

    roles = {"A": alike.a(a), "B": alike.b(b), "C": alike.c(c)}
    async with pavane.for_testing() as runtime:
        await runtime.run(choreography, roles)


async def test_parallel_receives_of_one_label_are_told_apart_by_sender(typed: Typed) -> None:
    choreography, both = typed("""protocol Both { roles: A, B, C;
      parallel { A -> B: X(int); B -> A: Y; | C -> B: X(int); B -> C: Y; } }""")

    async def b(me: Any) -> Done:
        from_c, turn = await me.receive_x_from_c()
        turn = await turn.send_y()
        from_a, turn = await turn.receive_x()
        done: Done = await turn.send_y()
        return done.returning((from_a, from_c))

    def other(value: int) -> Callable[[Any], Any]:
        async def play(me: Any) -> Done:
            return (await (await me.send_x(value)).receive_y())[1]  # type: ignore[no-any-return]

        return play

    roles = {"A": both.a(other(1)), "B": both.b(b), "C": both.c(other(3))}
    async with pavane.for_testing() as runtime:
        assert (await runtime.run(choreography, roles))["B"] == (1, 3)


async def test_a_typed_role_has_the_time_of_its_choice(
    runtime: pavane.Runtime, typed: Typed
) -> None:
    timed = SALE.replace("reject {", "timeout(50ms) { Seller -> Buyer: Late; }\n reject {")
    choreography, sale = typed(timed)
    text = Path(sale.__file__).read_text()
    assert '"""To Buyer, once 50ms have passed."""' in text
    assert text.count('"""To Buyer, within 50ms."""') == 2

    async def seller(me: Any) -> Done:
        _, deciding = await me.receive_offer()
        assert deciding.time_left is not None
        async with deciding.deadline() as late:
            await asyncio.sleep(9)
        assert late.passed
        with pytest.raises(pavane.TooLate):
            await deciding.send_accept()
        done: Done = await deciding.send_late()
        return done

    async def buyer(me: pavane.Endpoint) -> str:
        await me.send("Offer", price=3, item="lamp")
        return (await me.offer()).label

    outcome = await runtime.run(choreography, Buyer=buyer, Seller=sale.seller(seller))
    assert outcome["Buyer"] == "Late"
