"""Layers: authority that each layer narrows, and budgets that are charged all or none.

python examples/20_layered.py
"""

from __future__ import annotations

import asyncio
import time

import pavane

ROOT = pavane.Authority()
ADA = pavane.Identity("bank", "Transfer", "session-1", "Teller")


class OfficeHours:
    """A layer of one's own."""

    name = "office hours"

    def __init__(self) -> None:
        self.is_open = True

    async def evaluate(self, request: pavane.LayerRequest) -> pavane.Scope | pavane.Refusal:
        if not self.is_open:
            return pavane.Refusal("it is closed")
        return request.scope.narrowed(bounds={"amount": 500})


async def authority() -> None:
    token = ROOT.issue(ADA, ["pay", "read"], expires=time.time() + 60)
    hours = OfficeHours()
    small = pavane.Scope(frozenset({"bank:pay"}), bounds={"amount": 1000})
    layers = pavane.CapabilityLayers(
        (
            pavane.TokenLayer(pavane.Verifier(ROOT.public), token),
            hours,
            pavane.LimitLayer("small sums", small),
        )
    )
    asked = pavane.Scope(frozenset({"bank:pay", "bank:read", "bank:audit"}))
    grant = await layers.evaluate(ADA, "bank:pay", asked)
    print("granted:", ", ".join(sorted(grant.scope.capabilities)), dict(grant.scope.bounds))
    hours.is_open = False
    try:
        await layers.evaluate(ADA, "bank:pay", asked)
    except pavane.LayerDenied as denied:
        print(f"denied by {denied.layer}: {denied.reason}")


async def budgets(runtime: pavane.Runtime) -> None:
    shared, query = runtime.budgets, "clinic.Query"
    await shared.define(query, "Researcher", 100)
    await shared.define(query, "project", 100)
    await shared.define_leakage(query, "external", 60)
    layers = pavane.BudgetLayers(
        shared,
        [
            pavane.BudgetLayer("user", query, "Researcher"),
            pavane.BudgetLayer("project", query, "project", cost=lambda base: base * 3),
            pavane.BudgetLayer(
                "public", query, "external", cost=lambda base: base * 10, kind="leakage"
            ),
        ],
        writer="researcher-7",
        signer=pavane.Signer(),
    )
    receipt = await layers.charge(5)
    print(f"charged {' + '.join(str(c.cost) for c in receipt.charges)} = {receipt.total}")
    try:
        await layers.charge(2)
    except pavane.LayerExhausted as exhausted:
        back = ", ".join(f"{charge.layer} {charge.cost}" for charge in exhausted.returned)
        print(f"refused by {exhausted.layer}; given back: {back}")
    left = [await shared.level(query, who) for who in ("Researcher", "project")]
    print("spent:", ", ".join(str(level.spent) for level in left if level is not None))


async def main() -> None:
    await authority()
    async with pavane.open() as runtime:
        await budgets(runtime)


if __name__ == "__main__":
    asyncio.run(main())
