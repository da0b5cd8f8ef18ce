"""Any text at all: diagnostics in bounded time, and formatting that keeps the meaning.

The texts come from fuzz/texts.py, what must hold of them is in fuzz/survive.py; both are shared
with the coverage-guided fuzzer.
"""

from __future__ import annotations

import importlib
import random
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pavane.language.compiler import verdicts

ROOT = Path(__file__).parents[2]
PER_EXAMPLE = 10
"""Texts made of each example: one from the grammar, eight damages of it, and a soup of words."""
SHORT, LONG = 50, 75_000
ATHERIS_RUNS = 250_000
HUSHED = [HealthCheck.too_slow, HealthCheck.data_too_large]

FOUND = {
    "a foreach that another role counts, over a family whose cuts it does not share": """
        protocol P { roles: A, B, C, V[2]; A -> C: Go
        choice C { yes { C -> A: Yes choice B { yes { B -> C: Yes
        foreach j in V { A -> V[j]: Ask V[j] -> A: Answer } } no { B -> C: No } } } }
        foreach i in V { A -> V[i]: Ask V[i] -> A: Answer } }""",
    "a bound beside a number in a family that has but two": """
        protocol P { roles: A, B, V[2]; A -> V[*]: Go; A -> B: Go; V[0] -> B: No;
        V[0..k] -> A: Yes; A -> V[0]: Yes; }""",
    "a protocol without roles, with another one on its line": "protocol P{B->A:i}protocol P{",
}
"""What the fuzzers found, each once an exception."""


def load(name: str) -> ModuleType:
    """A module of the folder fuzz/, which is no part of the package."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module(f"fuzz.{name}")


SURVIVE, TEXTS = load("survive"), load("texts")


def survive_all(rng: random.Random) -> None:
    text: str = TEXTS.protocol(rng)
    SURVIVE.survives(text)
    for _ in range(PER_EXAMPLE - 2):
        SURVIVE.survives(TEXTS.damaged(rng, text))
    SURVIVE.survives(TEXTS.soup(rng))


@given(st.integers(min_value=0, max_value=2**64))
@settings(max_examples=SHORT, deadline=None, suppress_health_check=HUSHED)
def test_five_hundred_texts_survive(seed: int) -> None:
    survive_all(random.Random(seed))


@pytest.mark.long
@given(st.integers(min_value=0, max_value=2**64))
@settings(max_examples=LONG, deadline=None, suppress_health_check=HUSHED, phases=(Phase.generate,))
def test_seven_hundred_and_fifty_thousand_texts_survive(seed: int) -> None:
    survive_all(random.Random(seed))


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND.keys())
def test_what_the_fuzzers_found(text: str) -> None:
    SURVIVE.survives(text)


def test_a_loop_of_open_count_is_not_written_out_for_ever() -> None:
    """A role that cannot tell two branches apart, both of which begin with one, is told."""
    rounds = "foreach j in W { A -> W[j]: Ask; W[j] -> A: Answer; }"
    text = f"""protocol P {{ roles: A, B, C, W[N]; C -> W[*]: Go; A -> C: Go;
        choice C {{ yes {{ C -> B: Yes; {rounds} }}
        no {{ C -> B: No; {rounds} A -> C: Done; }} }} }}"""
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None, verdict.diagnostics
    told = {(s.chooser, s.receiver.split("[")[0]) for s in verdict.compiled.selections}
    assert ("C", "A") in told


def roles_and(body: str) -> str:
    roles = ", ".join(sorted(set(re.findall(r"\b[A-E]\b", body))))
    return f"protocol P {{ roles: {roles}; {body} }}"


def doubling(levels: int) -> str:
    subs = "".join(f"protocol P{n} {{ call P{n - 1}; call P{n - 1} }} " for n in range(1, levels))
    return roles_and(f"protocol P0 {{ A -> B: M }} {subs} call P{levels - 1}")


def lanes(count: int) -> str:
    return " | ".join(f"A -> {role}: M; " * count for role in "BCDE")


def told(count: int) -> str:
    return "".join(
        f"choice A {{ l {{ A -> B: L{n} }} r {{ A -> B: R{n}; C -> D: Y{n}; }} }} "
        for n in range(count)
    )


def guessing(count: int) -> str:
    """C cannot know how many messages remain: its machine has two to the power of `count` states."""

    def one(mark: str, onwards: str, more: str) -> str:
        branches = (f"{x} {{ A -> B: {x}{mark}; B -> C: {x}; {onwards} }}" for x in "ab")
        return f"choice A {{ {' '.join(branches)} {more} }} "

    leave = f"c {{ A -> B: c1; B -> C: a; {one('', '', '') * count} B -> C: end }}"
    return f"rec X {{ {one('1', 'continue X', leave)} }}"


def counted(depth: int) -> str:
    body = "A -> B: M;"
    for level in range(depth):
        body = f"loop (count: k{level}) {{ {body} A -> B: X{level}; B -> C: U{level} }} "
    return f"choice C {{ l {{ C -> B: L; {body} }} r {{ C -> B: R; {body} A -> B: Z }} }}"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (doubling(12), ""),
        (doubling(40), "PV180"),
        (roles_and(f"parallel {{ {lanes(8)} }}"), ""),
        (roles_and(f"parallel {{ {lanes(20)} }}"), "PV182"),
        (roles_and(guessing(10)), ""),
        (roles_and(guessing(20)), "PV182"),
        (roles_and(told(100)), ""),
        (roles_and(counted(10)), ""),
    ],
    ids=["calls", "calls!", "lanes", "lanes!", "guesses", "guesses!", "choices", "loops"],
)
def test_a_few_kilobytes_are_judged_soon_whatever_they_unfold_to(text: str, refused: str) -> None:
    """An editor asks at every keystroke; a second is too long, and a busy machine takes longer."""
    start = time.process_time()
    (verdict,) = verdicts(text)
    assert time.process_time() - start < 4
    assert {d.code for d in verdict.diagnostics if d.severity == "error"} == {refused} - {""}


def test_many_protocols_in_a_file_take_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        start = time.process_time()
        assert len(verdicts("protocol P { roles: A, B; A -> B: M; }\n" * count)) == count
        return time.process_time() - start

    seconds(10)
    few, many = (min(seconds(count) for _ in range(3)) for count in (200, 1600))
    assert many < 24 * few, "eight times as many, and it would be 64 where each looks at all"


def test_most_texts_of_the_grammar_parse_and_few_of_the_damaged_ones() -> None:
    """Or the fuzzers would test the error paths only, or the good ones only."""
    texts = [TEXTS.protocol(random.Random(seed)) for seed in range(100)]
    damaged = [TEXTS.damaged(random.Random(seed), text) for seed, text in enumerate(texts)]
    assert sum(map(SURVIVE.survives, texts)) > 50
    assert 0 < sum(map(SURVIVE.survives, damaged)) < 50


@pytest.mark.parametrize("runs", [300, pytest.param(ATHERIS_RUNS, marks=pytest.mark.long)])
def test_atheris_finds_nothing(runs: int, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it has no wheel for every Python and system")
    command = [sys.executable, "-m", "fuzz.fuzz_language", f"-runs={runs}", "-seed=1"]
    artifacts = f"-artifact_prefix={tmp_path}/"
    done = subprocess.run(
        [*command, artifacts], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {runs} runs" in done.stderr
