"""The text form of local types, read into automata.

    rec X . B!ready ; B?copy ; +{ C!more ; X, C!done ; end }

`!` sends and `?` receives; a peer is left out where there are only two sides. `+{ }` is a choice
of sends, `&[ ]` one of receives, and either bracket may stand without its sign. Reading takes
time and memory linear in the text, up to a limit on choices without a step between them, and
never recurses.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from .errors import PavaneError
from .system import Automaton, Step

TEXT_LIMIT = 1_000_000
"""Characters of one type."""
SILENT_LIMIT = 4_000_000
"""Nodes visited between steps, in one type."""

TOKEN = re.compile(
    r"\s+|//[^\n]*"
    r"|(?P<step>(?:(?P<peer>[A-Za-z_]\w*(?:\[[\w*.+-]*\])?)\s*)?(?P<sign>[!?])\s*(?P<label>@?\w+))"
    r"|(?P<word>[A-Za-z_]\w*)|(?P<mark>[\[\]{}+&,;.])"
)
CLOSING = {"[": "]", "{": "}"}


class LocalTypeError(PavaneError):
    """A local machine, as text or JSON, that cannot be read; `line` and `column` are 0 in JSON."""

    code = "PV199"

    def __init__(self, message: str, *, line: int = 0, column: int = 0, hint: str = "") -> None:
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(place + message, hint=hint)
        self.line = line
        self.column = column


@dataclass(slots=True)
class _Open:
    """A choice whose closing bracket is still to come."""

    node: int
    sign: str
    closing: str
    known: int
    place: int


def parse_local(text: str) -> Automaton:
    """The automaton of a local type. Raises `LocalTypeError` with the place of the mistake."""
    if len(text) > TEXT_LIMIT:
        raise LocalTypeError(f"the type has {len(text)} characters, more than {TEXT_LIMIT}")
    return _Reader(text).read()


class _Reader:
    """One pass over the tokens that builds a graph with silent edges, then takes these out."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0
        self._steps: list[list[tuple[Step, int, int]]] = [[]]
        self._silent: list[list[int]] = [[]]
        self._ends: set[int] = set()
        self._names: dict[str, int] = {}
        self._bound: list[tuple[str, int | None]] = []
        self._open: list[_Open] = []
        self._choices: list[_Open] = []
        self._visited = 0

    def _split(self) -> list[re.Match[str]]:
        tokens = list[re.Match[str]]()
        place = 0
        while place < len(self._text):
            match = TOKEN.match(self._text, place)
            if match is None:
                raise self._error(f"{self._text[place]!r} does not belong in a local type", place)
            if match.lastgroup:
                tokens.append(match)
            place = match.end()
        return tokens

    def read(self) -> Automaton:
        here: int | None = 0
        while here is not None:
            here = self._type(here)
        if self._at < len(self._tokens):
            raise self._error("the type has already ended", self._place())
        for choice in self._choices:
            self._same_kind(choice)
        return self._automaton()

    def _type(self, here: int) -> int | None:
        """Read the beginning of a type at node `here`; where the next one begins, if there is one."""
        token = self._next("a type")
        if token["step"]:
            return self._prefix(here, token)
        match token["word"], token["mark"]:
            case "rec", _:
                self._bind(here)
                return here
            case "end", _:
                self._ends.add(here)
            case str(name), _:
                if name not in self._names:
                    raise self._error(f"there is no `rec {name}` around this", token.start())
                self._silent[here].append(self._names[name])
            case _, ("+" | "&" | "[" | "{"):
                return self._choice(here, token)
            case _, mark:
                raise self._error(f"expected a type, found {mark!r}", token.start())
        return self._closed()

    def _prefix(self, here: int, token: re.Match[str]) -> int | None:
        step = Step(token["sign"] == "!", token["peer"] or "", token["label"])
        there = self._node()
        self._steps[here].append((step, there, token.start()))
        if self._mark() in (";", "."):
            self._at += 1
            return there
        self._ends.add(there)
        return self._closed()

    def _bind(self, here: int) -> None:
        name = self._next("a name after `rec`")
        if not name["word"] or name["word"] in ("rec", "end"):
            raise self._error("expected a name after `rec`", name.start())
        dot = self._next("a dot")
        if dot["mark"] != ".":
            raise self._error("expected a dot after the name", dot.start())
        self._bound.append((name["word"], self._names.get(name["word"])))
        self._names[name["word"]] = here

    def _choice(self, here: int, token: re.Match[str]) -> int:
        sign = ""
        place = token.start()
        if token["mark"] in ("+", "&"):
            sign = token["mark"]
            token = self._next("a bracket")
        closing = CLOSING.get(token["mark"] or "")
        if closing is None:
            raise self._error(f"expected a bracket after {sign!r}", token.start())
        choice = _Open(here, sign, closing, len(self._bound), place)
        self._open.append(choice)
        self._choices.append(choice)
        return self._branch(choice)

    def _branch(self, choice: _Open) -> int:
        node = self._node()
        self._silent[choice.node].append(node)
        return node

    def _closed(self) -> int | None:
        """A type has ended: close choices until there is another branch; None at the very end."""
        while self._open:
            choice = self._open[-1]
            self._forget(choice.known)
            token = self._next(f"`,` or `{choice.closing}`")
            if token["mark"] == ",":
                return self._branch(choice)
            if token["mark"] != choice.closing:
                raise self._error(f"expected `,` or `{choice.closing}`", token.start())
            self._open.pop()
        return None

    def _forget(self, known: int) -> None:
        while len(self._bound) > known:
            name, before = self._bound.pop()
            if before is None:
                del self._names[name]
            else:
                self._names[name] = before

    def _automaton(self) -> Automaton:
        result = Automaton()
        first = self._meant(0)
        numbers = {first: 0}
        waiting = deque([first])
        while waiting:
            node = waiting.popleft()
            here = numbers[node]
            for step, after, place in self._leaving(node):
                target = self._meant(after)
                if target not in numbers:
                    numbers[target] = result.add_state()
                    waiting.append(target)
                known = result.edges[here].setdefault(step, numbers[target])
                if known != numbers[target]:
                    raise self._error(f"two branches begin with {step}", place)
            if self._ends.intersection(self._closure(node)):
                result.finals.add(here)
        return result

    def _leaving(self, node: int) -> list[tuple[Step, int, int]]:
        closure = self._closure(node)
        found = [edge for one in closure for edge in self._steps[one]]
        if not found and not self._ends.intersection(closure):
            raise LocalTypeError("a recursion comes back without a send or receive")
        return found

    def _meant(self, node: int) -> int:
        """The node that a mere name stands for, so that every use of a name is one state."""
        passed = {node}
        while len(self._silent[node]) == 1 and not self._steps[node] and node not in self._ends:
            (node,) = self._silent[node]
            if node in passed:
                break
            passed.add(node)
        self._count(len(passed))
        return node

    def _count(self, visited: int) -> None:
        self._visited += visited
        if self._visited > SILENT_LIMIT:
            raise LocalTypeError("the type has too many choices without a step between them")

    def _closure(self, node: int) -> list[int]:
        found = {node: None}
        waiting = [node]
        while waiting:
            for target in self._silent[waiting.pop()]:
                if target not in found:
                    found[target] = None
                    waiting.append(target)
        self._count(len(found))
        return list(found)

    def _same_kind(self, choice: _Open) -> None:
        leaving = self._leaving(choice.node)
        kinds = {step.sends for step, _, _ in leaving}
        wanted = {"+": {True}, "&": {False}}.get(choice.sign)
        if len(kinds) > 1:
            raise self._error("a choice mixes sends and receives", choice.place)
        if wanted is not None and kinds != wanted:
            kind = "sends" if choice.sign == "+" else "receives"
            raise self._error(f"every branch of `{choice.sign}` begins with {kind}", choice.place)
        if self._ends.intersection(self._closure(choice.node)):
            raise self._error("a branch of a choice has to send or receive first", choice.place)

    def _node(self) -> int:
        self._steps.append([])
        self._silent.append([])
        return len(self._steps) - 1

    def _next(self, wanted: str) -> re.Match[str]:
        if self._at == len(self._tokens):
            raise self._error(f"the type ends where {wanted} should be", len(self._text))
        self._at += 1
        return self._tokens[self._at - 1]

    def _mark(self) -> str | None:
        return self._tokens[self._at]["mark"] if self._at < len(self._tokens) else None

    def _place(self) -> int:
        return self._tokens[self._at].start()

    def _error(self, message: str, place: int) -> LocalTypeError:
        line = self._text.count("\n", 0, place) + 1
        column = place - self._text.rfind("\n", 0, place)
        hint = "a type looks like `rec X . B!ask ; &[ B?yes ; X, B?no ; end ]`"
        return LocalTypeError(message, line=line, column=column, hint=hint)
