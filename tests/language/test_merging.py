"""When one message in two branches is the same message: its payload means the same, and whoever
sends or receives it does the same about its annotations."""

from __future__ import annotations

import random

import pytest

from pavane.language.compatibility import compare
from pavane.language.compiler import Verdict, compile_text, verdicts
from pavane.language.errors import PavaneError
from pavane.language.machine import Action
from pavane.language.meaning import alike
from pavane.language.payload import Shape
from pavane.language.tree import Message
from pavane.language.walk import sends_in_order

RECEIVER = "choice A {{ l {{ A -> B: L; B{0} -> C: {1} }} r {{ A -> B: R; B{2} -> C: {3} }} }}"
"""B knows the branch, and C does not."""
SENDER = "choice A {{ l {{ A -> B: L; C{0} -> B: {1} }} r {{ A -> B: R; C{2} -> B: {3} }} }}"
"""C does not know the branch that it sends in."""


def judged(body: str, *, strict: bool = True, keys: tuple[str, ...] = ()) -> Verdict:
    text = f"choreography P {{ roles: A, B, C; {body} }}"
    (verdict,) = verdicts(text, strict=strict, extension_keys=keys)
    return verdict


def errors(verdict: Verdict) -> list[str]:
    return [d.message for d in verdict.diagnostics if d.severity == "error"]


def message(declared: str) -> Message:
    (compiled,) = compile_text(f"choreography P {{ roles: A, B; A -> B: {declared} }}")
    return sends_in_order(compiled.protocol)[0].message


# --- payloads -----------------------------------------------------------------------------

SAME = [
    ("X(String)", "X(str)"),
    ("X(Vec<String>)", "X(list[str])"),
    ("X(std::vec::Vec<int>)", "X(Vec<int>)"),
    ("X(Option<int>)", "X(int | None)"),
    ("X(int | str)", "X(str | int)"),
    ("X(u8 | int)", "X(int)"),
    ("X(i128)", "X(int)"),
    ("X(usize)", "X(u64)"),
    ("X(f32)", "X(float)"),
    ("X(Box<int>)", "X(int)"),
    ("X(Option<Box<Option<int>>>)", "X(None | int)"),
    ("X(HashMap<String, Vec<i64>>)", "X(dict[str, list[i64]])"),
    ("X(list)", "X(list[Any])"),
    ("X(dict)", "X(dict[Any, object])"),
    ("X(tuple[int, ...])", "X(list[int])"),
    ("X(Vec<u8>)", "X(bytes | list[u8])"),
    ("X(Result<String, i8>)", "X(std::result::Result<str, i8>)"),
    ("X(Page<String>)", "X(Page<str>)"),
    ("X<int>", "X(int)"),
    ("X<int, String>", "X(int, str)"),
    ("X<int>(a)", "X(a: int)"),
    ("X<Any>(a)", "X(a: object)"),
]
OTHER = [
    ("X(int)", "X(str)"),
    ("X(i8)", "X(u8)"),
    ("X(int)", "X(float)"),
    ("X", "X(int)"),
    ("X(a: int)", "X(int)"),
    ("X(a: int)", "X(b: int)"),
    ("X(a: int, b: int)", "X(b: int, a: int)"),
    ("X(int, str)", "X(tuple[int, str])"),
    ("X(Vec<int>)", "X(HashSet<int>)"),
    ("X(Vec<u8>)", "X(list[u8])"),
    ("X(Vec<u8>)", "X(bytes)"),
    ("X(dict[str, int])", "X(dict[int, int])"),
    ("X(Money)", "X(Price)"),
    ("X(eu.Money)", "X(us.Money)"),
    ("X(int)", "X(int | None)"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
@pytest.mark.parametrize("body", [RECEIVER, SENDER])
def test_two_spellings_of_one_type_merge(body: str, one: str, other: str) -> None:
    assert errors(judged(body.format("", one, "", other))) == []


@pytest.mark.parametrize(("one", "other"), OTHER)
@pytest.mark.parametrize("body", [RECEIVER, SENDER])
def test_types_that_differ_do_not_and_both_are_shown(body: str, one: str, other: str) -> None:
    (said,) = errors(judged(body.format("", one, "", other)))
    shown = [Shape.of(message(declared)).describe for declared in (one, other)]
    assert "one message has two payload types" in said
    assert all(text.replace(" ", "") in said.replace(" ", "") for text in shown)


def test_the_payload_is_checked_as_the_first_statement_declares_it() -> None:
    verdict = judged(RECEIVER.format("", "X(String)", "", "X(str)"))
    assert verdict.compiled is not None
    (heard,) = steps(verdict, "C")
    assert Shape.of(heard.message).describe == "X(String)"


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_one_spelling_lets_through_the_other_does(one: str, other: str) -> None:
    left, right = Shape.of(message(one)), Shape.of(message(other))
    rng = random.Random(1)
    for _ in range(20):
        assert right.unpack(left.sample(rng)) is not Ellipsis
        assert left.unpack(right.sample(rng)) is not Ellipsis


@pytest.mark.parametrize(("one", "other"), [*SAME, *OTHER])
def test_a_diff_has_the_same_notion(one: str, other: str) -> None:
    text = "choreography P {{ roles: A, B; A -> B: {} }}"
    (old,), (new,) = compile_text(text.format(one)), compile_text(text.format(other))
    verdicts_ = {role.verdict for role in compare(old, new).roles.values()}
    assert (verdicts_ == {"identical"}) == ((one, other) in SAME)
    assert alike(message(one), message(other)) == ((one, other) in SAME)


def test_a_diff_knows_which_dicts_are_maps_on_the_wire() -> None:
    text = "choreography P {{ roles: A, B; A -> B: X(dict[{}, int]) }}"
    (old,), (new,) = compile_text(text.format("str")), compile_text(text.format("str | int"))
    assert {role.verdict for role in compare(old, new).roles.values()} == {"together"}
    packed = Shape.of(message("X(dict[str, int])")).pack(({"a": 1},), {})
    with pytest.raises(PavaneError):
        Shape.of(message("X(dict[str | int, int])")).unpack(packed)


# --- annotations --------------------------------------------------------------------------


def noted(body: str, one: str, other: str, keys: tuple[str, ...] = ()) -> list[str]:
    return errors(judged(body.format(f"[{one}]", "X", f"[{other}]", "X"), keys=keys))


def steps(verdict: Verdict, role: str) -> list[Action]:
    assert verdict.compiled is not None
    (machine,) = verdict.compiled.project().machines[role]
    return [step.action for step in machine.transitions]


@pytest.mark.parametrize("body", [RECEIVER, SENDER])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("retry = 2, priority = 1", "priority = 1, retry = 2"),
        ("priority = 1, flow_cost = 100", "priority = 1"),
        ('note = "left"', 'note = "right"'),
    ],
)
def test_order_and_what_does_nothing_make_no_difference(body: str, one: str, other: str) -> None:
    assert noted(body, one, other) == []


