"""Every form of the grammar, as a tree."""

from __future__ import annotations

import time

import pytest

from pavane.language.parser import parse
from pavane.language.tree import (
    All,
    Annotation,
    At,
    Branch,
    Call,
    Choice,
    Continue,
    Field,
    Foreach,
    Index,
    Literal_,
    Loop,
    Message,
    Name,
    Operation,
    Parallel,
    Protocol,
    Range,
    Rec,
    RoleDecl,
    RoleRef,
    Send,
    Statement,
    TypeExpr,
)


def protocol(text: str) -> Protocol:
    parsed = parse(text)
    assert not parsed.diagnostics, parsed.diagnostics
    (only,) = parsed.protocols
    return only


def statements(body: str, roles: str = "A, B, W[N]") -> tuple[Statement, ...]:
    return protocol(f"choreography P {{ roles: {roles}; {body} }}").body.statements


def statement(body: str) -> Statement:
    (only,) = statements(body)
    return only


def send(body: str) -> Send:
    only = statement(body)
    assert isinstance(only, Send)
    return only


def message(text: str) -> Message:
    return send(f"A -> B: {text};").message


# --- files -----------------------------------------------------------------------------


def test_roles_are_single_or_families_of_a_fixed_a_named_or_an_open_size() -> None:
    found = protocol("protocol P { roles: A, W[3], V[N], U[*],; A -> W[0]: M }")
    sizes = (RoleDecl("A"), RoleDecl("W", 3), RoleDecl("V", "N"), RoleDecl("U", "*"))
    assert found.roles == sizes


def test_a_file_holds_any_number_of_protocols_wrapped_or_not() -> None:
    text = """
        #[namespace = "one.two"] choreography First { roles: A, B; A -> B: M; }
        choreography! {
            #[namespace = "three"] protocol Second { roles: A, B; A -> B: M; }
            protocol Third { roles: A, B; A -> B: M; };
        };
        choreography First { roles: A, B; A -> B: M; }
    """
    parsed = parse(text)
    assert not parsed.diagnostics
    names = [p.full_name for p in parsed.protocols]
    assert names == ["one.two.First", "three.Second", "Third", "First"]


def test_a03_the_same_namespace_and_name_twice_in_a_file_names_both_places() -> None:
    text = (
        '#[namespace = "n"] protocol P { roles: A, B; A -> B: M; }\n'
        '#[namespace = "n"] protocol P { roles: A, B; A -> B: M; }\n'
    )
    (only,) = parse(text).diagnostics
    assert only.code == "PV121"
    assert only.span.line == 2 and "line 1" in only.message


def test_a07_comments_free_space_and_semicolons_make_no_difference() -> None:
    plain = protocol(
        '#[namespace = "n"] protocol P { roles: A, B; A[flow_cost = 5] -> B: M<T>;'
        " choice A { x: { A -> B: X; } y: { A -> B: Y; } } B -> A: N; }"
    )
    odd = protocol(
        "\ufeff/* a */ #[ namespace\r\n=\t'n' ] // b\r\n protocol P/**/{ roles : A ,\n B\n"
        "A [ @ flow_cost /* ; } */ = 5 ]\n\n->\nB\n:\nM < T >\n"
        "choice A { x { A->B:X } y: { ;; A->B: Y ; } } ; ; B->A:N } // the end, and no newline"
    )
    assert odd == plain


def test_a07_a_comment_may_be_the_last_thing_without_a_newline() -> None:
    for end in ("//", "// x", "/* x */", "/**/"):
        assert protocol(f"protocol P {{ roles: A, B; A -> B: M }}{end}").name == "P"


@pytest.mark.parametrize("name", ["a-b", "", "a::b", "1a", "a..b", "a.*", "a b", "a.>"])
def test_a04_a_bad_namespace_has_its_place_and_a_caret(name: str) -> None:
    from pavane.language.render_diagnostic import render
    from pavane.language.wellformed import check

    text = f'\n  #[namespace = "{name}"]\nprotocol P {{ roles: A, B; A -> B: M; }}'
    parsed = parse(text)
    (only,) = [*parsed.diagnostics, *(d for p in parsed.protocols for d in check(p))]
    assert (only.code, only.span.line, only.span.column) == ("PV120", 2, 3)
    shown = render(only, text, "f.choreo")
    assert "f.choreo:2:3" in shown
    assert "^" * len(f'#[namespace = "{name}"]') in shown


