"""What the compiler accepts cannot go wrong: random protocols, explored with bounded buffers."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pavane.language.compiler import verdicts
from pavane.language.explore import explore
from pavane.language.system import system

ROLES = ("A", "B", "C", "D")
FAMILY = "W"
FAMILY_SIZE = 3


@st.composite
def protocols(draw: DrawFn, depth: int = 3) -> str:
    """A protocol whose every choice begins with its chooser; labels are sometimes reused."""
    body = _Body(draw).block(depth, ())
    return f"choreography Random {{ roles: A, B, C, D, W[{FAMILY_SIZE}]; {body} }}"


class _Body:
    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw
        self._labels = 0

    def _pick(self, strategy: SearchStrategy[str]) -> str:
        return self._draw(strategy)

    def _number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def _label(self) -> str:
        if self._labels and self._number(0, 3) == 0:
            return f"M{self._number(1, self._labels)}"
        self._labels += 1
        return f"M{self._labels}"

    def block(self, depth: int, targets: tuple[str, ...]) -> str:
        count = self._number(1, 3)
        return " ".join(self._statement(depth, targets) for _ in range(count))

    def _statement(self, depth: int, targets: tuple[str, ...]) -> str:
        kinds = ["send", "send", "family"]
        if depth > 0:
            kinds += ["choice", "choice", "count", "decides", "rec", "parallel"]
        match self._pick(st.sampled_from(kinds)):
            case "send":
                return self._send(self._pick(st.sampled_from(ROLES)))
            case "family":
                return self._gather_or_scatter()
            case "choice":
                return self._choice(depth - 1, targets)
            case "count":
                return f"loop (count: {self._number(0, 3)}) {{ {self.block(depth - 1, ())} }}"
            case "decides":
                decider = self._pick(st.sampled_from(ROLES))
                return f"loop (decides: {decider}) {{ {self.block(depth - 1, ())} }}"
            case "rec":
                return self._rec(depth - 1)
            case _:
                return self._parallel()

    def _send(self, sender: str) -> str:
        receiver = self._pick(st.sampled_from([role for role in ROLES if role != sender]))
        return f"{sender} -> {receiver}: {self._label()};"

    def _gather_or_scatter(self) -> str:
        role = self._pick(st.sampled_from(ROLES))
        part = self._pick(st.sampled_from(["*", "0", "0..2", "1..3"]))
        if self._number(0, 1):
            return f"{role} -> W[{part}]: {self._label()};"
        return f"W[{part}] -> {role}: {self._label()};"

    def _choice(self, depth: int, targets: tuple[str, ...]) -> str:
        chooser = self._pick(st.sampled_from(ROLES))
        branches = list[str]()
        for place in range(self._number(2, 3)):
            body = f"{self._send(chooser)} {self.block(max(depth, 0), ())}"
            if targets and self._number(0, 2) == 0:
                body += f" continue {targets[0]};"
            branches.append(f"b{place}: {{ {body} }}")
        return f"choice {chooser} {{ {' '.join(branches)} }}"

    def _rec(self, depth: int) -> str:
        self._labels += 1
        name = f"X{self._labels}"
        first = self._send(self._pick(st.sampled_from(ROLES)))
        return f"rec {name} {{ {first} {self._choice(depth, (name,))} }}"

    def _parallel(self) -> str:
        return f"parallel {{ {self._send('A')} {self._send('B')} | {self._send('C')} }}"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protocols())
def test_a21_what_is_accepted_never_goes_wrong(text: str) -> None:
    (verdict,) = verdicts(text)
    if verdict.compiled is None:
        return
    found = explore(system(verdict.compiled.project()), buffer=1, limit=20_000)
    assert not found.findings, (text, found.findings)
