"""A program together with what came of it, however it ended."""

from __future__ import annotations

from .handler import Handler
from .interpreter import interpret
from .played import Played
from .program import Program
from .results import ProgramResult


class Performance(Played):
    """Stands wherever its program does, and keeps the results: also those of a session that failed.

    buying = Performance(program)
    try:
        await runtime.run(market, Buyer=buying)
    except pavane.PavaneError:
        print(buying.result.state, buying.result.reason)
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.results: dict[str, ProgramResult] = {}
        """By instance name, each the latest."""

    @property
    def script(self) -> Program:
        return self.program

    @property
    def result(self) -> ProgramResult | None:
        """That of the instance that ended last; None before any has."""
        return next(reversed(self.results.values()), None)

    async def __call__(self, me: Handler) -> ProgramResult:
        result = await interpret(self.program, me, self._keep)
        if result.error is not None:
            raise result.error
        return result

    def _keep(self, result: ProgramResult) -> None:
        self.results.pop(result.name, None)
        self.results[result.name] = result
