"""`pavane worker`, `start`, `workers`, `sessions`, `cancel` and `retry`, as an operator uses them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pavane import Endpoint, load
from pavane import open as open_runtime
from pavane.actors.durable.assignment import Assignment
from pavane.actors.workers.dead import bury
from pavane.actors.workers.worker import Worker
from pavane.broker.connect import connect
from pavane.broker.embedded import Server

from .conftest import COMMAND, Operator, Pavane, environment


def test_a_session_is_started_seen_and_over(
    operator: Operator, worker: subprocess.Popen[str], unique: str
) -> None:
    done = operator("start", "shop:shop", "--input", '{"price": 4}', "--session", "s1", "--wait")
    assert done.returncode == 0, done.stderr
    assert "Buyer: 8" in done.stdout
    (seen,) = operator.read("workers", "--namespace", unique)
    assert (seen["worker"], seen["pid"], seen["running"]) == ("w1", worker.pid, 0)
    assert [r["role"] for r in seen["roles"]] == ["Buyer", "Seller"]
    shown = operator("sessions", "show", "s1", "--namespace", unique)
    assert "done" in shown.stdout
    assert "taken by w1" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    again = operator("cancel", "s1", "--namespace", unique)
    assert again.returncode == 3
    assert "is over already: done" in again.stdout
    purged = operator("sessions", "purge", "s1", "--namespace", unique)
    assert purged.returncode == 0, purged.stderr
    assert f"purged s1 of {unique}.Shop, done" in purged.stdout
    gone = operator("start", "shop:shop", "--input", '{"price": 4}', "--session", "s1")
    assert (gone.returncode, "was purged" in gone.stderr) == (3, True)
    worker.send_signal(signal.SIGTERM)
    assert worker.stdout is not None
    last = json.loads(worker.stdout.read().splitlines()[-1])
    assert last == {"event": "drained", "worker": "w1", "ended": 2, "handed_over": 0, "left": 0}
    assert worker.wait(10) == 0


def test_a_session_that_goes_on_is_shown_step_by_step_and_cancelled(
    operator: Operator, worker: subprocess.Popen[str], unique: str
) -> None:
    given = '{"price": 4, "pause": 60}'
    assert operator("start", "shop:shop", "--input", given, "--session", "s2").returncode == 0
    (listed,) = operator.read("sessions", "--namespace", unique)
    assert (listed["session"], listed["state"]) == ("s2", "running")
    shown = operator.read("sessions", "show", "s2", "--namespace", unique)
    stands = {s["instance"]: (s["sent"], s["received"], s["expected"]) for s in shown["instances"]}
    assert stands == {"Buyer": (1, 0, ["Seller?Receipt"]), "Seller": (0, 1, ["Buyer!Receipt"])}
    kept = operator("sessions", "purge", "s2", "--namespace", unique)
    assert (kept.returncode, "is not over: it is running" in kept.stdout) == (3, True)
    assert "s2 is cancelled" in operator("cancel", "s2", "--namespace", unique).stdout
    (over,) = operator.read("sessions", "list", "--all", "--namespace", unique)
    assert (over["state"], over["reason"]) == ("cancelled", "cancelled by an operator")
    verified = operator("sessions", "verify", "s2", "--namespace", unique)
    assert "s2 is cancelled: 1 message" in verified.stdout
    assert operator.read("sessions", "verify", "s2", "--namespace", unique)["is_over"]
    assert operator.read("sessions", "--namespace", unique) == []
    purge = ("sessions", "purge", "--namespace", unique)
    old = operator.read(*purge, "--older-than", "0s", "--dry-run")
    assert (old["event"], old["session"], old["state"]) == ("would purge", "s2", "cancelled")
    assert operator.read(*purge, "--older-than", "0s")["records"] > 3
    assert operator(*purge).returncode == 2


async def die(url: str, namespace: str, session: str) -> None:
    """Set the session's Seller aside."""
    broker = await connect(url)
    unit = Assignment(
        namespace=namespace, protocol="Shop", fingerprint=b"", session=session, role="Seller"
    )
    await bury(broker, unit, topic="", code="PV561", reason="it departed", attempts=1, worker="w1")
    await broker.close()


