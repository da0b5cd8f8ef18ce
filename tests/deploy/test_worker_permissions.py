"""Durable sessions whose workers have one role each, and the permissions of no other."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pavane
from pavane.actors.durable.assignment import Assignment
from pavane.actors.workers.dead import bury
from pavane.actors.workers.worker import Worker
from pavane.broker.options import ConnectOptions
from pavane.effects.capability.tokens import Authority
from pavane.effects.keys import Signer

COMMAND = Path(sys.executable).parent / "pavane"
DURABLE = """#[namespace = "depot"]
protocol Parcel { roles: Sender, Hub, Van[2];
  Sender[guard_capability = "ship", flow_cost = 3, journal_facts = "shipped"] -> Hub: Parcel(int);
  Hub -> Van[*]: Load(int); Van[i] -> Hub: Loaded(int); Hub -> Sender: Done(int); }
"""


async def sender(me: pavane.Endpoint) -> int:
    await me.send("Parcel", await me.run(parcel))
    total: int = await me.receive("Done")
    return total


async def parcel() -> int:
    return 20


async def hub(me: pavane.Endpoint) -> None:
    await me.send("Load", await me.receive("Parcel"))
    loaded: dict[int, int] = await me.receive("Loaded")
    await me.send("Done", sum(loaded.values()))


async def van(me: pavane.Endpoint) -> None:
    await me.send("Loaded", await me.receive("Load") + me.index)


async def test_a52_workers_with_a_role_each_play_durable_sessions_and_get_no_further(
    site: Any, tmp_path: Path
) -> None:
    file = tmp_path / "parcel.choreo"
    file.write_text(DURABLE)
    played = {"Sender": sender, "Hub": hub, "Van": van}
    authority, signer = Authority(), Signer()
    async with (
        site.serving("password", file) as (url, options, credentials),
        AsyncExitStack() as stack,
    ):
        working: list[asyncio.Task[None]] = []
        workers: list[Worker] = []
        for role, function in played.items():
            runtime = await stack.enter_async_context(
                pavane.open(
                    url,
                    options=options[f"depot.Parcel.{role}"],
                    authority=authority,
                    signer=signer,
                )
            )
            parcels = pavane.load(file)
            parcels.role(role)(function)
            worker = Worker(runtime)
            worker.serve(parcels, role)
            workers.append(worker)
            working.append(asyncio.create_task(worker.run()))
        starter = await stack.enter_async_context(
            pavane.open(url, options=options["pavane-runtime"], authority=authority, signer=signer)
        )
        async with site.hostile(url, credentials("depot.Parcel.Van")) as hostile:
            # The server's answer, stored where only the sender may speak, is none of its words.
            place = "depot.Parcel.Hub.0.s1.Sender.0.log"
            await hostile.client.publish("$JS.API.INFO", b"", reply=place)
            await hostile.client.flush()
        async with asyncio.timeout(30):
            handle = await starter.start(pavane.load(file), session="s1", patience=10)
            outcome = await handle.result()
        assert outcome["Sender"] == 41
        await _the_operator_looks_after_them(starter, url, options["pavane-operator"], file)
        await _nobody_gets_further(site, url, credentials)
        for worker in workers:
            worker.drain(1)
        await asyncio.gather(*working)


async def _the_operator_looks_after_them(
    starter: pavane.Runtime, url: str, options: ConnectOptions, file: Path
) -> None:
    """By the command: what has ended, what waits for a worker, and what nobody could play."""
    said = {
        "PAVANE_URL": url,
        "PAVANE_NATS_USER": str(options.user),
        "PAVANE_NATS_PASSWORD": str(options.password),
        "PAVANE_NATS_INBOX": options.inbox,
    }

    async def run(*arguments: str, code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            COMMAND, *arguments, env={**os.environ, **said}, stdout=PIPE, stderr=PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == code, err
        return out.decode()

    assert "s1" in await run("sessions", "--all")
    unit = Assignment(
        namespace="depot", protocol="Parcel", role="Hub", session="s1",
        fingerprint=pavane.load(file).compiled.fingerprint,
    )  # fmt: skip
    await bury(
        starter.broker, unit, topic=unit.topic, code="PV584", reason="", attempts=5, worker="w"
    )
    assert "is over already: done" in await run("retry", "s1", code=3)
    assert "is over already: done" in await run("cancel", "s1", code=3)
    assert "done" in await run("sessions", "show", "s1")


async def _nobody_gets_further(
    site: Any, url: str, credentials: Callable[[str], dict[str, Any]]
) -> None:
    here = "depot.Parcel"
    for me, other in (("Sender", "Hub"), ("Hub", "Van"), ("Van", "Sender")):
        says = [
            f"{here}.{me}.0.s1.{other}.0.log",
            f"{here}.{other}.0.s1.{other}.0.own",
            f"{here}.{other}.0.s1.-.0.log",  # take its instances over
            f"{here}.-.all.s1.{other}.0.log",
            f"{here}.-.all.s1.-.0.log",  # start, or cancel
            f"{here}.{other}.0.s1.dead",
            f"$JS.API.CONSUMER.CREATE.SESSIONS_depot.c.{here}.{other}.*.s1.*.*.log",
            f"$JS.API.CONSUMER.CREATE.SESSIONS_depot.c.{here}.{other}.0.s1.{other}.0.own",
            f"$JS.API.CONSUMER.CREATE.SESSIONS_depot.c.{here}.*.*.s1.*.*.*",
            "$JS.API.CONSUMER.CREATE.SESSIONS_depot.c",
            f"_WORK.WORK_depot.Parcel.{other}.0011223344556677",
            "$JS.API.CONSUMER.CREATE.WORK_depot.c._WORK.WORK_depot.>",
            f"$JS.API.CONSUMER.MSG.NEXT.WORK_depot.Parcel={other}=0011223344556677",
            f"$JS.ACK.WORK_depot.Parcel={other}=0011223344556677.1.1.1.1.0",
        ]
        streams = ("SESSIONS_depot", "WORK_depot", "PROTOCOLS_depot", "DEAD_depot")
        verbs = ("DELETE", "PURGE", "UPDATE", "CREATE", "MSG.GET", "MSG.DELETE")
        says += [f"$JS.API.STREAM.{verb}.{stream}" for verb in verbs for stream in streams]
        listens = [f"{here}.{other}.*.*.*.*.log", f"{here}.{me}.*.*.*.*.own", "depot.>"]
        async with site.hostile(url, credentials(f"{here}.{me}")) as hostile:
            assert await hostile.attempt(says, listens) == set()
            assert hostile.heard == []
