"""Protocols of two generations: fields, capabilities, and sessions between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane import CapabilityBridge, Endpoint, FieldMap, convert, default

Count = Callable[[], Awaitable[int]]

LEGACY = """#[namespace = "old{space}"]
choreography Quotes {{
    roles: Client, Server;
    loop (count: N) {{
        Client[guard_capability = "read"] -> Server: GetQuote(sym: str, qty: i32, fax: str);
        choice at Server {{
            found {{ Server -> Client: Quote(total: i32); }}
            none {{ Server -> Client: Sorry(why: str); }}
        }}
    }}
}}"""

MODERN = """#[namespace = "new{space}"]
choreography Pricing {{
    roles: Caller, Desk, Market;
    Caller[guard_capability = "price"] -> Desk: PriceRequest(symbol: str, quantity: i64, currency: str);
    Desk -> Market: Look(symbol: str);
    Market -> Desk: Seen(price: f64);
    choice at Desk {{
        priced {{ Desk -> Caller: Price(amount: f64, currency: str); }}
        unknown {{ Desk -> Caller: Unknown(symbol: str); }}
    }}
}}"""

REQUEST = FieldMap(
    "GetQuote",
    "PriceRequest",
    {"symbol": "sym", "quantity": "qty", "currency": default("EUR")},
    drop=["fax"],
)
RESULTS = [
    FieldMap("Price", "Quote", {"total": convert(round, "amount")}, drop=["currency"]),
    FieldMap("Unknown", "Sorry", {"why": convert(lambda symbol: f"no {symbol}", "symbol")}),
]
BRIDGE = {"read": "price", "admin": ["price", "audit"], "smell": []}


async def desk(me: Endpoint) -> str:
    asked = await me.receive("PriceRequest")
    await me.send("Look", asked.symbol)
    price = (await me.receive("Seen")).price
    if price < 0:
        await me.send("Unknown", asked.symbol)
    else:
        await me.send("Price", price * asked.quantity, asked.currency)
    return str(asked.currency)


async def market(me: Endpoint) -> None:
    asked = await me.receive("Look")
    if asked.symbol == "FIRE":
        raise ValueError("burnt down")
    await me.send("Seen", {"PAV": 2.5}.get(asked.symbol, -1.0))


def protocols(space: str, rounds: int = 1) -> tuple[pavane.Choreography, pavane.Choreography]:
    modern = pavane.load(MODERN.format(space=space))
    modern.role("Desk")(desk)
    modern.role("Market")(market)
    return pavane.load(LEGACY.format(space=space)).bind(N=rounds), modern


def adapter(space: str, rounds: int = 1, **changes: Any) -> pavane.Adapter:
    bridge = CapabilityBridge(BRIDGE, source=f"old{space}", target=f"new{space}")
    wanted: dict[str, Any] = {"request": REQUEST, "results": RESULTS, "bridge": bridge, **changes}
    return pavane.Adapter(*protocols(space, rounds), **wanted)


# --- sessions -----------------------------------------------------------------------------


async def test_a45_a_legacy_request_gets_a_legacy_result_from_a_modern_session(
    runtime: pavane.Runtime, subscriptions: Count, unique: str
) -> None:
    both = adapter(unique)
    old = {"sym": "PAV", "qty": 4, "fax": "none"}
    found = await both.run(runtime, old, capabilities=["read"])
    before = await subscriptions()
    assert (found.label, found.payload.total) == ("Quote", 10)
    none = await both.run(runtime, {**old, "sym": "XXX"}, capabilities=["admin"])
    assert (none.label, none.payload.why) == ("Sorry", "no XXX")
    with pytest.raises(pavane.RoleFailed, match="burnt down"):
        await both.run(runtime, {**old, "sym": "FIRE"}, capabilities=["read"])
    assert await subscriptions() == before


@pytest.mark.parametrize("durable", [False, True])
async def test_a45_legacy_callers_are_served_in_their_own_sessions(
    runtime: pavane.Runtime, unique: str, durable: bool
) -> None:
    both = adapter(unique, 3, durable=durable)
    legacy, _ = protocols(unique, 3)
    assert (both.server, both.client) == ("Server", "Caller")

    async def client(me: Endpoint) -> list[Any]:
        heard: list[Any] = []
        for name in ("PAV", "XXX", "PAV"):
            await me.send("GetQuote", name, 2, "555-0100")
            got = await me.offer()
            heard.append(got.payload.total if got.label == "Quote" else got.payload.why)
        return heard

    async with asyncio.timeout(20):
        outcome = await runtime.run(
            legacy, Client=client, Server=both.role(), durable=durable, session=unique
        )
    assert outcome["Client"] == [5, "no XXX", 5]


async def test_a45_the_modern_client_may_be_held_to_what_the_bridge_can_give(unique: str) -> None:
    both = adapter(unique)
    bridge = CapabilityBridge(BRIDGE, source=f"old{unique}", target=f"new{unique}")
    old = {"sym": "PAV", "qty": 2, "fax": ""}
    for grants, denied in ((bridge.reach, False), (frozenset[str](), True)):
        async with pavane.for_testing(grants={"Caller": grants}) as runtime:
            if denied:
                with pytest.raises(pavane.CapabilityDenied):
                    await both.run(runtime, old, capabilities=["read"])
            else:
                found = await both.run(runtime, old, capabilities=["read"])
                assert found.payload.total == 5


async def test_a45_a_modern_session_that_fails_is_a_failed_child(
    runtime: pavane.Runtime, unique: str
) -> None:
    async def client(me: Endpoint) -> None:
        await me.send("GetQuote", "FIRE", 2, "")
        await me.offer()

    legacy, _ = protocols(unique)
    with pytest.raises(pavane.ChildFailed, match="burnt down"):
        await runtime.run(legacy, Client=client, Server=adapter(unique).role())


async def test_a45_a_client_of_ones_own_may_do_more(runtime: pavane.Runtime, unique: str) -> None:
    text = f"""#[namespace = "{unique}"] choreography Login {{ roles: User, Gate;
        User -> Gate: Hello(name: str); Gate -> User: Key(n: i32);
        User -> Gate: Ask(n: i32, key: i32); Gate -> User: Told(n: i32); }}"""
    old = pavane.load(f"""#[namespace = "{unique}"] choreography Plain {{ roles: C, S;
        C -> S: Question(i32); S -> C: Answer(i32); }}""")

    async def gate(me: Endpoint) -> None:
        await me.receive("Hello")
        await me.send("Key", 7)
        asked = await me.receive("Ask")
        await me.send("Told", asked.n * asked.key)

    async def user(me: Endpoint, request: Any) -> pavane.Received:
        await me.send("Hello", name="old system")
        key = (await me.receive("Key")).n
        await me.send("Ask", **{**request, "key": key})
        return await me.offer()

    maps: dict[str, Any] = {
        "request": FieldMap("Question", "Ask", {"n": "value", "key": default(0)}),
        "results": FieldMap("Told", "Answer", {"value": "n"}),
        "roles": {"Gate": gate},
    }
    new = pavane.load(text)
    with pytest.raises(pavane.AdapterRefused) as caught:
        pavane.Adapter(old, new, **maps)
    assert caught.value.problems == (
        "User may receive Key, which no map is for",
        "User also sends Hello: give a client that does",
    )
    found = await pavane.Adapter(old, new, **maps, client=user).run(runtime, 6)
    assert (found.label, found.payload) == ("Answer", 42)


# --- what is refused beforehand --------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "drop", "wrong", "said"),
    [
        ({"symbol": "sym", "currency": default("EUR")}, ["fax", "qty"], ["quantity"], "nowhere"),
        (
            {"symbol": "sym", "quantity": "qty", "currency": default("")},
            [],
            ["fax"],
            "GetQuote.fax goes nowhere",
        ),
        (
            {"symbol": "sym", "quantity": "qty", "currency": default(""), "colour": "fax"},
            [],
            ["colour"],
            "PriceRequest has no field colour",
        ),
        (
            {"symbol": "sim", "quantity": "qty", "currency": default("")},
            ["sym", "fax"],
            ["sim"],
            "GetQuote has no field sim",
        ),
        (
            {"symbol": "qty", "quantity": "sym", "currency": "fax"},
            [],
            ["symbol", "quantity"],
            "GetQuote.qty is of another type than PriceRequest.symbol: convert it",
        ),
        (
            {"symbol": "sym", "quantity": "qty", "currency": "fax"},
            ["fax"],
            ["fax"],
            "dropped and used",
        ),
    ],
)
def test_a45_a_field_that_cannot_be_mapped_is_named(
    fields: dict[str, Any], drop: list[str], wrong: list[str], said: str
) -> None:
    request = FieldMap("GetQuote", "PriceRequest", fields, drop=drop)
    with pytest.raises(pavane.AdapterRefused) as caught:
        adapter("x", request=request)
    assert list(caught.value.fields) == wrong
    assert said in " ".join(caught.value.problems)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"request": FieldMap("Nothing", "PriceRequest")}, "no role receives Nothing"),
        ({"results": RESULTS[0]}, "Caller may receive Unknown, which no map is for"),
        ({"bridge": None}, "needs the capability newx:price, which no bridge leads to"),
        ({"bridge": CapabilityBridge({"read": "newx:look"})}, "newx:price, which no bridge"),
    ],
)
def test_a45_an_adapter_that_could_not_be_played_is_refused(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(pavane.AdapterRefused) as caught:
        adapter("x", **changes)
    assert said in " ".join(caught.value.problems)


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        ({"sym": "PAV", "qty": 1, "fax": "", "zip": 7}, "zip", "GetQuote.zip is unknown"),
        ({"sym": "PAV", "qty": 1}, "fax", "GetQuote.fax is missing"),
        ({"sym": 5, "qty": 1, "fax": ""}, "symbol", "PriceRequest.symbol must be str, got int"),
    ],
)
async def test_a45_a_request_that_cannot_be_mapped_sends_nothing(
    request_: dict[str, Any], field: str, said: str
) -> None:
    async with pavane.for_testing() as runtime:
        told: list[Any] = []
        runtime.observe(told.append)
        with pytest.raises(pavane.AdaptationFailed, match=said) as caught:
            await adapter("x").run(runtime, request_, capabilities=["read"])
        assert caught.value.field == field
        assert told == []


def test_a45_a_conversion_that_fails_is_named_and_quotes_nothing() -> None:
    def looked_up(symbol: str) -> str:
        return dict[str, str]()[symbol]

    request = FieldMap(
        "GetQuote",
        "PriceRequest",
        {"symbol": convert(looked_up, "sym"), "quantity": "qty", "currency": "fax"},
    )
    both = adapter("x", request=request)
    with pytest.raises(pavane.AdaptationFailed, match=r"symbol could not be .*KeyError") as caught:
        both.plan({"sym": "secret", "qty": 1, "fax": ""}, capabilities=["read"])
    assert "secret" not in str(caught.value)


# --- authority ----------------------------------------------------------------------


async def test_a45_who_holds_too_little_is_refused_before_anything_is_sent() -> None:
    both, old = adapter("x"), {"sym": "PAV", "qty": 4, "fax": ""}
    async with pavane.for_testing() as runtime:
        told: list[Any] = []
        runtime.observe(told.append)
        with pytest.raises(pavane.CapabilityNotBridged, match="newx:price: what the caller holds"):
            await both.run(runtime, old, capabilities=["smell"])
        with pytest.raises(pavane.CapabilityNotBridged, match="newx:price"):
            await both.run(runtime, old)
        with pytest.raises(pavane.CapabilityNotBridged, match="oldx:fly: the bridge does not know"):
            await both.run(runtime, old, capabilities=["read", "fly"])
        assert told == []


async def test_a45_a_legacy_protocol_that_shows_nothing_is_given_nothing() -> None:
    text = LEGACY.format(space="x").replace('[guard_capability = "read"]', "")
    bridge = CapabilityBridge(BRIDGE, source="oldx", target="newx")
    both = pavane.Adapter(
        pavane.load(text).bind(N=1), protocols("x")[1],
        request=REQUEST, results=RESULTS, bridge=bridge,
    )  # fmt: skip
    with pytest.raises(pavane.CapabilityNotBridged, match="newx:price"):
        both.role()
