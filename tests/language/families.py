"""Random protocols of two roles and two families, with all that an index can say."""

from __future__ import annotations

import random

KINDS = ["send", "choice", "choice", "choice", "count", "parallel", "foreach", "foreach", "decides", "rec", "forever", "call"]  # fmt: skip
GROUPS = ["V[*]", "W[*]", "W[0..2]", "W[1..3]", "V[0..2]"]
SUB = "choice X { more { X -> Y: More; call S(X, Y) } enough { X -> Y: Enough; Y -> X: Thanks; } }"

Round = tuple[str, str] | None
"""The variable and the family of the `foreach` that a statement stands in."""


class Text:
    """One protocol; `counts` are the sizes left open. `forever` allows what never ends."""

    def __init__(self, seed: int, *, forever: bool = True) -> None:
        self._forever = forever
        self._random = random.Random(seed)
        self._names = 0
        self._sizes = {"V": self._random.choice([1, 2]), "W": self._random.choice([1, 2, 3])}
        self.counts: dict[str, int] = {}

    def whole(self) -> str:
        families = ", ".join(f"{name}[{self._size(name)}]" for name in self._sizes)
        meeting = "A -> B: Hi; A -> V[*]: Hi; A -> W[*]: Hi;"
        body = self._block(self._random.choice([1, 2, 3]), [], None)
        last = " ".join(self._send(None) for _ in range(self._random.randrange(3)))
        sub = f"protocol S(X, Y) {{ {SUB} }}" if "call S(" in body else ""
        return f"protocol P {{ roles: A, B, {families}; {sub} {meeting} {body} {last} }}"

    def _size(self, family: str) -> str:
        size = self._sizes[family]
        if self._random.random() < 0.5:
            return str(size)
        self.counts[f"{family}s"] = size
        return f"{family}s"

    def _one(self, around: Round) -> str:
        """A role, or one instance of a family."""
        names = ["A", "B", "A", "B", "V[0]", "W[0]", f"W[{min(1, self._sizes['W'] - 1)}]"]
        if around is not None:
            variable, family = around
            names += [f"{family}[{variable}]"] * 6
            if self._random.random() < 0.2:
                names += [f"{family}[{variable}+1]", f"{'VW'.replace(family, '')}[{variable}]"]
        return self._random.choice(names)

    def _send(self, around: Round, sender: str = "") -> str:
        label = self._name("L") if self._random.random() < 0.6 else f"M{self._random.randrange(8)}"
        kind = 1.0 if sender else self._random.random()
        if kind < 0.1 and around is None:
            return f"W[i] -> W[i+1]: {label};"
        if kind < 0.25:
            return f"{self._random.choice(GROUPS)} -> {self._random.choice('AB')}: {label};"
        sender = sender or self._one(around)
        if self._random.random() < 0.25:
            return f"{sender} -> {self._random.choice(GROUPS)}: {label};"
        receiver = self._one(around)
        while receiver == sender:
            receiver = self._one(around)
        return f"{sender} -> {receiver}: {label};"

    def _block(self, depth: int, targets: list[str], around: Round) -> str:
        count = self._random.randint(1, 2)
        return " ".join(self._statement(depth, targets, around) for _ in range(count))

    def _statement(self, depth: int, targets: list[str], around: Round) -> str:
        inside = depth - 1
        match self._random.choice(KINDS) if depth else "send":
            case "choice":
                return self._choice(inside, targets, around)
            case "count":
                count = self._random.choice([1, 2])
                return f"loop (count: {count}) {{ {self._block(inside, [], around)} }}"
            case "parallel":
                left, right = self._block(inside, [], around), self._block(inside, [], around)
                return f"parallel {{ {left} | {right} }}"
            case "foreach" if around is None:
                family = self._random.choice("VW")
                return f"foreach i in {family} {{ {self._block(inside, [], ('i', family))} }}"
            case "decides":
                body = self._block(inside, targets, around)
                return f"loop (decides: {self._one(around)}) {{ {body} }}"
            case "forever" if self._forever:
                return f"loop {{ {self._block(inside, targets, around)} }}"
            case "rec":
                name = self._name("X")
                body = self._block(inside, [*targets, name], around)
                return f"rec {name} {{ {self._send(around)} {body} }}"
            case "call":
                return f"call S({self._one(around)}, {self._random.choice('AB')});"
            case _:
                return self._send(around)

    def _choice(self, depth: int, targets: list[str], around: Round) -> str:
        chooser, branches = self._one(around), list[str]()
        for branch in ("x", "y"):
            steps = [self._send(around, chooser)]
            if self._random.random() < 0.6:
                steps.append(self._block(depth, [], around))
            if targets and self._random.random() < 0.4:
                steps.append(f"continue {self._random.choice(targets)};")
            elif self._forever and self._random.random() < 0.2:
                steps.append(f"loop {{ {self._send(around)} }}")
            branches.append(f"{branch}: {{ {' '.join(steps)} }}")
        return f"choice {chooser} {{ {' '.join(branches)} }}"

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"
