"""The generator by itself: names, files, payload types, what is refused, and that it is stable."""

from __future__ import annotations

import ast
import json
import keyword
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.language.bindings import BindingError
from pavane.language.compiler import compile_text, verdicts
from pavane.language.generate import MARK, GenerationError, generate
from pavane.language.generate.actions import Actions
from pavane.language.generate.form import Form, matched
from pavane.language.generate.names import Names, camel, snake, valid
from pavane.language.machine import Action, Machine, Peer, Transition
from pavane.language.tree import Message

DATA = Path(__file__).parents[1] / "data"


def text_of(protocol: str, types: str = "") -> str:
    (module,) = generate(compile_text(protocol), types=types)
    return module.text


def classes(text: str) -> dict[str, list[str]]:
    """Each class with its methods and fields."""
    return {
        node.name: [name for part in node.body if (name := member(part))]
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }


def member(part: ast.stmt) -> str:
    match part:
        case ast.AsyncFunctionDef(name=name) | ast.FunctionDef(name=name):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


# --- files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "name", "file"),
    [
        ("", "Negotiation", "negotiation.py"),
        ('#[namespace = "n"]', "Name", "n/name.py"),
        ('#[namespace = "shop.back"]', "HTTPRequest2", "shop/back/http_request2.py"),
        ("", "Import", "import_.py"),
        ("", "Queue", "queue_.py"),
        ('#[namespace = "asyncio"]', "Queue", "asyncio_/queue.py"),
        ('#[namespace = "pavane"]', "P", "pavane_/p.py"),
        ('#[namespace = "class.x"]', "P", "class_/x/p.py"),
    ],
)
def test_a25_a_protocol_in_a_namespace_is_a_module_in_a_package(
    head: str, name: str, file: str
) -> None:
    (module,) = generate(compile_text(f"{head} protocol {name} {{ roles: A, B; A -> B: M; }}"))
    assert module.file == file
    assert module.text.startswith(MARK)
    assert f"# Fingerprint: {module.compiled.fingerprint.hex()}\n" in module.text


@pytest.mark.parametrize(
    "protocols",
    [
        "protocol FooBar { roles: A, B; A -> B: M; } protocol Foo_Bar { roles: A, B; A -> B: M; }",
        """protocol Shop { roles: A, B; A -> B: M; }
        #[namespace = "shop"] protocol Sale { roles: A, B; A -> B: M; }""",
    ],
)
def test_two_protocols_for_one_name_are_refused(protocols: str) -> None:
    with pytest.raises(GenerationError, match="would both have the name") as caught:
        generate(compile_text(protocols))
    assert caught.value.code == "PV188"
    assert "rename one of them" in caught.value.hint


def test_a_role_with_too_many_states_is_refused() -> None:
    steps = "A -> B: M; B -> A: N; " * 2001
    with pytest.raises(GenerationError, match="4003 states, and at most 4000") as caught:
        generate(compile_text(f"protocol Long {{ roles: A, B; {steps} }}"))
    assert "untyped function" in caught.value.hint


def test_a_long_protocol_is_written_in_linear_time() -> None:
    """Half a second for 1000 states a role; ten times what it takes."""
    steps = "A -> B: M(int); B -> A: N; " * 500
    compiled = compile_text(f"protocol Long {{ roles: A, B; {steps} }}")
    before = time.process_time()
    (module,) = generate(compiled)
    assert time.process_time() - before < 2.5
    assert len(classes(module.text)) == 2000


def test_the_same_text_in_every_process() -> None:
    file = DATA / "guide" / "016.choreo"
    script = (
        "import sys; from pathlib import Path\n"
        "from pavane.language.compiler import compile_text\n"
        "from pavane.language.generate import generate\n"
        "print(generate(compile_text(Path(sys.argv[1]).read_text()))[0].text, end='')"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, file],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        assert done.stdout == text_of(file.read_text())


def test_layout_and_comments_of_the_protocol_change_nothing() -> None:
    one = "protocol P { roles: A, B; A -> B: M(x: int); }"
    other = "// hello\nprotocol P {\n  roles: A, B\n  A  ->  B : M( x : int ) /* x */\n}\n"
    assert text_of(one) == text_of(other)


# --- classes -------------------------------------------------------------------------------


