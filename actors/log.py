"""What sessions say to the standard library's logging: loggers below `pavane`, fields in `extra`.

`pavane.session` has what happens to sessions, `pavane.message` each message (at DEBUG, and then no
message takes the short way). Neither has payloads, tokens, or what the exceptions of users say,
as that may well have a payload in it.
"""

from __future__ import annotations

import logging
import os
import traceback

from ..language.errors import PavaneError
from .errors import CallFailed, RoleFailed, SessionAborted
from .events import (
    Denied,
    Event,
    FrameRefused,
    LimitNear,
    MessageReceived,
    MessageSent,
    SessionEnded,
    SessionOpened,
)

sessions = logging.getLogger("pavane.session")
messages = logging.getLogger("pavane.message")

_HOUSE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_FLOORS = tuple(
    os.path.join(_HOUSE, floor, "") for floor in ("actors", "effects", "broker", "language")
)


def wants_messages() -> bool:
    return messages.isEnabledFor(logging.DEBUG)


def told(error: PavaneError) -> str:
    """What may be said of an error where nobody has asked for it: in logs, events and traces."""
    if isinstance(error, RoleFailed):
        return f"{error.role} raised {type(error.__cause__).__name__}"
    if isinstance(error, CallFailed):
        return f"{error.who}: {error.name} raised {error.kind}"
    if isinstance(error, SessionAborted):
        return f"because of {error.role}"
    return error.message


def place_of(error: PavaneError) -> str:
    """Where in the function of a role it was that it raised: file and line, or nothing."""
    for frame in traceback.extract_tb((error.__cause__ or error).__traceback__):
        if not os.path.realpath(frame.filename).startswith(_FLOORS):
            return f"{frame.filename}:{frame.lineno}"
    return ""


def record(event: Event) -> None:
    """Log an event of a session."""
    match event:
        case MessageSent():
            what = ("%s sent %s to %s", event.sender, event.label, event.receiver)
            _write(messages, logging.DEBUG, event.session, event.sender, event.step, *what)
        case MessageReceived():
            what = ("%s received %s from %s", event.receiver, event.label, event.sender)
            _write(messages, logging.DEBUG, event.session, event.receiver, event.step, *what)
        case Denied():
            what = ("%s may not send %s: %s", event.sender, event.label, event.reason)
            _write(sessions, logging.WARNING, event.session, event.sender, event.step, *what)
        case LimitNear():
            near = ("%s %s: %d of %d", event.limit, event.name, event.used, event.allowed)
            _write(sessions, logging.WARNING, event.session, event.role, None, *near)
        case FrameRefused():
            dropped = ("a frame on %s was dropped: %s", event.subject, event.reason)
            _write(sessions, logging.DEBUG, event.session, None, None, *dropped)
        case SessionOpened():
            began = ("session %s of %s begins", event.session, event.protocol)
            _write(sessions, logging.INFO, event.session, None, None, *began)
        case SessionEnded(error=""):
            ended = ("session %s of %s is over", event.session, event.protocol)
            _write(sessions, logging.INFO, event.session, None, None, *ended)
        case SessionEnded():
            failed = ("session %s of %s failed: %s", event.session, event.protocol, event.error)
            _write(sessions, logging.WARNING, event.session, None, None, *failed)
        case _:
            pass


def _write(
    logger: logging.Logger,
    level: int,
    session: str,
    role: str | None,
    step: int | None,
    text: str,
    *arguments: object,
) -> None:
    if logger.isEnabledFor(level):
        logger.log(level, text, *arguments, extra={"session": session, "role": role, "step": step})
