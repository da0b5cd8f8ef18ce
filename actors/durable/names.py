"""Where the log of a durable session is: subjects with one token more than live messages have.

| who writes to whom | subject | records |
|---|---|---|
| an instance to another, or to a family | `ns.Proto.Seller.0.S.Buyer.0.log` | frames |
| a worker to the unit that it takes | `ns.Proto.Seller.0.S.-.0.log` | `Taken` |
| a unit to itself | `ns.Proto.Seller.0.S.Seller.0.own` | lists of steps |
| a unit to the session | `ns.Proto.-.all.S.Seller.0.log` | `Done`, `Failed` |
| the starter, an operator | `ns.Proto.-.all.S.-.0.log` | `Started`, `Cancelled` |

`-` is no role, as no role can be called so. A unit is a block of instances of a role; what
concerns it as a whole stands under its first instance. The last `Taken` of a unit is its fence: all
that its worker stores is stored only while that is still the last one.

What is `own` needs no live subscriber; everything else is heard by the processes it concerns
as it is published, and those who know only `ns.Proto.Role.*.*.*.*` hear nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...broker import subjects
from ...broker.contract import Broker

STREAMS = "SESSIONS_"
"""What the names of the streams begin with; the namespace follows."""

NOBODY = "-"
"""What stands in the place of a role where the session itself, or its runtime, is meant."""

LOG = "log"
OWN = "own"


def stream(namespace: str) -> str:
    """The stream that has the durable sessions of a namespace."""
    return f"{STREAMS}{subjects.namespace_token(namespace)}"


async def namespaces(broker: Broker) -> list[str]:
    """Those that have, or have had, durable sessions."""
    return [name.removeprefix(STREAMS) for name in await broker.streams(STREAMS)]


def captured(namespace: str) -> list[str]:
    """The subjects of that stream: exactly eight names, of which the last is ours."""
    space = subjects.namespace_token(namespace)
    return [f"{space}.*.*.*.*.*.*.{last}" for last in (LOG, OWN)]


def words_of_all(namespace: str, protocol: str = "", session: str = "") -> str:
    """The pattern of what is said to the sessions of a protocol, or of a whole namespace, or to
    those of one name."""
    space = subjects.namespace_token(namespace)
    name = subjects.token(protocol) if protocol else "*"
    which = subjects.token(session) if session else "*"
    return f"{space}.{name}.{NOBODY}.{subjects.ALL}.{which}.*.*.{LOG}"


def fences_of_all(namespace: str, session: str = "*", protocol: str = "*") -> str:
    """The pattern of what workers have said to the units that they took."""
    return f"{subjects.namespace_token(namespace)}.{protocol}.*.*.{session}.{NOBODY}.*.{LOG}"


@dataclass(frozen=True, slots=True)
class Place:
    """The subjects of one session."""

    namespace: str
    protocol: str
    session: str

    @property
    def stream(self) -> str:
        return stream(self.namespace)

    def lane(self, role: str, index: int | None, sender: str, sender_index: int) -> str:
        """Frames from `sender[sender_index]` to `role[index]`, or to all with None."""
        return f"{self._message(role, index, sender, sender_index)}.{LOG}"

    def live(self, role: str, index: int | None, sender: str, sender_index: int) -> str:
        """The same lane outside the log: acknowledgements, and what asks for them."""
        return self._message(role, index, sender, sender_index)

    def fence(self, role: str, start: int) -> str:
        """Who has taken the unit that begins with `role[start]`."""
        return f"{self._message(role, start, NOBODY, 0)}.{LOG}"

    def own(self, role: str, start: int) -> str:
        """The steps of a unit."""
        return f"{self._message(role, start, role, start)}.{OWN}"

    def word(self, role: str, start: int) -> str:
        """What a unit says to the session."""
        return f"{self._message(NOBODY, None, role, start)}.{LOG}"

    @property
    def operator(self) -> str:
        """What the starter, or an operator, says to the session."""
        return f"{self._message(NOBODY, None, NOBODY, 0)}.{LOG}"

    # --- patterns ----------------------------------------------------------------------

    @property
    def words(self) -> str:
        """All that is said to the session."""
        return f"{self._mailbox(NOBODY)}.{subjects.ALL}.{self._session}.*.*.{LOG}"

    @property
    def everything(self) -> str:
        return f"{self._protocol}.*.*.{self._session}.*.*.*"

    @property
    def steps(self) -> str:
        """All that the units of the session have recorded of themselves."""
        return f"{self._protocol}.*.*.{self._session}.*.*.{OWN}"

    def words_of(self, role: str) -> str:
        """What the units of a role have said to the session."""
        return (
            f"{self._mailbox(NOBODY)}.{subjects.ALL}.{self._session}.{subjects.token(role)}.*.{LOG}"
        )

    def mailbox(self, role: str) -> str:
        """All that was ever said to the instances of a role, by themselves too."""
        return f"{self._mailbox(role)}.*.{self._session}.*.*.*"

    def heard(self, role: str) -> str:
        """What is said to the instances of a role, their fences included."""
        return f"{self._mailbox(role)}.*.{self._session}.*.*.{LOG}"

    def heard_live(self, role: str) -> str:
        return f"{self._mailbox(role)}.*.{self._session}.*.*"

    def said(self, sender: str, sender_index: int | None = None) -> str:
        """What an instance has said to others and to the session; all instances with None."""
        index = "*" if sender_index is None else subjects.index_token(sender_index)
        return f"{self._protocol}.*.*.{self._session}.{subjects.token(sender)}.{index}.{LOG}"

    @property
    def _protocol(self) -> str:
        return f"{subjects.namespace_token(self.namespace)}.{subjects.token(self.protocol)}"

    @property
    def _session(self) -> str:
        return subjects.token(self.session)

    def _mailbox(self, role: str) -> str:
        return f"{self._protocol}.{subjects.token(role)}"

    def _message(self, role: str, index: int | None, sender: str, sender_index: int) -> str:
        return subjects.message(
            self.namespace, self.protocol, role, index, self.session, sender, sender_index
        )
