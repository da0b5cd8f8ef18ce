"""What can be written at a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lsprotocol import types as lsp

from ..language.annotations import KEYS
from ..language.types import BYTES, INTEGERS, LISTS, MAPS, OPTIONS, REALS, SETS, TEXTS
from .analysis import Analysis
from .context import Context, context
from .vocabulary import Vocabulary, vocabulary

Kind = lsp.CompletionItemKind
TRIGGERS = (">", ":", "@", "[", "(", ",", " ")

TOP = {
    "choreography": "choreography ${1:Name} {\n\troles: ${2:A}, ${3:B};\n\t$0\n}",
    "protocol": "protocol ${1:Name} {\n\troles: ${2:A}, ${3:B};\n\t$0\n}",
    "#[namespace]": '#[namespace = "${1:name}"]',
}
STATEMENTS = {
    "choice": "choice ${1:Role} {\n\t${2:label}: {\n\t\t$0\n\t}\n}",
    "loop": "loop (count: ${1:3}) {\n\t$0\n}",
    "parallel": "parallel {\n\t$1\n|\n\t$0\n}",
    "rec": "rec ${1:Again} {\n\t$0\n\tcontinue ${1:Again};\n}",
    "continue": "continue ${1:Again};",
    "call": "call ${1:Name};",
    "foreach": "foreach ${1:i} in ${2:Family} {\n\t$0\n}",
    "protocol": "protocol ${1:Name} {\n\t$0\n}",
    "roles": "roles: ${1:A}, ${2:B};",
}
BRANCHES = {"timeout": "timeout(${1:5s}): {\n\t$0\n}"}
LOOPS = {
    "count": "count: ${1:3}",
    "decides": "decides: ${1:Role}",
    "custom": 'custom: "${1:condition}"',
}
CONDITIONS = ("and", "or", "not", "in", "true", "false")
TYPES = sorted(LISTS | SETS | MAPS | OPTIONS | TEXTS | BYTES | REALS | INTEGERS.keys() | {"bool"})


def completion(analysis: Analysis, offset: int, *, snippets: bool) -> lsp.CompletionList:
    text = analysis.text.text
    where = context(text, analysis.words.tokens, offset)
    if where is None:
        return lsp.CompletionList(is_incomplete=False, items=[])
    offers = _Offers(where, vocabulary(where), analysis.settings.extension_keys, snippets)
    found = {item.label: item for wanted in sorted(where.wanted) for item in offers.of(wanted)}
    return lsp.CompletionList(is_incomplete=False, items=list(found.values()))


class _Offers:
    def __init__(
        self, where: Context, known: Vocabulary, keys: tuple[str, ...], snippets: bool
    ) -> None:
        self.where = where
        self.known = known
        self.keys = keys
        self.snippets = snippets

    def of(self, wanted: str) -> Iterator[lsp.CompletionItem]:
        match wanted:
            case "top":
                yield from self.templates(TOP)
            case "statement":
                yield from self.roles()
                yield from self.templates(STATEMENTS)
            case "loop":
                yield from self.templates(LOOPS)
            case "branch":
                yield from self.templates(BRANCHES)
            case "role":
                yield from self.roles()
            case "receiver":
                yield from self.roles()
                yield lsp.CompletionItem("*", kind=Kind.Operator, detail="all other roles")
            case "family":
                yield from self.roles(families=True)
            case "message":
                yield from named(self.known.messages, Kind.Event, "message")
            case "rec":
                yield from named(self.known.recs, Kind.Reference, "rec")
            case "call":
                yield from named(self.known.subs, Kind.Function, "sub-protocol")
            case "type":
                yield from named(TYPES, Kind.TypeParameter, "type")
            case "namespace":
                yield from named(["namespace"], Kind.Property, "attribute")
            case _:
                yield from self.inside(wanted)

    def inside(self, wanted: str) -> Iterator[lsp.CompletionItem]:
        """Within brackets and conditions."""
        match wanted:
            case "key":
                yield from self.annotations()
            case "value":
                yield from self.values()
            case "selector":
                yield from named(["*"], Kind.Operator, "all instances")
                yield from named(self.known.variables, Kind.Variable, "index")
            case "index":
                yield from named(self.known.variables, Kind.Variable, "index")
            case "condition":
                yield from named(self.known.fields, Kind.Field, "field")
                yield from named(self.known.messages, Kind.Event, "message")
                yield from named(CONDITIONS, Kind.Keyword, "operator")
            case _:
                raise AssertionError(f"nothing is offered for {wanted}")

    def roles(self, *, families: bool = False) -> Iterator[lsp.CompletionItem]:
        parameters = self.where.parameters()
        if parameters is not None:
            yield from named(parameters, Kind.Variable, "parameter")
            return
        for name, size in self.known.roles.items():
            detail = f"family of {size}" if size else "role"
            if size or not families:
                yield lsp.CompletionItem(name, kind=Kind.Class, detail=detail)

    def annotations(self) -> Iterator[lsp.CompletionItem]:
        at = bool(self.where.head) and self.where.head[-1].type == "AT"
        prefix = at and all(t.type != "LBRACKET" for t in self.where.head)
        for name, key in KEYS.items():
            value = key.example.partition(" = ")[2]
            text = f"{name}({value})" if prefix and value else key.example
            yield lsp.CompletionItem(name, kind=Kind.Property, detail=key.wanted, insert_text=text)
        yield from named(self.keys, Kind.Property, "extension")

    def values(self) -> Iterator[lsp.CompletionItem]:
        head = self.where.head
        key = KEYS.get(head[-2].text) if len(head) > 1 else None
        if key is not None:
            example = key.example.partition(" = ")[2] or "true"
            options = ["true", "false"] if example == "true" else [example]
            yield from named(options, Kind.Value, key.wanted)

    def templates(self, templates: dict[str, str]) -> Iterator[lsp.CompletionItem]:
        for word, template in templates.items():
            if self.snippets:
                yield lsp.CompletionItem(
                    word,
                    kind=Kind.Keyword,
                    insert_text=template,
                    insert_text_format=lsp.InsertTextFormat.Snippet,
                )
            elif word.isidentifier():
                yield lsp.CompletionItem(word, kind=Kind.Keyword)


def named(
    names: Iterable[str], kind: lsp.CompletionItemKind, detail: str
) -> Iterator[lsp.CompletionItem]:
    for name in names:
        yield lsp.CompletionItem(name, kind=kind, detail=detail)
