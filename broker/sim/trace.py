"""What happened in a simulation, line by line: the same for the same seed, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from zlib import crc32

from ..errors import FrameError
from ..frame import Frame, decode

Event = Literal["sent", "came", "lost", "fault", "refused", "ended", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`time` is in simulated seconds; `to` is empty where nobody else is concerned."""

    time: float
    event: Event
    who: str
    to: str
    text: str

    def __str__(self) -> str:
        to = f" -> {self.to}" if self.to else ""
        return f"{self.time:.6f} {self.event} {self.who}{to}: {self.text}"


@lru_cache(maxsize=4096)
def parties(subject: str) -> tuple[str, str] | None:
    """Sender and receiver of a message's subject, as instances; None for other subjects."""
    names = subject.split(".")
    if len(names) not in (7, 8):
        return None
    _, _, role, index, _, sender, sender_index = names[:7]
    return f"{sender}.{sender_index}", f"{role}.{index}"


@lru_cache(maxsize=4096)
def frame_of(payload: bytes) -> Frame | None:
    try:
        return decode(payload)
    except FrameError:
        return None


@lru_cache(maxsize=4096)
def described(frame: Frame) -> str:
    """The messages of a frame with their numbers and a checksum of each payload, or what else it
    is. A token is not in it: it is another each time it is issued."""
    said = [f"{m.label}#{m.sequence} {crc32(m.payload):08x}" for m in frame.messages]
    if frame.ack is not None:
        said.append(f"ack {frame.ack.received}/{frame.ack.credit}")
    if frame.control is not None:
        said.append(frame.control.verb)
    if frame.abort is not None:
        said.append(f"abort {frame.abort.code}")
    return ", ".join(said)
