"""A Restate handler that does durable steps: served by `benchmarks.steps` with Restate's Python."""

from __future__ import annotations

from importlib import import_module
from typing import Any

restate: Any = import_module("restate")
service: Any = restate.Service("Steps")


def step(number: int) -> int:
    return number + 1


@service.handler()  # type: ignore[untyped-decorator]
async def flow(ctx: Any, count: int) -> int:
    number = 0
    for _ in range(count):
        number = await ctx.run_typed("step", step, number=number)
    return number


app: Any = restate.app([service])
