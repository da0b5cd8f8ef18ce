"""`pavane capability`, and the tokens it makes at `pavane run`."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from biscuit_auth import BlockBuilder

from pavane.cli import tokens
from pavane.effects.capability.files import write_secret, write_token
from pavane.effects.capability.tokens import Authority, Key, TokenLimits, endorsed, narrowed, parsed
from pavane.effects.errors import TokenRefused
from pavane.language.errors import PavaneError

Pavane = Callable[..., "subprocess.CompletedProcess[str]"]

TEXT = """#[namespace = "space"]
protocol Launch {
    roles: Pilot, Rocket;
    Pilot[guard_capability = "launch", flow_cost = 300] -> Rocket: Ignite(seconds: int);
    Pilot[guard_capability = "bank:pay"] -> Rocket: Pay(amount: int);
}
"""


ROOT, BANK = Key(b"r" * 32), Key(b"b" * 32)


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """Two keys, a protocol, and tokens of the pilot."""
    (tmp_path / "launch.choreo").write_text(TEXT)
    for name, key in (("root.key", ROOT), ("bank.key", BANK)):
        write_secret(tmp_path / name, key.seed.hex())
        (tmp_path / f"{name}.pub").write_text(key.public.hex())
    limits = TokenLimits(roles=["Pilot"], expires=time.time() + 600)
    token = Authority(ROOT.seed).grant(["space:launch"], limits)
    write_secret(tmp_path / "pilot.token", write_token(token))
    both = endorsed(token, ROOT.public, BANK, ["bank:pay"])
    write_secret(tmp_path / "both.token", write_token(both))
    return tmp_path


RUN = ("run", "launch.choreo", "--root", "root.key.pub", "--endorser", "bank=bank.key.pub")


def test_a27_a_role_is_admitted_or_refused_by_what_its_token_says(
    pavane: Pavane, deployment: Path
) -> None:
    memory = ("--url", "memory://")
    assert pavane(*RUN, "--token", "Pilot=both.token", *memory).returncode == 0
    without = pavane(*RUN, "--token", "Pilot=pilot.token", *memory)
    assert without.returncode == 3
    assert "Pilot lacks the capability bank:pay" in " ".join(without.stdout.split())
    unbelieved = pavane(*RUN[:4], "--token", "Pilot=both.token", *memory)
    assert "third party that is not known" in " ".join(unbelieved.stdout.split())


def test_a_token_is_issued_narrowed_used_and_revoked(pavane: Pavane, deployment: Path) -> None:
    made = pavane("capability", "keygen", "own.key", "--json")
    assert stat.S_IMODE((deployment / "own.key").stat().st_mode) == 0o600
    secret = (deployment / "own.key").read_text().strip()
    issued = pavane(
        *("capability", "issue", "launch", "bank:pay", "--namespace", "space", "--role", "Pilot"),
        *("--key", "own.key", "--out", "own.token"),
    )
    assert issued.returncode == 0
    assert stat.S_IMODE((deployment / "own.token").stat().st_mode) == 0o600
    short = pavane(
        *("capability", "attenuate", "own.token", "--root", "own.key.pub"),
        *("--for", "5m", "--role", "Pilot", "-o", "short.token", "--json"),
    )
    last = json.loads(short.stdout)["blocks"][-1]["revocation_id"]
    run = ("run", "launch.choreo", "--root", "own.key.pub", "--store", "st")
    assert pavane(*run, "--token", "Pilot=short.token").returncode == 0
    revoke = ("capability", "revoke", "short.token", "--store", "st")
    stranger = pavane(*revoke, "--key", "root.key")
    assert "another authority" in stranger.stderr
    revoked = pavane(*revoke, "--key", "own.key", "--json")
    assert json.loads(revoked.stdout)["revoked"] == [last]
    assert pavane(*run, "--token", "Pilot=own.token").returncode == 0
    denied = pavane(*run, "--token", "Pilot=short.token")
    assert denied.returncode == 3
    assert "it is revoked" in " ".join(denied.stdout.split())
    for done in (made, issued, short, stranger, revoked, denied):
        assert secret not in done.stdout + done.stderr


def test_inspect_says_who_has_not_signed(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = deployment / "both.token"
    tokens.inspect(token, deployment / "root.key.pub", json=False)
    told = capsys.readouterr().out
    assert "allows space:launch" in told
    assert 'only for role("Pilot")' in told
    assert f"endorsed by {BANK.public.hex()[:16]}" in told
    assert max(map(len, told.splitlines())) <= 80
    with pytest.raises(TokenRefused, match="another authority"):
        tokens.inspect(token, deployment / "bank.key.pub", json=True)
    assert json.loads(capsys.readouterr().out)["verified"] is False


def linked(links: int, *, endorsed_last: bool = False) -> bytes:
    """A token of so many blocks."""
    later = time.time() + 60
    token = Authority(ROOT.seed).grant(["space:launch"], TokenLimits(expires=later))
    for _ in range(links - 1 - endorsed_last):
        token = narrowed(token, ROOT.public, expires=later)
    return endorsed(token, ROOT.public, BANK, ["bank:pay"]) if endorsed_last else token


def hostile() -> bytes:
    """A third party's block with more in it than its rights."""
    biscuit: Any = parsed(linked(1), ROOT.public)
    block = BlockBuilder('capability("bank:pay"); all($x) <- capability($x);')
    signed = biscuit.third_party_request().create_block(BANK.pair.private_key, block)
    return bytes(biscuit.append_third_party(BANK.pair.public_key, signed).to_bytes())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: linked(4), "4 blocks, and no runtime takes more than 3"),
        (lambda: linked(4, endorsed_last=True), "4 blocks, and no runtime takes more"),
        (lambda: linked(5, endorsed_last=True), "it has more than 4 blocks"),
        (hostile, "more than the checks that may narrow it"),
    ],
)
def test_a59_inspect_refuses_what_no_runtime_takes_whoever_has_signed_it(
    deployment: Path, capsys: pytest.CaptureFixture[str], make: Callable[[], bytes], said: str
) -> None:
    write_secret(deployment / "bad.token", write_token(make()))
    with pytest.raises(TokenRefused, match=said):
        tokens.inspect(deployment / "bad.token", deployment / "root.key.pub", json=False)
    assert "allows space:launch" in capsys.readouterr().out


