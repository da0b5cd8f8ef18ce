"""What acceptance asks of the static checks, in the words of its lines."""

from __future__ import annotations

import pytest

from pavane.language.errors import Diagnostic
from pavane.language.parser import parse
from pavane.language.wellformed import check


def errors(body: str, roles: str = "A, B", keys: tuple[str, ...] = ()) -> list[Diagnostic]:
    parsed = parse(f"choreography P {{\n  roles: {roles};\n  {body}\n}}")
    found = [d for p in parsed.protocols for d in check(p, extension_keys=keys)]
    return [*parsed.diagnostics, *found]


def codes(body: str, roles: str = "A, B") -> list[str]:
    return [d.code for d in errors(body, roles)]


@pytest.mark.parametrize(
    ("body", "roles", "code", "suggestion"),
    [
        ("A -> Bb: M; A -> Bob: N;", "A, Bob", "PV123", "Bob"),
        ("A -> B: M;", "A, B, A", "PV122", "remove"),
        ("A -> B: M;", "A, B, C", "PV124", "remove"),
        ("protocol Shake { A -> B: M; } call Shak;", "A, B", "PV130", "Shake"),
        ("protocol Q { A -> B: M; call Q; A -> B: N; } call Q;", "A, B", "PV132", "rec"),
        ("choice A { x: { A -> B: M; } x: { A -> B: N; } }", "A, B", "PV138", "label"),
        ("A -> B: M; A -> A: M;", "A, B", "PV125", "another role"),
        ("A -> B: M; rec X { continue X; }", "A, B", "PV135", "send something"),
        ("rec X { A -> B: M; continue X; } A -> B: N;", "A, B", "PV136", "remove"),
        ('A[guard_capabilty = "x"] -> B: M;', "A, B", "PV144", "guard_capability"),
    ],
)
def test_a06_each_mistake_has_its_own_code_place_and_suggestion(
    body: str, roles: str, code: str, suggestion: str
) -> None:
    (only,) = errors(body, roles)
    assert only.code == code
    assert suggestion in only.hint
    assert only.span.line in (2, 3) and only.span.column > 1


def test_a06_a_file_with_mistakes_in_grammar_and_meaning_reports_all() -> None:
    found = codes("A -> B M;\n A -> A: M;\n A -> C: M;\n choice A { }\n B -> : N;\n A -> B: L;")
    assert found == ["PV101", "PV101", "PV125", "PV123"]


def test_a08_an_index_or_range_past_a_fixed_size_is_a_static_error() -> None:
    for wrong in ("W[3]", "W[0..4]", "W[-1]", "W[3..4]", "W[9999]"):
        assert codes(f"A -> {wrong}: M;", "A, W[3]") == ["PV127"]
    for right in ("W[0]", "W[2]", "W[0..3]", "W[*]", "W[i]"):
        assert codes(f"A -> {right}: M;", "A, W[3]") == []


@pytest.mark.parametrize("guard", ["balance >", "((a)", "a b", "1 < 2 < 3", "f(x)", "a = 1", ""])
def test_a17_a_guard_with_a_syntax_error_is_a_static_error(guard: str) -> None:
    assert codes(f"choice A {{ x when ({guard}): {{ A -> B: M; }} }} A -> B: N;") == ["PV101"]


@pytest.mark.parametrize(
    ("guard", "code"),
    [
        ("price", "PV148"),
        ("price + 1", "PV148"),
        ('"text"', "PV148"),
        ("5", "PV148"),
        ("price and true", "PV148"),
        ('price == "x"', "PV149"),
        ("prices > 1", "PV150"),
        ("Offer.prices > 1", "PV151"),
        ("Ofer.price > 1", "PV150"),
    ],
)
def test_a17_a_guard_that_is_not_boolean_or_names_nothing_is_a_static_error(
    guard: str, code: str
) -> None:
    body = f"A -> B: Offer(price: i32); choice A {{ x when ({guard}): {{ A -> B: M; }} }}"
    assert codes(body) == [code]


@pytest.mark.parametrize(
    "guard",
    ["balance > price", "((price) > ((1)))", 'name == "a (b)"', "ready", "Offer.price in [1, 2]"],
)
def test_a17_nested_parentheses_strings_and_own_values_are_fine(guard: str) -> None:
    body = f"A -> B: Offer(price: i32); choice A {{ x when ({guard}): {{ A -> B: M; }} }}"
    assert codes(body) == []


@pytest.mark.parametrize("cost", ["-1", "1.5", "9007199254740992", '"5"', "true", "9" * 30])
def test_a28_a_cost_that_is_negative_fractional_or_oversized_is_a_static_error(cost: str) -> None:
    (code,) = codes(f"A[flow_cost = {cost}] -> B: M;")
    assert code == ("PV107" if len(cost) > 18 else "PV145")


@pytest.mark.parametrize("cost", ["0", "200", "9007199254740991"])
def test_a28_other_costs_are_fine(cost: str) -> None:
    assert codes(f"A[flow_cost = {cost}] -> B: M;") == []


def test_an_unknown_key_is_kept_with_a_warning_unless_an_extension_knows_it() -> None:
    body = 'A[colour = "red"] -> B: M;'
    (only,) = errors(body)
    assert (only.code, only.severity) == ("PV143", "warning")
    assert errors(body, keys=("colour",)) == []
    (near,) = errors(body.replace("colour", "color"), keys=("colour",))
    assert (near.code, near.severity) == ("PV144", "error") and "colour" in near.hint


@pytest.mark.parametrize(
    "body",
    [
        "protocol Q { A -> B: M; call R; } protocol R { B -> A: M; call Q; } call Q;",
        "A -> B: M; call P(B, A);",
        "A -> B: M; call P;",
        "choice A { x: { A -> B: X; call P(A, B); } y: { A -> B: Y; } }",
        "protocol Q(B, A) { B -> A: M; } call Q(A, B);",
        "rec X { A -> B: M; choice B { x: { B -> A: X; continue X; } y: { B -> A: Y; } } }",
        "rec X { A -> B: M; rec X { B -> A: N; continue X; } }",
        "choice A { only: { A -> B: M; } }",
        "choice A { x: { A -> B: M; } nothing: { } }",
        "loop (count: 0) { A -> B: M; }",
        "loop (count: rounds) { A -> B: M; }",
        "parallel { A -> B: M | B -> A: N }",
        "choice A { x: { loop (count: 2) { A -> B: M; } B -> A: N; } y: { A -> B: K; } }",
    ],
)
def test_what_is_right_is_not_refused(body: str) -> None:
    assert codes(body) == []


def test_a_choice_of_the_same_first_message_to_different_receivers_is_allowed() -> None:
    body = "choice A { x: { A -> B: M; A -> C: K; } y: { A -> C: M; A -> B: N; } }"
    assert codes(body, "A, B, C") == []


def test_diagnostics_come_in_the_order_of_the_source() -> None:
    found = errors("A -> A: M;\n A -> C: M;\n B -> B: M;\n A -> B: N;", "A, B, D")
    places = [(d.span.line, d.span.column) for d in found]
    assert places == sorted(places) and len(found) == 4


def test_a19_a_broadcast_between_instances_of_one_family_shares_its_channel() -> None:
    lanes = "call Tell(W[0], W[1], A) | W[0] -> W[1]: Note"
    text = f"""protocol P {{ roles: A, W[3]; protocol Tell(X, Y, Z) {{ X ->* : M }}
        parallel {{ {lanes} }} A -> W[*]: End }}"""
    (protocol,) = parse(text).protocols
    assert [d.code for d in check(protocol)] == ["PV142"]
