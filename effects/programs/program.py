"""`Program`: what a role does, as an immutable value."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InvalidOperation, ProgramClosed
from .handler import Handler
from .operations import (
    Branch,
    Call,
    Choose,
    Extend,
    Loop,
    Offer,
    Operation,
    Parallel,
    Receive,
    Send,
    Set,
    Timeout,
    Value,
)
from .played import Played
from .results import ProgramResult, Results

_TAKEN = {"to", "label", "self"}
"""What `Endpoint.send` calls its own arguments."""


@dataclass(frozen=True, slots=True)
class Program(Played):
    """A role's part, or a piece of it. Every method returns another program with one operation more.

        order = Program().send("Shop", "Order", item="tea").recv("Shop", "Price")
        pay = Program().send("Shop", "Pay", cents=lambda got: got["Price"].cents)
        program = order.then(pay).end()

    It stands wherever a role's function does, and what comes of it is a `ProgramResult`. Wherever a
    value is asked for, a function of the `Results` so far may be given.

    `then` puts two programs one after the other: it is associative, and `Program()` is its unit.
    Roles are named as for `Endpoint.send`: `"Shop"`, `"Workers[2]"`; `"Workers[*]"` for all
    instances, and `"*"` for whoever the label tells, or all of a broadcast.
    """

    operations: tuple[Operation, ...] = ()
    closed: bool = False

    # --- messages ------------------------------------------------------------------------

    def send(self, to: str, label: str, /, *values: Value, **fields: Value) -> Program:
        """Send a message, with its payload as for `Endpoint.send`."""
        for name in _TAKEN & fields.keys():
            raise InvalidOperation(
                f"send {label}", f"a field called {name} cannot be given by name",
                hint="give the payload's values in their order",
            )  # fmt: skip
        return self._with(Send(_role("send", to), _label("send", label), values, fields))

    def recv(self, sender: str, label: str, /) -> Program:
        """Receive a message; its payload is then among the results."""
        return self._with(Receive(_role("recv", sender), _label("recv", label)))

    # --- branches ------------------------------------------------------------------------

    def choose(
        self,
        decide: str | Callable[[Results], str] | Callable[[Results], Awaitable[str]],
        arms: Mapping[str, Program] | None = None,
        /,
        **more: Program,
    ) -> Program:
        """Decide for a branch of a choice that is this role's: by name, or by what `decide` says.

        Each arm is what the role does in that branch, from its first message on. Without arms
        the program goes on in the branch. An async `decide` is called as by `Endpoint.run`; where
        it comes to nothing before the choice's time is over, the branch is `timeout`.
        """
        given = {**(arms or {}), **more}
        if not given and callable(decide):
            raise InvalidOperation(
                "choose", "a function decides, and there are no arms",
                hint='write choose(decide, {"accept": Program()..., "reject": Program()...})',
            )  # fmt: skip
        if isinstance(decide, str):
            _label("choose", decide)
            if given and decide not in given:
                raise InvalidOperation("choose", f"no arm {decide}", hint="add it")
        return self._with(Choose(decide, _checked("choose", given) if given else None))

    def offer(self, arms: Mapping[str, Program] | None = None, /, **more: Program) -> Program:
        """Go on as a peer has chosen. An arm is named by its branch or by the message that comes in
        it, and begins with receiving that message."""
        return self._with(Offer(_checked("offer", {**(arms or {}), **more})))

    def branch(
        self,
        select: Callable[[Results], Hashable],
        arms: Program | Mapping[Any, Program],
        otherwise: Program | None = None,
        /,
    ) -> Program:
        """Go on as the results so far tell. `branch(is_cheap, buy)` plays `buy` if it holds, and
        nothing else (or `otherwise`); with a mapping, `select` gives the key of the arm."""
        if isinstance(arms, Program):
            return self._with(Branch(select, {True: arms}, otherwise or Program(), truth=True))
        _all_programs("branch", {} if otherwise is None else {"otherwise": otherwise})
        return self._with(Branch(select, _checked("branch", arms), otherwise))

    # --- shape ---------------------------------------------------------------------------

    def loop(
        self,
        body: Program,
        /,
        *,
        count: int | str | Callable[[Results], int] | None = None,
        while_: Callable[[Results], object] | None = None,
        until: str | Callable[[Results], object] | None = None,
    ) -> Program:
        """Repeat `body`: `count` times (`"Workers"`: once for each instance of that family),
        `while_` something holds before a round, or `until` it does after one. With the name
        of a branch or a message, until the round in which it was taken. With none of these it
        only ends with the session. `got.round` counts from 0."""
        _all_programs("loop", {"its body": body})
        if sum(limit is not None for limit in (count, while_, until)) > 1:
            raise InvalidOperation(
                "loop", "more than one of count, while_ and until", hint="give one of them"
            )
        if isinstance(count, int) and (isinstance(count, bool) or count < 0):
            raise InvalidOperation("loop", f"count = {count!r}", hint="count from 0 up")
        return self._with(Loop(body, count, while_, until))

    def parallel(self, *arms: Program) -> Program:
        """Play the arms at once, each as far as it comes without waiting for a message; then go on
        with whichever is spoken to. For the protocol's own `parallel`, an arm for each branch."""
        named = {str(number): arm for number, arm in enumerate(arms, start=1)}
        return self._with(Parallel(tuple(_checked("parallel", named).values())))

    def timeout(self, seconds: float, body: Program, /) -> Program:
        """Play `body`; if that takes longer, the program ends there as `timed out`, and the session
        with it (`ProgramTimedOut`). For a time after which the protocol goes on, see `choose`."""
        if not _is_time(seconds):
            raise InvalidOperation("timeout", f"{seconds!r} s", hint="give seconds above 0")
        _all_programs("timeout", {"its body": body})
        return self._with(Timeout(float(seconds), body))

    # --- the world -----------------------------------------------------------------------

    def ext(self, effect: object, /, *values: Value, **fields: Value) -> Program:
        """Perform an extension's effect, as it is registered with `ExtensionRegistry.performs`: a
        value, or its class with what to make it of (`ext(Note, text=lambda got: ...)`). What it
        comes to is in `got.returned` by the name of the class."""
        if not isinstance(effect, type) and (values or fields):
            raise InvalidOperation(
                f"ext {type(effect).__name__}", "arguments for an effect that is made already",
                hint="give the class and its arguments, or the value alone",
            )  # fmt: skip
        return self._with(Extend(effect, values, fields))

    def call(self, function: Callable[[Results], Any], /, *, name: str = "") -> Program:
        """Call a function of the results so far, async or not, as `Endpoint.run` does. What it
        returns is in `got.returned` by its name."""
        found = name or getattr(function, "__name__", type(function).__name__)
        return self._with(Call(function, found))

    def set(self, **values: Value) -> Program:
        """Give values to the names that the protocol's guards use, as `Endpoint.set`."""
        return self._with(Set(values))

    # --- composition ---------------------------------------------------------------------

    def then(self, following: Program, /) -> Program:
        """This program and then `following`, as one."""
        _all_programs("then", {"what follows": following})
        closed = following.closed or (self.closed and not following.operations)
        return Program(self.operations + following.operations, closed)

    def end(self) -> Program:
        """Close it: nothing can be added to it but by `then`."""
        return Program(self.operations, closed=True)

    def _with(self, operation: Operation) -> Program:
        if self.closed:
            raise ProgramClosed(str(operation))
        return Program((*self.operations, operation))

    # --- playing -------------------------------------------------------------------------

    async def __call__(self, me: Handler) -> ProgramResult:
        """Play it with a handler: an endpoint, a recording or a scripted one. What it departs in from
        the endpoint's machine is raised before the first operation. Raises what the handler raises,
        and `ProgramTimedOut`; `Performance` keeps the result of a program that failed."""
        result = await self.play(me)
        if result.error is not None:
            raise result.error
        return result

    @property
    def script(self) -> Program:
        return self

    async def play(self, me: Handler) -> ProgramResult:
        """As calling it, with every failure in the result; only the cancellation of the task that
        plays it is raised."""
        from .interpreter import interpret  # a program is data; only playing needs this

        return await interpret(self, me)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def __bool__(self) -> bool:
        """A program is something even where it is empty."""
        return True

    def __str__(self) -> str:
        return "; ".join(map(str, self.operations)) or "nothing"


def _role(operation: str, name: object) -> str:
    """A role as the endpoint takes it: `W[*]` is said of the family."""
    if not isinstance(name, str) or not name:
        raise InvalidOperation(
            operation, f"{name!r} names no role", hint='write the role first, then the message: '
            f'{operation}("Bob", "Hello")',
        )  # fmt: skip
    return name.removesuffix("[*]")


def _label(operation: str, label: object) -> str:
    if not isinstance(label, str) or not label:
        raise InvalidOperation(
            operation, f"{label!r} is no label", hint="give the name of a message or branch"
        )
    return label


def _checked(operation: str, arms: Mapping[Any, Program]) -> dict[Any, Program]:
    if not arms:
        raise InvalidOperation(operation, "no arms", hint="give at least one program")
    _all_programs(operation, arms)
    return dict(arms)


def _all_programs(operation: str, arms: Mapping[Any, object]) -> None:
    for name, arm in arms.items():
        if not isinstance(arm, Program):
            raise InvalidOperation(
                operation, f"{name} is {type(arm).__name__}, not a program",
                hint="give a Program, such as Program().send(...)",
            )  # fmt: skip


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0
