"""`format`: only the layout changes, every comment stays, and doing it again changes nothing."""

from __future__ import annotations

import gc
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pavane.language.errors import ChoreographyError
from pavane.language.format import format
from pavane.language.format.concrete import tables
from pavane.language.format.rules import RULES
from pavane.language.parser import parse

DATA = Path(__file__).parents[1] / "data"
GOLDEN = Path(__file__).parent / "formats"
TOKEN = re.compile(r"""//[^\n]*|/\*(?s:.*?)\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
GLUED = frozenset({"selector", "index", "role_decl", "ref", "attribute_of", "group"}) | {
    "message",
    "path",
    "name",
    "literal",
    "lane",
    "notes",
    "types",
}


def comments(text: str) -> Counter[str]:
    """Every comment of a text, trailing white space of a line comment left out."""
    found = (hit for hit in TOKEN.findall(text) if hit.startswith(("//", "/*")))
    return Counter(hit.rstrip() for hit in found)


def check(text: str) -> str:
    assert not [d for d in parse(text).diagnostics if d.code not in ("PV109", "PV112")], text
    formatted = format(text)
    assert format(formatted) == formatted, text
    assert parse(formatted).protocols == parse(text).protocols, text
    assert comments(formatted) == comments(text), text
    return formatted


# --- files that are there ---


@pytest.mark.parametrize("file", sorted((DATA / "guide").glob("*.choreo")), ids=lambda f: f.stem)
def test_a23_the_guides_protocols(file: Path) -> None:
    formatted = check(file.read_text())
    assert max(map(len, formatted.splitlines())) <= 80


@pytest.mark.parametrize("source", sorted(GOLDEN.glob("*.choreo")), ids=lambda f: f.stem)
def test_a23_layouts_as_they_are_meant(source: Path) -> None:
    assert check(source.read_text()) == source.with_suffix(".expected").read_text()


def test_a23_the_corpus() -> None:
    lines = (DATA / "corpus" / "protocols.jsonl").read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        check(json.loads(line)["dsl"])


def test_every_rule_of_the_grammar_has_a_layout() -> None:
    inlined = {"top", "item", "action", "expression", "conjunction", "negation", "comparison"}
    inlined |= {"sum", "term", "factor", "primary"}
    assert tables().rules - inlined == RULES.keys() | GLUED


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("", ""),
        (" \n\n", ""),
        ("// only this", "// only this\n"),
        ("\n\n/* this */ // and\n\n\n\n// that", "/* this */ // and\n\n// that\n"),
        ("protocol P { } // last", "protocol P {} // last\n"),
        ("\ufeffprotocol P {\r\n// a \r\n}\r\n", "protocol P {\n    // a\n}\n"),
        ("protocol P{/* a\r\n b */}", "protocol P {\n    /* a\n b */\n}\n"),
        ("protocol P{;;};protocol Q{}", "protocol P {}\n\nprotocol Q {}\n"),
    ],
)
def test_a23_the_edges_of_files(text: str, formatted: str) -> None:
    assert format(text) == formatted
    assert format(formatted) == formatted


def test_what_does_not_parse_is_refused_with_all_its_errors() -> None:
    text = "protocol P {\n  roles: A, B;\n  A -> B;\n  B -> : M;\n  A -> B: M;\n}"
    with pytest.raises(ChoreographyError) as refused:
        format(text, "broken.choreo")
    assert [d.span.line for d in refused.value.diagnostics] == [3, 4]
    assert "broken.choreo:3:" in refused.value.message


@pytest.mark.parametrize("text", ["protocol P { /* ", "protocol P { A -> B: Mé; }", "a\0", "}"])
def test_no_text_is_guessed_at(text: str) -> None:
    with pytest.raises(ChoreographyError):
        format(text)


def test_nesting_to_the_limit() -> None:
    """As deep as the parser goes; deeper is an error like any other."""
    depth = 98
    text = "protocol P { roles: A, B;" + "loop {" * depth + "A->B:M" + "}" * depth + "}"
    assert check(text).splitlines()[100].strip() == "A -> B: M;"
    with pytest.raises(ChoreographyError) as refused:
        format(text.replace("loop {", "loop {loop {").replace("A->B:M", "A->B:M" + "}" * depth))
    assert refused.value.diagnostics[0].code == "PV106"


def test_a_text_that_would_grow_beyond_what_is_read_is_refused() -> None:
    deep = "loop {" * 95 + "A->B:M;" * 28_000 + "}" * 95
    with pytest.raises(ChoreographyError) as refused:
        format(f"protocol P {{ roles: A, B; {deep} }}")
    assert refused.value.diagnostics[0].code == "PV108"


def test_time_grows_with_the_length() -> None:
    def seconds(statements: int) -> float:
        notes = 'A[guard_capability = "x", flow_cost = 200] -> B: Message(i32, i32); // note\n'
        text = f"protocol P {{ roles: A, B; {notes * statements} }}"
        gc.disable()  # whose cost is that of everything else in this process
        try:
            began = time.process_time()
            format(text)
            return time.process_time() - began
        finally:
            gc.enable()

    seconds(100)
    assert seconds(4_000) < 10 * max(seconds(1_000), 0.025)


# --- any comments anywhere ---


class Source:
    """Random protocols as lists of tokens, with every form that the grammar has."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.comments = 0
        self.protocols = 0

    def text(self) -> str:
        tokens = self.file()
        pieces = [self.gap(None, tokens[0])]
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            pieces += (token, self.gap(token, following))
        return "".join(pieces)

    def gap(self, before: str | None, after: str | None) -> str:
        """White space and comments; none at all where nothing would run together."""
        kind = self.rng.random()
        if kind < 0.55 or before == "/":
            apart = re.match(r"[\w\"'.]", (after or "")[:1]) and re.search(r"\w$", before or "")
            marks = {before, after} & {";", "{", "}", "(", ")", "[", "]", ","}
            return "" if marks and not apart and kind < 0.3 else " "
        if kind < 0.7:
            return self.rng.choice(["\n", "\n\n", "\n\n\n\n", "\t", "\r\n", " \n \n "])
        return "".join(self.trivia() for _ in range(self.rng.randint(1, 3)))

    def trivia(self) -> str:
        self.comments += 1
        name = self.comments
        return self.rng.choice(
            [
                f" // c{name}\n",
                f"// c{name}\n\n",
                f"\n// c{name} \n",
                f"\n\n\n// c{name}\n",
                f"// c{name}\r\n",
                f"/* b{name} */",
                f" /*b{name}*/ ",
                f"\n/* b{name} */\n",
                f"/* m{name}\n   m */",
                f"\n/** m{name}\n * m\n */\n",
                "\n",
                " ",
            ]
        )

    def some(self, make: Callable[[], list[str]], low: int, high: int) -> list[str]:
        return [token for _ in range(self.rng.randint(low, high)) for token in make()]

    def listed(self, make: Callable[[], list[str]], low: int, high: int) -> list[str]:
        """`a, b` and sometimes `a, b,`"""
        parts = [make() for _ in range(self.rng.randint(low, high))]
        tokens = [token for part in parts for token in (*part, ",")]
        return tokens if self.rng.random() < 0.2 else tokens[:-1]

    def name(self) -> list[str]:
        short = ["A", "B", "W", "loop", "at", "i", "when", "parallel_", "in_"]
        return [self.rng.choice([*short, "ANameThatTakesRatherMuchRoomOnALine"])]

    def role(self) -> list[str]:
        return [self.rng.choice(["A", "B", "C", "Coordinator", "AVeryLongNameOfARoleIndeed"])]

    def file(self) -> list[str]:
        tokens = list[str]()
        for _ in range(self.rng.randint(1, 2)):
            if self.rng.random() < 0.2:
                inside = self.some(self.protocol, 0, 2)
                tokens += ["choreography", "!", "{", *inside, "}", *self.rng.choice([[";"], []])]
            else:
                tokens += self.protocol()
        return tokens

    def protocol(self) -> list[str]:
        attribute = ["#", "[", "namespace", "=", '"n"', "]"] if self.rng.random() < 0.3 else []
        keyword = self.rng.choice(["choreography", "protocol"])
        sizes = [["[", "3", "]"], ["[", "*", "]"], ["[", "N", "]"], [], []]
        decls = self.listed(lambda: [*self.role(), *self.rng.choice(sizes)], 1, 8)
        body = self.block(3)
        self.protocols += 1
        return [
            *attribute,
            keyword,
            f"P{self.protocols}",
            "{",
            "roles",
            ":",
            *decls,
            ";",
            *body[1:],
        ]

    def block(self, depth: int) -> list[str]:
        return ["{", *self.items(depth), "}"]

    def items(self, depth: int) -> list[str]:
        return self.some(lambda: self.statement(depth), 0, 3)

    def end(self) -> list[str]:
        return self.rng.choice([[";"], [";"], [], [";", ";"]])

    def statement(self, depth: int) -> list[str]:
        prefixes = self.some(self.prefix, 1, 2) if self.rng.random() < 0.2 else []
        if self.rng.random() < 0.1:
            return ["continue", *self.name(), *self.end()]
        simple = [self.send, self.send, self.call]
        deep = [self.choice, self.loop, self.parallel, self.rec, self.foreach, self.sub]
        make = self.rng.choice(deep) if depth and self.rng.random() < 0.5 else None
        if make == self.sub:  # which takes no annotations, and no parameters around another
            return self.sub(depth - 1)
        body = make(depth - 1) if make else self.rng.choice(simple)()
        return [*prefixes, *body, *self.end()]

    def prefix(self) -> list[str]:
        if self.rng.random() < 0.5:
            return ["[", *self.listed(self.note, 1, 4), "]"]
        return ["@", *self.name(), *self.rng.choice([[], ["(", *self.value(), ")"]])]

    def note(self) -> list[str]:
        at = self.rng.choice([["@"], []])
        if at and self.rng.random() < 0.3:
            return [*at, *self.name()]
        return [*at, *self.name(), "=", *self.value()]

    def value(self) -> list[str]:
        simple = ['"a // b"', "'c /* d'", "200", "5s", "true", "public", "1.5"]
        if self.rng.random() < 0.1:
            return ["[", *self.listed(lambda: [self.rng.choice(simple)], 0, 3), "]"]
        return self.rng.choice([["-", "2"], *([word] for word in simple)])

    def ref(self) -> list[str]:
        selectors = [["*"], ["i"], ["2"], ["i", "+", "1"], ["N", "-", "1"], ["0", "..", "N"]]
        chosen = ["[", *self.rng.choice(selectors), "]"] if self.rng.random() < 0.3 else []
        return [*self.role(), *chosen]

    def party(self) -> list[str]:
        notes = ["[", *self.listed(self.note, 1, 4), "]"] if self.rng.random() < 0.3 else []
        return [*self.ref(), *notes]

    def send(self) -> list[str]:
        receiver = ["*"] if self.rng.random() < 0.1 else self.party()
        return [*self.party(), "->", *receiver, ":", *self.message()]

    def message(self) -> list[str]:
        generics = ["<", *self.listed(self.type, 1, 3), ">"] if self.rng.random() < 0.2 else []
        fields = ["(", *self.listed(self.field, 0, 4), ")"] if self.rng.random() < 0.4 else []
        return [*self.name(), *generics, *fields]

    def field(self) -> list[str]:
        return [*(self.rng.choice([[], [*self.name(), ":"]])), *self.type()]

    def type(self, depth: int = 2) -> list[str]:
        atoms = [["String"], ["std", "::", "vec", "::", "Vec"], ["decimal", ".", "Decimal"]]
        if depth and self.rng.random() < 0.4:
            inner = self.listed(lambda: self.type(depth - 1), 1, 3)
            forms = [["list", "[", *inner, "]"], ["Vec", "<", *inner, ">"], ["(", *inner, ")"]]
            one = self.type(depth - 1)
            return self.rng.choice([*forms, ["[", *one, "]"], [*one, "|", "None"]])
        return self.rng.choice(atoms)

    def call(self) -> list[str]:
        given = ["(", *self.listed(self.ref, 0, 5), ")"] if self.rng.random() < 0.5 else []
        return ["call", *self.name(), *given]

    def choice(self, depth: int) -> list[str]:
        at = self.rng.choice([["at"], []])
        return ["choice", *at, *self.ref(), "{", *self.some(lambda: self.branch(depth), 0, 3), "}"]

    def branch(self, depth: int) -> list[str]:
        guard = ["when", *self.expression()] if self.rng.random() < 0.4 else []
        colon = self.rng.choice([[":"], []])
        return [*self.name(), *guard, *colon, *self.block(depth), *self.rng.choice([[], [","]])]

    def loop(self, depth: int) -> list[str]:
        kinds = [
            ["(", "count", ":", "5", ")"],
            ["(", "decides", ":", *self.ref(), ")"],
            ["(", "custom", ":", '"a > 1"', ")"],
            ["(", "custom", ":", *self.expression(), ")"],
            [],
        ]
        return ["loop", *self.rng.choice(kinds), *self.block(depth)]

    def parallel(self, depth: int) -> list[str]:
        lanes = list[str]()
        for _ in range(self.rng.randint(1, 3)):
            make = self.rng.choice([self.items, self.block])
            lanes += ["|", *make(depth)]
        return ["parallel", "{", *lanes[1:], "}"]

    def rec(self, depth: int) -> list[str]:
        return ["rec", *self.name(), *self.block(depth)]

    def foreach(self, depth: int) -> list[str]:
        return ["foreach", "i", "in", *self.ref(), *self.block(depth)]

    def sub(self, depth: int) -> list[str]:
        given = ["(", *self.listed(self.role, 0, 4), ")"] if self.rng.random() < 0.5 else []
        return ["protocol", *self.name(), *given, *self.block(0 if given else depth)]

    def expression(self, depth: int = 3) -> list[str]:
        if not depth or self.rng.random() < 0.3:
            atoms = [["price"], ["Offer", ".", "price"], ["3"], ["1.5"], ["'x'"], ["true"]]
            return self.rng.choice(atoms)
        one, other = self.expression(depth - 1), self.expression(depth - 1)
        operators = ["and", "or", "&&", "||", "==", "<=", "<", ">", "+", "-", "*", "/", "%", "in"]
        grouped = ["(", *one, self.rng.choice(operators), *other, ")"]
        options = self.listed(lambda: self.expression(0), 1, 4)
        member = ["(", "x", *self.rng.choice([["not"], []]), "in", "[", *options, "]", ")"]
        negated = ["(", self.rng.choice(["!", "not"]), *grouped, ")"]
        return self.rng.choice([grouped, grouped, negated, ["-", *grouped], member])


@settings(max_examples=150, deadline=None)
@example(511348)  # a comment of several lines before a comma, at the end of a full line
@given(st.integers(0, 2**64))
def test_a23_comments_between_any_tokens(seed: int) -> None:
    check(Source(seed).text())


@pytest.mark.long
@settings(max_examples=20_000, deadline=None)
@given(st.integers(0, 2**64))
def test_a23_comments_between_any_tokens_of_twenty_thousand_protocols(seed: int) -> None:
    check(Source(seed).text())


PIECES = ("//", "/*", "*/", "\n", " ", ";", ",", "{", "}", "[", "]", "(", ")", "|", "@", "<", ">")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**64))
def test_a_damaged_text_is_refused_or_laid_out_like_any_other(seed: int) -> None:
    rng = random.Random(seed)
    text = rng.choice(sorted((DATA / "guide").glob("*.choreo"))).read_text()
    for _ in range(rng.randint(1, 3)):
        place, length = rng.randrange(len(text)), rng.choice([0, 0, 1, 5])
        text = text[:place] + rng.choice(PIECES) + text[place + length :]
    try:
        formatted = format(text)
    except ChoreographyError as error:
        assert any(d.severity == "error" for d in error.diagnostics)
    else:
        assert format(formatted) == formatted
        assert comments(formatted) == comments(text)
        assert parse(formatted).protocols == parse(text).protocols