def test_a_protocol_with_an_error_in_it_is_partial_and_the_others_are_not() -> None:
    parsed = parse(
        "protocol P { roles: A, B; A -> B: M; }\n"
        "protocol Q { roles: A, B; A -> B: ; B -> A: N; }\n"
        "protocol R { roles: A, B; A -> B: M; }\n"
    )
    assert [(p.name, p.partial) for p in parsed.protocols] == [
        ("P", False),
        ("Q", True),
        ("R", False),
    ]
    assert len(parsed.protocols[1].body.statements) == 1


# --- messages ----------------------------------------------------------------------------


def test_a_message_declares_no_type_types_or_named_fields() -> None:
    string, i32 = TypeExpr("String"), TypeExpr("i32")
    assert message("M") == Message("M")
    assert message("M<String, i32>") == Message("M", (string, i32))
    assert message("M(String)") == Message("M", (), (Field("", string),))
    assert message("M(a: String, b: i32,)") == Message(
        "M", (), (Field("a", string), Field("b", i32))
    )
    assert message("M<String>(a)") == Message("M", (string,), (Field("a", None),))
    assert message("M()") == Message("M", (), (Field("", TypeExpr("()")),))


def test_types_are_written_the_guides_way_or_pythons() -> None:
    assert message("M<std::vec::Vec<HashMap<String, i32>>>").generics == (
        TypeExpr(
            "std::vec::Vec",
            (TypeExpr("HashMap", (TypeExpr("String"), TypeExpr("i32"))),),
        ),
    )
    (field,) = message("M(dict[str, list[int] | None])").fields
    list_of_int = TypeExpr("list", (TypeExpr("int"),))
    choice = TypeExpr("|", (list_of_int, TypeExpr("None")))
    assert field.type == TypeExpr("dict", (TypeExpr("str"), choice))
    assert message("M([u8])").fields[0].type == TypeExpr("list", (TypeExpr("u8"),))
    assert message("M((i32, str))").fields[0].type == TypeExpr(
        "tuple", (TypeExpr("i32"), TypeExpr("str"))
    )
    assert message("M(datetime.date)").fields[0].type == TypeExpr("datetime.date")


def test_a_keyword_is_a_name_where_the_grammar_wants_a_name() -> None:
    assert message("choice").label == "choice"
    assert message("loop(count: i32, in: str, rec: roles)").fields[0].name == "count"
    assert send("A[priority = at] -> B: M").sender_annotations == (Annotation("priority", "at"),)
    only = statement("choice A { call: { A -> B: M } loop when (roles > 1): { A -> B: N } }")
    assert isinstance(only, Choice)
    assert [branch.label for branch in only.branches] == ["call", "loop"]


# --- references and annotations ----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("W[2]", At(Index("", 2))),
        ("W[i]", At(Index("i"))),
        ("W[i+1]", At(Index("i", 1))),
        ("W[N - 1]", At(Index("N", -1))),
        ("W[*]", All()),
        ("W[0..threshold]", Range(Index("", 0), Index("threshold"))),
        ("W[a .. b+1]", Range(Index("a"), Index("b", 1))),
    ],
)
def test_selectors(text: str, selector: At | Range | All) -> None:
    assert send(f"{text} -> A: M").sender == RoleRef("W", selector)
    assert send(f"A -> {text}: M").receiver == RoleRef("W", selector)


def test_annotations_stand_at_the_sender_the_receiver_and_the_statement() -> None:
    found = send(
        '@timeout(5s) @traced [@retry = 3, compress = "zstd", @pinned]'
        'W[2][flow_cost = 5, journal_facts = "a, b"] -> B[leak = ["x", "y"], @audited]: M'
    )
    assert found.annotations == (
        Annotation("timeout", "5s"),
        Annotation("traced", True),
        Annotation("retry", 3),
        Annotation("compress", "zstd"),
        Annotation("pinned", True),
    )
    assert found.sender == RoleRef("W", At(Index("", 2)))
    assert found.sender_annotations == (
        Annotation("flow_cost", 5),
        Annotation("journal_facts", ("a", "b")),
    )
    assert found.receiver_annotations == (
        Annotation("leak", ("x", "y")),
        Annotation("audited", True),
    )


