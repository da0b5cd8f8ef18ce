from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.effects.errors import ReceiptRefused
from pavane.effects.flow.receipt import Receipt, ReceiptChain, unpack, verify_chain
from pavane.effects.keys import Signer

SIGNER = Signer(b"r" * 32)
CONTEXT, PEER, WRITER = "ns.Proto", "Admin", "ns.Proto.s1.Admin.0"


def chain_of(costs: list[int], epoch: int = 0, context: str = CONTEXT) -> list[Receipt]:
    chain, spent = ReceiptChain(SIGNER, WRITER), 0
    receipts: list[Receipt] = []
    for step, cost in enumerate(costs, 1):
        spent += cost
        receipts.append(chain.issue(context, PEER, epoch, cost=cost, spent=spent, step=step))
    return receipts


def verify(receipts: list[Receipt], *, context: str = CONTEXT, epoch: int = 0) -> int:
    return verify_chain(
        receipts, context=context, peer=PEER, epoch=epoch, writer=WRITER, signers=[SIGNER.public]
    )


@given(st.lists(st.integers(0, 1000), max_size=12))
def test_a31_the_chain_verifies_and_sums_up(costs: list[int]) -> None:
    assert verify(chain_of(costs)) == sum(costs)


ALTERED: dict[str, Callable[[Receipt], Any]] = {
    "context": lambda r: "ns.Other",
    "peer": lambda r: "User",
    "epoch": lambda r: r.epoch + 1,
    "writer": lambda r: "ns.Proto.s2.Admin.0",
    "number": lambda r: r.number + 1,
    "cost": lambda r: r.cost - 1,
    "spent": lambda r: r.spent - 1,
    "step": lambda r: r.step + 1,
    "previous": lambda r: bytes(32),
    "signer": lambda r: Signer(b"x" * 32).public,
    "signature": lambda r: bytes(64),
}


def test_every_field_is_altered_below() -> None:
    assert [field.name for field in fields(Receipt)] == list(ALTERED)


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a31_any_changed_field_fails_at_its_place(name: str, position: int) -> None:
    receipts = chain_of([5, 6, 7])
    changed: dict[str, Any] = {name: ALTERED[name](receipts[position])}
    receipts[position] = replace(receipts[position], **changed)
    with pytest.raises(ReceiptRefused) as caught:
        verify(receipts)
    assert caught.value.position == position


def test_a31_a_receipt_signed_anew_by_a_stranger_fails() -> None:
    stranger = ReceiptChain(Signer(), WRITER)
    forged = stranger.issue(CONTEXT, PEER, 0, cost=1, spent=1, step=1)
    with pytest.raises(ReceiptRefused, match="signer is not known"):
        verify([forged])


def test_a31_reordering_replay_and_omission_fail() -> None:
    first, second, third = chain_of([5, 6, 7])
    for receipts in (
        [second, first, third],
        [first, first, second],
        [first, third],
        [second, third],
        [first, second, third, third],
    ):
        with pytest.raises(ReceiptRefused):
            verify(receipts)


def test_a31_another_context_or_epoch_fails() -> None:
    with pytest.raises(ReceiptRefused, match="context"):
        verify(chain_of([1], context="ns.Other"))
    with pytest.raises(ReceiptRefused, match="epoch"):
        verify(chain_of([1], epoch=1))
    assert verify(chain_of([1], epoch=1), epoch=1) == 1


def test_a_void_receipt_keeps_its_place_and_counts_nothing() -> None:
    receipts = chain_of([5, 6, 7])
    total = verify_chain(
        receipts,
        context=CONTEXT,
        peer=PEER,
        epoch=0,
        writer=WRITER,
        signers=[SIGNER.public],
        void={receipts[1].hash},
    )
    assert total == 12


def test_each_epoch_begins_a_chain_of_its_own() -> None:
    chain = ReceiptChain(SIGNER, WRITER)
    old = chain.issue(CONTEXT, PEER, 0, cost=1, spent=1, step=1)
    new = chain.issue(CONTEXT, PEER, 1, cost=2, spent=2, step=2)
    late = chain.issue(CONTEXT, PEER, 0, cost=3, spent=4, step=3)
    assert verify([old, late]) == 4
    assert verify([new], epoch=1) == 2


@given(st.integers(0, 2**53), st.integers(0, 100))
def test_a_receipt_survives_packing(cost: int, epoch: int) -> None:
    receipt = ReceiptChain(SIGNER, WRITER).issue(
        CONTEXT, PEER, epoch, cost=cost, spent=cost, step=1
    )
    again = unpack(receipt.pack())
    assert again == receipt
    assert again.hash == receipt.hash


@given(st.binary(max_size=300))
def test_bytes_that_are_no_receipt_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(data)
