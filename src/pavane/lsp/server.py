"""The documents that the editor has open, and the features it is offered.

pygls speaks the protocol; the texts are kept here, because its own break lines where no editor
does. Every answer is made in the worker's thread from one version of a text, so typing is never
held up, and an answer that is too late does not mix two versions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from .. import __version__
from ..language.errors import PavaneError
from . import actions, completion, findings, formatting, hover, navigation, outline, rename
from .analysis import Analysis, Settings
from .channel import Channel, is_list, is_object, standard_streams
from .text import Text
from .worker import Worker

PAUSE = 0.15
"""Seconds without a keystroke after which a text is checked."""
REQUEST_FAILED = -32803

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A request about a document, or about a place in it."""

    analysis: Analysis
    uri: str
    params: Any
    snippets: bool

    @property
    def offset(self) -> int:
        return self.analysis.text.place(self.params.position)


Handled = Generator[Any, Any, None]
"""What pygls wants of its own handlers: they may yield to others, and these need none."""


class Documents(LanguageServerProtocol):
    """Keeps pygls from keeping the texts, too."""

    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: lsp.DidOpenTextDocumentParams) -> Handled:
        document = params.text_document
        self._own.opened(document.uri, document.version, document.text)
        yield from ()

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: lsp.DidChangeTextDocumentParams) -> Handled:
        document = params.text_document
        self._own.changed(document.uri, document.version, params.content_changes)
        yield from ()

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: lsp.DidCloseTextDocumentParams) -> Handled:
        self._own.closed(params.text_document.uri)
        yield from ()

    @property
    def _own(self) -> Server:
        assert isinstance(self._server, Server), "made by Server"
        return self._server


@dataclass(slots=True)
class Open:
    """An open document. `checking` is the check that waits or runs for this version."""

    version: int | None
    analysis: Analysis
    checking: asyncio.Task[None] | None = None


class Server(LanguageServer):
    """`run` it inside an event loop; one server is one conversation."""

    def __init__(self) -> None:
        sync = lsp.TextDocumentSyncKind.Incremental
        super().__init__(  # pyright: ignore[reportUnknownMemberType] (`*args` without types)
            "pavane", __version__, sync, protocol_cls=Documents
        )
        self._documents: dict[str, Open] = {}
        self._worker = Worker()
        self._settings = Settings()
        _offer_all(self)

    # --- documents ---

    def opened(self, uri: str, version: int | None, text: str) -> None:
        self.closed(uri, clear=False)
        encoding = self.server_capabilities.position_encoding or lsp.PositionEncodingKind.Utf16
        self._documents[uri] = Open(version, Analysis(Text(text, encoding), self._settings))
        self._check(uri)

    def changed(self, uri: str, version: int | None, changes: Any) -> None:
        document = self._documents.get(uri)
        if document is None:
            log.warning("a change of %s, which is not open, is passed over", uri)
            return
        text = document.analysis.text
        for change in changes:
            text = text.with_change(getattr(change, "range", None), change.text)
        document.version = version
        document.analysis = Analysis(text, self._settings)
        self._check(uri)

    def closed(self, uri: str, *, clear: bool = True) -> None:
        document = self._documents.pop(uri, None)
        if document is None:
            return
        if document.checking:
            document.checking.cancel()
        if clear:
            self._publish(lsp.PublishDiagnosticsParams(uri, []))

    def configure(self, given: object) -> None:
        """Take settings of the form `{"strict": true, "extensionKeys": ["key"]}`, bare or under
        `pavane`; what does not fit is passed over."""
        settings = read_settings(given)
        if settings == self._settings:
            return
        self._settings = settings
        for uri, document in self._documents.items():
            document.analysis = Analysis(document.analysis.text, settings)
            self._check(uri)

    # --- diagnostics ---

    def _check(self, uri: str) -> None:
        document = self._documents[uri]
        if document.checking:
            document.checking.cancel()
        document.checking = asyncio.ensure_future(self._publish_soon(uri, document))

    async def _publish_soon(self, uri: str, document: Open) -> None:
        await asyncio.sleep(PAUSE)
        analysis, version = document.analysis, document.version
        found = await self._worker.run(lambda: findings.findings(analysis, uri))
        self._publish(lsp.PublishDiagnosticsParams(uri, found, version))

    def _publish(self, params: lsp.PublishDiagnosticsParams) -> None:
        self.text_document_publish_diagnostics(params)

    # --- requests ---

    async def answer(self, feature: Callable[[Question], Any], params: Any) -> Any:
        """The feature's answer, or null for a document that is not open."""
        uri = params.text_document.uri
        document = self._documents.get(uri)
        if document is None:
            return None
        question = Question(document.analysis, uri, params, self._takes_snippets())
        try:
            return await self._worker.run(lambda: feature(question))
        except PavaneError as error:
            sentence = f"{error.message}: {error.hint}" if error.hint else error.message
            raise JsonRpcException(sentence, REQUEST_FAILED) from None

    def _takes_snippets(self) -> bool:
        document = self.client_capabilities.text_document
        item = document.completion.completion_item if document and document.completion else None
        return bool(item and item.snippet_support)


