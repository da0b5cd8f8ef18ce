"""The algebra by itself: every operation, and the laws, without a runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pavane
from pavane.effects.programs.errors import InvalidOperation, NoArm, NotReceived, OffScript
from pavane.effects.programs.errors import ProgramClosed as Closed
from pavane.effects.programs.stand_ins import Sent

Program = pavane.Program
Script = list[pavane.Answer | tuple[str, object] | Exception]


@dataclass(frozen=True)
class Note:
    text: str


async def test_a35_send_and_recv_in_order_and_values_computed_from_what_came() -> None:
    program = (
        Program()
        .send("Bob", "Hello", text="hi")
        .recv("Bob", "Ack")
        .send("Bob", "Sum", lambda got: got["Ack"] + 1, name=lambda got: got.role)
        .end()
    )
    handler = pavane.ScriptedHandler([("Ack", 41)], role="Alice")
    result = await program(handler)
    assert handler.sent == [
        Sent("Bob", "Hello", (), {"text": "hi"}),
        Sent("Bob", "Sum", (42,), {"name": "Alice"}),
    ]
    assert (result.state, result.values, result["Ack"], handler.left) == (
        "completed",
        (41,),
        41,
        (),
    )


@pytest.mark.parametrize("price", [80, 95])
async def test_a35_choose_plays_the_arm_that_was_decided(price: int) -> None:
    program = (
        Program()
        .recv("Buyer", "Offer")
        .choose(
            lambda got: "accept" if got["Offer"] >= 90 else "reject",
            accept=Program().send("Buyer", "Accept"),
            reject=Program().send("Buyer", "Reject"),
        )
    )
    handler = pavane.ScriptedHandler([("Offer", price)])
    result = await program(handler)
    assert handler.chosen == list(result.selected) == ["accept" if price >= 90 else "reject"]
    assert [sent.label for sent in handler.sent] == ["Accept" if price >= 90 else "Reject"]


async def test_a35_an_async_decision_that_fails_fails_the_program() -> None:
    async def decide(got: pavane.Results) -> str:
        await asyncio.sleep(0)
        return "maybe"

    program = Program().choose(decide, yes=Program(), no=Program())
    result = await program.play(pavane.ScriptedHandler())
    assert result.state == "failed"
    assert isinstance(result.error, NoArm)
    assert result.operation == "choose yes | no (1)"


async def test_a35_what_waits_for_something_cancelled_fails_and_is_not_cancelled() -> None:
    async def ask(got: pavane.Results) -> None:
        other = asyncio.create_task(asyncio.sleep(99))
        other.cancel()
        await other

    result = await Program().call(ask).play(pavane.ScriptedHandler())
    assert (result.state, result.reason) == ("failed", "it was cancelled")
    assert isinstance(result.error, asyncio.CancelledError)


async def test_a35_a_program_that_is_cancelled_is_cancelled() -> None:
    async def wait(got: pavane.Results) -> None:
        await asyncio.Event().wait()

    playing = asyncio.create_task(Program().call(wait).play(pavane.ScriptedHandler()))
    await asyncio.sleep(0)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (pavane.Answer("Data", 1, "Bob", branches=("more",)), "more"),
        (pavane.Answer("Done", 2, "Bob"), "Done"),
        (pavane.Answer("quit", None, "Bob", branches=("quit",)), "quit"),
    ],
)
async def test_a35_offer_takes_the_arm_of_the_branch_or_of_the_message(
    answer: pavane.Answer, got: str
) -> None:
    program = Program().offer(
        more=Program().recv("Bob", "Data"),
        Done=Program().recv("Bob", "Done"),
        quit=Program().send("Bob", "Bye"),
    )
    handler = pavane.ScriptedHandler([answer])
    result = await program(handler)
    assert result.selected == (got,)
    assert result.values == (() if got == "quit" else (answer.payload,))
    assert len(handler.sent) == (got == "quit")


async def test_a35_branch_goes_by_what_was_received() -> None:
    small, large = Program().send("B", "Small"), Program().send("B", "Large")
    one = Program().recv("B", "N").branch(lambda got: got["N"] > 5, large, small)
    keyed = Program().recv("B", "N").branch(lambda got: got["N"], {1: small, 9: large})
    for program in (one, keyed):
        for number, label in ((1, "Small"), (9, "Large")):
            handler = pavane.ScriptedHandler([("N", number)])
            await program(handler)
            assert [sent.label for sent in handler.sent] == [label]
    with pytest.raises(NoArm, match="no arm for 5"):
        await keyed(pavane.ScriptedHandler([("N", 5)]))


async def test_a35_loops_by_count_while_until_a_value_and_until_a_branch() -> None:
    data = Program().send("B", "Data", lambda got: got.round)
    ack = Program().recv("B", "Ack")

    async def rounds(program: pavane.Program, script: Script) -> list[object]:
        handler = pavane.ScriptedHandler(script, sizes={"W": 3})
        await program(handler)
        assert handler.left == ()
        return [sent.values[0] for sent in handler.sent]

    assert await rounds(Program().loop(data, count=0), []) == []
    assert await rounds(Program().loop(data, count="W"), []) == [0, 1, 2]
    assert await rounds(Program().loop(data, count=lambda got: got.size("W") - 1), []) == [0, 1]
    assert await rounds(Program().loop(data, while_=lambda got: got.round < 2), []) == [0, 1]
    script: Script = [("Ack", 1), ("Ack", 2), ("Ack", 3)]
    assert await rounds(Program().loop(data.then(ack), until=lambda g: g.last == 3), script) == [
        *range(3)
    ]
    both = Program().offer(Ack=ack, Stop=Program().recv("B", "Stop"))
    script = [("Ack", 1), ("Stop", None)]
    assert await rounds(Program().loop(data.then(both), until="Stop"), script) == [0, 1]
    nested = Program().loop(Program().loop(data, count=2).then(data), count=2)
    assert await rounds(nested, []) == [0, 1, 0, 0, 1, 1]


async def test_a35_parallel_arms_go_on_with_whichever_is_spoken_to() -> None:
    def arm(peer: str) -> pavane.Program:
        return Program().send(peer, "Go").recv(peer, "Done").send(peer, "Thanks")

    program = Program().parallel(arm("L"), arm("R")).send("L", "Bye")
    answers: Script = [pavane.Answer("Done", 2, "R"), pavane.Answer("Done", 1, "L")]
    handler = pavane.ScriptedHandler(answers)
    result = await program(handler)
    said = [f"{sent.to}!{sent.label}" for sent in handler.sent]
    assert said == ["L!Go", "R!Go", "R!Thanks", "L!Thanks", "L!Bye"]
    assert [(heard.sender, heard.payload) for heard in result.received] == [("R", 2), ("L", 1)]


async def test_a35_a_timeout_ends_the_program_as_timed_out() -> None:
    async def slow(got: pavane.Results) -> None:
        await asyncio.sleep(30)

    body = Program().recv("B", "Data").call(slow)
    program = Program().timeout(0.02, body).send("B", "Never")
    handler = pavane.ScriptedHandler([("Data", 7)])
    result = await program.play(handler)
    assert (result.state, result.values, handler.sent) == ("timed out", (7,), [])
    assert result.operation == "call slow (1.2)"
    assert result.reason == "the program of Role was still at call slow (1.2) after 0.02 s"
    with pytest.raises(pavane.ProgramTimedOut):
        await program(pavane.ScriptedHandler([("Data", 7)]))
    quick = Program().timeout(5, Program().recv("B", "Data")).send("B", "Then")
    assert (await quick(pavane.ScriptedHandler([("Data", 7)]))).state == "completed"


async def test_a35_ext_call_and_set() -> None:
    program = (
        Program()
        .ext(Note("begun"))
        .ext(Note, text=lambda got: got.name)
        .call(lambda got: len(got.returned["Note"]), name="length")
        .set(length=lambda got: got.returned["length"])
    )
    handler = pavane.ScriptedHandler(performs=lambda note: note.text.upper())
    result = await program(handler)
    assert handler.effects == [Note("begun"), Note("Role")]
    assert result.returned == {"Note": "ROLE", "length": 4}
    assert handler.values == {"length": 4}


async def test_a35_a_failure_says_where_and_why_and_keeps_what_came_before() -> None:
    program = Program().recv("B", "One").recv("B", "Two")
    result = await program.play(pavane.ScriptedHandler([("One", 1), OSError("gone")]))
    assert (result.state, result.values, result.reason) == ("failed", (1,), "gone")
    assert result.operation == "recv B?Two (2)"
    result = await program.play(pavane.ScriptedHandler([("One", 1), ("Other", 1)]))
    assert isinstance(result.error, OffScript)
    missing = await Program().send("B", "X", lambda got: got["One"]).play(pavane.ScriptedHandler())
    assert isinstance(missing.error, NotReceived)


def test_a35_end_closes_and_then_opens_again() -> None:
    hello = Program().send("B", "Hello").end()
    with pytest.raises(Closed, match="send B!More comes after the end"):
        hello.send("B", "More")
    assert [str(op) for op in hello.then(Program().recv("B", "Ack"))] == [
        "send B!Hello",
        "recv B?Ack",
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Program().send("", "X"), "'' names no role"),
        (lambda: Program().send("B", "X", to="C"), "a field called to"),
        (lambda: Program().offer(), "no arms"),
        (lambda: Program().loop(Program(), count=-1), "count = -1"),
        (lambda: Program().loop(Program(), count=1, until="x"), "more than one"),
        (lambda: Program().timeout(0, Program()), "0 s"),
        (lambda: Program().timeout(cast(float, "1s"), Program()), "'1s' s"),
        (lambda: Program().choose("a", b=Program()), "no arm a"),
        (lambda: Program().choose(lambda _: "a"), "there are no arms"),
    ],
)
def test_a35_arguments_that_cannot_be_are_refused(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidOperation, match=said):
        make()


# --- laws --------------------------------------------------------------------------------------


def grown(rng: Random, depth: int = 3) -> pavane.Program:
    """A program of up to four operations, with others inside."""
    untils: list[str | Callable[[pavane.Results], bool]] = ["Round", lambda got: got.round >= 1]
    program = Program()
    for _ in range(rng.randint(0, 4)):
        label = rng.choice("ABC")
        match rng.randint(0, 8) if depth else rng.randint(0, 1):
            case 0:
                program = program.send("P", label, lambda got: len(got.received))
            case 1:
                program = program.recv("P", label)
            case 2:
                arms = {name: grown(rng, depth - 1) for name in ("x", "y")}
                program = program.choose(lambda got: "xy"[len(got.received) % 2], arms)
            case 3:
                program = program.offer(
                    Next=Program().recv("P", "Next").then(grown(rng, depth - 1))
                )
            case 4:
                program = program.loop(grown(rng, depth - 1), count=2)
            case 5:
                program = program.timeout(60, grown(rng, depth - 1))
            case 6:
                inner, other = grown(rng, depth - 1), grown(rng, depth - 1)
                program = program.branch(lambda got: len(got.selected) % 2, inner, other)
            case 7:
                last = Program().send("P", "Round", lambda got: got.round)
                body = grown(rng, depth - 1).then(last)
                program = program.loop(body, until=rng.choice(untils))
            case _:
                program = program.ext(Note(label)).set(size=lambda got: len(got.received))
    return program.end() if rng.random() < 0.3 else program


seeds = st.integers(0, 2**32)


class Obliging(pavane.ScriptedHandler):
    """Answers whatever is asked for, each time with the next number."""

    asked = 0

    async def receive(self, label: str | None = None, *, sender: str | None = None) -> int:
        self.asked += 1
        return self.asked

    async def offer(self) -> pavane.Answer:
        return pavane.Answer("Next", await self.receive())


def _seen(program: pavane.Program) -> tuple[list[str], pavane.ProgramResult]:
    recording = pavane.RecordingHandler(Obliging())
    return recording.log, asyncio.run(program(recording))


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_a35_then_is_associative_and_the_empty_program_is_its_unit(seed: int) -> None:
    rng = Random(seed)
    first, second, third = grown(rng), grown(rng), grown(rng)
    left, right = first.then(second).then(third), first.then(second.then(third))
    assert left == right
    assert _seen(left) == _seen(right)
    assert first.then(Program()) == first == Program().then(first)
    log, result = _seen(first)
    assert _seen(Program().then(first).then(Program())) == (log, result)
    assert result.values == tuple(range(1, len(result.values) + 1))


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_a35_what_is_put_together_does_what_its_parts_do_one_after_the_other(seed: int) -> None:
    rng = Random(seed)
    first, second = grown(rng), grown(rng)
    log, result = _seen(first.then(second))
    start, _ = _seen(first)
    assert log[: len(start)] == start
    assert result.state == "completed"
