"""What a session takes from its surroundings, if anything: a codec for payloads, and traces.

Both are off unless they are asked for, and then cost nothing: an endpoint takes its short ways
only where there is neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..broker.codec import About, Codec
from ..broker.errors import CodecError
from ..effects.identity import Identity
from ..language.errors import PavaneError
from .events import Event

if TYPE_CHECKING:
    from .runtime import Runtime


class SessionTrace(Protocol):
    """The trace of one session in one process. Contexts are W3C traceparents."""

    @property
    def offer(self) -> str:
        """What other processes of the session are told when they meet; empty for nothing."""
        ...

    def begin(self, offered: Mapping[str, str]) -> None:
        """All are there; what each role's process offers."""
        ...

    def playing(self, instance: str) -> AbstractContextManager[None]:
        """Around a role function, in its task."""
        ...

    def departing(self, sender: str, receiver: str, label: str, *, first: bool) -> str | None:
        """What travels in the envelope of a message, `first` being the first on its lane."""
        ...

    def arrived(self, receiver: str, sender: str, label: str, context: str | None) -> None: ...
    def end(self, error: PavaneError | None) -> None: ...


class Tracer(Protocol):
    """What traces the sessions of a runtime."""

    def session(
        self, session: str, namespace: str, protocol: str, *, leads: bool, parent: str = ""
    ) -> SessionTrace:
        """`leads` in the one process where the session's first role is played; a `parent` known
        beforehand, as from the record that started a durable session, comes before all others."""
        ...

    def starting(self, session: str, namespace: str, protocol: str) -> AbstractContextManager[str]:
        """Around the start of a durable session: the context that is its parent, wherever it is
        played."""
        ...

    def observe(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Around:
    """`runtime` is whose sessions they are, for roles that start others there."""

    codec: Codec | None = None
    tracer: Tracer | None = None
    runtime: Runtime | None = None


NOTHING = Around()


def sealed(codec: Codec | None, who: Identity, receiver: str, label: str, payload: bytes) -> bytes:
    """What goes on the wire for a payload of `who`. Raises `CodecError`."""
    if codec is None:
        return payload
    try:
        return codec.encode(payload, _about(who, receiver, label))
    except Exception as error:  # noqa: BLE001 (a codec is the user's, and may raise anything)
        raise refusal(error) from None


def opened(codec: Codec | None, sender: Identity, receiver: str, label: str, data: bytes) -> bytes:
    """The payload that `sender` sealed. Raises `CodecError`."""
    if codec is None:
        return data
    try:
        return codec.decode(data, _about(sender, receiver, label))
    except Exception as error:  # noqa: BLE001 (as above)
        raise refusal(error) from None


def refusal(error: Exception) -> CodecError:
    """What a codec has raised, without its text: what others than ours say might hold the payload."""
    return error if isinstance(error, CodecError) else CodecError(type(error).__name__)


def _about(sender: Identity, receiver: str, label: str) -> About:
    return About(
        sender.namespace, sender.protocol, sender.session, sender.instance, receiver, label
    )
