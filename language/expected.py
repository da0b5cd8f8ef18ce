"""What the grammar wanted at an error, in the words of someone who writes protocols."""

from __future__ import annotations

from .errors import Diagnostic
from .lexing import Token

FORMS = {
    "CHOICE": "choice Role { label: { ... } other: { ... } }",
    "LOOP": "loop (count: 5) { ... }`, `loop (decides: Role) { ... }` or `loop { ... }",
    "PARALLEL": "parallel { A -> B: M | C -> D: N }",
    "REC": "rec Label { ... continue Label; }",
    "CONTINUE": "continue Label;",
    "CALL": "call Name;` or `call Name(A, B);",
    "FOREACH": "foreach i in Workers { ... }",
    "ROLES": "roles: A, B, Workers[3];",
    "PROTOCOL": "protocol Name(A, B) { ... }",
    "CHOREOGRAPHY": "choreography Name { roles: A, B; ... }",
    "HASH": '#[namespace = "name"]',
    "NAME": "A -> B: Message;",
}
WORDS = {
    "NAME": "a name",
    "INTEGER": "a number",
    "FLOAT": "a number",
    "STRING": "a string",
    "DURATION": "a time such as 5s",
    "ARROW": "`->`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LBRACKET": "`[`",
    "RBRACKET": "`]`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "AT": "`@`",
    "STAR": "`*`",
    "GREATER": "`>`",
    "RANGE": "`..`",
    "COUNT": "`count`",
    "DECIDES": "`decides`",
    "CUSTOM": "`custom`",
    "IN": "`in`",
    "CHOREOGRAPHY": "`choreography`",
    "PROTOCOL": "`protocol`",
}
QUIET = frozenset({"SEMICOLON", "WHEN", "CHOICE_AT", "BANG", "HASH", "$END"})
STATEMENTS = frozenset(
    {"CHOICE", "LOOP", "PARALLEL", "REC", "CONTINUE", "CALL", "FOREACH", "PROTOCOL"}
)
SIGNS = frozenset({"PLUS", "MINUS"})
OPERATORS = frozenset({"SAME", "LESS", "AND", "OR"})
LOOPS = {"COUNT": "a whole number or a name", "DECIDES": "the role that decides"}
SHOWN = 4


def explain(tokens: list[Token], position: int, expected: frozenset[str]) -> Diagnostic:
    """The diagnostic for a token that the grammar does not take."""
    token = tokens[position]
    found = f"`{token.text[:40]}`" if token.text else "the end"
    sentence = f"expected {_wanted(tokens, position, expected)}, found {found}"
    span = token.span
    return Diagnostic("PV101", "error", sentence, span, _hint(tokens, position, expected))


def _wanted(tokens: list[Token], position: int, expected: frozenset[str]) -> str:
    before = tokens[position - 1].type if position else ""
    asked = tokens[position - 2].type if position > 1 and before == "COLON" else ""
    if "CHOICE" in expected:
        return "a statement or `}`" if "RBRACE" in expected else "a statement"
    if expected >= {"TRUE", "STRING"}:
        return "a value"
    if asked in LOOPS:
        return LOOPS[asked]
    if "NAME" in expected:
        special = {
            "ARROW": "the receiving role",
            "COLON": "a message" if "STRING" not in expected else "a value",
            "CHOICE": "the role that chooses",
            "CHOICE_AT": "the role that chooses",
            "REC": "a label",
            "CONTINUE": "the label of a `rec`",
            "CALL": "the name of a sub-protocol",
            "PROTOCOL": "the name of the protocol",
            "CHOREOGRAPHY": "the name of the protocol",
            "FOREACH": "an index variable",
        }.get(before)
        if special is not None:
            return special
        if "RBRACE" in expected:
            return "a branch or `}`"
    names = sorted({WORDS[name] for name in expected if name in WORDS and name not in QUIET})
    if expected & OPERATORS == OPERATORS:
        names = ["an operator", *(name for name in names if name not in ("`>`", "`*`", "`in`"))]
    names = names[:SHOWN] or ["the end of the file"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _hint(tokens: list[Token], position: int, expected: frozenset[str]) -> str:
    token = tokens[position]
    if "CHOREOGRAPHY" in expected:
        return f"a file holds protocols: `{FORMS['CHOREOGRAPHY']}`"
    if "ARROW" in expected and token.text in ("=", "-", ">", "=="):
        return "an arrow is written `->`"
    before = tokens[position - 1] if position else token
    if _names_a_role(tokens, position):
        return f"`{before.text}` is a word of the language: give the role another name"
    if _in_an_index(token, before, expected):
        return "an index is a number, a name, or a name with a number: `2`, `i`, `i+1`, `N-1`"
    if token.type == "ROLES" or (token.type == "LOOP" and "COUNT" in expected):
        return f"write `{FORMS[token.type]}`"
    if token.type == "CHOREOGRAPHY":
        return "close the protocol before with `}`"
    if token.type in ("COLON", "WHEN") and "ARROW" in expected:
        return "a branch ends with `}` before the next, and labels stand in `choice` only"
    if token.type == "SEMICOLON" and "RPAR" in expected:
        return "close the `(`"
    if "DURATION" in expected and "STRING" not in expected:
        return "a timeout branch looks like `timeout(5s): { ... }`"
    first = _first_of_statement(tokens, position)
    if first.type == "WHEN":
        return (
            "a guard looks like `label when (price > 10): { ... }`, with one comparison at a time"
        )
    if first.type not in FORMS.keys() - {"NAME"} and expected >= {"TRUE", "LPAR"}:
        return "a condition looks like `price > 10 and not sold`"
    form = FORMS.get(first.type)
    if "CHOICE" in expected or form is None:
        if token.type in FORMS and token.type != "NAME":
            return f"write `{FORMS[token.type]}`"
        return "a statement looks like `A -> B: Message;`"
    return f"write `{form}`"


def _names_a_role(tokens: list[Token], position: int) -> bool:
    """Whether the word before the error begins a statement, and was meant to be a role."""
    if not position or tokens[position - 1].type not in STATEMENTS:
        return False
    listed = _first_of_statement(tokens, position - 1).type == "ROLES"
    return listed or tokens[position].type in ("ARROW", "LBRACKET")


def _in_an_index(token: Token, before: Token, expected: frozenset[str]) -> bool:
    calculates = token.text in ("*", "/", "%", "+", "-")
    ends = "RBRACKET" in expected and "COMMA" not in expected
    signed = before.type in SIGNS and "INTEGER" in expected
    return "RANGE" in expected or (calculates and ends) or (signed and "FLOAT" not in expected)


def _begins_line(tokens: list[Token], position: int) -> bool:
    return tokens[position].line > tokens[position - 1].line


def _first_of_statement(tokens: list[Token], position: int) -> Token:
    """The token that begins the statement in which the error stands."""
    start = position
    while start > 0 and tokens[start - 1].type not in ("SEMICOLON", "LBRACE", "RBRACE"):
        if tokens[start].type == "WHEN":
            return tokens[start]
        if start < position and _begins_line(tokens, start) and tokens[start].type in FORMS:
            break
        start -= 1
    brace = start - 1
    if start == position and brace > 0 and tokens[brace].type == "LBRACE":
        return _first_of_statement(tokens, brace)
    return tokens[start]