OF_SENDERS = [
    ("flow_cost = 1", "flow_cost = 2"),
    ("priority = 1", "retry = 2"),
    ("timeout = 5s", "priority = 2"),
    ('journal_facts = "a"', 'journal_facts = "b"'),
    ('leak = "external: 1"', 'leak = "external: 2"'),
]
OF_BOTH = [
    ('guard_capability = "a"', 'guard_capability = "b"'),
    ('guard_capability = "a"', "flow_cost = 1"),
    ("compress = true", "compress = false"),
    ("journal_merge = true", "flow_cost = 1"),
]


@pytest.mark.parametrize(("one", "other"), OF_SENDERS)
def test_what_only_a_sender_acts_on_is_no_matter_to_the_receiver(one: str, other: str) -> None:
    assert noted(RECEIVER, one, other) == []
    (said,) = noted(SENDER, one, other)
    first, second = (text.partition(" = ")[0] for text in (one, other))
    assert "one message has two sets of annotations (sends X to B with " in said
    assert f"with {first} = " in said and f"to B with {second} = " in said


@pytest.mark.parametrize("body", [RECEIVER, SENDER])
@pytest.mark.parametrize(("one", "other"), OF_BOTH)
def test_what_a_receiver_acts_on_matters_at_both(body: str, one: str, other: str) -> None:
    (said,) = noted(body, one, other)
    assert "one message has two sets of annotations" in said


def test_a_message_without_annotations_costs_nothing_and_one_with_any_does() -> None:
    (said,) = errors(judged(SENDER.format("[note = 1]", "X", "", "X")))
    assert "with note = 1; or sends X to B with none" in said
    assert errors(judged(RECEIVER.format("[note = 1]", "X", "", "X"))) == []


def test_a_key_of_an_extension_matters_to_the_sender() -> None:
    assert noted(SENDER, "note = 1", "note = 2") == []
    (said,) = noted(SENDER, "note = 1", "note = 2", keys=("note",))
    assert "sends X to B with note = 1" in said
    assert noted(RECEIVER, "note = 1", "note = 2", keys=("note",)) == []


def test_the_annotations_of_the_first_statement_stay() -> None:
    body = RECEIVER.format("[flow_cost = 7, note = 1]", "X", "[note = 2]", "X")
    (heard,) = steps(judged(body), "C")
    assert {note.key: note.value for note in heard.annotations} == {"flow_cost": 7, "note": 1}
    assert heard.step == 2
    sent = [s for s in steps(judged(body), "B") if s.sends]
    assert [len(s.annotations) for s in sent] == [2, 1]


def test_guards_that_differ_do_not_merge() -> None:
    choice = "choice C {{ x when (n > {}) {{ C -> B: X }} y {{ C -> B: Y }} }}"
    told = "A -> C: Hi(n: int);"
    for limit, count in (("1", 0), ("2", 1)):
        left, right = choice.format("1"), choice.format(limit)
        body = f"{told} choice A {{ l {{ A -> B: L; {left} }} r {{ A -> B: R; {right} }} }}"
        said = errors(judged(body))
        assert len(said) == count
        assert all("one message has two guards (sends X to B; or sends X to B)" in s for s in said)
