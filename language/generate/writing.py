"""The text of one module, put together of the classes and functions of its roles."""

from __future__ import annotations

from collections.abc import Sequence

from ..compiler import Compiled
from ..machine import Machine
from ..projection import Projection
from .actions import Actions
from .classes import Variant
from .errors import GenerationError
from .form import Form
from .imports import imports
from .layout import docstring, spread
from .names import Names
from .payloads import Payloads
from .roles import Part, player, titles
from .words import messages

STATE_LIMIT = 4_000
"""The most states of one role that are written out: about 80 000 lines."""

MARK = "# Made by `pavane generate`; change the protocol and generate it again.\n"


class Writing:
    """One module while it is written."""

    def __init__(
        self, compiled: Compiled, projection: Projection, types: str, *, typical: bool
    ) -> None:
        self._compiled = compiled
        self._names = Names()
        self._got: dict[str, str] = {}
        machines = [m for ms in projection.machines.values() for m in ms]
        self._parts = [
            self._part(role, ms, typical=typical) for role, ms in projection.machines.items()
        ]
        self._payloads = Payloads(self._names, types)
        self._payloads.learn(message for machine in machines for message in messages(machine))
        self._roles = [self._variants(part) for part in self._parts]

    def _part(self, role: str, machines: Sequence[Machine], *, typical: bool) -> Part:
        """The machines of a role, alike ones as one, with the names they get."""
        alike: dict[str, list[Machine]] = {}
        for machine in machines:
            if len(machine.states) > STATE_LIMIT:
                raise GenerationError(
                    f"{role} of {self._compiled.name} has {len(machine.states)} states, "
                    f"and at most {STATE_LIMIT} are written out",
                    file=self._compiled.file,
                    hint="split the protocol, or write this role as an untyped function",
                )
            alike.setdefault(Form.of(machine).text(), []).append(machine)
        groups = list(alike.values())
        wanted = titles(role, groups, machines[-1].stop, typical=typical)
        named = [self._names.new(name, f"{name}Role") for name in wanted]
        return Part(role, tuple(map(tuple, groups)), tuple(named))

    def _variants(self, part: Part) -> tuple[Part, list[Variant]]:
        variants = [
            Variant(
                Actions(group[0]),
                name,
                " and ".join(machine.name for machine in group),
                self._names,
                self._payloads,
                self._branch,
            )
            for group, name in zip(part.groups, part.names, strict=True)
        ]
        return part, variants

    def _branch(self, wanted: str, said: str) -> str:
        """The class of what `offer` can find; the same for the same thing."""
        if said not in self._got:
            self._got[said] = self._names.new(wanted)
        return self._got[said]

    # text -----------------------------------------------------------------------------------

    def text(self) -> str:
        written = [v.written for _, variants in self._roles for v in variants]
        functions = [player(part, variants, self._names) for part, variants in self._roles]
        functions += [f for w in written for f in w.functions]
        blocks = [*self._bindings(), *self._payloads.classes(), *self._branches()]
        blocks += [*(c for w in written for c in w.classes), *functions]
        aliases = [
            *self._payloads.aliases(),
            *(line for w in written for a in w.aliases for line in a),
        ]
        forms = [v.form_lines() for _, variants in self._roles for v in variants]
        blocks += [*([aliases] if aliases else []), *forms]
        body = "\n\n\n".join("\n".join(block) for block in blocks)
        return f"{self._head(body)}\n\n\n{body}\n"

    def _head(self, body: str) -> str:
        """Comments, what the module is, and the imports that `body` needs."""
        protocol = self._compiled.protocol
        lines = [
            *docstring("", f"The roles of the protocol {protocol.full_name} as typed states."),
            "",
            "from __future__ import annotations",
        ]
        fingerprint = f"# Fingerprint: {self._compiled.fingerprint.hex()}\n# ruff: noqa\n"
        return MARK + fingerprint + "\n".join([*lines, *imports(body, self._payloads.imports())])

    def _branches(self) -> list[list[str]]:
        """A class for everything that `offer` can find."""
        return [
            [
                f"class {name}(Got[PayloadT_co, NextT_co]):",
                *docstring("    ", said),
                "",
                "    __slots__ = ()",
            ]
            for said, name in self._got.items()
        ]

    def _bindings(self) -> list[list[str]]:
        """A function whose parameters are the counts to bind."""
        sizes = self._compiled.open_counts.values()
        wanted = [*dict.fromkeys(sizes), *sorted(self._compiled.open_bounds)]
        if not wanted:
            return []
        own = Names(frozenset({"int", "str", "dict"}))
        given = {name: own.new(name) for name in wanted}
        name = self._names.new("bindings")
        parameters = [f"{one}: int" for one in given.values()]
        return [
            [
                *spread("", f"def {name}(", ["*", *parameters], ") -> dict[str, int]:"),
                '    """The counts that have to be bound, as `run(..., bindings=...)` takes them."""',
                "    return {",
                *(f'        "{theirs}": {ours},' for theirs, ours in given.items()),
                "    }",
            ]
        ]
