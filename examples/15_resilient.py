"""A role that depends on a bank which is not always there: retry, timeout, circuit breaker.

python examples/15_resilient.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

sale = pavane.load(Path(__file__).with_suffix(".choreo"))
breakers = pavane.Breakers(pavane.Fuse(threshold=3, recovery=0.5))


class Bank:
    """Down for the next `outage` calls; on one more it hangs."""

    def __init__(self) -> None:
        self.outage = 0
        self.calls = 0

    async def pay(self, price: int) -> str:
        self.calls += 1
        if self.outage > 1:
            self.outage -= 1
            raise ConnectionError("the bank is down")
        if self.outage == 1:
            self.outage = 0
            await asyncio.sleep(3600)
        return f"payment {self.calls}"


bank = Bank()


@pavane.resilient(retry=pavane.Retry(attempts=3, base=0.01), breaker=breakers["bank"], timeout=0.05)
async def pay(price: int) -> str:
    return await bank.pay(price)


@sale.role("Shop")
async def shop(me: pavane.Endpoint) -> None:
    order = await me.receive("Order")
    await me.send("Receipt", await pay(order.price))


@sale.role("Customer")
async def customer(me: pavane.Endpoint) -> str:
    await me.send("Order", "tea", 4)
    receipt = await me.receive("Receipt")
    return str(receipt.number)


async def buy(runtime: pavane.Runtime) -> None:
    try:
        outcome = await runtime.run(sale)
        print(f"{outcome['Customer']}; the circuit is {breakers['bank'].state}")
    except (pavane.RoleFailed, pavane.CircuitOpen) as error:
        print(f"{type(error).__name__}; the circuit is {breakers['bank'].state}")


async def main() -> None:
    async with pavane.for_testing() as runtime:
        bank.outage = 2
        await buy(runtime)  # down once, then it hangs: the third attempt pays
        bank.outage = 4
        await buy(runtime)  # down for all three attempts: that is enough
        await buy(runtime)  # refused at once, and the bank is left in peace
        await asyncio.sleep(0.5)
        bank.outage = 0
        await buy(runtime)  # a probe is let through and succeeds
        print(f"the bank was called {bank.calls} times")


if __name__ == "__main__":
    asyncio.run(main())
