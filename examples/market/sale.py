# Made by `pavane generate`; change the protocol and generate it again.
# Fingerprint: 8b701c4be462e163
# ruff: noqa
"""The roles of the protocol market.Sale as typed states."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, Union

from msgspec import Struct

from pavane import Endpoint
from pavane.actors.endpoint.typed import (
    Done as Done,
    Got,
    NextT_co,
    PayloadT_co,
    RoleFunction,
    State,
    next_state,
    record,
    role,
)


def bindings(*, N: int, rounds: int) -> dict[str, int]:
    """The counts that have to be bound, as `run(..., bindings=...)` takes them."""
    return {
        "N": N,
        "rounds": rounds,
    }


class Enquiry(Struct, frozen=True):
    """The payload of Enquiry."""

    item: str


class Quote(Struct, frozen=True):
    """The payload of Quote."""

    price: int


class Accept(Struct, frozen=True):
    """The payload of Accept."""

    price: int


class Reject(Struct, frozen=True):
    """The payload of Reject."""

    reason: str


class Bid(Struct, frozen=True):
    """The payload of Bid."""

    price: int


class Sold(Struct, frozen=True):
    """The payload of Sold."""

    item: str
    price: int


class GotAccept(Got[PayloadT_co, NextT_co]):
    """Accept has arrived."""

    __slots__ = ()


class GotReject(Got[PayloadT_co, NextT_co]):
    """Reject has arrived."""

    __slots__ = ()


class GotSold(Got[PayloadT_co, NextT_co]):
    """Sold has arrived."""

    __slots__ = ()


class GotUnsold(Got[PayloadT_co, NextT_co]):
    """Unsold has arrived."""

    __slots__ = ()


class Buyer(State):
    """Buyer, state 0: send Enquiry to Seller."""

    __slots__ = ()

    async def send_enquiry(
        self,
        item: str,
    ) -> BuyerAwaitsQuote | BuyerAwaitsAcceptOrReject:
        """To Seller."""
        me = await self._send("Enquiry", item)
        return next_of_buyer(me)


class BuyerAwaitsQuote(State):
    """Buyer, state 2: receive Quote from Seller."""

    __slots__ = ()

    async def receive_quote(self) -> tuple[Quote, BuyerSendsBid]:
        """From Seller."""
        payload, me = await self._receive("Quote")
        return record(Quote, payload), BuyerSendsBid(me)


class BuyerAwaitsAcceptOrReject(State):
    """Buyer, state 3: receive Accept from Seller or receive Reject from Seller."""

    __slots__ = ()

    async def offer(self) -> BuyerAwaitsAcceptOrRejectOffer:
        """Whatever comes first."""
        got, me = await self._offer()
        match got.label, got.sender, got.index:
            case "Accept", _, _:
                return GotAccept(record(Accept, got.payload), BuyerAwaitsSeal(me))
            case "Reject", _, _:
                return GotReject(record(Reject, got.payload), Done(me))
            case _:
                raise AssertionError(got)


class BuyerSendsBid(State):
    """Buyer, state 4: send Bid to Seller."""

    __slots__ = ()

    async def send_bid(
        self,
        price: int,
    ) -> BuyerAwaitsQuote | BuyerAwaitsAcceptOrReject:
        """To Seller."""
        me = await self._send("Bid", price)
        return next_of_buyer(me)


class BuyerAwaitsSeal(State):
    """Buyer, state 5: receive Seal from Witnesses[*]."""

    __slots__ = ()

    async def receive_seal(self) -> tuple[dict[int, str], Done]:
        """From Witnesses[*]."""
        payload, me = await self._receive("Seal")
        return payload, Done(me)


class Seller(State):
    """Seller, state 0: receive Enquiry from Buyer."""

    __slots__ = ()

    async def receive_enquiry(self) -> SellerReceiveEnquiry:
        """From Buyer."""
        payload, me = await self._receive("Enquiry")
        return record(Enquiry, payload), next_of_seller(me)


class SellerSendsQuote(State):
    """Seller, state 2: send Quote to Buyer."""

    __slots__ = ()

    async def send_quote(self, price: int) -> SellerAwaitsBid:
        """To Buyer."""
        me = await self._send("Quote", price)
        return SellerAwaitsBid(me)


class SellerSendsAcceptOrReject(State):
    """Seller, state 3: send Accept to Buyer or send Reject to Buyer."""

    __slots__ = ()

    async def send_accept(self, price: int) -> SellerSendsSold:
        """To Buyer."""
        me = await self._send("Accept", price)
        return SellerSendsSold(me)

    async def send_reject(self, reason: str) -> SellerSendsUnsold:
        """To Buyer."""
        me = await self._send("Reject", reason)
        return SellerSendsUnsold(me)


class SellerAwaitsBid(State):
    """Seller, state 4: receive Bid from Buyer."""

    __slots__ = ()

    async def receive_bid(self) -> SellerAwaitsBidReceiveBid:
        """From Buyer."""
        payload, me = await self._receive("Bid")
        return record(Bid, payload), next_of_seller(me)


class SellerSendsSold(State):
    """Seller, state 5: send Sold to Witnesses[*]."""

    __slots__ = ()

    async def send_sold(self, item: str, price: int) -> Done:
        """To Witnesses[*]."""
        me = await self._send("Sold", item, price)
        return Done(me)


class SellerSendsUnsold(State):
    """Seller, state 6: send Unsold to Witnesses[*]."""

    __slots__ = ()

    async def send_unsold(self, value: Any = None) -> Done:
        """To Witnesses[*]."""
        me = await self._send("Unsold", value)
        return Done(me)


class Witnesses(State):
    """Witnesses[0..N], state 0: receive Sold from Seller or receive Unsold from
    Seller.
    """

    __slots__ = ()

    async def offer(self) -> GotSold[Sold, WitnessesSendsSeal] | GotUnsold[Any, Done]:
        """Whatever comes first."""
        got, me = await self._offer()
        match got.label, got.sender, got.index:
            case "Sold", _, _:
                return GotSold(record(Sold, got.payload), WitnessesSendsSeal(me))
            case "Unsold", _, _:
                return GotUnsold(got.payload, Done(me))
            case _:
                raise AssertionError(got)


class WitnessesSendsSeal(State):
    """Witnesses[0..N], state 1: send Seal to Buyer."""

    __slots__ = ()

    async def send_seal(self, value: str) -> Done:
        """To Buyer."""
        me = await self._send("Seal", value)
        return Done(me)


def buyer(play: Callable[[Buyer], Awaitable[Done]], /) -> RoleFunction:
    """Make of typed states what `run(..., Buyer=...)` takes."""
    return role(
        "Buyer",
        {
            BUYER_FORM: lambda me: play(Buyer(me)),
        },
    )


def seller(play: Callable[[Seller], Awaitable[Done]], /) -> RoleFunction:
    """Make of typed states what `run(..., Seller=...)` takes."""
    return role(
        "Seller",
        {
            SELLER_FORM: lambda me: play(Seller(me)),
        },
    )


def witnesses(play: Callable[[Witnesses], Awaitable[Done]], /) -> RoleFunction:
    """Make of typed states what `run(..., Witnesses=...)` takes."""
    return role(
        "Witnesses",
        {
            WITNESSES_FORM: lambda me: play(Witnesses(me)),
        },
    )


def next_of_buyer(me: Endpoint) -> BuyerAwaitsQuote | BuyerAwaitsAcceptOrReject:
    match next_state(me, BUYER_FORM, 2, 3):
        case 2:
            return BuyerAwaitsQuote(me)
        case _:
            return BuyerAwaitsAcceptOrReject(me)


def next_of_seller(me: Endpoint) -> SellerSendsQuote | SellerSendsAcceptOrReject:
    match next_state(me, SELLER_FORM, 2, 3):
        case 2:
            return SellerSendsQuote(me)
        case _:
            return SellerSendsAcceptOrReject(me)


BuyerAwaitsAcceptOrRejectOffer: TypeAlias = Union[
    GotAccept[Accept, BuyerAwaitsSeal],
    GotReject[Reject, Done],
]
SellerReceiveEnquiry: TypeAlias = tuple[
    Enquiry,
    SellerSendsQuote | SellerSendsAcceptOrReject,
]
SellerAwaitsBidReceiveBid: TypeAlias = tuple[
    Bid,
    SellerSendsQuote | SellerSendsAcceptOrReject,
]


BUYER_FORM = """\
0 Seller!Enquiry(item: str) -> 1
1 loop -> 2 3
2 Seller?Quote(price: int) -> 4
3 Seller?Accept(price: int) -> 5
3 Seller?Reject(reason: str) -> 6
4 Seller!Bid(price: int) -> 7
5 Witnesses[]?Seal(str) -> 6
6 final
7 loop -> 2 3
"""


SELLER_FORM = """\
0 Buyer?Enquiry(item: str) -> 1
1 loop -> 2 3
2 Buyer!Quote(price: int) -> 4
3 Buyer!Accept(price: int) -> 5
3 Buyer!Reject(reason: str) -> 6
4 Buyer?Bid(price: int) -> 7
5 Witnesses[]!Sold(item: str, price: int) -> 8
6 Witnesses[]!Unsold -> 8
7 loop -> 2 3
8 final
"""


WITNESSES_FORM = """\
0 Seller?Sold(item: str, price: int) -> 1
0 Seller?Unsold -> 2
1 Buyer!Seal(str) -> 2
2 final
"""