def test_a25_each_state_is_a_class_whose_methods_are_its_actions() -> None:
    text = text_of("""protocol P { roles: A, B;
      A -> B: Ask(what: str);
      choice B { yes { B -> A: Yes; A -> B: Thanks(int); } no { B -> A: No(why: str, code: int); } }
    }""")
    assert classes(text) == {
        "Ask": ["what"],
        "No": ["why", "code"],
        "GotYes": [],
        "GotNo": [],
        "A": ["send_ask"],
        "AAwaitsYesOrNo": ["offer"],
        "ASendsThanks": ["send_thanks"],
        "B": ["receive_ask"],
        "BSendsYesOrNo": ["send_yes", "send_no"],
        "BAwaitsThanks": ["receive_thanks"],
    }


def test_a_value_that_guards_use_may_have_any_name() -> None:
    text = text_of("""protocol P { roles: A, B;
      choice A { yes when (self > 3) { A -> B: Yes } no { A -> B: No } } }""")
    assert "def set(self, /, **values: Unpack[AValues])" in text


def test_a_loop_without_an_end_never_ends() -> None:
    text = text_of("protocol P { roles: A, B; loop { A -> B: Tick; B -> A: Tock; } }")
    assert "-> tuple[Any, A]:" in text
    assert "return Done(me)" not in text


def test_selections_are_not_seen() -> None:
    text = text_of((Path(__file__).parent / "projections" / "selection.choreo").read_text())
    found = classes(text)
    assert found["A"] == ["send_x", "send_y"]
    assert found["C"] == ["offer"]
    assert "-> TookY[None, Done] | GotM[Any, Done]:" in text


def test_a_broadcast_is_one_step() -> None:
    text = text_of("protocol P { roles: A, B, C, W[2]; A ->* : Start; B -> A: Go; }")
    assert {name: found for name, found in classes(text).items() if name.startswith("A")} == {
        "A": ["send_start"],
        "AAwaitsGo": ["receive_go"],
    }


def test_counts_to_bind_are_the_parameters_of_bindings() -> None:
    text = text_of("""protocol P { roles: A, W[N], V[*];
      A -> W[*]: M; A -> V[0..few]: M; loop (count: rounds) { A -> W[*]: M; } }""")
    assert "def bindings(*, N: int, V: int, few: int, rounds: int) -> dict[str, int]:" in text


def test_bindings_that_are_given_are_used_and_checked() -> None:
    compiled = compile_text("protocol P { roles: A, W[N]; A -> W[0..k]: M; W[*] -> A: R; }")
    (module,) = generate(compiled, {"N": 5, "k": 2})
    assert {"WUpTo2", "WFrom2"} <= classes(module.text).keys()
    with pytest.raises(BindingError):
        generate(compiled, {"N": 5, "k": 6})


def step(source: int, text: str, target: int) -> Transition:
    """`A!M`, `A?@x`: a transition as the machine texts write it."""
    sends = "!" in text
    role, _, label = text.partition("!" if sends else "?")
    action = Action(sends, Peer(role), Message(label), selection=label.startswith("@"))
    return Transition(source, action, target)


def test_a_selection_that_has_no_alternative_is_not_waited_for() -> None:
    steps = (step(0, "A?@x", 1), step(1, "A?@y", 2), step(2, "B!M", 3), step(2, "C?N", 3))
    actions = Actions(Machine("B", 0, frozenset({3}), steps))
    assert [actions.standing(state) for state in range(4)] == [2, 2, 2, 3]
    doings = actions.doings(2)
    assert [send.action.label for send in doings.sends] == ["M"]
    assert [receive.label for receive in doings.receives] == ["N"]


def test_a_branch_after_whose_announcement_one_may_also_receive_is_chosen() -> None:
    steps = (step(0, "A!@x", 1), step(0, "A!M", 2), step(1, "A!N", 2), step(1, "C?O", 2))
    doings = Actions(Machine("B", 0, frozenset({2}), steps)).doings(0)
    assert [send.action.label for send in doings.sends] == ["M"]
    assert [(choice.branch, choice.targets) for choice in doings.choices] == [("x", (1,))]


def test_a_state_that_may_be_the_end_says_so() -> None:
    steps = (step(0, "A?M", 0), step(0, "A?N", 1))
    actions = Actions(Machine("B", 0, frozenset({0, 1}), steps))
    assert actions.doings(0).may_end
    assert not actions.doings(1).may_end
    assert actions.is_over(1)


