"""What is stored of a session besides its messages, through the codec of its runtime: the input,
what calls of `me.run` came to, refusals, and what the roles return.

Each is bound to its place, as messages are: in an `About`, the receiver is `-`, and the label says
which record it is. So what was taken from one place of a log does not open in another.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...broker import subjects
from ...broker.codec import About, Codec
from ...broker.errors import CodecError, FrameError
from ...broker.payload import unpack
from ...effects.identity import Identity
from ..around import opened, refusal
from .errors import Unreadable
from .names import NOBODY, Place
from .records import Ran, Tallied

Who = tuple[str, int] | None
"""An instance, by role and index, or None for the session."""

INPUT = "input"
_VALUE = "value"


class Sealing:
    """For one session. Without a codec everything is stored as it is."""

    def __init__(self, codec: Codec | None, place: Place) -> None:
        self._codec = codec
        self._place = place

    @property
    def is_on(self) -> bool:
        return self._codec is not None

    def seal(self, who: Who, what: str, data: bytes) -> bytes:
        """Raises `CodecError`."""
        if self._codec is None:
            return data
        try:
            return self._codec.encode(data, self._about(who, what))
        except Exception as error:  # noqa: BLE001 (a codec is the user's, and may raise anything)
            raise refusal(error) from None

    def open(self, who: Who, what: str, data: bytes) -> bytes:
        """Raises `Unreadable`."""
        if self._codec is None:
            return data
        try:
            return self._codec.decode(data, self._about(who, what))
        except Exception as error:  # noqa: BLE001 (as above)
            raise Unreadable(
                self._place.session, _named(who, what), refusal(error).reason
            ) from None

    def value(self, who: Who, what: str, data: bytes) -> Any:
        """What was packed and sealed, in plain builtins. Raises `Unreadable`, also for what
        was sealed with a codec where there is none."""
        try:
            return unpack(self.open(who, what, data))
        except FrameError as error:
            raise Unreadable(self._place.session, _named(who, what), error.reason) from None

    def message(self, sender: Identity, receiver: str, label: str, data: bytes) -> bytes:
        """The payload of a message that `sender` has stored. Raises `Unreadable`."""
        try:
            return opened(self._codec, sender, receiver, label, data)
        except CodecError as error:
            what = f"{sender.instance}'s {label} to {receiver}"
            raise Unreadable(self._place.session, what, error.reason) from None

    # --- records ---------------------------------------------------------------------------

    def sealed(self, role: str, ran: Ran) -> Ran:
        """A call as it is stored. Raises `CodecError`."""
        if self._codec is None:
            return ran
        data = ran.reason.encode() if ran.error else ran.value
        value = self.seal((role, ran.index), _run(ran), data)
        return msgspec.structs.replace(ran, value=value, reason="")

    def opened(self, role: str, ran: Ran) -> Ran:
        """A call as it was made. Raises `Unreadable`."""
        if self._codec is None:
            return ran
        data = self.open((role, ran.index), _run(ran), ran.value)
        value, reason = (b"", data.decode()) if ran.error else (data, "")
        return msgspec.structs.replace(ran, value=value, reason=reason)

    def untold(self, who: Who, tallied: Tallied) -> Tallied:
        """What an instance came to, as it is stored. Raises `CodecError`."""
        if self._codec is None:
            return tallied
        return msgspec.structs.replace(tallied, value=self.seal(who, _VALUE, tallied.value))

    def tallied(self, who: Who, stored: Tallied) -> Tallied:
        """What an instance came to. Raises `Unreadable`."""
        if self._codec is None:
            return stored
        return msgspec.structs.replace(stored, value=self.open(who, _VALUE, stored.value))

    def _about(self, who: Who, what: str) -> About:
        place = self._place
        namespace = subjects.namespace_token(place.namespace)
        sender = NOBODY if who is None else f"{who[0]}[{who[1]}]"
        return About(namespace, place.protocol, place.session, sender, NOBODY, what)


def _run(ran: Ran) -> str:
    return f"run {ran.number}"


def _named(who: Who, what: str) -> str:
    return f"its {what}" if who is None else f"the {what} of {who[0]}[{who[1]}]"
