"""Permissions as a piece of nats-server configuration, in its own syntax, for people to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from .allowed import Allowed

Identity = Mapping[str, str]
"""How a user is known: `{"nkey": ...}` or `{"user": ..., "password": ...}`."""


def variable(user: str) -> str:
    """The environment variable that the server takes a user's password from."""
    return f"{re.sub(r'[^A-Za-z0-9]', '_', user).upper()}_PASSWORD"


def with_password(user: str) -> Identity:
    """A password that the output does not hold; a server without the variable does not start."""
    return {"user": user, "password": f"${variable(user)}"}


def account(name: str, users: Iterable[tuple[Identity, str, Allowed]]) -> str:
    """An account of its own with JetStream and these users; each has a line of comment."""
    blocks = "\n".join(_user(*user) for user in users)
    return f"accounts {{\n  {name} {{\n    jetstream: enabled\n    users = [\n{blocks}\n    ]\n  }}\n}}\n"


def _user(identity: Identity, comment: str, allow: Allowed) -> str:
    lines = [f"{key}: {_value(value)}" for key, value in identity.items()]
    return "\n".join(
        [
            f"      # {comment}",
            "      {",
            *(f"        {line}" for line in lines),
            "        permissions: {",
            _list("publish", allow.publish),
            _list("subscribe", allow.subscribe),
            "        }",
            "      }",
        ]
    )


def _list(verb: str, subjects: Iterable[str]) -> str:
    body = "\n".join(f"            {json.dumps(subject)}" for subject in subjects)
    return f"          {verb}: {{ allow: [\n{body}\n          ] }}"


def _value(text: str) -> str:
    # A variable stands without quotes; so does nothing else.
    return text if re.fullmatch(r"\$[A-Z0-9_]+", text) else json.dumps(text)


def resolver(operator: str, system: str, accounts: Mapping[str, str]) -> str:
    """A server that knows an operator's token, and the tokens of accounts by their public keys."""
    preload = "\n".join(f"  {public}: {token}" for public, token in accounts.items())
    return (
        f"operator: {operator}\nsystem_account: {system}\n"
        f"resolver: MEMORY\nresolver_preload: {{\n{preload}\n}}\n"
    )
