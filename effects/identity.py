"""Who sends: one role instance in one session, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..broker import subjects
from ..language.machine import Peer


@dataclass(frozen=True, slots=True)
class Identity:
    """One instance of a role in one session; a plain role is `index` None, and stands
    as instance 0 on the broker."""

    namespace: str
    protocol: str
    session: str
    role: str
    index: int | None = None
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked up many times for each annotated message.
        names = (self.namespace, self.protocol, self.session, self.role, self.index)
        object.__setattr__(self, "_hash", hash(names))

    def __hash__(self) -> int:
        return self._hash

    @property
    def instance(self) -> str:
        """`Leader` or `Followers[2]`."""
        return self.role if self.index is None else f"{self.role}[{self.index}]"

    @property
    def context(self) -> str:
        """The context that budgets are kept in unless a session names its own."""
        return f"{self.namespace or subjects.DEFAULT_NAMESPACE}.{self.protocol}"

    def tokens(self) -> tuple[str, str, str, str, str]:
        """Namespace, protocol, session, role and index as subject tokens."""
        return (
            subjects.namespace_token(self.namespace),
            subjects.token(self.protocol),
            subjects.token(self.session),
            subjects.token(self.role),
            str(self.index or 0),
        )

    def peer(self, role: str, index: int | None) -> Identity:
        """Another instance in the same session."""
        return Identity(self.namespace, self.protocol, self.session, role, index)


def receivers(sender: Identity, peer: Peer, copies: int) -> list[Identity]:
    """The instances that `peer` means to `sender`, all bounds being integers; `copies` of them."""
    if peer.start is None and not peer.is_collective:
        return [sender.peer(peer.role, None)]
    start = peer.start if isinstance(peer.start, int) else 0
    if peer.relative:
        return [sender.peer(peer.role, (sender.index or 0) + start)]
    if not peer.is_collective:
        return [sender.peer(peer.role, start)]
    stop = peer.stop if isinstance(peer.stop, int) else start + copies
    return [sender.peer(peer.role, index) for index in range(start, stop)]


@dataclass(frozen=True, slots=True)
class SendContext:
    """What stays the same for all sends of one instance; made once per session.

    `token` is its Biscuit token, empty if it holds none. `budget` is the context that its
    flow is charged in, `namespace.protocol` if empty: all sessions of a protocol then share
    the budget of a role. A `durable` instance may be played on by another process: it has an
    account of its own in the budget, from which it is charged once for each message that its
    journal has, whatever becomes of its processes. `turn` counts these, from 1.
    """

    identity: Identity
    token: bytes = field(default=b"", repr=False)
    budget: str = ""
    durable: bool = False
    turn: int = 0

    @property
    def budget_context(self) -> str:
        return self.budget or self.identity.context
