"""What can go wrong around workers.

ActorError
├── NobodyServes          no worker plays a role of the session that is to be started
├── UnknownVersion        a version of a protocol that was never served or started here
├── Unfit                 the code of a role was written for a version that is too different
├── Ungranted             a worker may not do what its role has to
├── ForeignAuthority      a worker signs capabilities that the others will not accept
├── Poisoned              workers have died of a unit too often
├── WorkerDied            a subprocess of a host ended by itself
└── Hosted                two hosts for one role
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ActorError


class NobodyServes(ActorError):
    """No worker plays `roles` of `protocol`, in this version or one that would do; `others`
    says for each role what there is instead, where there is something."""

    code = "PV580"
    retryable = True

    def __init__(self, protocol: str, roles: Sequence[str], others: Sequence[str] = ()) -> None:
        self.protocol = protocol
        self.roles = tuple(roles)
        self.others = tuple(others)
        also = f" ({'; '.join(others)})" if others else ""
        super().__init__(
            f"{protocol}: no worker serves {', '.join(roles)}{also}",
            hint="start one with `pavane worker MODULE:PROTOCOL`, or wait for one with --patience",
        )


class UnknownVersion(ActorError):
    """Nobody has served or started `protocol` with this `fingerprint` on this broker."""

    code = "PV581"

    def __init__(self, protocol: str, fingerprint: bytes) -> None:
        self.protocol = protocol
        self.fingerprint = fingerprint
        super().__init__(
            f"{protocol} is not known here in version {fingerprint.hex()}",
            hint="give the session's own .choreo file to a worker that serves it",
        )


class Unfit(ActorError):
    """The function of `role` follows another version, and could not keep to the session's."""

    code = "PV582"

    def __init__(self, protocol: str, role: str, reason: str) -> None:
        self.protocol = protocol
        self.role = role
        super().__init__(
            f"{protocol}: this version of {role} cannot stand in for the session's: {reason}",
            hint="serve the session's version too; `pavane diff OLD NEW` shows all differences",
        )


class Ungranted(ActorError):
    """The `worker` was not granted the `capabilities` that steps of `role` ask for."""

    code = "PV585"

    def __init__(self, worker: str, role: str, capabilities: Sequence[str]) -> None:
        self.worker = worker
        self.role = role
        self.capabilities = tuple(capabilities)
        names = ", ".join(capabilities)
        super().__init__(
            f"worker {worker} serves {role} and lacks what its steps ask for: {names}",
            hint=f"start it with --grant {role}={','.join(capabilities)}, or without --grant",
        )


class ForeignAuthority(ActorError):
    """`workers` sign their capability tokens with other keys than the rest."""

    code = "PV583"

    def __init__(self, protocol: str, workers: Sequence[str]) -> None:
        self.protocol = protocol
        self.workers = tuple(workers)
        super().__init__(
            f"{protocol} guards messages by capabilities, and its workers ({', '.join(workers)}) "
            "do not sign with one key",
            hint="name one key file in PAVANE_KEY for all workers",
        )


class Poisoned(ActorError):
    """Whoever took `unit` died or went silent, `attempts` times in a row."""

    code = "PV584"

    def __init__(self, session: str, unit: str, attempts: int) -> None:
        self.session = session
        self.unit = unit
        self.attempts = attempts
        super().__init__(
            f"{unit} of session {session} was taken {attempts} times, and nobody brought it to "
            "its end or gave it back",
            hint="see what its workers died of, then put it back with `pavane retry`",
        )


class WorkerDied(ActorError):
    """`count` subprocesses that a host keeps for `role` ended by themselves, with `code`."""

    code = "PV586"
    retryable = True

    def __init__(self, protocol: str, role: str, count: int, exit_code: int = 0) -> None:
        self.protocol = protocol
        self.role = role
        self.exit_code = exit_code
        what = "a worker" if count == 1 else f"{count} workers"
        ended = f" with exit code {exit_code}" if exit_code else ""
        super().__init__(
            f"{what} of {protocol}.{role} ended by itself{ended}",
            hint="what it wrote says why; `pavane worker` in the foreground shows it",
        )


class Hosted(ActorError):
    """Another process, `pid` on `host`, keeps the workers of `role` already."""

    code = "PV587"

    def __init__(self, protocol: str, role: str, host: str, pid: int) -> None:
        self.protocol = protocol
        self.role = role
        self.host = host
        self.pid = pid
        super().__init__(
            f"process {pid} on {host} keeps the workers of {protocol}.{role} already",
            hint="tell it a number with `pavane scale`, without --foreground",
        )
