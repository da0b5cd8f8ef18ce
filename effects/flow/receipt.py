"""Receipts: one for every charge, signed and chained to the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import msgspec

from ..errors import ReceiptRefused
from ..keys import Signer, digest, is_signed

_Fields = tuple[str, str, int, str, int, int, int, int, bytes, bytes]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[_Fields, bytes])


@dataclass(frozen=True)
class Receipt:
    """What one charge took. Not slotted: the hash is computed once, when first asked for.

    `writer` is the role instance that was charged, with its session; `number` counts its
    receipts in (`context`, `peer`, `epoch`) from 1. `spent` is the level of the budget
    after the charge. `previous` is the hash of the receipt before, or of the chain's name
    for the first.
    """

    context: str
    peer: str
    epoch: int
    writer: str
    number: int
    cost: int
    spent: int
    step: int
    previous: bytes
    signer: bytes
    signature: bytes

    @cached_property
    def body(self) -> bytes:
        """What is signed: every field but the signature, in order."""
        return _encoder.encode(self._fields())

    @cached_property
    def hash(self) -> bytes:
        return digest(self.body)

    def pack(self) -> bytes:
        return _encoder.encode((self._fields(), self.signature))

    def _fields(self) -> _Fields:
        return (
            *(self.context, self.peer, self.epoch, self.writer, self.number, self.cost),
            *(self.spent, self.step, self.previous, self.signer),
        )


def unpack(data: bytes) -> Receipt:
    """The receipt in `data`; raises `ValueError` whatever the bytes are."""
    fields, signature = _decoder.decode(data)
    return Receipt(*fields, signature)


def first_hash(context: str, peer: str, epoch: int, writer: str) -> bytes:
    """What the first receipt of a chain is chained to."""
    return digest(_encoder.encode(("receipts", context, peer, epoch, writer)))


class ReceiptChain:
    """Issues the receipts of one writer, in the order of its charges.

    The writer is a role instance, not a process: one that goes on elsewhere resumes its chain.
    """

    def __init__(self, signer: Signer, writer: str) -> None:
        self._signer = signer
        self._writer = writer
        self._last: dict[tuple[str, str, int], tuple[int, bytes]] = {}

    def resume(self, receipts: Iterable[Receipt]) -> None:
        """Go on after `receipts`: those of this writer that are stored, in order."""
        for receipt in receipts:
            key = (receipt.context, receipt.peer, receipt.epoch)
            self._last[key] = (receipt.number, receipt.hash)

    def issue(
        self, context: str, peer: str, epoch: int, *, cost: int, spent: int, step: int
    ) -> Receipt:
        key = (context, peer, epoch)
        number, previous = self._last.get(key) or (0, first_hash(*key, self._writer))
        values: _Fields = (
            *(context, peer, epoch, self._writer, number + 1, cost, spent, step, previous),
            self._signer.public,
        )
        body = _encoder.encode(values)
        receipt = Receipt(*values, self._signer.sign(body))
        vars(receipt)["body"] = body
        self._last[key] = (receipt.number, receipt.hash)
        return receipt


class ChainCheck:
    """Follows one writer's receipts in one epoch of a budget, from the first on.

    Without `signers` whoever has signed is believed, and stands in `found`.
    """

    def __init__(
        self,
        context: str,
        peer: str,
        epoch: int,
        writer: str,
        signers: Collection[bytes] | None = None,
    ) -> None:
        self._chain = (context, peer, epoch, writer)
        self._signers = signers
        self._previous = first_hash(*self._chain)
        self.count = 0
        self.total = 0
        self.found: set[bytes] = set()

    def follow(self, receipt: Receipt, *, void: bool = False) -> None:
        """Take the next one. Raises `ReceiptRefused` as `verify_chain`."""
        signers = {receipt.signer} if self._signers is None else self._signers
        reason = _fault(receipt, self._chain, self.count, self._previous, signers)
        if reason:
            raise ReceiptRefused(self.count, reason)
        self._previous = receipt.hash
        self.count += 1
        self.total += 0 if void else receipt.cost
        self.found.add(receipt.signer)


def verify_chain(
    receipts: Iterable[Receipt],
    *,
    context: str,
    peer: str,
    epoch: int,
    writer: str,
    signers: Collection[bytes],
    void: Collection[bytes] = (),
) -> int:
    """Check all receipts of one writer in one epoch of a budget, from the first on; their sum.

    `void` are the hashes of receipts whose charge was given back: they stand in the chain and
    count nothing.

    Raises `ReceiptRefused` at the first with a changed field, a wrong place, another
    context, peer, epoch or writer, or a signer that is not in `signers`. A chain cut at its
    end verifies; compare the last number with the journal's.
    """
    chain = ChainCheck(context, peer, epoch, writer, signers)
    for receipt in receipts:
        chain.follow(receipt, void=receipt.hash in void)
    return chain.total


def _fault(
    receipt: Receipt,
    chain: tuple[str, str, int, str],
    position: int,
    previous: bytes,
    signers: Collection[bytes],
) -> str:
    for name, wanted in zip(("context", "peer", "epoch", "writer"), chain, strict=True):
        found: object = getattr(receipt, name)
        if found != wanted:
            return f"its {name} is {found!r}, not {wanted!r}"
    if receipt.number != position + 1:
        return f"its number is {receipt.number}, not {position + 1}"
    if receipt.previous != previous:
        return "it is not chained to the receipt before"
    if receipt.signer not in signers:
        return "its signer is not known"
    if not is_signed(receipt.signer, receipt.body, receipt.signature):
        return "its signature does not fit its content"
    return ""