def read_settings(given: object) -> Settings:
    """Settings out of whatever an editor sent."""
    own = given.get("pavane", given) if is_object(given) else None
    if not is_object(own):
        return Settings()
    keys: Any = own.get("extensionKeys")
    listed = keys if is_list(keys) else []
    return Settings(own.get("strict") is True, tuple(k for k in listed if isinstance(k, str)))


FEATURES: tuple[tuple[str, Callable[[Question], Any], Any], ...] = (
    (lsp.TEXT_DOCUMENT_HOVER, lambda q: hover.hover(q.analysis, q.offset), None),
    (
        lsp.TEXT_DOCUMENT_DEFINITION,
        lambda q: navigation.definition(q.analysis, q.uri, q.offset),
        None,
    ),
    (
        lsp.TEXT_DOCUMENT_REFERENCES,
        lambda q: navigation.references(
            q.analysis, q.uri, q.offset, declaration=q.params.context.include_declaration
        ),
        None,
    ),
    (
        lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT,
        lambda q: navigation.highlights(q.analysis, q.offset),
        None,
    ),
    (
        lsp.TEXT_DOCUMENT_RENAME,
        lambda q: rename.rename(q.analysis, q.uri, q.offset, q.params.new_name),
        lsp.RenameOptions(prepare_provider=True),
    ),
    (
        lsp.TEXT_DOCUMENT_PREPARE_RENAME,
        lambda q: rename.prepare(q.analysis, q.offset),
        None,
    ),
    (
        lsp.TEXT_DOCUMENT_COMPLETION,
        lambda q: completion.completion(q.analysis, q.offset, snippets=q.snippets),
        lsp.CompletionOptions(trigger_characters=list(completion.TRIGGERS)),
    ),
    (lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, lambda q: outline.outline(q.analysis), None),
    (lsp.TEXT_DOCUMENT_FORMATTING, lambda q: formatting.formatting(q.analysis), None),
    (
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lambda q: actions.actions(
            q.analysis,
            q.uri,
            q.analysis.text.place(q.params.range.start),
            q.analysis.text.place(q.params.range.end),
            list(q.params.context.diagnostics),
        ),
        lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix]),
    ),
)


def _offer_all(server: Server) -> None:
    for method, feature, options in FEATURES:
        _offer(server, method, feature, options)

    def initialized(params: lsp.InitializeParams) -> None:
        server.configure(params.initialization_options)

    def configured(params: lsp.DidChangeConfigurationParams) -> None:
        server.configure(params.settings)

    server.feature(lsp.INITIALIZE)(initialized)
    server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)(configured)


def _offer(
    server: Server, method: str, feature: Callable[[Question], Any], options: object
) -> None:
    async def answer(params: Any) -> Any:
        return await server.answer(feature, params)

    server.feature(method, options)(answer)


class Expected(logging.Filter):
    """pygls logs every refusal with a traceback; one that the editor asked for is no mishap."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, JsonRpcException) and error.code == REQUEST_FAILED)


def serve() -> int:
    """Serve the editor at the standard streams to its end; the exit code."""
    source, sink = standard_streams()
    logging.getLogger("pygls.protocol.json_rpc").addFilter(Expected())

    async def conversation() -> int:
        return await Channel(Server().protocol, source, sink).run()

    return asyncio.run(conversation())
