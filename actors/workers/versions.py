"""The version in which a function plays a session: the session's own, as far as its code fits."""

from __future__ import annotations

from collections.abc import Mapping

from ..choreography import Choreography
from .admission import misfit
from .errors import Unfit
from .shelf import Shelf


async def own_version(
    shelf: Shelf,
    written: Choreography,
    role: str,
    fingerprint: bytes,
    bindings: Mapping[str, int],
) -> Choreography:
    """The protocol of the session that has this `fingerprint`, for a function of `role` that was
    `written` for another version, or for this one. Raises `UnknownVersion`, `Unfit`."""
    compiled = written.compiled
    if fingerprint == compiled.fingerprint:
        return written
    found = await shelf.get(written.namespace, written.name, fingerprint)
    if role not in {one.name for one in found.protocol.roles}:
        raise Unfit(written.name, role, f"that has no {role}")
    if why := misfit(found, compiled, role, bindings):
        raise Unfit(written.name, role, why)
    return Choreography(found, types=written.types)
