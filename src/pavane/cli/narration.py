"""What happens in a session, told one event at a time: as lines for a person, as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from ..actors.events import (
    Denied,
    Event,
    FrameRefused,
    MessageReceived,
    MessageSent,
    SessionEnded,
    SessionOpened,
)
from ..effects.pipeline.trace import Stage
from .escapes import printable

NARROW = 72
"""Columns for what effects did, so that with their indent they fit into 80."""


def lines(event: Event, *, trace: bool = False) -> Iterator[Text | Panel]:
    """An event in words; with `trace` also what was received and every stage of the effects."""
    match event:
        case SessionOpened():
            yield opening(event)
        case MessageSent():
            yield from sending(event, trace=trace)
        case MessageReceived() if trace:
            who = (f"{event.receiver} has received {event.label} from {event.sender}", "dim")
            yield Text.assemble(f"{'':>5}  ", who)
        case Denied():
            yield denial(event)
        case FrameRefused():
            yield Text.assemble(
                ("refused ", "bold red"), printable(f"{event.reason} ({event.subject})")
            )
        case _:
            pass


def opening(event: SessionOpened) -> Text:
    """The protocol, and the session whose name `journal replay` takes."""
    name = f"{event.namespace}.{event.protocol}" if event.namespace else event.protocol
    return Text.assemble((name, "bold"), (f"  session {event.session}", "dim"))


def sending(event: MessageSent, *, trace: bool) -> Iterator[Text]:
    """One line for the message and, where effects have acted, one for what they did."""
    style = "dim" if event.selection else "bold"
    copies = (f"  to {event.copies} instances", "dim") if event.copies > 1 else ""
    yield Text.assemble(
        (f"{event.step:>5}  ", "dim"),
        (event.sender, "cyan"),
        " -> ",
        (event.receiver, "cyan"),
        ": ",
        (event.label, style),
        copies,
    )
    if trace:
        yield from stages(event.stages)
    else:
        for line in packed(effects(event)):
            yield Text.assemble(f"{'':>7}", (line, "green"))


def packed(parts: Sequence[str]) -> Iterator[str]:
    """The parts with commas between them, on as few lines as they fit into."""
    line = ""
    for part in parts:
        longer = f"{line}, {part}" if line else part
        if line and len(longer) > NARROW:
            yield f"{line},"
            longer = part
        line = longer
    if line:
        yield line


def effects(event: MessageSent) -> list[str]:
    """`capability send_request`, `charged 100`, `fact a`, as far as there are any."""
    parts = [f"capability {s.detail}" for s in event.stages if s.name == "capability" and s.detail]
    if event.charged:
        parts.append(f"charged {event.charged}")
    if event.facts:
        parts.append(f"{'fact' if len(event.facts) == 1 else 'facts'} {', '.join(event.facts)}")
    return parts


def stages(passed: tuple[Stage, ...]) -> Iterator[Text]:
    """Each stage of the pipeline on a line, in the order in which they acted."""
    for stage in passed:
        yield Text.assemble(f"{'':>7}", (f"{stage.name:<10} ", "green"), printable(stage.detail))


def denial(event: Denied) -> Panel:
    """A refusal that cannot be overlooked, with what it means."""
    message = f"{event.sender} may not send {event.label} to {event.receiver}"
    return Panel(
        Group(
            Text(message, style="bold"),
            Text(printable(event.reason)),
            Text("Nothing was sent, nothing charged, no fact recorded.", style="dim"),
        ),
        title=Text(f"denied at {event.stage} [{event.code}]", style="bold red"),
        title_align="left",
        border_style="red",
    )


def as_json(event: Event) -> dict[str, Any]:
    """`{"event": "message_sent", ...}` with the event's own fields; a stage has name and detail."""
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, MessageSent):
        values["stages"] = [{"name": s.name, "detail": s.detail} for s in event.stages]
    return {"event": EVENTS[type(event)], **values}


EVENTS: dict[type[Event], str] = {
    SessionOpened: "session_opened",
    MessageSent: "message_sent",
    MessageReceived: "message_received",
    Denied: "denied",
    FrameRefused: "frame_refused",
    SessionEnded: "session_ended",
}