def test_annotation_values() -> None:
    found = send("A[a = -1, b = 1.5, c = true, d = False, e = word, f = 250ms] -> B: M")
    values = [annotation.value for annotation in found.sender_annotations]
    assert values == [-1, 1.5, True, False, "word", "250ms"]


def test_a_broadcast_is_a_send_to_all_others() -> None:
    assert send("A ->* : M") == send("A -> *: M") == Send(RoleRef("A"), None, Message("M"))


# --- blocks ------------------------------------------------------------------------------


def test_choices_with_and_without_at_guard_and_colon() -> None:
    only = statement("choice at A { one when (x > 1): { A -> B: M } two { A -> B: N } three: { } }")
    assert isinstance(only, Choice)
    assert only.chooser == RoleRef("A")
    one, two, three = only.branches
    assert (one.label, two.label, three.label) == ("one", "two", "three")
    assert one.guard == Operation(">", (Name("x"), Literal_(1)))
    assert two.guard is None and three.body.statements == ()
    assert isinstance(two, Branch)


def test_the_four_loops() -> None:
    fixed, named, decided, custom, forever = statements(
        "loop (count: 5) { A -> B: M } loop (count: N) { A -> B: M } loop (decides: A) { A -> B: M }"
        ' loop (custom: "x < 3 and not done") { A -> B: M } loop { A -> B: M }'
    )
    assert isinstance(fixed, Loop) and fixed.count == Index("", 5)
    assert isinstance(named, Loop) and named.count == Index("N")
    assert isinstance(decided, Loop) and decided.decider == RoleRef("A")
    assert isinstance(custom, Loop)
    less = Operation("<", (Name("x"), Literal_(3)))
    assert custom.condition == Operation("and", (less, Operation("not", (Name("done"),))))
    assert isinstance(forever, Loop) and forever.kind == "forever"


def test_parallel_branches_are_lists_or_blocks() -> None:
    lists = statement("parallel { A -> B: M; A -> B: K | B -> A: N }")
    braced = statement("parallel { { A -> B: M; A -> B: K } | { B -> A: N } }")
    assert isinstance(lists, Parallel)
    assert lists == braced
    assert [len(branch.statements) for branch in lists.branches] == [2, 1]


def test_recursion_calls_and_foreach() -> None:
    found = protocol(
        "protocol P { roles: A, B, W[N];"
        " protocol Q { A -> B: M; } protocol R(X, Y) { X -> Y: M; call R(Y, X) }"
        " call Q; call R(A, W[0]);"
        " rec X { A -> B: M; continue X; }"
        " foreach i in W { W[i] -> W[i+1]: Token } }"
    )
    first, second, third, fourth = found.body.statements
    assert [(s.name, s.parameters) for s in found.subprotocols] == [("Q", None), ("R", ("X", "Y"))]
    assert first == Call("Q")
    assert second == Call("R", (RoleRef("A"), RoleRef("W", At(Index("", 0)))))
    assert isinstance(third, Rec) and third.body.statements[1] == Continue("X")
    assert isinstance(fourth, Foreach) and fourth.family == RoleRef("W")


def test_a_definition_inside_another_belongs_to_the_protocol() -> None:
    found = protocol(
        "protocol P { roles: A, B; protocol Q { protocol R { A -> B: M } call R } call Q }"
    )
    assert sorted(s.name for s in found.subprotocols) == ["Q", "R"]


def test_every_node_keeps_its_place() -> None:
    text = "protocol P {\n  roles: A, B;\n  A[flow_cost = 5] -> B: M<T>;\n}"
    only = protocol(text).body.statements[0]
    assert isinstance(only, Send)
    lines = text.split("\n")
    for node, source in (
        (only.sender, "A"),
        (only.sender_annotations[0], "flow_cost ="),
        (only.receiver, "B"),
        (only.message, "M<T>"),
    ):
        assert node is not None
        span = node.span
        assert lines[span.line - 1][span.column - 1 : span.end_column - 1] == source


def test_ten_thousand_statements_take_linear_time() -> None:
    def took(count: int) -> float:
        text = "protocol P { roles: A, B; " + "A -> B: M(x: i32);\n" * count + "}"
        start = time.perf_counter()
        assert not parse(text).diagnostics
        return time.perf_counter() - start

    took(10)
    small, large = min(took(1000) for _ in range(3)), took(10_000)
    assert large < 40 * small
