"""`--protocol`: a command about sessions asks for one protocol, and for nothing beyond it."""

from __future__ import annotations

import subprocess

import pytest

from pavane.actors.durable.names import Place
from pavane.cli.errors import UsageError
from pavane.cli.scope import Scope, named, scope

from .conftest import Operator

LONG = '{"price": 4, "pause": 60}'


def test_only_the_sessions_of_one_protocol(
    operator: Operator, worker: subprocess.Popen[str], unique: str
) -> None:
    assert worker.poll() is None
    assert operator("start", "shop:shop", "--input", LONG, "--session", "p1").returncode == 0
    mine, others = ("--protocol", f"{unique}.Shop"), ("--protocol", f"{unique}.Shops")
    assert [seen["session"] for seen in operator.read("sessions", *mine)] == ["p1"]
    assert operator.read("sessions", "list", "--namespace", unique, "--protocol", "Shop")
    assert operator.read("sessions", *others) == []
    assert operator.read("sessions", "show", "p1", *mine)["units"][0]["worker"] == "w1"
    for verb in (("sessions", "show"), ("sessions", "verify"), ("sessions", "purge"), ("cancel",)):
        assert operator(*verb, "p1", *others).returncode == 2
    assert operator("retry", "--all", *mine).stdout == "no session has dead units\n"
    assert "p1 is cancelled" in operator("cancel", "p1", *mine).stdout
    assert "p1 is cancelled: 1 message" in operator("sessions", "verify", "p1", *mine).stdout
    old = ("sessions", "purge", "--older-than", "0s")
    assert "no session ended" in operator(*old, *others).stdout
    assert "purged p1" in operator(*old, *mine).stdout


def test_the_two_options_go_together() -> None:
    assert scope(None, None) == Scope()
    assert scope(None, "market.Sale") == scope("market", "Sale") == Scope("market", "Sale")
    assert scope("market", "market.Sale") == Scope("market", "Sale")
    assert scope(None, "Sale") == Scope(None, "Sale")
    with pytest.raises(UsageError, match=r"--protocol market\.Sale is not in --namespace other"):
        scope("other", "market.Sale")


def test_what_is_recommended_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("", "Sale", "s1")
    monkeypatch.delenv("PAVANE_NATS_INBOX", raising=False)
    assert named(place) == "s1"
    monkeypatch.setenv("PAVANE_NATS_INBOX", "_INBOX.pavane-runtime")
    assert named(place) == "s1 --protocol default.Sale"
