"""How a session ends early: what a unit says of that, and what it is to everybody who hears it."""

from __future__ import annotations

from ...broker.errors import BrokerError
from ...broker.surroundings import now
from ...language.errors import PavaneError
from ..errors import PeerFailed, RoleFailed, SessionAborted, SessionCancelled
from ..log import told
from .errors import SessionFailed
from .records import Cancelled, Failed


def failed(error: PavaneError, unit: str, *, sealed: bool) -> Failed:
    """The word of a `unit` that has failed for good; in a session whose values are `sealed`, it says
    nothing that the user's code has said."""
    where = getattr(error, "role", "") or unit
    # What an exception says may have a payload in it, and the log is read by others.
    said = told(error) if sealed else error.message
    return Failed(str(where)[:200], error.code, said[:1000], now())


def for_others(session: str, error: PavaneError, culprit: str) -> PavaneError:
    """What the other instances of the unit hear of an error that has ended one of them."""
    if isinstance(error, SessionAborted | BrokerError):
        return error
    if isinstance(error, RoleFailed):
        return PeerFailed(session, culprit, error.message)
    return SessionAborted(session, culprit, error.message)


def ended(session: str, word: Cancelled | Failed) -> SessionAborted:
    """What the session ends with wherever that word is heard, or read."""
    if isinstance(word, Cancelled):
        return SessionCancelled(session, "an operator", word.reason)
    if word.code == RoleFailed.code:
        return PeerFailed(session, word.instance, word.reason)
    return SessionFailed(session, word.instance, word.reason, word.code)
