"""The files that the options name: the TLS context that they ask for, and what shows who we are."""

from __future__ import annotations

import os
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
        raise _unusable("file of certificates", options.ca, error, "PAVANE_NATS_CA") from None
    if options.certificate is not None:
        try:
            made.load_cert_chain(options.certificate, options.certificate_key)
        except (OSError, ssl.SSLError) as error:
            kind = "file with a certificate and its key"
            raise _unusable(kind, options.certificate, error, "PAVANE_NATS_CERT") from None
    return made


def check_credentials(options: ConnectOptions) -> None:
    """Raise `BadAddress` for a file that cannot be read: the library would look for it only where the
    server asks, and say less."""
    for kind, path, variable in (
        ("file of credentials", options.credentials, "PAVANE_NATS_CREDS"),
        ("file with an nkey", options.nkey, "PAVANE_NATS_NKEY"),
    ):
        try:
            if path is not None:
                os.close(os.open(path, os.O_RDONLY))
        except OSError as error:
            raise _unusable(kind, path, error, variable) from None


def _unusable(kind: str, path: str | None, error: Exception, variable: str) -> BadAddress:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = f"see {variable}, or what stands for it in ConnectOptions"
    return BadAddress(path or "", why, kind=kind, hint=hint)
