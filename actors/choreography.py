"""A loaded protocol with the functions that play its roles, and whatever counts are bound."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from ..language.bindings import BindingError, resolve
from ..language.compiler import Compiled, compile_text
from ..language.errors import ChoreographyError
from ..language.projection import Projection
from .devices import Devices, checked, fitting
from .errors import UnknownRole
from .playing import Implementation
from .workers.restart import Restart

Role = TypeVar("Role", bound=Implementation)


class Choreography:
    """What `load` returns. `bind` gives another one; itself it never changes, but for the
    implementations that `role` registers."""

    def __init__(
        self,
        compiled: Compiled,
        *,
        types: Mapping[str, Any] | None = None,
        bindings: Mapping[str, int] | None = None,
        implementations: dict[str, Implementation] | None = None,
        devices: Devices | None = None,
        restarts: dict[str, Restart] | None = None,
    ) -> None:
        self.compiled = compiled
        self.types = MappingProxyType(dict(types or {}))
        self.bindings = MappingProxyType(dict(bindings or {}))
        self.devices: Devices = MappingProxyType(dict(devices or {}))
        self.implementations = implementations if implementations is not None else {}
        self.restarts = restarts if restarts is not None else {}

    @property
    def name(self) -> str:
        return self.compiled.name

    @property
    def namespace(self) -> str:
        return self.compiled.namespace

    @property
    def full_name(self) -> str:
        return self.compiled.protocol.full_name

    @property
    def roles(self) -> tuple[str, ...]:
        """The declared roles, in order."""
        return tuple(role.name for role in self.compiled.protocol.roles)

    @property
    def place(self) -> str:
        """File and line of the declaration."""
        return f"{self.compiled.file}:{self.compiled.protocol.name_span.line}"

    def role(self, name: str, *, restart: Restart | None = None) -> Callable[[Role], Role]:
        """Register the function that plays a role wherever `run` is given no other.

        `restart` says what a worker does when it fails. Raises `UnknownRole`.
        """
        self.require(name)

        def register(implementation: Role) -> Role:
            self.implementations[name] = implementation
            if restart is not None:
                self.restarts[name] = restart
            return implementation

        return register

    def require(self, role: str) -> None:
        """Raise `UnknownRole` unless the protocol has this role."""
        if role not in self.roles:
            raise UnknownRole(self.full_name, role, self.roles)

    def bind(self, **counts: int) -> Choreography:
        """The same choreography with sizes and bounds bound: `bind(Followers=5, threshold=3)`.

        Others may still be open. Raises `BindingError` for one that does not fit.
        """
        merged = {**self.bindings, **counts}
        try:
            resolve(self.compiled.protocol, merged)
        except BindingError as error:
            if not error.is_missing:
                raise
        return self._with(merged, self.devices)

    def identify(self, **families: Sequence[str]) -> Choreography:
        """The same choreography with identities for the instances of families, which binds their
        sizes: `identify(Signers=["alice", "bob"])`.

        Raises `UnknownRole`, `WrongIdentities` (a list with duplicates, or of another length
        than the family has), `BindingError`.
        """
        found = dict(self.devices)
        for role, identities in families.items():
            self.require(role)
            found[role] = checked(role, identities)
        sizes = {role: len(names) for role, names in found.items() if role in self._open}
        known = {**self.bindings}
        for role, size in sizes.items():
            bound = known.get(role, known.get(self._open[role], size))
            fitting({role: found[role]}, {role: bound})
        declared = {r.name: r.size for r in self.compiled.protocol.roles}
        fixed = {role: names for role, names in found.items() if role not in self._open}
        fitting(fixed, {role: _size(declared[role]) for role in fixed})
        return self.bind(**sizes)._with({**known, **sizes}, found)

    def device(self, role: str, index: int) -> str:
        """Who plays an instance; raises KeyError where `identify` was not told."""
        return self.devices[role][index]

    @property
    def _open(self) -> Mapping[str, str]:
        return self.compiled.open_counts

    def _with(self, bindings: Mapping[str, int], devices: Devices) -> Choreography:
        return Choreography(
            self.compiled,
            types=self.types,
            bindings=bindings,
            implementations=self.implementations,
            devices=devices,
            restarts=self.restarts,
        )

    def project(self) -> Projection:
        """The local machines under the present bindings; raises `BindingError`."""
        return self.compiled.project(self.bindings)

    def __repr__(self) -> str:
        counts = "".join(f", {name}={count}" for name, count in self.bindings.items())
        return f"<Choreography {self.full_name}{counts}>"


def _size(declared: int | str | None) -> int | None:
    return declared if isinstance(declared, int) else None


def load_all(
    source: str | Path,
    *,
    types: Mapping[str, Any] | None = None,
    strict: bool = False,
    extension_keys: Collection[str] = (),
    bindings: Mapping[str, int] | None = None,
) -> tuple[Choreography, ...]:
    """All protocols of a file, or of a text (a `str` with a brace in it).

    `types` are the user's own payload types by the name the protocol uses for them. With `bindings`
    they are judged with these counts, which some need (`choice W[t]`), and which are given again
    when they are run. Raises `ChoreographyError` with everything that is wrong.
    """
    text, file = _read(source)
    compiled = compile_text(
        text, file, strict=strict, extension_keys=extension_keys, bindings=bindings
    )
    return tuple(Choreography(one, types=types) for one in compiled)


def load(
    source: str | Path,
    *,
    name: str | None = None,
    types: Mapping[str, Any] | None = None,
    strict: bool = False,
    extension_keys: Collection[str] = (),
    bindings: Mapping[str, int] | None = None,
) -> Choreography:
    """The one protocol of a file or text, or the one called `name`; as `load_all` otherwise."""
    found = load_all(
        source, types=types, strict=strict, extension_keys=extension_keys, bindings=bindings
    )
    fitting = [c for c in found if name is None or name in (c.name, c.full_name)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(c.full_name for c in found)
    wanted = f"no protocol {name}" if name is not None and not fitting else "several protocols"
    raise ChoreographyError(
        f"{found[0].compiled.file} has {wanted}; it has {names}",
        file=found[0].compiled.file,
        hint="say which: load(..., name=...), or take all with load_all(...)",
    )


def _read(source: str | Path) -> tuple[str, str]:
    if isinstance(source, str) and "{" in source:
        return source, "<text>"
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ChoreographyError(
            f"cannot read {path}: {reason}", file=str(path), hint="give the path of a .choreo file"
        ) from error
    except UnicodeDecodeError as error:
        raise ChoreographyError(
            f"{path} is not a text in UTF-8", file=str(path), hint="save it as UTF-8"
        ) from error
