"""Sessions looked after with the command by users with permissions, each as far as the page on it says."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane.actors.durable.assignment import Assignment
from pavane.actors.workers.dead import bury
from pavane.broker.connect import connect
from pavane.broker.options import ConnectOptions

COMMAND = Path(sys.executable).parent / "pavane"
TRADE = """#[namespace = "town"]
protocol Trade { roles: Buyer, Seller;
  Buyer[flow_cost = 3, journal_facts = "ordered"] -> Seller: Order(int); Seller -> Buyer: Receipt(int); }
"""
MODULE = """
import asyncio

import pavane

trade = pavane.load("trade.choreo")


@trade.role("Buyer")
async def buyer(me):
    await me.send("Order", 4)
    return await me.receive("Receipt")


@trade.role("Seller")
async def seller(me):
    price = await me.receive("Order")
    await asyncio.sleep(me.input or 0)
    await me.send("Receipt", 2 * price)
"""
OURS = ("--protocol", "town.Trade")
HINT = "ask for one protocol alone: --protocol NAMESPACE.NAME"


class Town:
    """A server with permissions and a session `s1`, which is over."""

    def __init__(self, url: str, options: Mapping[str, ConnectOptions], folder: Path) -> None:
        self.url = url
        self._options = options
        self._folder = folder

    async def begin(self, *arguments: str, user: str) -> asyncio.subprocess.Process:
        options = self._options[user]
        said = {
            "PAVANE_URL": self.url,
            "PAVANE_NATS_USER": str(options.user),
            "PAVANE_NATS_PASSWORD": str(options.password),
            "PAVANE_NATS_INBOX": options.inbox,
            "PYTHONUNBUFFERED": "1",
        }
        return await asyncio.create_subprocess_exec(
            COMMAND, *arguments, env={**os.environ, **said}, stdout=PIPE, stderr=PIPE,
            cwd=self._folder,
        )  # fmt: skip

    async def ask(self, *arguments: str, user: str, code: int = 0) -> str:
        """What it writes, complaints too."""
        process = await self.begin(*arguments, user=user)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert process.returncode == code, (arguments, out, err)
        return (out + err).decode()

    async def play(self) -> None:
        trade = pavane.load(self._folder / "trade.choreo")

        async def buyer(me: pavane.Endpoint) -> int:
            await me.send("Order", 4)
            receipt: int = await me.receive("Receipt")
            return receipt

        async def seller(me: pavane.Endpoint) -> None:
            await me.send("Receipt", 2 * await me.receive("Order"))

        options = self._options["pavane-runtime"]
        async with pavane.open(self.url, options=options) as runtime:
            await runtime.run(trade, Buyer=buyer, Seller=seller, durable=True, session="s1")

    async def die(self, session: str) -> None:
        trade = pavane.load(self._folder / "trade.choreo").compiled
        unit = Assignment(
            namespace="town", protocol="Trade", role="Seller", session=session,
            fingerprint=trade.fingerprint,
        )  # fmt: skip
        broker = await connect(self.url, options=self._options["pavane-runtime"])
        await bury(
            broker, unit, topic=unit.topic, code="PV561", reason="it departed", attempts=1,
            worker="w",
        )  # fmt: skip
        await broker.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "trade.choreo").write_text(TRADE)
    (tmp_path / "shop.py").write_text(MODULE)
    return tmp_path


async def test_who_may_look_after_sessions(site: Any, files: Path) -> None:
    async with site.serving("password", files / "trade.choreo") as (url, options, _):
        town = Town(url, options, files)
        await town.play()
        await _the_operator(town)
        await _who_plays_them(town)
        for user in ("pavane-reader", "town.Trade.Seller"):
            for verb in (("sessions",), ("sessions", "show", "s1"), ("cancel", "s1")):
                await town.ask(*verb, *OURS, user=user, code=3)
            await town.ask("replay", "s1", "shop:trade.Seller", user=user, code=3)
            await town.ask("workers", "--namespace", "town", user=user, code=3)
            await town.ask("start", "shop:trade", user=user, code=3)
        for user in ("pavane-operator", "pavane-runtime", "pavane-reader"):
            asked = ("journal", "query", "--namespace", "town", "--protocol", "Trade")
            assert "ordered" in await town.ask(*asked, "ordered", user=user)
            await town.ask("journal", "query", "ordered", user=user, code=3)
        assert "purged s1" in await town.ask("sessions", "purge", "s1", user="pavane-operator")


async def _the_operator(town: Town) -> None:
    user = "pavane-operator"
    assert "town.Trade" in await town.ask("sessions", "--all", user=user)
    said = await town.ask("sessions", "verify", "s1", user=user)
    assert "s1 is done: 2 messages, 0 steps, 3 charged, 1 fact" in said
    assert "over already" in await town.ask("cancel", "s1", user=user, code=3)
    assert "no workers" in await town.ask("workers", "--namespace", "town", user=user)
    await town.ask("replay", "s1", "shop:trade.Seller", user=user)
    await town.ask("start", "shop:trade", user=user, code=3)
    assert "would purge s1" in await town.ask("sessions", "purge", "s1", "--dry-run", user=user)


async def _who_plays_them(town: Town) -> None:
    user = "pavane-runtime"
    assert HINT in await town.ask("sessions", user=user, code=3)
    assert HINT in await town.ask("cancel", "s1", "--namespace", "town", user=user, code=3)
    assert "town.Trade" in await town.ask("sessions", "--all", *OURS, user=user)
    assert "done" in await town.ask("sessions", "show", "s1", *OURS, user=user)
    assert "3 charged, 1 fact" in await town.ask("sessions", "verify", "s1", *OURS, user=user)
    assert "to its end" in await town.ask("replay", "s1", "shop:trade.Seller", user=user)
    await town.ask("sessions", "purge", "s1", *OURS, user=user, code=3)
    assert "no workers" in await town.ask("workers", "--namespace", "town", user=user)


async def test_who_starts_a_session_hears_what_keeps_it(site: Any, files: Path) -> None:
    async with site.serving("password", files / "trade.choreo") as (url, options, _):
        town = Town(url, options, files)
        serving = [
            await town.begin("worker", f"shop:trade.{role}", user=f"town.Trade.{role}")
            for role in ("Buyer", "Seller")
        ]
        start = ("start", "shop:trade", "--session", "s2", "--patience", "20")
        said = await town.ask(*start, user="pavane-runtime")
        assert "pavane sessions show s2 --protocol town.Trade" in said
        assert "done" in await town.ask(*start, "--wait", user="pavane-runtime")
        await _it_goes_on_once_it_is_put_back(town, "s3", OURS, "pavane-runtime")
        await _it_goes_on_once_it_is_put_back(town, "s4", (), "pavane-operator")
        for process in serving:
            process.kill()
            await process.wait()


async def _it_goes_on_once_it_is_put_back(
    town: Town, session: str, scope: tuple[str, ...], user: str
) -> None:
    long = ("start", "shop:trade", "--session", session, "--input", "60", "--wait")
    waiting = await town.begin(*long, user="pavane-runtime")
    assert waiting.stdout is not None
    assert waiting.stderr is not None
    async with asyncio.timeout(30):
        assert b"started" in await waiting.stdout.readline()
        await town.die(session)
        assert b"Seller is set aside as dead [PV561]" in await waiting.stderr.readline()
        hint = f"`pavane retry {session} --protocol town.Trade`"
        assert hint.encode() in await waiting.stderr.readline()
    assert "on the queue" in await town.ask("retry", session, *scope, user=user)
    # What was put back has no input, and so no pause.
    assert b"Buyer: 8" in (await waiting.communicate())[0]


async def test_the_operator_sets_the_lease_of_the_workers(site: Any, files: Path) -> None:
    file = files / "trade.choreo"
    async with site.serving("password", file) as (url, options, _):
        town = Town(url, options, files)
        prepare = ("permissions", str(file), "--prepare")
        kept = await town.ask(*prepare, user="pavane-operator")
        assert "lease of WORK_town: 30 s" in kept
        assert "lease of WORK_town: 3 s" in await town.ask(
            *prepare, "--lease", "3", user="pavane-operator"
        )
        assert "lease of WORK_town: 3 s" in await town.ask(*prepare, user="pavane-operator")
        alone = await town.ask(
            "permissions", str(file), "--lease", "3", user="pavane-operator", code=2
        )
        assert "--budget, --leakage and --lease are set on a server" in alone
        broker = await connect(url, options=options["town.Trade.Seller"])
        assert await broker.lease("WORK_town") == 3
        await broker.close()
