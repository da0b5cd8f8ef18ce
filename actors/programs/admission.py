"""The programs among what plays a session's roles, looked at before its first message."""

from __future__ import annotations

from collections.abc import Mapping

from ...effects.pipeline.pipeline import Pipeline
from ...language.monitor import Monitor
from ..cast import Cast
from ..devices import Devices, Dispatch
from ..part import Part
from .roles import program_of


def fitting(
    cast: Cast, playing: Mapping[str, object], devices: Devices, pipeline: Pipeline
) -> Cast:
    """The cast; raises `ProgramDeparts` where a role is played by a program that leaves its machine."""
    for role, implementation in playing.items():
        for part in cast.parts[role]:
            for index in _instances(part, implementation):
                identities = devices.get(role)
                program = program_of(implementation, identities[index] if identities else "")
                if program is not None:
                    from .fitting import fit  # loaded where there is a program

                    own = index if part.is_family else None
                    fit(program, part, Monitor(part.table, own), pipeline.registry, whole=True)
    return cast


def _instances(part: Part, implementation: object) -> range | tuple[int, ...]:
    """Those that may differ: all of a family whose instances have each their own, else one."""
    every = part.instances()
    return every if isinstance(implementation, Dispatch) or len(every) < 2 else (every[0],)
