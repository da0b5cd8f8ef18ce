"""The TLS context that the options ask for."""

from __future__ import annotations

import ssl

from ..errors import BadAddress
from ..options import ConnectOptions


def context(options: ConnectOptions, wanted: bool) -> ssl.SSLContext | None:
    if options.tls is not None:
        return options.tls
    if not wanted and options.ca is None and options.certificate is None:
        return None
    try:
        made = ssl.create_default_context(cafile=options.ca)
    except (OSError, ssl.SSLError) as error:
        raise BadAddress(options.ca or "", f"no certificates can be read there: {error}") from None
    if options.certificate is not None:
        try:
            made.load_cert_chain(options.certificate, options.certificate_key)
        except (OSError, ssl.SSLError) as error:
            why = f"no certificate and key can be read there: {error}"
            raise BadAddress(options.certificate, why) from None
    return made