def test_inspect_shows_what_it_does_not_know(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_secret(deployment / "bad.token", write_token(hostile()))
    tokens.inspect(deployment / "bad.token", None, json=False)
    assert "says all($x) <- capability($x)" in capsys.readouterr().out


def test_a_token_that_no_runtime_takes_is_not_made(deployment: Path) -> None:
    write_secret(deployment / "long.token", write_token(linked(3)))
    order, root = tokens.Order(lasting="1m"), deployment / "root.key.pub"
    makers: list[Callable[[], None]] = [
        lambda: tokens.attenuate(order, deployment / "long.token", root, deployment / "x", json=False),
        lambda: tokens.endorse(
            tokens.Order(["bank:pay"]), deployment / "long.token", deployment / "bank.key", root,
            deployment / "x", json=False,
        ),
    ]  # fmt: skip
    for make in makers:
        with pytest.raises(TokenRefused, match="4 blocks"):
            make()
        assert not (deployment / "x").exists()


def test_a_secret_key_is_printed_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens.keygen(tmp_path / "unused", show=True, json=True)
    assert len(json.loads(capsys.readouterr().out)["secret"]) == 64
    assert not (tmp_path / "unused").exists()


Use = Callable[[Path], None]


def issue(names: list[str], key: str = "root.key", out: str = "x", lasting: str = "1h") -> Use:
    order = tokens.Order(names, "space", lasting=lasting)
    return lambda here: tokens.issue(order, here / key, here / out, json=False)


def attenuate(root: str, lasting: str | None) -> Use:
    order = tokens.Order(lasting=lasting)
    return lambda here: tokens.attenuate(
        order, here / "pilot.token", here / root, here / "x", json=False
    )


def revoke(ids: list[str]) -> Use:
    def use(here: Path) -> None:
        tokens.revoke(
            None, here / "root.key", ids, "", None, here / "st", allow_remote=False, json=False
        )

    return use


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (issue(['a"b']), "cannot be in a token"),
        (issue(["a"], key="root.key.pub"), "the secret one is needed"),
        (issue(["a"], key="pilot.token"), "holds no key"),
        (issue(["a"], key="none"), "No such file"),
        (issue(["a"], lasting="ever"), "no length of time"),
        (issue(["a"], out="pilot.token"), "never written over one"),
        (issue([f"capability_number_{i}" for i in range(150)]), "2048"),
        (attenuate("root.key.pub", None), "shall not allow"),
        (attenuate("root.key", "1m"), "the secret key"),
        (revoke([]), "takes a token or --id"),
        (revoke(["xyz"]), "no whole revocation id"),
        (revoke(["ab" * 8]), "abab' is no whole revocation id"),
        (revoke(["AB" * 64]), "no store"),
        (issue([""]), "'' names no capability"),
        (issue(["shop:"]), "'shop:' names no capability"),
        (issue([":pay"]), "':pay' names no capability"),
    ],
)
def test_wrong_use_is_a_sentence(deployment: Path, use: Use, said: str) -> None:
    with pytest.raises(PavaneError, match=said) as caught:
        use(deployment)
    assert caught.value.hint
    assert not (deployment / "x").exists()
