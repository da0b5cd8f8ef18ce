"""Plays a program with a handler.

One task, whatever the program: the arms of a `parallel` are strands, of which each goes on as far
as it comes without waiting for a message. When all wait, the next message goes to the strand that
waits for it. So what a role does depends on nothing but what it hears, as a durable session needs.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio

from ..resilience.cancellation import cancellations
from .errors import InvalidOperation, NoArm, ProgramTimedOut
from .handler import Handler, Message
from .operations import ANYONE, Branch, Call, Choose, Extend, Loop, Offer, Receive, Send, Set
from .program import Program
from .results import EndState, Heard, ProgramResult, Results
from .stages import Begin, Do, Enter, Finish, Halt, Jump, Layout, Pick, Round, Split
from .strand import Count, Pending, Strand, is_from

T = TypeVar("T")

TIMEOUT = "timeout"
"""The branch of a choice that is taken where nothing was decided in time."""


async def interpret(
    program: Program, handler: Handler, tell: Callable[[ProgramResult], None] | None = None
) -> ProgramResult:
    """Play it to its end. Raises nothing but its task's own cancellation: a failure is in the result,
    which `tell` is called with however it ends."""
    play = _Play(program, handler)
    before = cancellations()
    try:
        result = await play.play()
    except asyncio.CancelledError as error:
        result = play.result("failed", error)
        if cancellations() > before:
            if tell is not None:
                tell(result)
            raise
    if tell is not None:
        tell(result)
    return result


class _Play:
    def __init__(self, program: Program, handler: Handler) -> None:
        self._program = program
        self._handler = handler
        self._layout = Layout(program)
        self._stages = self._layout.stages
        self._got = Results(handler)
        self._place = 0
        self._before = Count(handler.tally)

    async def play(self) -> ProgramResult:
        try:
            self._handler.admit(self._program)
            await self._run()
        except TimeoutError as error:
            return self.result("timed out", error)
        except Exception as error:  # noqa: BLE001  # whatever the handler and the user's code raise
            return self.result("failed", error)
        return self.result("completed", None)

    def result(self, state: EndState, error: BaseException | None) -> ProgramResult:
        got, before, now = self._got, self._before, self._handler.tally
        return ProgramResult(
            name=self._handler.name,
            state=state,
            received=got.received,
            selected=got.selected,
            returned=dict(got.returned),
            charged=now.charged - before.charged,
            facts=tuple(now.facts[before.facts :]),
            receipts=tuple(now.receipts[before.receipts :]),
            denials=tuple(now.denials[before.denials :]),
            operation="" if error is None else self._here(),
            error=error,
        )

    def _here(self) -> str:
        stage = self._stages[self._place]
        operation = getattr(stage, "operation", None)
        return "" if operation is None else f"{operation} ({self._layout.places[self._place]})"

    # --- the schedule --------------------------------------------------------------------

    async def _run(self) -> None:
        root = Strand(0)
        while True:
            await self._go_on(root)
            if root.done:
                return
            await self._listen(list(root.waiting()))

    async def _go_on(self, strand: Strand) -> None:
        """Play a strand until it has to wait for a message, or halts."""
        while not strand.done:
            for child in strand.children:
                await self._go_on(child)
            if strand.children:
                if not all(child.done for child in strand.children):
                    return
                strand.gather()
            elif not await self._stage(strand):
                return

    async def _listen(self, waiting: list[Strand]) -> None:
        """Get the next message, for the strand that waits for it."""
        self._place = waiting[0].position
        first = waiting[0]
        stage = self._stages[first.position]
        if len(waiting) == 1 and isinstance(stage, Do) and isinstance(stage.operation, Receive):
            operation = stage.operation
            sender = None if operation.sender == ANYONE else operation.sender
            payload = await self._within(
                first, lambda: self._handler.receive(operation.label, sender=sender)
            )
            self._hear(first, Heard(operation.label, payload, operation.sender))
            return
        hurried = min(waiting, key=lambda strand: min(strand.limits, default=(float("inf"), 0.0)))
        message = await self._within(hurried, self._handler.offer)
        for strand in waiting:
            if self._accepts(strand, message):
                strand.pending = Pending(message, message.branches)
                return
        raise NoArm(self._here(), message.label, (a for s in waiting for a in self._arms(s)))

    def _arms(self, strand: Strand) -> list[str]:
        """What a strand waits for."""
        stage = self._stages[strand.position]
        if isinstance(stage, Pick):
            return [str(arm) for arm in stage.arms]
        assert isinstance(stage, Do) and isinstance(stage.operation, Receive)
        return [stage.operation.label]

    def _accepts(self, strand: Strand, message: Message) -> bool:
        stage = self._stages[strand.position]
        if isinstance(stage, Pick):
            return message.label in stage.arms or any(b in stage.arms for b in message.branches)
        assert isinstance(stage, Do) and isinstance(stage.operation, Receive)
        return stage.operation.label == message.label and is_from(message, stage.operation.sender)

    async def _within(self, strand: Strand, act: Callable[[], Awaitable[T]]) -> T:
        """Await `act`, no longer than the times of the strand allow."""
        if not strand.limits:
            return await act()
        end, seconds = min(strand.limits)
        if anyio.current_time() < end:
            with anyio.CancelScope(deadline=end) as scope:
                return await act()
            assert scope.cancelled_caught
        raise ProgramTimedOut(self._handler.name, self._here(), seconds)

    # --- one stage -----------------------------------------------------------------------

    async def _stage(self, strand: Strand) -> bool:
        """Do the stage that the strand is at; False if it waits for a message."""
        self._place = strand.position
        stage = self._stages[strand.position]
        match stage:
            case Halt():
                self._settle(strand)
                strand.done = True
            case Jump(target=target):
                strand.position = target
            case Enter():
                self._enter(strand, stage)
            case Round():
                self._round(strand, stage)
            case Begin(operation=operation):
                limit = (anyio.current_time() + operation.seconds, operation.seconds)
                strand.limits += (limit,)
                strand.position += 1
            case Finish():
                strand.limits = strand.limits[:-1]
                strand.position += 1
            case Split():
                self._settle(strand)
                strand.children = [Strand(arm, strand.limits) for arm in stage.arms]
                strand.join = stage.join
            case Pick():
                return await self._pick(strand, stage)
            case Do(operation=Receive(label=label, sender=sender)):
                return self._receive(strand, label, sender)
            case Do():
                await self._do(strand, stage)
        return True

    def _enter(self, strand: Strand, stage: Enter) -> None:
        strand.rounds[stage.slot] = 0
        strand.outer[stage.slot] = self._got.round
        count = stage.operation.count
        if count is not None:
            strand.wanted[stage.slot] = self._count(stage.operation, count)
        strand.position += 1

    def _count(self, loop: Loop, count: Any) -> int:
        if isinstance(count, str):
            return self._handler.size(count)
        wanted = self._computed(count)
        if isinstance(wanted, bool) or not isinstance(wanted, int):
            raise InvalidOperation(str(loop), f"count = {wanted!r}", hint="count in whole numbers")
        return wanted

    def _round(self, strand: Strand, stage: Round) -> None:
        slot, loop = stage.slot, stage.operation
        number = strand.rounds[slot]
        self._got.round = number - 1 if loop.until is not None else number
        if loop.count is not None:
            goes_on = number < strand.wanted[slot]
        elif loop.going is not None:
            goes_on = bool(loop.going(self._got))
        elif isinstance(loop.until, str):
            goes_on = number == 0 or slot not in strand.hits
        else:
            goes_on = loop.until is None or number == 0 or not loop.until(self._got)
        strand.hits.discard(slot)
        strand.rounds[slot] = number + 1
        self._got.round = number if goes_on else strand.outer[slot]
        strand.position = strand.position + 1 if goes_on else stage.exit

    # --- messages in ---------------------------------------------------------------------

    def _receive(self, strand: Strand, label: str, sender: str) -> bool:
        pending = strand.pending
        if pending is None:
            return False
        message = pending.message
        if message.label != label or not is_from(message, sender):
            raise NoArm(f"recv {sender}?{label}", message.label, [label])
        strand.pending = None
        self._hear(strand, Heard(label, message.payload, message.sender, message.index))
        return True

    def _hear(self, strand: Strand, heard: Heard) -> None:
        self._got.hear(heard)
        strand.hits.update(self._layout.heeded(heard.label))
        strand.position += 1

    def _settle(self, strand: Strand) -> None:
        """Something else than receiving comes next: no message may be left."""
        if strand.pending is not None and not strand.pending.is_bare:
            raise NoArm(
                f"{self._here() or 'the end'} before {strand.pending.message.label} is received",
                strand.pending.message.label,
                [],
            )
        strand.pending = None

    # --- branches ------------------------------------------------------------------------

    async def _pick(self, strand: Strand, stage: Pick) -> bool:
        operation = stage.operation
        if isinstance(operation, Offer):
            if strand.pending is None:
                return False
            self._select(strand, self._offered(stage, strand.pending), stage)
        elif isinstance(operation, Choose):
            self._settle(strand)
            label = await self._within(strand, lambda: self._decide(operation))
            if label not in stage.arms:
                raise NoArm(str(operation), label, stage.arms)
            await self._within(strand, lambda: self._handler.choose(label))
            self._select(strand, label, stage)
        else:
            self._branch(strand, operation, stage)
        return True

    def _offered(self, stage: Pick, pending: Pending) -> str:
        for number, branch in enumerate(pending.branches):
            if branch in stage.arms:
                pending.branches = pending.branches[number + 1 :]
                return branch
        if pending.message.label not in stage.arms:
            raise NoArm(str(stage.operation), pending.message.label, stage.arms)
        return pending.message.label

    def _select(self, strand: Strand, label: str, stage: Pick) -> None:
        self._got.select(label)
        strand.hits.update(self._layout.heeded(label))
        strand.position = stage.arms[label]

    def _branch(self, strand: Strand, operation: Branch, stage: Pick) -> None:
        value: Any = operation.select(self._got)
        found = stage.arms.get(bool(value) if operation.truth else value, stage.otherwise)
        if found < 0:
            raise NoArm(str(operation), value, stage.arms)
        strand.position = found

    async def _decide(self, operation: Choose) -> str:
        decide = operation.decide
        if isinstance(decide, str):
            return decide
        if not inspect.iscoroutinefunction(decide):
            return str(self._computed(decide))
        label = TIMEOUT
        async with self._handler.deadline() as late:
            label = await self._handler.run(decide, self._got, name=decide.__name__)
        return TIMEOUT if late.passed else str(label)

    # --- what is done ----------------------------------------------------------------------

    async def _do(self, strand: Strand, stage: Do) -> None:
        handler, operation = self._handler, stage.operation
        label = ""
        if isinstance(operation, Send | Choose):
            self._settle(strand)
        match operation:
            case Send(to=to, label=label):
                values, fields = self._arguments(operation.values, operation.fields)
                whom = None if to == ANYONE else to
                await self._within(strand, lambda: handler.send(label, *values, to=whom, **fields))
            case Choose():
                label = await self._within(strand, lambda: self._decide(operation))
                await self._within(strand, lambda: handler.choose(label))
                self._got.select(label)
            case Extend():
                effect = self._effect(operation)
                value = await self._within(strand, lambda: handler.perform(effect))
                self._got.give(operation.kind.__name__, value)
            case Call(function=function, name=name):
                value = await self._within(
                    strand, lambda: handler.run(function, self._got, name=name)
                )
                self._got.give(name, value)
            case Set(fields=fields):
                handler.set(**self._arguments((), fields)[1])
            case Receive():
                raise AssertionError("a strand that receives has come to _receive")
        strand.hits.update(self._layout.heeded(label))
        strand.position += 1

    def _effect(self, operation: Extend) -> object:
        if not isinstance(operation.effect, type):
            return operation.effect
        values, fields = self._arguments(operation.values, operation.fields)
        return operation.effect(*values, **fields)

    def _arguments(
        self, values: tuple[Any, ...], fields: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        computed = self._computed
        return [computed(v) for v in values], {name: computed(v) for name, v in fields.items()}

    def _computed(self, value: Any) -> Any:
        return value(self._got) if callable(value) else value
