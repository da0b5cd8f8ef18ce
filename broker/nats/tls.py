"""The TLS context that the options ask for."""

from __future__ import annotations

import ssl

from ..errors import BadAddress
from ..options import ConnectOptions


def context(options: ConnectOptions, wanted: bool) -> ssl.SSLContext | None:
    if options.tls is not None:
        return options.tls
    if not wanted and options.ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=options.ca)
    except (OSError, ssl.SSLError) as error:
        raise BadAddress(options.ca or "", f"no certificates can be read there: {error}") from None
