"""What all instances of one class share: the machine laid out, payload shapes, effect plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..broker.errors import Unconfirmed
from ..broker.payload import pack as to_bytes
from ..broker.payload import unpack as from_bytes
from ..broker.squeeze import squeeze, unsqueeze
from ..effects.pipeline.pipeline import Arrival, Pipeline, Plan
from ..effects.resilience.policy import retryable
from ..effects.resilience.retry import Retry
from ..language.annotations import retries
from ..language.clocks import Times
from ..language.machine import Action, Machine
from ..language.payload import Shape
from ..language.table import Step, Table
from ..language.tree import Scalar
from .leaves import decoding, encoding

if TYPE_CHECKING:
    from ..effects.programs.listening import Decided

Pack = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Move:
    """A step with what the runtime needs around it.

    `plan` is what is done before a send, `arrival` what is checked of a message received;
    None where nothing is. `write` and `read` are between a payload and its bytes. `retry` is how
    often what comes before a send is tried. `encode` and `decode` are between what the user sends or
    receives and the bytes, where nothing else is to be done.
    """

    __slots__ = ("arrival", "bare", "branches", "decode", "encode", "number", "pack", "plain", "plan", "read", "retry", "serial", "shape", "shared", "step",
                 "target", "unpack", "write")  # fmt: skip

    def __init__(
        self, step: Step, shape: Shape, plan: Plan | None, arrival: Arrival | None
    ) -> None:
        self.step = step
        self.number = step.number
        self.target = step.target
        self.branches = step.branches
        self.shape = shape
        self.encode = encoding(shape)
        self.decode = decoding(shape)
        self.shared = shape.immutable
        self.pack: Pack = shape.pack
        self.unpack: Callable[[Any], Any] = shape.unpack
        self.plan = plan
        self.arrival = arrival
        asked = {note.key: note.value for note in step.action.annotations}
        squeezed = bool(asked.get("compress"))
        self.write: Callable[[object], bytes] = squeeze if squeezed else to_bytes
        self.read: Callable[[bytes], Any] = unsqueeze if squeezed else from_bytes
        self.retry = _retry(asked["retry"]) if plan and "retry" in asked else None
        clear = not (squeezed or step.action.guards or step.selection or step.register)
        self.bare = clear and not (plan or arrival)
        """Whether nothing stands between a checked payload and the wire, ..."""
        several = step.collective or (step.sends and step.action.broadcast)
        self.plain = self.bare and not several
        """... nor more than one instance on the other side."""
        self.serial = clear and not several and not self.plain and self._is_serial()
        """Whether it would be plain, if what is done around it were done once for many."""

    def _is_serial(self) -> bool:
        if self.plan is not None:
            return self.plan.simple is not None and self.retry is None
        return self.arrival is not None and not self.arrival.merges


class Part:
    """A class of instances of `role` in one choreography under one set of bindings.

    `sizes` has the number of instances of each family, None for a plain role. `checked` are the labels
    whose senders need a right, by their roles. `decisions` is what
    the messages of its cast decide. `sends` and `receives` are the plain moves, and the serial ones, by
    number of the state and by label, where the label tells which.
    """

    __slots__ = (
        "checked",
        "decisions",
        "guarded",
        "is_family",
        "labels",
        "moves",
        "receives",
        "role",
        "sends",
        "sizes",
        "start",
        "stop",
        "table",
        "times",
    )

    def __init__(
        self,
        machine: Machine,
        sizes: Mapping[str, int | None],
        shape_of: Callable[[Action], Shape],
        pipeline: Pipeline,
    ) -> None:
        self.table = Table(machine)
        self.role = machine.role
        self.sizes = sizes
        self.is_family = machine.start is not None
        self.start = machine.start if isinstance(machine.start, int) else 0
        self.stop = machine.stop if isinstance(machine.stop, int) else 1
        self.moves = tuple(
            _move(step, shape_of(step.action), machine.role, pipeline) for step in self.table.steps
        )
        self.sends = tuple(self._short(state.sends) for state in self.table.states)
        self.receives = tuple(self._short(state.receives) for state in self.table.states)
        self.guarded = any(step.action.guards for step in self.table.steps)
        self.times = Times(self.table)
        self.decisions: Callable[[], Decided] = dict
        self.checked = self._checked()
        self.labels: dict[str, set[str]] = {}
        for role, label in self.table.heard:
            self.labels.setdefault(role, set()).add(label)

    def _short(self, side: dict[str, tuple[Step, ...]]) -> dict[str, Move]:
        moves = {label: self.moves[steps[0].number] for label, steps in side.items()}
        short = {label: m for label, m in moves.items() if m.plain or m.serial}
        return {label: m for label, m in short.items() if len(side[label]) == 1}

    def _checked(self) -> dict[str, set[str]]:
        """The messages that ask their sender for a right, by its role."""
        found: dict[str, set[str]] = {}
        for move in self.moves:
            if move.arrival is not None and move.arrival.guards:
                found.setdefault(move.step.peer_role, set()).add(move.step.label)
        return found

    def instances(self) -> range:
        return range(self.start, self.stop)

    def hears(self, role: str, index: int, own: int) -> bool:
        """Whether instance `own` receives anything from `role[index]`."""
        return role in self.labels and any(
            not step.sends and index in step.partners(self.role, own)
            for step in self.table.steps
            if step.peer_role == role
        )

    def listeners(self, role: str, index: int) -> list[range]:
        """The instances that receive anything from `role[index]`, in order."""
        steps = [s for s in self.table.steps if not s.sends and s.peer_role == role]
        if any(not step.relative and step.start <= index < step.stop for step in steps):
            if role != self.role:
                return [self.instances()]
            before = range(self.start, min(self.stop, index))
            return [span for span in (before, range(max(self.start, index + 1), self.stop)) if span]
        neighbours = sorted({index - step.start for step in steps if step.relative})
        return [range(i, i + 1) for i in neighbours if self.start <= i < self.stop]

    def name_of(self, index: int) -> str:
        return self.instance_name(self.role, index)

    def instance_name(self, role: str, index: int) -> str:
        """`Leader` or `Followers[2]`."""
        return role if self.sizes.get(role) is None else f"{role}[{index}]"


def _retry(value: Scalar) -> Retry | None:
    wanted = retries(value)
    if wanted is None or wanted.attempts < 2:
        return None
    return Retry(wanted.attempts, wanted.base, wanted.cap, on=may_repeat)


def may_repeat(error: BaseException) -> bool:
    """Whether all that comes before a send may be done again: nothing of it can have happened."""
    return retryable(error) and not isinstance(error, Unconfirmed)


def _move(step: Step, shape: Shape, role: str, pipeline: Pipeline) -> Move:
    """Raises `UnregisteredEffect` where a send asks for an effect that nobody handles."""
    if step.sends:
        return Move(step, shape, pipeline.plan(role, step.action) or None, None)
    return Move(step, shape, None, pipeline.arrival(step.action) or None)
