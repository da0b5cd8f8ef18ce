"""Random texts: protocols from the grammar, mostly sensible, and what damage makes of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

ROLES = ("A", "B", "C", "W", "V")
NAMES = (*ROLES, "X", "Y", "i", "j", "N", "k", "choice", "roles", "count", "at", "in", "P", "Q")
LABELS = ("M", "Offer", "No", "Yes", "Data", "choice", "loop", "Ack")
TYPES = ("int", "String", "Vec<T>", "dict[str, int]", "T | None", "std::vec::Vec<u8>", "()", "...")
KEYS = ("guard_capability", "flow_cost", "journal_facts", "leak", "timeout", "retry", "mine")
NOTES = (
    "flow_cost = 3",
    'guard_capability = "c", retry = 2',
    'journal_facts = "a, b"',
    "timeout = 5s",
)
VALUES = ('"a, b"', "3", "5s", "true", "-1", '"x: 3"', "[a, b]", "1.5", "name", "99999999999999999")
_WORDS = """
choreography protocol roles choice at when loop count decides custom parallel rec continue call
foreach in or and not true false None -> :: ... .. == != <= >= && || { } [ ] ( ) < > : ; , . = @ #
! | + - * / %
"""
WORDS = tuple(_WORDS.split())
NASTY = (
    "\x00", "\ufeff", "\u202e", "\u2028", "é", "\u0410", "→", "“", "\r", "\t", "/*", "*/", "//", '"', "'",
    "\\", "\ud800", "😀", "0" * 30, "9" * 25, "A" * 300, "((((((((", "[[[[", "{{{{", "}}}}", "\x0c",
)  # fmt: skip
TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


class Grammar:
    """Writes a file. With `odd` 0 nearly everything fits together; the more, the less of it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.odd = rng.choice((0.0, 0.0, 0.03, 0.3))
        self.recs: list[str] = []
        self.subs: list[str] = []

    def oddly(self) -> bool:
        return self.rng.random() < self.odd

    def pick(self, plain: Sequence[str], odd: Sequence[str]) -> str:
        return self.rng.choice(odd if self.oddly() else plain)

    def file(self) -> str:
        return "\n".join(self.protocol(n) for n in range(self.rng.choice((1, 1, 1, 1, 2))))

    def protocol(self, number: int) -> str:
        rng = self.rng
        head = self.pick(("", "", '#[namespace = "n.s"]\n'), ('#[namespace = "a-b"] ',))
        word = rng.choice(("choreography", "protocol"))
        self.subs = []
        subs = [self.sub(name) for name in "PQ" if rng.random() < 0.3]
        roles = f"roles: A, B, C, W[{self.pick(('3', '3', 'N', '*'), ('1', '0', 'A'))}], V[2];"
        everyone = "C -> W[*]: Go; C -> V[*]: Go; A -> C: Go; B -> C: Go;"
        body = self.block(rng.choice((2, 2, 3)))
        inside = "\n".join([roles, *subs, "" if self.oddly() else everyone, body])
        text = f"{head}{word} Proto{number} {{\n{inside}\n}}"
        return f"choreography! {{ {text} }}" if rng.random() < 0.05 else text

    def sub(self, name: str) -> str:
        parameters = self.pick(("", "", "(A, B)"), ("(X, Y)", "()"))
        pairs = (("A", "B"), ("B", "A"))
        sends = "".join(self.send_between(*self.rng.choice(pairs)) + ";" for _ in range(2))
        body = sends + (self.block(2) if not parameters or self.oddly() else "")
        self.subs.append(f"{name}{parameters}")
        return f"protocol {name}{parameters} {{ {body} }}"

    def block(self, depth: int) -> str:
        count = self.rng.choice((0, 1, 1, 2) if depth < 2 else (1, 2, 2, 3))
        return "\n".join(self.statement(depth) for _ in range(count))

    def statement(self, depth: int) -> str:
        rng = self.rng
        plain: list[Callable[[int], str]] = [self.send, self.send, self.send]
        plain += [self.call] if self.subs or self.oddly() else []
        plain += [self.jump] if self.oddly() else []
        nested: list[Callable[[int], str]] = [
            self.choice, self.choice, self.loop, self.parallel, self.rec, self.foreach,
        ]  # fmt: skip
        make = rng.choice(plain + nested if depth > 0 else plain)
        prefix = self.pick(("", "", "", "@timeout(5s) ", "[@retry = 3] "), ("@mine ", "[x] "))
        return prefix + make(depth) + rng.choice((";", ";", ";", "", " // c\n", " /* c */;"))

    def send(self, _: int) -> str:
        sender = self.rng.choice(ROLES)
        if self.rng.random() < 0.03:
            return f"{self.rng.choice('ABC')} ->* : {self.message()}"
        others = [role for role in ROLES if role != sender]
        return self.send_between(sender, self.pick(others, ROLES))

    def send_between(self, sender: str, receiver: str) -> str:
        return f"{self.party(sender)} -> {self.party(receiver)}: {self.message()}"

    def party(self, role: str) -> str:
        notes = ""
        if self.rng.random() < 0.1:
            wrong = f"{self.rng.choice(KEYS)} = {self.rng.choice(VALUES)}"
            notes = f"[{self.pick(NOTES, (wrong,))}]"
        return self.ref(role) + notes

    def ref(self, role: str) -> str:
        if role not in ("W", "V"):
            return role + self.pick(("",), ("[0]", "[*]", ""))
        odd = ("", "[i]", "[0..2]", "[i+1]", "[N-1]", "[0..k]", "[9]")
        return role + self.pick(("[0]", "[*]", "[*]"), odd)

    def message(self) -> str:
        fields = (
            "",
            "",
            "",
            "()",
            "(x: int)",
            "(String, int)",
            "<T, int>(x, y)",
            "(x: int | None)",
        )
        wrong = (f"(x: {self.rng.choice(TYPES)})", f"<{self.rng.choice(TYPES)}>(x)")
        return self.pick(LABELS[1:5], LABELS) + self.pick(fields, wrong)

    def choice(self, depth: int) -> str:
        rng = self.rng
        chooser = rng.choice("ABC")
        receiver = rng.choice([role for role in "ABC" if role != chooser])
        labels = ("yes", "no", "maybe")[: rng.choice((1, 2, 2, 3))]
        branches = "\n".join(
            f"{label}{self.guard()}{rng.choice((':', ''))} {{ "
            f"{'' if self.oddly() else f'{chooser} -> {receiver}: {label.title()};'} "
            f"{self.block(depth - 1)} }}"
            for label in labels
        )
        return f"choice {rng.choice(('', 'at '))}{chooser} {{ {branches} }}"

    def guard(self) -> str:
        if self.rng.random() < 0.85:
            return ""
        return f" when ({self.expression(2) if self.oddly() else 'x > 1 and not y'})"

    def expression(self, depth: int) -> str:
        rng = self.rng
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(("x", "Offer.x", "3", '"s"', "true", "None", "1.5", "x"))
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        operators = ("and", "or", "&&", "||", "<", "==", "!=", "+", "-", "/", "%", "in", "not in")
        text = f"{left} {rng.choice(operators)} {right}"
        return rng.choice((text, f"({text})", f"not {left}", f"!({text})"))

    def loop(self, depth: int) -> str:
        kinds = ("(count: 2) ", "(count: k) ", "(decides: A) ", '(custom: "x > 1") ')
        kind = self.pick(kinds, ("", "(count: 0)", "(count: 99999999)", '(custom: "(")'))
        return f"loop {kind}{{ {self.send(0)}; {self.block(depth - 1)} }}"

    def parallel(self, depth: int) -> str:
        if self.oddly():
            return f"parallel {{ {self.block(depth - 1)} | {self.block(depth - 1)} }}"
        pairs = self.rng.sample((("A", "B"), ("B", "C"), ("C", "A"), ("A", "W"), ("W", "B")), 2)
        lanes = (
            "; ".join(self.send_between(*pair) for _ in range(self.rng.choice((1, 2))))
            for pair in pairs
        )
        return f"parallel {{ {' | '.join(lanes)} }}"

    def rec(self, depth: int) -> str:
        label = self.rng.choice("LK")
        self.recs.append(label)
        body = self.block(depth - 1)
        self.recs.pop()
        again = (
            f"choice A {{ on {{ A -> B: On; {body} continue {label} }} off {{ A -> B: Off; }} }}"
        )
        return f"rec {label} {{ {again} }}"

    def foreach(self, depth: int) -> str:
        name, family = self.rng.choice("ij"), self.rng.choice("WV")
        body = f"A -> {family}[{name}]: Ask; {family}[{name}] -> A: Answer;"
        more = self.block(depth - 1) if self.oddly() else ""
        return f"foreach {name} in {family} {{ {body} {more} }}"

    def jump(self, _: int) -> str:
        return f"continue {self.rng.choice((*self.recs, 'L'))}"

    def call(self, _: int) -> str:
        return f"call {self.pick(self.subs or ('P',), ('P', 'Q', 'Proto0', 'P(A, B)', 'Q(B, W)'))}"


def protocol(rng: random.Random) -> str:
    """A text from the grammar."""
    return Grammar(rng).file()


def damaged(rng: random.Random, text: str) -> str:
    """The text with a few of its words lost, doubled, exchanged, moved or replaced."""
    words = TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if not words:
            break
        at, to = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(8):
            case 0:
                del words[at : at + rng.choice((1, 1, 2, 5, 20))]
            case 1:
                words[at:at] = words[at : at + rng.choice((1, 3, 10))]
            case 2:
                words[at], words[to] = words[to], words[at]
            case 3:
                words[at] = rng.choice(WORDS)
            case 4:
                words.insert(at, f" {rng.choice(WORDS)} ")
            case 5:
                words.insert(at, rng.choice(NASTY))
            case 6:
                words[at] = rng.choice((*NAMES, *VALUES, *KEYS))
            case _:
                words = words[:at] + words[to:]
    return "".join(words)


def soup(rng: random.Random) -> str:
    """Words of the language in any order."""
    words = rng.choices((*WORDS, *NAMES, *LABELS, *VALUES, *NASTY[:16]), k=rng.randrange(80))
    text = " ".join(words)
    return rng.choice((text, f"choreography P {{ roles: A, B, W[3]; {text} }}"))
