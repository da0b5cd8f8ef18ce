"""Does a program fit its role's machine? Looked through before anything is sent.

The program is played against the machine in every way that it can go: whatever its peers may say,
and whatever its own functions may decide. Each way must be one that the machine allows, hear all
that the machine may hear there, and end where the role may end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ...language.errors import PavaneError, ProtocolViolation
from ...language.monitor import Monitor
from ...language.table import Step
from ..errors import UnregisteredEffect
from .errors import ProgramDeparts, ProgramTooLarge
from .listening import Decided, Heard, end, fits, hear, listen, receive
from .operations import Choose, Loop, Offer, Receive, Send
from .points import Placed, Point, Strand, Trail, along, arm_for, broadcast, put, whom_of
from .program import Program
from .stages import Begin, Do, Enter, Finish, Halt, Jump, Layout, Pick, Round, Split

LIMIT = 100_000
"""Stages of all ways through one program that are looked at."""

Check = Callable[[Step, tuple[Any, ...], dict[str, Any]], object]
"""Raises `PayloadError` for a payload that does not fit the message of a step."""


def conform(
    program: Program,
    monitor: Monitor,
    *,
    sizes: Mapping[str, int | None],
    decisions: Decided,
    check: Check | None = None,
    performed: Collection[type] | None = None,
    whole: bool = True,
) -> None:
    """Raise `ProgramDeparts` where `program`, begun where `monitor` stands, leaves its machine.

    `sizes` are those of the families, `decisions` what the peers' messages decide. `check` looks at payloads that are known beforehand;
    `performed` are the types of effects that can be (any if None). A program that is not
    the `whole` of what is left need not end where the role may. Raises `UnregisteredEffect` and
    `ProgramTooLarge` too.
    """
    layout = Layout(program)
    for kind in layout.extensions():
        if performed is not None and kind not in performed:
            raise UnregisteredEffect(kind.__name__, role=monitor.role, how="performs")
    _Conformance(layout, monitor, sizes, decisions, check, whole=whole).explore()


class _Conformance:
    def __init__(
        self,
        layout: Layout,
        monitor: Monitor,
        sizes: Mapping[str, int | None],
        decisions: Decided,
        check: Check | None,
        *,
        whole: bool,
    ) -> None:
        self._layout = layout
        self._stages = layout.stages
        self._start = monitor.copy()
        self._sizes = sizes
        self._decisions = decisions
        self._check = check
        self._whole = whole

    def explore(self) -> None:
        start = Point(self._start, Strand(0), "", None)
        waiting, seen = deque([start]), {start.key()}
        while waiting:
            point = waiting.popleft()
            for following in self._following(point):
                key = following.key()
                if key not in seen:
                    seen.add(key)
                    waiting.append(following)
            if len(seen) > LIMIT:
                raise ProgramTooLarge(self._start.name, LIMIT)

    def _following(self, point: Point) -> Iterator[Point]:
        if point.strand.done:
            self._end(point)
            return
        going = next(self._going(point.strand), None)
        if going is None:
            yield from self._listen(point)
            return
        path, strand = going
        for following in self._stage(point, strand):
            changed = put(point.strand, path, following.strand)
            yield following._replace(strand=changed)

    def _going(self, strand: Strand, path: tuple[int, ...] = ()) -> Iterator[Placed]:
        """The strands that can go on without a message, in the order in which they do."""
        if strand.done:
            return
        for number, child in enumerate(strand.children):
            yield from self._going(child, (*path, number))
        if strand.children:
            if all(child.done for child in strand.children):
                yield path, strand
        elif strand.pending is not None or not self._waits(strand):
            yield path, strand

    def _waits(self, strand: Strand) -> bool:
        match self._stages[strand.position]:
            case Do(operation=Receive()) | Pick(operation=Offer()):
                return True
            case _:
                return False

    # --- one stage -----------------------------------------------------------------------

    def _stage(self, point: Point, strand: Strand) -> Iterator[Point]:
        if strand.children:
            hits = strand.hits.union(*(child.hits for child in strand.children))
            joined = strand._replace(hits=hits, children=()).at(strand.join)
            yield point._replace(strand=joined)
            return
        stage = self._stages[strand.position]
        match stage:
            case Halt():
                self._settled(point, strand)
                yield point._replace(strand=strand._replace(done=True, pending=None))
            case Jump(target=target):
                yield point._replace(strand=strand._replace(position=target))
            case Enter(slot=slot):
                rounds = {**dict(strand.rounds), slot: 0}
                entered = strand._replace(rounds=tuple(sorted(rounds.items())))
                yield point._replace(strand=entered._replace(position=strand.position + 1))
            case Round():
                yield from (point._replace(strand=s) for s in self._round(strand, stage))
            case Split():
                self._settled(point, strand)
                children = tuple(Strand(arm, hits=strand.hits) for arm in stage.arms)
                split = strand._replace(children=children, join=stage.join, pending=None)
                yield point._replace(strand=split)
            case Pick():
                yield from self._pick(point, strand, stage)
            case Do():
                yield from self._do(point, strand, stage)
            case Begin() | Finish():
                yield point._replace(strand=strand._replace(position=strand.position + 1))

    def _round(self, strand: Strand, stage: Round) -> Iterator[Strand]:
        rounds = dict(strand.rounds)
        number = rounds[stage.slot]
        again, leave = self._goes_on(stage.operation, number, hit=stage.slot in strand.hits)
        cleared = strand._replace(hits=strand.hits - {stage.slot})
        if again:
            counted = isinstance(stage.operation.count, int | str)
            rounds[stage.slot] = number + 1 if counted else 1
            yield cleared._replace(
                rounds=tuple(sorted(rounds.items())), position=strand.position + 1
            )
        if leave:
            del rounds[stage.slot]
            yield cleared._replace(rounds=tuple(sorted(rounds.items())), position=stage.exit)

    def _goes_on(self, loop: Loop, number: int, *, hit: bool) -> tuple[bool, bool]:
        """Whether there may be another round, and whether this may be the end."""
        match loop:
            case Loop(count=int(count)):
                return number < count, number >= count
            case Loop(count=str(family)):
                count = self._sizes.get(family) or 1
                return number < count, number >= count
            case Loop(until=str()):
                return number == 0 or not hit, number > 0 and hit
            case Loop(count=None, going=None, until=None):
                return True, False
            case Loop(until=None):
                return True, True
            case _:
                return True, number > 0

    # --- branches ------------------------------------------------------------------------

    def _pick(self, point: Point, strand: Strand, stage: Pick) -> Iterator[Point]:
        operation = stage.operation
        if isinstance(operation, Offer):
            pending = strand.pending
            assert pending is not None
            picked = arm_for(stage, pending)
            if picked is None:
                raise self._unheard(point, strand, pending)
            label, rest = picked
            following = strand.at(stage.arms[label], pending=rest)
            yield point._replace(strand=self._hit(following, label))
        elif isinstance(operation, Choose):
            self._settled(point, strand)
            for arm, target in stage.arms.items():
                if callable(operation.decide) or arm == operation.decide:
                    yield from self._choose(point, strand, str(arm), target)
        else:
            targets = [*stage.arms.values(), stage.otherwise]
            for target in targets if stage.otherwise >= 0 else targets[:-1]:
                yield point._replace(strand=strand._replace(position=target))

    def _choose(self, point: Point, strand: Strand, label: str, target: int) -> Iterator[Point]:
        for monitor, trail in listen(point.monitor, point.trail, Trail):
            try:
                route = monitor.chosen(label)
            except ProtocolViolation as wrong:
                raise self._departs(point, strand, wrong) from None
            following = self._hit(strand.at(target), label)
            yield along(Point(monitor, following, "" if route else label, trail), route)

    def _hit(self, strand: Strand, label: str) -> Strand:
        heeded = self._layout.heeded(label)
        return strand._replace(hits=strand.hits.union(heeded)) if heeded else strand

    # --- what is done ----------------------------------------------------------------------

    def _do(self, point: Point, strand: Strand, stage: Do) -> Iterator[Point]:
        operation = stage.operation
        match operation:
            case Send():
                self._settled(point, strand)
                yield from self._send(point, strand, operation)
            case Choose(decide=decide):
                self._settled(point, strand)
                yield from self._choose(point, strand, str(decide), strand.position + 1)
            case Receive(label=label):
                pending = strand.pending
                assert pending is not None
                if not fits(pending, label, operation.sender, point.monitor):
                    raise self._unheard(point, strand, pending)
                received = strand.at(strand.position + 1)
                yield point._replace(strand=self._hit(received, label))
            case _:
                yield point._replace(strand=strand._replace(position=strand.position + 1))

    def _send(self, point: Point, strand: Strand, operation: Send) -> Iterator[Point]:
        whom = whom_of(operation.to)
        following = self._hit(strand.at(strand.position + 1), operation.label)
        for monitor, trail in listen(point.monitor, point.trail, Trail):
            try:
                route = monitor.route(operation.label, whom, point.chosen)
                self._fit(route[-1], operation)
            except PavaneError as wrong:
                raise self._departs(point, strand, wrong, monitor) from None
            sent = along(Point(monitor, following, "", trail), route)
            if whom is None:
                sent = broadcast(sent, route[-1])
            yield sent

    def _fit(self, step: Step, operation: Send) -> None:
        """Look at a payload that no function of the program has a part in."""
        values = (*operation.values, *operation.fields.values())
        if self._check is not None and not any(callable(value) for value in values):
            self._check(step, operation.values, dict(operation.fields))

    # --- messages in ---------------------------------------------------------------------

    def _listen(self, point: Point) -> Iterator[Point]:
        """All strands wait: one way for each message that may come."""
        waiting = list(self._waiting(point.strand))
        path, first = waiting[0]
        stage = self._stages[first.position]
        monitor = point.monitor
        try:
            if len(waiting) == 1 and isinstance(stage, Do):
                assert isinstance(stage.operation, Receive)
                sender = whom_of(stage.operation.sender)
                heard = list(receive(monitor, stage.operation.label, sender))
            else:
                heard = list(hear(monitor, self._decisions))
        except ProtocolViolation as wrong:
            raise self._departs(point, first, wrong) from None
        for after, message in heard:
            found = next((p for p in waiting if self._accepts(p[1], message, monitor)), None)
            if found is None:
                raise self._unheard(point, first, message)
            path, strand = found
            told = strand._replace(pending=message)
            trail = Trail(str(message), point.trail)
            yield Point(after, put(point.strand, path, told), "", trail)

    def _waiting(self, strand: Strand, path: tuple[int, ...] = ()) -> Iterator[Placed]:
        for number, child in enumerate(strand.children):
            yield from self._waiting(child, (*path, number))
        if not strand.children and not strand.done:
            yield path, strand

    def _accepts(self, strand: Strand, message: Heard, monitor: Monitor) -> bool:
        stage = self._stages[strand.position]
        if isinstance(stage, Pick):
            return arm_for(stage, message) is not None
        assert isinstance(stage, Do) and isinstance(stage.operation, Receive)
        return fits(message, stage.operation.label, stage.operation.sender, monitor)

    # --- the end -------------------------------------------------------------------------

    def _settled(self, point: Point, strand: Strand) -> None:
        pending = strand.pending
        if pending is not None and pending.step is not None:
            raise self._unheard(point, strand, pending)

    def _end(self, point: Point) -> None:
        if not self._whole:
            return
        for monitor in end(point.monitor):
            if not monitor.is_final:
                expected = monitor.expected()
                owed = ", ".join(expected)
                raise ProgramDeparts(
                    f"it ends, and the role still has to do {owed} in state {monitor.state.number}",
                    role=monitor.name,
                    operation="its end",
                    place="",
                    state=monitor.state.number,
                    expected=expected,
                    got="end",
                    trail=Trail.steps(point.trail),
                    hint=_ending(expected),
                )

    # --- departures ----------------------------------------------------------------------

    def _departs(
        self, point: Point, strand: Strand, wrong: PavaneError, at: Monitor | None = None
    ) -> ProgramDeparts:
        monitor = at or point.monitor
        expected = getattr(wrong, "expected", ())
        stands = getattr(wrong, "state", None)
        return ProgramDeparts(
            wrong.message,
            role=monitor.name,
            operation=self._operation(strand),
            place=self._layout.places[strand.position],
            state=monitor.state.number if stands is None else stands,
            expected=(expected,) if isinstance(expected, str) else expected,
            got=str(getattr(wrong, "got", "")),
            trail=Trail.steps(point.trail),
            hint=wrong.hint,
        )

    def _unheard(self, point: Point, strand: Strand, message: Heard) -> ProgramDeparts:
        monitor = point.monitor
        operation = self._operation(strand)
        return ProgramDeparts(
            f"{message} may come there, and it is not received",
            role=monitor.name,
            operation=operation,
            place=self._layout.places[strand.position],
            state=monitor.state.number,
            expected=tuple(str(step) for step in monitor.receives()) or (str(message),),
            got=operation,
            trail=Trail.steps(point.trail),
            hint="receive it there, or where a peer chooses, offer an arm for each branch: "
            'offer({"accept": Program().recv(...), "reject": ...})',
        )

    def _operation(self, strand: Strand) -> str:
        return str(getattr(self._stages[strand.position], "operation", "its end"))


def _ending(expected: Collection[str]) -> str:
    announced = [step.partition("!@")[2] for step in expected if "!@" in step]
    if announced:
        return f'say how it goes on: choose("{announced[0]}")'
    return "let the program go on until its role's part is over"
