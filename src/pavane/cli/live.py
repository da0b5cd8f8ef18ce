"""The live view of a run: what happens as it happens, and what each role came to in the end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..actors.events import Denied, Event, MessageReceived, MessageSent
from .escapes import printable
from .narration import as_json, lines
from .screen import output, plural, write_json_line


@dataclass(slots=True)
class Account:
    """What one role did, all its instances together; a collective counts once per receiver."""

    instances: int = 1
    sent: int = 0
    received: int = 0
    charged: int = 0
    facts: dict[str, int] = field(default_factory=dict[str, int])
    denials: int = 0

    def record(self, fact: str) -> None:
        """Count a fact; a journal may hold a million of one name."""
        self.facts[fact] = self.facts.get(fact, 0) + 1

    def as_json(self) -> dict[str, Any]:
        return {
            "instances": self.instances,
            "sent": self.sent,
            "received": self.received,
            "charged": self.charged,
            "facts": self.facts,
            "denials": self.denials,
        }


class Accounts(dict[str, Account]):
    """The accounts of a session by role, kept from its events; selections do not count."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__({role: Account(instances=size) for role, size in sizes.items()})

    def observe(self, event: Event) -> None:
        match event:
            case MessageSent(selection=False):
                account = self[role_of(event.sender)]
                account.sent += event.copies
                account.charged += event.charged
                for fact in event.facts:
                    account.record(fact)
            case MessageReceived(selection=False):
                self[role_of(event.receiver)].received += 1
            case Denied():
                self[role_of(event.sender)].denials += 1
            case _:
                pass

    def table(self, *, journal: bool = False) -> Table:
        """One row per role; facts fold into their column, so that 80 columns are enough.

        A journal knows nothing of what was received or denied.
        """
        table = Table(
            title="What each role did", title_justify="left", title_style="bold", box=SIMPLE_HEAD
        )
        columns = self._columns(journal=journal)
        table.add_column("Role", style="cyan", overflow="fold")
        for heading in columns:
            table.add_column(heading, justify="right")
        table.add_column("Facts", overflow="fold")
        for role, account in self.items():
            name = role if account.instances == 1 else f"{role} ({account.instances})"
            told = Text(printable(name))
            numbers = [getattr(account, field) for field in columns.values()]
            table.add_row(told, *(str(n) if n else "-" for n in numbers), summary(account.facts))
        return table

    def _columns(self, *, journal: bool) -> dict[str, str]:
        """Heading and field; the refusals only where there are any, since width is scarce."""
        columns = {"Sent": "sent", "Received": "received", "Charged": "charged"}
        if journal:
            del columns["Received"]
        if any(account.denials for account in self.values()):
            columns["Denied"] = "denials"
        return columns


def role_of(instance: str) -> str:
    """`Followers` for `Followers[3]`."""
    return instance.split("[", 1)[0]


def summary(facts: Mapping[str, int]) -> Text:
    """Each fact once on a line, with how often it was recorded."""
    names = ((printable(fact), count) for fact, count in facts.items())
    return Text("\n".join(name if n == 1 else f"{name} x {n}" for name, n in names))


class View(ABC):
    """Writes events while a session runs. When that is not possible any more, since the reader of
    the pipe has gone (`| head`) or the disk is full, it cancels the task that has entered it,
    once, and `gone` says why."""

    def __init__(self) -> None:
        self.gone: OSError | None = None
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task = None

    def observe(self, event: Event) -> None:
        if self.gone is not None:
            return
        try:
            self.write(event)
        except OSError as error:
            self.gone = error
            if self._task is not None:
                self._task.cancel()

    @abstractmethod
    def write(self, event: Event) -> None:
        """Show one event; raises `OSError` when nobody reads any more."""


class JsonView(View):
    """Every event as one line of JSON, at once."""

    def write(self, event: Event) -> None:
        write_json_line(as_json(event))


class TextView(View):
    """Every event in words; on a terminal with a last line that says how far the session is."""

    def __init__(self, *, trace: bool) -> None:
        super().__init__()
        self._trace = trace
        self._sent = 0
        self._charged = 0
        self._live = Live(console=output(), get_renderable=self._progress, transient=True)

    def __enter__(self) -> Self:
        if output().is_terminal:
            self._live.start()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        super().__exit__(kind, error, trace)

    def write(self, event: Event) -> None:
        if isinstance(event, MessageSent):
            self._sent += event.copies
            self._charged += event.charged
        for line in lines(event, trace=self._trace):
            output().print(line, soft_wrap=isinstance(line, Text) and not output().is_terminal)

    def _progress(self) -> Text:
        sent = plural(self._sent, "message")
        return Text(f"running: {sent}, {self._charged} charged", style="dim")
