"""The directory in which an embedded nats-server keeps its streams, held by one process at a time.

Two servers on one directory would each overwrite what the other has stored, and say nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .errors import StoreInUse, StoreUnusable

LOCK = "pavane.lock"
OWN = "pavane-nats-"
"""What the directories of servers without a store of their own are called, before a random part."""

FRESH = 60.0
"""Seconds in which a new directory may not be locked yet."""


class Hold:
    """An exclusive lock on a store; the kernel lifts it when the process ends, however it ends."""

    def __init__(self, store: Path) -> None:
        """Raises `StoreInUse` while another process has it, `StoreUnusable` if it cannot be."""
        try:
            store.mkdir(parents=True, exist_ok=True)
            self._file = os.open(store / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(store, error.strerror or str(error)) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreInUse(store, holder) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def own_store() -> tuple[Path, Hold]:
    """A new directory in the temp directory, held; those of processes that were killed are
    removed first."""
    _sweep(Path(tempfile.gettempdir()))
    place = Path(tempfile.mkdtemp(prefix=OWN))
    return place, Hold(place)


def _sweep(temp: Path) -> None:
    """Remove what nobody holds. On Linux alone: elsewhere a server may outlive its parent."""
    if sys.platform != "linux":
        return
    for place in temp.glob(f"{OWN}*"):
        try:
            if place.stat().st_uid != os.getuid() or time.time() - place.stat().st_mtime < FRESH:
                continue
            hold = Hold(place)
        except (OSError, StoreInUse, StoreUnusable):
            continue
        shutil.rmtree(place, ignore_errors=True)
        hold.release()
