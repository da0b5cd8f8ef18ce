"""The features, asked for over the pipe as an editor asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pavane.language.compiler import verdicts
from pavane.language.format import format

from .conftest import URI, Editor

MARKET = """// Größe 😀, and a\ttab
protocol Market {
\troles: Buyer, Seller, Clerk[N], Bank;
\tBuyer[guard_capability = "buy", flow_cost = 7] -> Seller: Offer(price: int); // 😀
\tSeller -> Clerk[*]: Note<String>;
\t/* 😀😀 */ Clerk[i] -> Seller: Done;
\tchoice Seller {
\t\taccept when (Offer.price > 10): { Seller -> Buyer: Accept; Seller -> Bank: Book; }
\t\tretry: { Seller -> Buyer: Retry; Seller -> Bank: Wait; call Haggle(Buyer, Seller); }
\t}
\trec Again {
\t\tchoice Buyer { more { Buyer -> Bank: More; continue Again; } stop { Buyer -> Bank: Stop; } }
\t}
\tprotocol Haggle(Left, Seller) { Left -> Seller: Bid; Seller -> Left: Bid; }
}
"""
UNTOLD = """protocol Shop {
    roles: Buyer, Seller, Shipper;
    choice Seller {
        sell {
            Seller -> Buyer: Sold;
            Buyer -> Shipper: Address;
        }
        refuse { Seller -> Buyer: No; }
    }
}
"""


@pytest.fixture
def market(editor: Editor) -> Editor:
    editor.open(MARKET)
    return editor


def document(**more: Any) -> dict[str, Any]:
    return {"textDocument": {"uri": URI}, **more}


def slices(editor: Editor, found: list[dict[str, Any]]) -> list[str]:
    return [editor.slice(one["range"]) for one in found]


def test_the_market_is_a_protocol() -> None:
    """What the other tests rely on."""
    assert [v.ok for v in verdicts(MARKET)] == [True]


# --- diagnostics ---


def test_diagnostics_follow_every_version_of_the_text(market: Editor) -> None:
    assert {d["code"] for d in market.diagnostics()} <= {"PV172"}
    start = market.position("Seller -> Clerk")
    end = {"line": start["line"], "character": start["character"] + len("Seller")}
    market.change({"range": {"start": start, "end": end}, "text": "Sellr"})
    market.text = market.text.replace("\tSeller -> Clerk", "\tSellr -> Clerk")
    (wrong,) = [d for d in market.diagnostics() if d["severity"] == 1]
    assert wrong["code"] == "PV123"
    assert wrong["source"] == "pavane"
    assert wrong["message"].endswith("\nhelp: did you mean `Seller`?")
    assert market.slice(wrong["range"]) == "Sellr"
    market.change({"text": MARKET})
    assert {d["severity"] for d in market.diagnostics()} <= {3}


def test_many_quick_changes_end_in_the_last_text(market: Editor) -> None:
    """Each replaces one character behind letters of two units; only the last is wrong."""
    place = market.position("Done")
    end = {"line": place["line"], "character": place["character"] + 1}
    for letter in ("G", "B", "L", "1"):
        market.change({"range": {"start": place, "end": end}, "text": letter})
    market.text = MARKET.replace("Done", "1one")
    found = [d for d in market.diagnostics() if d["severity"] == 1]
    assert market.slice(found[0]["range"]) == "1one"


def test_what_is_said_twice_points_at_the_first(editor: Editor) -> None:
    editor.open("protocol P {\n roles: A, B, A;\n A -> B: M;\n}\n")
    (twice,) = [d for d in editor.diagnostics() if d["code"] == "PV122"]
    (first,) = twice["relatedInformation"]
    assert first["message"] == "`A` is first declared here"
    assert first["location"]["range"]["start"] == {"line": 1, "character": 8}
    assert twice["range"]["start"] == {"line": 1, "character": 14}


def test_a_closed_document_has_no_diagnostics(editor: Editor) -> None:
    editor.open("protocol")
    assert editor.diagnostics()
    editor.notify("textDocument/didClose", document())
    last = editor.receive()
    assert last["params"] == {"uri": URI, "diagnostics": []}
    assert editor.ask("textDocument/documentSymbol", document()) is None


def test_strict_mode_and_extension_keys_are_settings(fresh: Callable[[], Editor]) -> None:
    editor = fresh()
    editor.initialize(initializationOptions={"strict": True, "extensionKeys": ["colour"]})
    editor.open(UNTOLD.replace("Buyer -> Shipper", "Buyer[colour = 3] -> Shipper"))
    assert [d["code"] for d in editor.diagnostics()] == ["PV170"]
    editor.notify("workspace/didChangeConfiguration", {"settings": {"pavane": {"strict": False}}})
    assert {d["code"] for d in editor.diagnostics()} == {"PV172", "PV143"}


# --- hover ---


def shown(editor: Editor, words: str, plus: int = 0) -> str:
    answer = editor.ask("textDocument/hover", editor.at(words, plus))
    text: str = answer["contents"]["value"]
    return text


def test_hover_shows_the_side_of_a_role(market: Editor) -> None:
    text = shown(market, "Bank;")
    assert "`Bank`** is a role of `Market`" in text
    assert "Seller?Book" in text and "Buyer?More" in text
    assert "N` instances" in shown(market, "Clerk[*]")


def test_hover_shows_payload_step_and_annotations_of_a_message(market: Editor) -> None:
    text = shown(market, "Offer(")
    assert "Buyer -> Seller: Offer(price: int)" in text
    assert "Step 1 of `Market`" in text
    assert "`price`: `int`" in text
    assert '`guard_capability = "buy"`' in text
    assert "charges 7" in text
    assert "Step 3" in shown(market, "Done")


def test_hover_names_everything_else(market: Editor) -> None:
    assert "must be a string" in shown(market, "guard_capability")
    assert "field of `Offer`" in shown(market, "price > 10")
    assert "parameter" in shown(market, "Left ->")
    assert "number of instances of `Clerk`" in shown(market, "N], Bank")
    assert "jump target, named in 2 places" in shown(market, "Again {")
    assert "sub-protocol" in shown(market, "Haggle(")
    assert "8 steps" not in shown(market, "Market {")
    assert market.ask("textDocument/hover", market.at("Größe")) is None


def test_hover_over_a_large_machine_stays_small(editor: Editor) -> None:
    steps = "A -> B: M;\nB -> A: N;\n" * 500
    editor.open(f"protocol P {{ roles: A, B;\n{steps}}}")
    text = shown(editor, "A, B")
    assert len(text) < 3000
    assert "1000 transitions in all" in text


# --- navigation ---


def test_definitions(market: Editor) -> None:
    for words, plus, line in (
        ("Seller -> Clerk", 0, 2),
        ("call Haggle", 5, 13),
        ("continue Again", 9, 10),
        ("Left: Bid", 0, 13),
        ("Offer.price", 0, 3),
        ("Offer.price", 6, 3),
    ):
        (found,) = market.ask("textDocument/definition", market.at(words, plus))
        assert (words, found["range"]["start"]["line"]) == (words, line)
    assert market.ask("textDocument/definition", market.at("roles")) == []


def test_references_see_that_a_parameter_hides_a_role(market: Editor) -> None:
    params = market.at("Seller, Clerk", context={"includeDeclaration": True})
    found = market.ask("textDocument/references", params)
    assert slices(market, found) == ["Seller"] * 10
    assert all(one["range"]["start"]["line"] != 13 for one in found)
    params = market.at("Seller) {", context={"includeDeclaration": False})
    found = market.ask("textDocument/references", params)
    assert [one["range"]["start"]["line"] for one in found] == [13, 13]
    (defined, used) = market.ask("textDocument/documentHighlight", market.at("Again {"))
    assert (defined["kind"], used["kind"]) == (3, 2)


# --- rename ---


def renamed(editor: Editor, words: str, name: str, plus: int = 0) -> str:
    params = editor.at(words, plus, newName=name)
    edit = editor.ask("textDocument/rename", params)
    return editor.edited(edit["changes"][URI])


def test_a_role_is_renamed_everywhere_but_where_a_parameter_hides_it(market: Editor) -> None:
    after = renamed(market, "Seller, Clerk", "Shop")
    head, sub = MARKET.split("\tprotocol Haggle")
    assert after == head.replace("Seller", "Shop") + "\tprotocol Haggle" + sub
    after = renamed(market, "Seller) {", "Right")
    assert after == head + "\tprotocol Haggle" + sub.replace("Seller", "Right")


def test_messages_and_the_rest_are_renamed(market: Editor) -> None:
    assert renamed(market, "Offer(", "Ask") == MARKET.replace("Offer", "Ask")
    assert renamed(market, "Haggle(Buyer", "Deal") == MARKET.replace("Haggle", "Deal")
    assert renamed(market, "Again;", "Once") == MARKET.replace("Again", "Once")
    assert renamed(market, "Market", "Shop") == MARKET.replace("Market", "Shop")
    assert renamed(market, "i] ->", "k") == MARKET.replace("[i]", "[k]")
    assert renamed(market, "N]", "many") == MARKET.replace("[N]", "[many]")


@pytest.mark.parametrize(
    ("words", "name", "why"),
    [
        ("Seller, Clerk", "Buyer", "already means something"),
        ("Offer(", "Accept", "already means something"),
        ("Left, Seller", "Seller", "already means something"),
        ("Offer(", "not a name", "is not a name"),
        ("Offer(", "Größe", "is not a name"),
        ("Offer(", "", "is not a name"),
        ("Offer(", "choice", "is a word of the language"),
        ("price", "cost", "is a field"),
    ],
)
def test_a_rename_that_changes_more_than_a_name_is_refused(
    words: str, name: str, why: str, market: Editor
) -> None:
    refused = market.refusal("textDocument/rename", market.at(words, newName=name))
    assert refused["code"] == -32803
    assert why in refused["message"]
    assert market.shut_down() == 0
    assert market.errors() == ""


def test_prepare_rename(market: Editor) -> None:
    found = market.ask("textDocument/prepareRename", market.at("Offer("))
    assert found["placeholder"] == market.slice(found["range"]) == "Offer"
    assert market.ask("textDocument/prepareRename", market.at("roles")) is None
    market.open(MARKET + "protocol Broken { roles: A, B; A -> ; A -> B: M; }")
    refused = market.refusal("textDocument/prepareRename", market.at("M; }"))
    assert "syntax errors" in refused["message"]
    assert market.ask("textDocument/prepareRename", market.at("Offer("))


# --- fixes, outline, layout ---


def fixes(editor: Editor, code: str) -> list[dict[str, Any]]:
    wrong = next(d for d in editor.diagnostics() if d["code"] == code)
    params = document(range=wrong["range"], context={"diagnostics": [wrong]})
    found: list[dict[str, Any]] = editor.ask("textDocument/codeAction", params)
    assert all(one["diagnostics"] == [wrong] for one in found)
    return found


def test_a_role_that_cannot_tell_the_branches_is_told(fresh: Callable[[], Editor]) -> None:
    for strict, code in ((False, "PV172"), (True, "PV170")):
        editor = fresh()
        editor.initialize(initializationOptions={"strict": strict})
        editor.open(UNTOLD)
        (fix,) = fixes(editor, code)
        assert fix["title"] == "Let Seller tell Shipper in every branch"
        after = editor.edited(fix["edit"]["changes"][URI])
        assert "sell {\n            Seller -> Shipper: Sell;\n            Seller -> Buyer" in after
        assert "refuse { Seller -> Shipper: Refuse; Seller -> Buyer: No; }" in after
        assert [v.ok for v in verdicts(after, strict=True)] == [True]


@pytest.mark.parametrize(
    ("wrong", "right", "code"),
    [
        ("Seller -> Clerk", "Sellr -> Clerk", "PV123"),
        ("call Haggle", "call Hagle", "PV130"),
        ("continue Again", "continue Agian", "PV134"),
        ("guard_capability", "guard_capabilty", "PV144"),
        ("Offer.price", "Offer.prise", "PV151"),
    ],
)
def test_a_name_that_was_mistyped_is_put_right(
    right: str, wrong: str, code: str, editor: Editor
) -> None:
    editor.open(MARKET.replace(wrong, right))
    (fix,) = fixes(editor, code)
    assert fix["isPreferred"]
    assert editor.edited(fix["edit"]["changes"][URI]) == MARKET


def test_the_outline_is_the_conversation(market: Editor) -> None:
    (protocol,) = market.ask("textDocument/documentSymbol", document())
    assert market.slice(protocol["selectionRange"]) == protocol["name"] == "Market"
    names = [child["name"] for child in protocol["children"]]
    assert names[:6] == [
        "Buyer", "Seller", "Clerk[N]", "Bank",
        "Buyer -> Seller: Offer(price: int)", "Seller -> Clerk[*]: Note<String>",
    ]  # fmt: skip
    assert names[7:] == ["choice Seller", "rec Again", "Haggle(Left, Seller)"]
    choice = protocol["children"][7]
    assert [branch["name"] for branch in choice["children"]] == ["accept", "retry"]


def test_the_outline_of_deep_nesting_is_cut(editor: Editor) -> None:
    deep = "choice A { x { A -> B: M; " * 45 + "} }" * 45
    editor.open(f"protocol P {{ roles: A, B; {deep} }}")
    (protocol,) = editor.ask("textDocument/documentSymbol", document())
    assert protocol["name"] == "P"


def test_formatting_is_that_of_the_formatter(market: Editor) -> None:
    options = document(options={"tabSize": 2, "insertSpaces": True})
    edits = market.ask("textDocument/formatting", options)
    assert market.edited(edits) == format(MARKET)
    market.open(format(MARKET))
    assert market.ask("textDocument/formatting", options) == []
    market.open("protocol {")
    assert market.ask("textDocument/formatting", options) is None


def test_line_ends_of_other_systems(editor: Editor) -> None:
    editor.open(MARKET.replace("\n", "\r\n"))
    editor.text = MARKET  # lines and units are the same; the editor's model has no \r
    found = editor.ask("textDocument/prepareRename", editor.at("Done"))
    assert editor.slice(found["range"]) == "Done"
    (edit,) = editor.ask(
        "textDocument/formatting", document(options={"tabSize": 4, "insertSpaces": True})
    )
    assert edit["newText"].replace("\r\n", "\n") == format(MARKET)


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 12), ("utf-16", 8), ("utf-32", 6)])
def test_the_editor_may_choose_how_columns_are_counted(
    encoding: str, character: int, fresh: Callable[[], Editor]
) -> None:
    editor = fresh()
    capabilities = {"general": {"positionEncodings": [encoding]}}
    answer = editor.initialize(capabilities=capabilities)
    assert answer["capabilities"]["positionEncoding"] == encoding
    editor.open("protocol P { roles: A, B;\n/*😀😀*/A -> B: M; }")
    position = {"line": 1, "character": character + 8}
    found = editor.ask("textDocument/prepareRename", document(position=position))
    assert found["placeholder"] == "M"
    assert found["range"]["start"] == position


def test_the_server_answers_while_a_large_text_is_checked(editor: Editor) -> None:
    """A request that cannot wait is refused at once, and one for the large text in the end."""
    editor.open("protocol P { roles: A, B;\n" + "A -> B: M;\nB -> A: N;\n" * 3000 + "}")
    slow = editor.request("textDocument/documentSymbol", document())
    assert editor.refusal("textDocument/dance")["code"] == -32601
    assert len(editor.answer(slow)["result"][0]["children"]) == 6002


def test_a_request_can_be_cancelled(editor: Editor) -> None:
    editor.open("protocol P { roles: A, B;\n" + "A -> B: M;\nB -> A: N;\n" * 3000 + "}")
    first = editor.request("textDocument/documentSymbol", document())
    second = editor.request("textDocument/documentSymbol", document())
    editor.notify("$/cancelRequest", {"id": second})
    assert editor.answer(second)["error"]["code"] == -32800
    assert editor.answer(first)["result"]
