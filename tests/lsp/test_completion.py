"""Completion: what is offered at the place marked with `|`, in texts that do not parse yet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.language.annotations import KEYS
from pavane.lsp.analysis import Analysis
from pavane.lsp.completion import completion
from pavane.lsp.text import Text

from .conftest import Editor

HEAD = "protocol P { roles: A, B, W[N];\nA -> B: Offer(price: int);\n"
TAIL = "\nprotocol Q(X, Y) { X -> Y: Note; }\nB -> A: Later; }"
ROLES = {"A", "B", "W"}
MESSAGES = {"Offer", "Note", "Later"}


def offered(text: str, mark: str = "|") -> set[str]:
    place = text.index(mark)
    analysis = Analysis(Text(text[:place] + text[place + 1 :]))
    return {item.label for item in completion(analysis, place, snippets=False).items}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("A -> |", ROLES | {"*"}),
        ("A -> B|", ROLES | {"*"}),
        ("A -> B: |", MESSAGES),
        ("A[flow_cost = 3] -> W[*]: O|", MESSAGES),
        ("A ->* : |", MESSAGES),
        ("choice |", ROLES),
        ("choice at |", ROLES),
        ("loop (decides: |", ROLES),
        ("loop (|", {"count", "decides", "custom"}),
        ("loop (count: |", {"N", "i"}),
        ("foreach i in |", {"W"}),
        ("rec Outer { rec Inner { A -> B: M; continue |", {"Outer", "Inner"}),
        ("rec Done { A -> B: M; } continue |", set[str]()),
        ("call |", {"P", "Q"}),
        ("call Q(A, |", ROLES),
        ("A[|", KEYS.keys() | {"*", "N", "i"}),
        ("A[flow_cost = 3, |", set(KEYS)),
        ("A[@|", set(KEYS)),
        ("@|", set(KEYS)),
        ("A[journal_merge = |", {"true", "false"}),
        ("W[0..|", {"N", "i"}),
        ("choice A { |", {"timeout"}),
        ("choice A { yes { A -> B: M; } |", {"timeout"}),
        ("choice A { yes |", set[str]()),
        ("choice A { yes when (|", {"price", "and", "or", "not", "in", "true", "false"} | MESSAGES),
        ('choice A { yes when (x == "|', set[str]()),
        ("A -> B: M // |", set[str]()),
        ("A -> B: M /* |", set[str]()),
        ("A -> B: M; // a comment\nA -> |", ROLES | {"*"}),
        ("protocol R(X, Z) { X -> |", {"X", "Z", "*"}),
        ("foreach i in W { A -> W[|", KEYS.keys() | {"*", "N", "i"}),
        ("foreach |", set[str]()),
        ("rec |", set[str]()),
    ],
)  # fmt: skip
def test_what_fits_is_offered_and_nothing_else(line: str, wanted: set[str]) -> None:
    text = HEAD + line + TAIL.replace("Later; }", "Later; foreach i in W { } }")
    assert offered(text) == wanted


def test_a_statement_begins_with_a_role_or_a_keyword() -> None:
    for before in ("", "A -> B: M;\n", "A -> B: M\n", "choice A { x: { ", "parallel { A -> B: M |"):
        found = offered(f"{HEAD}{before}^{TAIL}", mark="^")
        assert {"choice", "loop", "foreach", "call"} <= found, before
        assert ROLES <= found


def test_types_are_offered_in_payloads() -> None:
    for line in ("A -> B: M(x: |", "A -> B: M(|", "A -> B: M<|", "A -> B: M(x: int, y: |"):
        assert {"int", "String", "Vec"} <= offered(HEAD + line + TAIL)


def test_a_file_begins_with_a_protocol() -> None:
    assert offered("|") == {"choreography", "protocol"}
    assert offered("#[|") == {"namespace"}
    assert offered(HEAD + "}\n|") == {"choreography", "protocol"}


def test_names_of_other_protocols_are_not_offered() -> None:
    assert offered("protocol O { roles: X, Y; X -> Y: Other; }\n" + HEAD + "A -> |}") == ROLES | {
        "*"
    }


PIECES = [*"{}[]();:|@#<>*\n", " A", " -> ", "roles: A, B;", "protocol P ", "choice A ", "when (",
          "loop (", "rec X ", "continue ", "call ", '"', "//", "/*", "foreach i in ", "W[N]"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.data())
@settings(max_examples=300, deadline=None)
def test_any_place_of_any_text_has_an_answer(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    place = data.draw(st.integers(0, len(text)))
    items = completion(Analysis(Text(text)), place, snippets=True).items
    assert len({item.label for item in items}) == len(items)


def test_snippets_are_sent_to_those_who_take_them(fresh: Any) -> None:
    text = "protocol P { roles: A, B; A -> B: M;\n }"
    for support in (False, True):
        editor: Editor = fresh()
        item = {"completionItem": {"snippetSupport": support}}
        editor.initialize(capabilities={"textDocument": {"completion": item}})
        editor.open(text)
        found = editor.ask("textDocument/completion", editor.at("\n", 2))
        labels = {one["label"]: one for one in found["items"]}
        assert labels.keys() >= {"A", "B", "choice"}
        assert ("${" in labels["choice"].get("insertText", "")) == support
