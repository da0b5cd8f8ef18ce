"""Typed states: a step that the protocol does not allow is an error of mypy and pyright.

pavane generate examples/05_typed.choreo --out examples     (writes examples/market/sale.py)
python examples/05_typed.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import assert_never

from market import sale

import pavane

LIMIT = 50


@sale.buyer
async def buyer(me: sale.Buyer) -> sale.Done:
    """Haggle for as many rounds as there are, and go no higher than `LIMIT`."""
    turn = await me.send_enquiry("a lamp")
    while isinstance(turn, sale.BuyerAwaitsQuote):
        quote, bidding = await turn.receive_quote()
        turn = await bidding.send_bid(min(quote.price - 10, LIMIT))
    match await turn.offer():
        case sale.GotAccept(payload=accept, then=sealing):
            seals, done = await sealing.receive_seal()
            return done.returning(
                f"bought for {accept.price}, sealed by {', '.join(seals.values())}"
            )
        case sale.GotReject(payload=reject, then=done):
            return done.returning(f"not bought: {reject.reason}")
        case _ as never:
            assert_never(never)


@sale.seller
async def seller(me: sale.Seller) -> sale.Done:
    """Come down a little in each round."""
    enquiry, turn = await me.receive_enquiry()
    price = bid = 70
    while isinstance(turn, sale.SellerSendsQuote):
        bidding = await turn.send_quote(price)
        answer, turn = await bidding.receive_bid()
        price, bid = price - 15, answer.price
    if bid < 40:
        refused = await turn.send_reject("too low")
        return await refused.send_unsold()
    sold = await turn.send_accept(bid)
    return await sold.send_sold(enquiry.item, bid)


@sale.witnesses
async def witness(me: sale.Witnesses) -> sale.Done:
    match await me.offer():
        case sale.GotSold(then=sealing):
            return await sealing.send_seal(f"witness {me.index}")
        case sale.GotUnsold(then=done):
            return done
        case _ as never:
            assert_never(never)


async def main() -> None:
    protocol = pavane.load(Path(__file__).with_suffix(".choreo"))
    roles = {"Buyer": buyer, "Seller": seller, "Witnesses": witness}
    async with pavane.open() as runtime:
        for rounds in (0, 3):
            bindings = sale.bindings(N=2, rounds=rounds)
            outcome = await runtime.run(protocol, roles, bindings=bindings)
            print(f"after {rounds} rounds:", outcome["Buyer"])


if __name__ == "__main__":
    asyncio.run(main())