def test_a_dead_unit_is_put_back(
    operator: Operator, worker: subprocess.Popen[str], unique: str, nats_url: str
) -> None:
    given = '{"price": 4, "pause": 60}'
    assert operator("start", "shop:shop", "--input", given, "--session", "s3").returncode == 0
    asyncio.run(die(nats_url, unique, "s3"))
    listed = operator("sessions", "--namespace", unique)
    assert "dead" in listed.stdout
    assert "s3: it departed" in listed.stdout
    assert (
        "Seller of session s3 is on the queue"
        in operator("retry", "s3", "--namespace", unique).stdout
    )
    none = operator("retry", "--all", "--namespace", unique)
    assert (none.returncode, none.stdout) == (0, "no session has dead units\n")
    nothing = operator("retry", "s3", "--namespace", unique)
    assert nothing.returncode == 3
    assert "has no dead units" in nothing.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("start", "shop:shop", "--input", "{"), 2, "is no JSON"),
        (("start", "shop:shop", "--input", "[" * 5000), 2, "is no JSON"),
        (("start", "shop:shop", "--name", "Shop"), 2, "--name Shop is for files of protocols"),
        (("start", "shop:shop", "--session", ""), 2, "'' cannot stand in a subject: it is empty"),
        (("start", "shop:shop", "--patience", "0"), 3, "no worker serves Buyer, Seller"),
        (("worker", "shop:shop", "--grant", "Byer=x"), 2, "the protocol has no role Byer"),
        (("worker", "shop:shop", "--budget", "Byer=1"), 2, "its roles are Buyer, Seller"),
        (("worker", "shop:shop", "--name", "a b"), 2, "'a b' cannot stand in a subject"),
        (("worker", "nothing:shop"), 2, "there is no module nothing"),
        (("worker", "../shop"), 2, "../shop is no name of a module"),
        (("worker", "ends"), 2, "SystemExit: 7 in "),
        (("worker", "shop:nothing"), 2, "has no protocol or role called nothing"),
        (("worker", "shop:nobody"), 2, "is registered for no role"),
        (("worker", "shop:shop.Nobody"), 2, "has no role Nobody"),
        (("worker", "nothing.py"), 2, "there is no file"),
        (("sessions", "show", "nothing"), 2, "there is no session nothing"),
        (("sessions", "show", "a b"), 2, "error[PV309]: 'a b' cannot stand in a subject"),
        (("cancel", "*"), 2, "'*' cannot stand in a subject"),
        (("retry",), 2, "which session?"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    operator: Operator, module: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = operator(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert os.path.basename(module) == "shop.py"


def test_a_worker_that_was_started_just_before_is_waited_for(
    operator: Operator, module: Path, nats_url: str
) -> None:
    """As a script does it: `pavane worker shop:shop & pavane start shop:shop --wait`."""
    late = ["sh", "-c", f"sleep 1.5; exec {COMMAND} worker shop:shop --url {nats_url}"]
    with subprocess.Popen(late, cwd=module.parent, env=environment()) as worker:
        done = operator("start", "shop:shop", "--input", '{"price": 4}', "--wait")
        worker.terminate()
    assert (done.returncode, "Buyer: 8" in done.stdout) == (0, True), done.stderr


def test_a_server_of_ones_own_is_no_place_for_workers(pavane: Pavane, module: Path) -> None:
    done = pavane("worker", "shop:shop", "--url", "embedded")
    assert done.returncode == 2
    assert "pavane server" in done.stderr
    module.write_text("import pavane\n1 / 0\n")
    broken = pavane("worker", "shop:shop")
    assert broken.returncode == 2
    assert "ZeroDivisionError: division by zero" in broken.stderr
    assert "shop.py, line 2" in broken.stderr


DEAL = """
#[namespace = "SPACE"]
protocol Deal {
    roles: Buyer, Seller;
    Buyer[guard_capability = "order"] -> Seller: Order(int);
    Seller[guard_capability = "sell"] -> Buyer: Receipt(int);
}
"""

SELLER = """
from pathlib import Path

import pavane

deal = pavane.load(Path(__file__).with_name("deal.choreo").read_text())


@deal.role("Seller")
async def seller(me):
    await me.send("Receipt", 2 * await me.receive("Order"))
"""


async def buyer(me: Endpoint) -> int:
    await me.send("Order", me.input)
    receipt: int = await me.receive("Receipt")
    return receipt


async def test_workers_of_the_command_and_of_python_check_each_others_tokens(
    tmp_path: Path, unique: str, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "signing.key"
    key.write_text("5a" * 32)
    monkeypatch.setenv("PAVANE_KEY", str(key))
    text = DEAL.replace("SPACE", unique)
    (tmp_path / "deal.choreo").write_text(text)
    (tmp_path / "sale.py").write_text(SELLER)
    deal = load(text)
    deal.role("Buyer")(buyer)
    serving = await asyncio.create_subprocess_exec(
        COMMAND, "worker", "sale:deal.Seller", "--url", nats_url, "--json", cwd=tmp_path,
        env=environment(), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20), open_runtime(nats_url) as runtime:
            here = Worker(runtime, capacity=2)
            here.serve(deal, "Buyer")
            buying = asyncio.create_task(here.run())
            handle = await runtime.start(deal, input=21, patience=10)
            assert (await handle.result())["Buyer"] == 42
            here.drain(1)
            await buying
    finally:
        serving.kill()
        await serving.wait()


OBSTINATE = '''
import asyncio
import atexit
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import pavane

keeper = pavane.load("""
#[namespace = "SPACE"]
protocol Keeper { roles: A, B; A -> B: M(int) }
""")
atexit.register(print, "the exit was registered", flush=True)


async def thread():
    await asyncio.to_thread(time.sleep, 45)


async def own_thread():
    threading.Thread(target=time.sleep, args=(45,)).start()
    await asyncio.sleep(45)


async def processes():
    pool = ProcessPoolExecutor(1)
    print("child", pool.submit(__import__("os").getpid).result(), flush=True)
    await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 45)


async def swallows():
    while True:
        try:
            await asyncio.sleep(45)
        except asyncio.CancelledError:
            pass


async def blocks():
    time.sleep(45)


@keeper.role("A")
async def a(me):
    print("playing", flush=True)
    await globals()[me.input]()


@keeper.role("B")
async def b(me):
    await me.receive("M")
'''


@pytest.mark.parametrize(
    ("mode", "signals"),
    [("thread", 1), ("own_thread", 1), ("processes", 1), ("swallows", 2), ("blocks", 2)],
)
def test_a54_a_worker_ends_whatever_its_roles_do(
    operator: Operator, tmp_path: Path, unique: str, nats_url: str, mode: str, signals: int
) -> None:
    """A second signal where they have to be waited for."""
    (tmp_path / "keeper.py").write_text(OBSTINATE.replace("SPACE", unique))
    command = [str(COMMAND), "worker", "keeper:keeper", "--url", nats_url, "--grace", "0.1"]
    with subprocess.Popen(
        [*command, "--json"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "serving" in process.stdout.readline()
        started = operator("start", "keeper:keeper", "--input", f'"{mode}"')
        assert started.returncode == 0, started.stderr
        assert process.stdout.readline() == "playing\n"
        child = int(process.stdout.readline().split()[1]) if mode == "processes" else 0
        for _ in range(signals):
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        try:
            assert process.wait(10) == 0
            assert time.monotonic() - began < 6
        finally:
            process.kill()
        *told, last = process.stdout.read().splitlines()
        assert last == "the exit was registered"
        if mode != "blocks":
            assert json.loads(told[-1])["event"] == "drained"
        if child:
            with pytest.raises(ProcessLookupError):
                os.kill(child, 0)


def test_dead_units_of_a_session_that_is_over_need_nobody(
    operator: Operator, worker: subprocess.Popen[str], unique: str, nats_url: str
) -> None:
    given = '{"price": 4, "pause": 60}'
    assert operator("start", "shop:shop", "--input", given, "--session", "s4").returncode == 0
    asyncio.run(die(nats_url, unique, "s4"))
    within = ("--namespace", unique)
    assert "pavane retry" in operator("sessions", "show", "s4", *within).stdout
    assert operator("cancel", "s4", *within).returncode == 0
    shown = operator("sessions", "show", "s4", *within).stdout
    assert "cancelled" in shown
    assert "dead" not in shown
    assert "pavane retry" not in shown
    again = operator("retry", "s4", *within)
    assert (again.returncode, again.stdout) == (3, "session s4 is over already: cancelled\n")
    assert operator("retry", "--all", *within).stdout == "no session has dead units\n"


async def test_a_log_that_is_gone_with_its_store_is_said_to_be(
    tmp_path: Path, module: Path, unique: str
) -> None:
    """And the worker does not say the same again and again."""
    first = Server(store=tmp_path / "one")
    await first.start()
    where = ("--url", first.url)
    with (tmp_path / "worker.log").open("wb") as log:
        playing = await asyncio.create_subprocess_exec(
            COMMAND, "worker", "shop:shop", *where, "--json", cwd=module.parent,
            env=environment(), stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
    waiting = await asyncio.create_subprocess_exec(
        COMMAND, "start", "shop:shop", "--input", '{"price": 4, "pause": 2}', "--session", "s5",
        "--wait", *where, cwd=module.parent, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert waiting.stdout is not None
    assert waiting.stderr is not None
    second = Server(port=first.port, store=tmp_path / "two")
    try:
        assert b"started" in await waiting.stdout.readline()
        await first.kill()
        await second.start()
        async with asyncio.timeout(30):
            said = (await waiting.stderr.read()).decode()
        assert await waiting.wait() == 3
        assert "the log of session s5 is gone with the server's store" in said
        assert "ensure_stream" not in said
        async with asyncio.timeout(30):
            while "there is no such stream" not in (tmp_path / "worker.log").read_text():
                await asyncio.sleep(0.2)
        await asyncio.sleep(2.5)
    finally:
        for process in (playing, waiting):
            if process.returncode is None:
                process.kill()
            await process.wait()
        await first.stop()
        await second.stop()
    told = (tmp_path / "worker.log").read_text().splitlines()
    again = [line for line in told if "is played again" in line]
    assert len(again) == len(set(again)), told