# --- payloads ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "sent", "received"),
    [
        ("M", "value: Any = None", "Any"),
        ("M(())", "", "None"),
        ("M<String>", "value: str", "str"),
        ("M(Vec<Option<i32>>)", "value: list[int | None]", "list[int | None]"),
        ("M(HashMap<String, Vec<u8>>)", "value: dict[str, bytes | list[int]]", ""),
        ("M(tuple[int, str])", "value: tuple[int, str]", "tuple[int, str]"),
        ("M(tuple[int, ...])", "value: list[int]", "list[int]"),
        ("M(HashSet<i64>)", "value: set[int]", "set[int]"),
        ("M(Box<f32>)", "value: float", "float"),
        ("M(Result<i32, String>)", "value: dict[str, int | str]", "dict[str, int | str]"),
        ("M(str | None | int)", "value: str | int | None", "str | int | None"),
        ("M(dict)", "value: dict[Any, Any]", "dict[Any, Any]"),
        ("M(my::Order)", "value: Order", "Order"),
        ("M<i32, bool>", "value1: int, value2: bool", "tuple[int, bool]"),
        ("M(price: int, note: str)", "price: int, note: str", "M"),
        ("M<String>(name)", "name: str", "M"),
        ("M(class: int, me: str)", "class_: int, me_: str", "M"),
    ],
)
def test_payloads_have_the_types_that_are_sent_and_received(
    declared: str, sent: str, received: str
) -> None:
    text = text_of(f"protocol P {{ roles: A, B; A -> B: {declared}; }}")
    assert f"async def send_m(self{', ' if sent else ''}{sent}) -> Done:" in text
    assert (
        f"async def receive_m(self) -> tuple[{received or sent.partition(': ')[2]}, Done]:" in text
    )


def test_types_of_the_users_own_can_be_imported() -> None:
    protocol = "protocol P { roles: A, B; A -> B: M(Order); B -> A: N(to: Money, of: Vec<Order>); }"
    assert "Money: TypeAlias = Any\nOrder: TypeAlias = Any\n" in text_of(protocol)
    text = text_of(protocol, types="shop.models")
    assert "from shop.models import Money, Order\n" in text
    assert "TypeAlias" not in text


# --- names ---------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True))
def test_any_name_becomes_a_valid_one(name: str) -> None:
    for made in (valid(snake(name)), valid(camel(name)), Names().new(name)):
        assert made.isidentifier()
        assert not keyword.iskeyword(made)


PLAIN = ("A", "B", "a", "b", "me", "self", "If", "Offer", "offer", "Got_X", "GotX", "class_")
USED = (
    "State",
    "Done",
    "Any",
    "int",
    "str",
    "list",
    "Got",
    "role",
    "record",
    "Struct",
    "next_state",
)
NAMES = st.sampled_from(PLAIN + USED)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(NAMES, min_size=2, max_size=4, unique=True), st.lists(NAMES, min_size=1, max_size=6)
)
def test_names_that_clash_are_told_apart(roles: list[str], labels: list[str]) -> None:
    pairs = zip(roles, [*roles[1:], roles[0]], strict=True)
    steps = [f"{a} -> {b}: {label}(x: int);" for a, b in pairs for label in labels]
    text = text_of(f"protocol P {{ roles: {', '.join(roles)}; {' '.join(steps)} }}")
    tree = ast.parse(text)
    names = [n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    imported = [
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert len(set(names + imported)) == len(names + imported)


# --- forms ---------------------------------------------------------------------------------


def test_a_form_is_read_as_it_was_written_and_matches_itself() -> None:
    lines = (DATA / "corpus" / "protocols.jsonl").read_text().splitlines()
    accepted = [v.compiled for line in lines for v in verdicts(json.loads(line)["dsl"])]
    seen = 0
    for compiled in filter(None, accepted):
        for machine in (m for ms in compiled.outline().machines.values() for m in ms):
            form = Form.of(machine)
            assert Form.read(form.text()).text() == form.text()
            pairs = matched(form, Form.read(form.text()))
            settled = [s for s in machine.states if s not in machine.counters]
            assert all(pairs[state, state] for state in settled), compiled.text
            seen += 1
    assert seen > 300


def test_a_form_does_not_match_what_differs_only_later() -> None:
    one = "0 B!X -> 1\n1 B!X -> 2\n2 final"
    longer = "0 B!X -> 1\n1 B!X -> 2\n2 B!X -> 3\n3 final"
    looping = "0 loop -> 1 2\n1 B!X -> 0\n2 final"
    assert not matched(Form.read(one), Form.read(longer))
    assert not matched(Form.read(longer), Form.read(one))
    assert not matched(Form.read(looping), Form.read(one))
    assert matched(Form.read("0 final"), Form.read("0 B[..]!X -> 1\n1 final"))
    assert not matched(Form.read("0 final"), Form.read("0 B[]!X -> 1\n1 final"))
