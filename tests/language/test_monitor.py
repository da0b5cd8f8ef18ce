"""The endpoint monitor: every step is a look-up in the machine's table."""

from __future__ import annotations

import tracemalloc

import pytest

from pavane.language.compiler import compile_text
from pavane.language.errors import ProtocolViolation
from pavane.language.monitor import Monitor, Whom
from pavane.language.table import Table


def monitor(text: str, role: str, index: int | None = None, **bindings: int) -> Monitor:
    (compiled,) = compile_text(text)
    return Monitor(Table(compiled.project(bindings).machine(role, index)), index)


def send(at: Monitor, label: str, to: str | None = None) -> None:
    for step in at.route(label, Whom(to) if to else None):
        at.advance(step)


def receive(at: Monitor, role: str, label: str, index: int = 0) -> None:
    step = at.receiving(role, index, label)
    assert step is not None, (label, at.expected())
    at.advance(step)


NEGOTIATION = """
protocol Negotiation { roles: Buyer, Seller;
  Buyer -> Seller: Offer;
  choice Seller { accept: { Seller -> Buyer: Accept; } reject: { Seller -> Buyer: Reject; } }
}"""


def test_a_machine_is_followed_to_its_end() -> None:
    buyer = monitor(NEGOTIATION, "Buyer")
    assert buyer.expected() == ("Seller!Offer",)
    send(buyer, "Offer")
    assert not buyer.is_final
    assert buyer.expected() == ("Seller?Accept", "Seller?Reject")
    receive(buyer, "Seller", "Reject")
    assert buyer.is_final
    assert buyer.expected() == ()


def test_a_step_that_is_not_allowed_changes_nothing_and_says_what_is() -> None:
    seller = monitor(NEGOTIATION, "Seller")
    with pytest.raises(ProtocolViolation) as caught:
        seller.route("Accept")
    assert caught.value.role == "Seller"
    assert caught.value.state == seller.state.number
    assert caught.value.expected == ("Buyer?Offer",)
    assert caught.value.got == "!Accept"
    assert seller.receiving("Buyer", 0, "Accept") is None
    receive(seller, "Buyer", "Offer")


def test_only_the_named_receiver_is_meant() -> None:
    text = """protocol P { roles: A, B, C;
      choice A { b: { A -> B: Go; A -> C: Idle; } c: { A -> C: Go; A -> B: Idle; } } }"""
    sender = monitor(text, "A")
    with pytest.raises(ProtocolViolation, match="more than one way"):
        sender.route("Go")
    (step,) = sender.route("Go", Whom("C"))
    assert step.peer_role == "C"
    (step,) = sender.route("Go", None, "b")
    assert step.peer_role == "B"


@pytest.mark.parametrize(("outer", "inner"), [(2, 3), (0, 3), (2, 0), (1, 1)])
def test_a18_counted_loops_nest_and_may_be_empty(outer: int, inner: int) -> None:
    text = f"""protocol P {{ roles: A, B;
      loop (count: {outer}) {{ A -> B: Head; loop (count: {inner}) {{ A -> B: Item; }} }}
      A -> B: Done; }}"""
    sender = monitor(text, "A")
    for _ in range(outer):
        send(sender, "Head")
        for _ in range(inner):
            send(sender, "Item")
        with pytest.raises(ProtocolViolation):
            sender.route("Item")
    send(sender, "Done")
    assert sender.is_final


def test_a18_a_count_comes_from_a_binding() -> None:
    text = "protocol P { roles: A, B; loop (count: N) { A -> B: Item; } }"
    for count in (0, 1, 7):
        sender = monitor(text, "A", N=count)
        for _ in range(count):
            assert not sender.is_final
            send(sender, "Item")
        assert sender.is_final


def test_a_long_loop_needs_no_memory() -> None:
    sender = monitor(
        "protocol P { roles: A, B; loop (count: N) { A -> B: Item; } }", "A", N=200_000
    )
    for _ in range(1000):
        send(sender, "Item")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100_000):
            step = sender.sending("Item")
            assert step is not None
            sender.advance(step)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 4096


LOOP = """protocol P { roles: A, B, C;
  loop (decides: A) { A -> B: Item; B -> C: Forward; }
  A -> B: Bye; B -> C: Bye; }"""


def test_selections_are_found_on_the_way_to_what_is_sent() -> None:
    sender = monitor(LOOP, "A")
    for _ in range(3):
        send(sender, "Item")
    send(sender, "Bye")
    assert sender.is_final


def test_a_branch_is_announced_to_all_who_need_it() -> None:
    text = """protocol P { roles: A, B, C;
      loop (decides: A) { A -> B: Item; A -> C: Item; } }"""
    sender = monitor(text, "A")
    send(sender, "Item", to="B")
    send(sender, "Item", to="C")
    announced = sender.chosen("stop")
    assert [str(step) for step in announced] == ["B!@stop", "C!@stop"]
    for step in announced:
        sender.advance(step)
    assert sender.is_final


def test_a_chosen_branch_leaves_only_its_own_steps() -> None:
    text = "protocol P { roles: A, B; loop (decides: A) { A -> B: Item; } A -> B: Bye; }"
    sender = monitor(text, "A")
    assert sender.chosen("stop") == ()
    with pytest.raises(ProtocolViolation, match="in branch stop; allowed there: B!Bye") as caught:
        sender.route("Item", None, "stop")
    assert caught.value.expected == ("B!Bye",)


def test_who_has_not_decided_is_told_how() -> None:
    text = "protocol P { roles: A, B; loop (decides: A) { A -> B: Item; } B -> A: Done; }"
    assert monitor(text, "A").refuse("?Done").hint.endswith('write `await me.choose("stop")`')
    assert "choose" not in monitor(text, "B").refuse("!Done").hint


def test_a_branch_that_is_not_there_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match=r"choose\(maybe\)"):
        monitor(LOOP, "A").chosen("maybe")


def test_a_collective_step_is_one_step_for_any_number() -> None:
    text = "protocol P { roles: L, W[N]; L -> W[*]: Ask; W[i] -> L: Answer; }"
    leader = monitor(text, "L", N=10_000)
    assert len(leader.table.steps) == 2
    (step,) = leader.route("Ask")
    assert len(step.partners("L", 0)) == 10_000
    worker = monitor(text, "W", 9_999, N=10_000)
    receive(worker, "L", "Ask")
    send(worker, "Answer")
    assert worker.is_final


def test_a_ring_knows_its_neighbours() -> None:
    text = """protocol Ring { roles: W[N];
      W[0] -> W[1]: Token; W[1] -> W[2]: Token; W[2] -> W[0]: Token; }"""
    middle = monitor(text, "W", 1, N=3)
    assert middle.receiving("W", 2, "Token") is None
    receive(middle, "W", "Token", 0)
    (step,) = middle.route("Token")
    assert list(step.partners("W", 1)) == [2]


def test_parallel_branches_interleave() -> None:
    text = """protocol P { roles: A, B, C;
      parallel { A -> B: X | C -> A: Y } A -> C: Z; }"""
    for order in ("XY", "YX"):
        both = monitor(text, "A")
        for label in order:
            if label == "X":
                send(both, "X")
            else:
                receive(both, "C", "Y")
        send(both, "Z")
        assert both.is_final
