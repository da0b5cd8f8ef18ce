"""Where the command line puts what the loggers below `pavane` say: the standard error."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum

from .escapes import in_lines

FIELDS = ("session", "role", "step")
"""What the runtime gives along in `extra`."""


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Lines(logging.Formatter):
    """One line for people."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return in_lines(super().formatMessage(record))


class JsonLines(logging.Formatter):
    """One JSON object a line, for programs."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = ((field, getattr(record, field, None)) for field in FIELDS)
        return json.dumps(said | {field: value for field, value in known if value is not None})


def configure(level: LogLevel, *, as_json: bool) -> None:
    """Show what is at least as important as `level`."""
    logger = logging.getLogger("pavane")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else Lines())
    logger.addHandler(handler)
    logger.setLevel(level.upper())
