"""Instructions -> text: breaks what does not fit, and puts comments at the ends of lines.

The way of deciding is Wadler's (A prettier printer, in The Fun of Programming, 2003), on a flat
list of instructions in place of a document tree: a group is written on one line if all that
follows up to the next line break fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

WIDTH = 80
INDENT = 4
NEVER = 1_000
"""More than groups are ever nested."""


class Op(Enum):
    """What to do; what the printer needs for it is in the `Instruction`."""

    TEXT = auto()
    CLOSE_TEXT = auto()
    """Text before which a pending block comment stays with what it trails."""
    PULL = auto()
    """Text of the source that goes before a pending line comment, as it has none of its own."""
    MARK = auto()
    """Text that was not in the source; it goes before any pending comment."""
    SPACE = auto()
    LEAD = auto()
    """Comment lines, then a new line for the token that they lead."""
    LEAD_LAST = auto()
    """Comment lines that nothing follows in their block."""
    TRAIL = auto()
    TRAIL_LINE = auto()
    HARD = auto()
    BLANK = auto()
    LINE = auto()
    SOFT = auto()
    """A break of the group; on one line, `LINE` is a space and `SOFT` nothing."""
    FILL = auto()
    """A space, or a break where what follows up to the next one does not fit."""
    LAST_COMMA = auto()
    """A comma if the group is broken."""
    OPEN = auto()
    CLOSE = auto()
    INDENT = auto()
    DEDENT = auto()


class Instruction(NamedTuple):
    op: Op
    text: str = ""
    lines: tuple[tuple[bool, str], ...] = ()
    blank: bool = False


class TooLong(Exception):
    """The result would be larger than the limit."""


class Printer:
    """One run over one list of instructions. `forced` are the places of the groups to be broken."""

    def __init__(
        self, instructions: Sequence[Instruction], forced: frozenset[int], limit: int
    ) -> None:
        self._instructions = instructions
        self._forced = forced
        self._room = limit
        self._out: list[str] = []
        self._groups: list[bool] = []
        self._indent = 0
        self._column = 0
        self._at_start = True
        self._space = False
        self._pending: list[Instruction] = []
        self._steps = {
            Op.TEXT: self._text,
            Op.CLOSE_TEXT: self._text,
            Op.PULL: self._pull,
            Op.MARK: self._mark,
            Op.LEAD: self._lead,
            Op.LEAD_LAST: self._lead,
            Op.HARD: self._break,
            Op.BLANK: self._break,
            Op.LINE: self._line,
            Op.SOFT: self._line,
            Op.LAST_COMMA: self._last_comma,
            Op.TRAIL: self._pending.append,
            Op.TRAIL_LINE: self._pending.append,
        }

    def run(self) -> str:
        """The text. Raises `TooLong`."""
        for place, instruction in enumerate(self._instructions):
            match instruction.op:
                case Op.SPACE:
                    self._space = True
                case Op.FILL:
                    self._fill(place)
                case Op.OPEN:
                    self._open(place)
                case Op.CLOSE:
                    self._groups.pop()
                case Op.INDENT:
                    self._indent += INDENT
                case Op.DEDENT:
                    self._indent -= INDENT
                case op:
                    self._steps[op](instruction)
        return "".join(self._out)

    # --- writing ---

    def _write(self, text: str) -> None:
        if self._at_start:
            text = " " * self._column + text
            self._column = 0
        elif self._space:
            text = " " + text
        self._space = self._at_start = False
        self._put(text)
        cut = text.rfind("\n")
        self._column = len(text) - cut - 1 if cut >= 0 else self._column + len(text)

    def _put(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise TooLong
        self._out.append(text)

    def _new_line(self, *, blank: bool = False, further: int = 0) -> None:
        self._flush()
        self._put("\n\n" if blank else "\n")
        self._column = self._indent + further
        self._at_start, self._space = True, False

    def _flush(self) -> None:
        """Write the comments that trail what was written last."""
        held, self._space = self._space, True
        for comment in self._pending:
            self._write(comment.text)
            self._space = True
        self._pending.clear()
        self._space = held

    @property
    def _line_pending(self) -> bool:
        return bool(self._pending) and self._pending[-1].op is Op.TRAIL_LINE

    def _text(self, instruction: Instruction) -> None:
        if self._line_pending:
            self._new_line(further=INDENT)
        elif instruction.op is Op.CLOSE_TEXT:
            self._flush()
        else:
            for comment in self._pending:
                self._write(comment.text)
                self._space = True
            self._pending.clear()
        self._write(instruction.text)

    def _pull(self, instruction: Instruction) -> None:
        if self._line_pending:
            self._write(instruction.text)
        else:
            op = Op.TEXT if instruction.text == "{" else Op.CLOSE_TEXT
            self._text(instruction._replace(op=op))

    def _mark(self, instruction: Instruction) -> None:
        self._write(instruction.text)

    def _lead(self, instruction: Instruction) -> None:
        further = 0 if self._at_start else INDENT
        for number, (blank, text) in enumerate(instruction.lines):
            if number or further:
                self._new_line(blank=blank and not further, further=further)
            self._write(text)
        if instruction.op is Op.LEAD:
            self._new_line(blank=instruction.blank and not further, further=further)

    # --- breaking ---

    def _break(self, instruction: Instruction) -> None:
        self._new_line(blank=instruction.op is Op.BLANK)

    def _line(self, instruction: Instruction) -> None:
        if self._groups[-1]:
            self._new_line()
        elif instruction.op is Op.LINE:
            self._space = True

    def _last_comma(self, _: Instruction) -> None:
        if self._groups[-1]:
            self._write(",")

    def _fill(self, place: int) -> None:
        if not self._pending and self._fits(place + 1, 1):
            self._space = True
        else:
            self._new_line(further=INDENT)

    def _open(self, place: int) -> None:
        flat = bool(self._groups) and not self._groups[-1]
        self._groups.append(not flat and (place in self._forced or not self._fits(place, 0)))

    def _fits(self, place: int, used: int) -> bool:
        """Whether what comes up to the next line break fits with all groups on one line."""
        if self._line_pending:
            room, held = WIDTH - self._indent - INDENT, 0
        else:
            room, held = WIDTH - self._column - used, int(self._space)
        for comment in () if self._line_pending else self._pending:
            if "\n" in comment.text:
                return room >= 0
            room -= len(comment.text) + 1
        return self._measure(place, room, held)

    def _measure(self, place: int, room: int, held: int) -> bool:
        """Whether the text from `place` to the next break needs no more than `room`. A `held` space
        counts with the text behind it; a comment of several lines ends the line before it, though
        not before what is pulled in front of the comment (`passing`, `Op.MARK`)."""
        depth, ended, passing = 0, False, False
        while room >= 0 and place < len(self._instructions):
            op, text, _, _ = self._instructions[place]
            match op:
                case Op.TRAIL | Op.TRAIL_LINE if ended or op is Op.TRAIL_LINE or "\n" in text:
                    ended, passing = True, passing or op is Op.TRAIL_LINE
                case Op.TRAIL:
                    room -= len(text) + 1
                case Op.TEXT | Op.CLOSE_TEXT if ended or "\n" in text:
                    break
                case Op.PULL if ended and not passing:
                    break
                case Op.TEXT | Op.CLOSE_TEXT | Op.PULL | Op.MARK:
                    room, held = room - len(text) - held, 0
                case Op.SPACE:
                    held = 1
                case Op.LINE | Op.SOFT if depth > 0:
                    held = max(held, op is Op.LINE)
                case Op.LEAD | Op.LEAD_LAST | Op.HARD | Op.BLANK | Op.LINE | Op.SOFT | Op.FILL:
                    break
                case Op.OPEN:
                    depth += 1 if place not in self._forced else -NEVER
                case Op.CLOSE:
                    depth -= 1
                case _:
                    pass
            place += 1
        return room >= 0
