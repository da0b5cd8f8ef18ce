"""Every feature at any place of any text: an answer, never an exception."""

from __future__ import annotations

import random
import sys
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.lsp.actions import actions
from pavane.lsp.analysis import Analysis
from pavane.lsp.completion import completion
from pavane.lsp.errors import RenameRefused
from pavane.lsp.findings import findings
from pavane.lsp.formatting import formatting
from pavane.lsp.hover import hover
from pavane.lsp.navigation import definition, highlights, references
from pavane.lsp.outline import outline
from pavane.lsp.rename import rename, replaced
from pavane.lsp.text import Text

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)
TEXTS = import_module("fuzz.texts")
PLACES = 8


def ask_everything(text: str, rng: random.Random) -> None:
    analysis = Analysis(Text(text))
    findings(analysis, "u")
    outline(analysis)
    formatting(analysis)
    actions(analysis, "u", 0, len(text), [])
    for _ in range(PLACES):
        place = rng.randint(0, len(text))
        hover(analysis, place)
        definition(analysis, "u", place)
        highlights(analysis, place)
        completion(analysis, place, snippets=True)
        found = references(analysis, "u", place, declaration=True)
        assert all(found.count(one) == 1 for one in found)


@given(st.integers(min_value=0, max_value=2**64))
@settings(max_examples=60, deadline=None)
def test_any_text_has_answers(seed: int) -> None:
    rng = random.Random(seed)
    text: str = TEXTS.protocol(rng)
    ask_everything(text, rng)
    ask_everything(TEXTS.damaged(rng, text), rng)
    ask_everything(TEXTS.soup(rng), rng)


@given(st.integers(min_value=0, max_value=2**64))
@settings(max_examples=60, deadline=None)
def test_a_rename_and_the_one_back_give_the_text_again(seed: int) -> None:
    rng = random.Random(seed)
    text: str = TEXTS.protocol(rng)
    analysis = Analysis(Text(text))
    occurrence = rng.choice(analysis.symbols.occurrences)
    try:
        edit = rename(analysis, "u", occurrence.start, "Fresh_name")
    except RenameRefused:
        assert analysis.diagnostics or occurrence.symbol.kind == "field"
        return
    assert edit is not None
    places = analysis.symbols.all(occurrence.symbol)
    after = Analysis(Text(replaced(text, places, "Fresh_name")))
    back = [o for o in after.symbols.occurrences if o.symbol.name == "Fresh_name"]
    assert len(back) == len(places)
    assert replaced(after.text.text, back, occurrence.symbol.name) == text


@pytest.mark.parametrize("text", ["", "\n", "protocol", "protocol P {", "}", "/*", '"', "\ud800"])
def test_the_smallest_texts(text: str) -> None:
    ask_everything(text, random.Random(0))
