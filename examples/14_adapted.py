"""Callers of an old protocol, served by sessions of its successor.

python examples/14_adapted.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

FILE = Path(__file__).with_suffix(".choreo")
quotes = pavane.load(FILE, name="Quotes")
pricing = pavane.load(FILE, name="Pricing")

# --- the new service ---------------------------------------------------------------------------


@pricing.role("Desk")
async def desk(me: pavane.Endpoint) -> None:
    asked = await me.receive("PriceRequest")
    await me.send("Look", asked.symbol)
    price = (await me.receive("Seen")).price
    if price < 0:
        await me.send("Unknown", asked.symbol)
    else:
        await me.send("Price", price * asked.quantity, asked.currency)


@pricing.role("Market")
async def market(me: pavane.Endpoint) -> None:
    asked = await me.receive("Look")
    await me.send("Seen", {"PAV": 12.5}.get(asked.symbol, -1.0))


# --- between the two ---------------------------------------------------------------------------

request = pavane.FieldMap(
    "GetQuote",
    "PriceRequest",
    {"symbol": "sym", "quantity": "qty", "currency": pavane.default("EUR")},
    drop=["fax"],
)
price = pavane.FieldMap(
    "Price", "Quote", {"total": pavane.convert(round, "amount")}, drop=["currency"]
)
unknown = pavane.FieldMap("Unknown", "Sorry", {"why": "symbol"})
bridge = pavane.CapabilityBridge({"read": "price"}, source="kiosk", target="exchange")
adapter = pavane.Adapter(quotes, pricing, request=request, results=[price, unknown], bridge=bridge)

# --- the old callers ---------------------------------------------------------------------------


async def ask(runtime: pavane.Runtime, symbol: str) -> str:
    async def client(me: pavane.Endpoint) -> str:
        await me.send("GetQuote", sym=symbol, qty=4, fax="555-0100")
        match await me.offer():
            case pavane.Received("Quote", quote):
                return f"{symbol}: {quote.total}"
            case other:
                return f"{symbol}: none ({other.payload.why})"

    outcome = await runtime.run(quotes, Client=client, Server=adapter.role())
    return str(outcome["Client"])


async def main() -> None:
    async with pavane.open() as runtime:
        for symbol in ("PAV", "XYZ"):
            print(await ask(runtime, symbol))
        letter = {"sym": "PAV", "qty": 2, "fax": ""}
        answer = await adapter.run(runtime, letter, capabilities=["read"])
        print("by letter:", answer.label, answer.payload.total)
        for wrong, held in (({**letter, "zip": "1010"}, ["read"]), (letter, ["gossip"])):
            try:
                await adapter.run(runtime, wrong, capabilities=held)
            except pavane.PavaneError as refused:
                print("refused:", refused.message)
    try:
        careless = pavane.FieldMap("GetQuote", "PriceRequest", {"symbol": "sym"})
        pavane.Adapter(quotes, pricing, request=careless, results=[price, unknown], bridge=bridge)
    except pavane.AdapterRefused as refused:
        print("not mapped:", ", ".join(refused.fields))


if __name__ == "__main__":
    asyncio.run(main())
