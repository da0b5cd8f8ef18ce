"""How the command ends: Ctrl-C, SIGTERM, a port in use; nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import COMMAND, Pavane, environment

if not sys.platform.startswith("linux"):
    pytest.skip("children are found through /proc", allow_module_level=True)

ENDLESS = """protocol Endless {
    roles: A, B;
    loop { A -> B: Ping; B -> A: Pong; }
}
"""


def heed(_number: int, _frame: object) -> None:
    """Something other than to ignore it."""


@pytest.fixture(autouse=True)
def signals_are_heeded() -> Generator[None]:
    """Also where the tests run with `nohup`, or behind a shell's `&`: a program inherits what is ignored,
    and what is handled it has by default."""
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    ignored = [number for number in numbers if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, heed)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def started(*arguments: str | Path, folder: Path) -> Generator[subprocess.Popen[str]]:
    """The command in the background, with a temp folder of its own, ended in any case."""
    (folder / "tmp").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(TMPDIR=str(folder / "tmp")),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3]
    except FileNotFoundError:
        return False


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    file = tmp_path / "endless.choreo"
    file.write_text(ENDLESS)
    return file


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "Interrupted"),
        (signal.SIGTERM, 143, "Ended by SIGTERM"),
        (signal.SIGHUP, 129, "Ended by SIGHUP"),
        (signal.SIGQUIT, 131, "Ended by SIGQUIT"),
    ],
)
def test_a_run_that_is_interrupted_leaves_nothing(
    tmp_path: Path, endless: Path, number: signal.Signals, code: int, words: str
) -> None:
    with started("run", endless, "--delay", "0.05", folder=tmp_path) as process:
        assert "Endless" in first_line(process)
        (server,) = children(process.pid)
        time.sleep(0.3)
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert words in err
    assert "Traceback" not in err
    assert not is_running(server)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_run_that_is_interrupted_at_any_moment_leaves_nothing(
    tmp_path: Path, endless: Path, times: int
) -> None:
    """Also while it is being loaded, and while the server is starting; however impatiently."""
    for wait in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.2):
        with started("run", endless, "--json", folder=tmp_path) as process:
            time.sleep(wait)
            servers = children(process.pid)
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                time.sleep(0.01)
            _, err = process.communicate(timeout=10)
        # Before our first line is reached, the interpreter itself ends by the signal.
        assert process.returncode in (130, -signal.SIGINT), wait
        if process.returncode == 130:
            assert err.lstrip().startswith("Interrupted")
            assert err.count("\n") == 2, "one sentence after the ^C"
        assert not any(is_running(server) for server in servers), wait
        assert list((tmp_path / "tmp").iterdir()) == [], wait


def test_an_interrupt_that_the_caller_ignores_stays_ignored(tmp_path: Path, market: Path) -> None:
    """As `nohup` and `&` in a script have it."""
    script = f"trap '' INT HUP; exec {COMMAND} run {market} --delay 0.3"
    process = subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, cwd=tmp_path, env=environment(), text=True
    )
    first_line(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "completed" in out


@pytest.mark.parametrize("options", ["", "--json", "--trace"])
def test_a_reader_that_goes_ends_the_run(tmp_path: Path, endless: Path, options: str) -> None:
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        ["sh", "-c", f"{{ {COMMAND} run {endless} {options}; echo $? >code; }} | head -2"],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path / "tmp")),
    )
    assert done.stdout.count("\n") == 2
    assert done.stderr == ""
    assert (tmp_path / "code").read_text() == "0\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_run_killed_outright_takes_its_server_with_it(tmp_path: Path, endless: Path) -> None:
    with started("run", endless, "--delay", "0.05", folder=tmp_path) as process:
        first_line(process)
        (server,) = children(process.pid)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 5
        while is_running(server) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_running(server)


def test_a_store_that_was_asked_for_is_kept(
    pavane: Pavane, tmp_path: Path, guide: Path, endless: Path
) -> None:
    with started("run", endless, "--store", "kept", folder=tmp_path) as process:
        first_line(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert (tmp_path / "kept").is_dir()
    assert pavane("run", guide / "015.choreo", "--store", "kept").returncode == 0


def test_a_server_serves_until_it_is_ended(tmp_path: Path, pavane: Pavane, guide: Path) -> None:
    with started("server", "--port", "0", "--json", folder=tmp_path) as process:
        said = json.loads(first_line(process))
        assert said["url"].startswith("nats://127.0.0.1:")
        done = pavane("run", guide / "015.choreo", "--url", said["url"])
        assert done.returncode == 0, done.stderr
        read = pavane("journal", "replay", "--url", said["url"])
        assert "charged 200" in read.stdout
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert not is_running(said["pid"])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_server_that_dies_is_noticed(tmp_path: Path) -> None:
    with started("server", "--port", "0", "--json", folder=tmp_path) as process:
        os.kill(json.loads(first_line(process))["pid"], signal.SIGKILL)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 3
    assert "ended by itself" in err
    assert "Traceback" not in err


def test_a_port_in_use_is_a_sentence(pavane: Pavane) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = pavane("server", "--port", str(port))
    assert done.returncode == 3
    assert str(port) in done.stderr
    assert "in use" in done.stderr


def test_a_server_without_jetstream_is_named(tmp_path: Path, pavane: Pavane, guide: Path) -> None:
    with plain_server(tmp_path) as url:
        done = pavane("run", guide / "015.choreo", "--url", url, timeout=30)
    assert done.returncode == 3
    assert "JetStream" in done.stderr
    assert "-js" in done.stderr


@contextmanager
def plain_server(folder: Path) -> Generator[str]:
    """A nats-server that keeps nothing."""
    binary = Path(sys.executable).parent / "nats-server"
    process = subprocess.Popen(
        [binary, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port_file_url(folder / f"nats-server_{process.pid}.ports")
    finally:
        process.terminate()
        process.wait()


def port_file_url(file: Path) -> str:
    """The file appears before all of it is written."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return str(json.loads(file.read_text())["nats"][0])
        except (FileNotFoundError, ValueError):
            time.sleep(0.02)
    raise AssertionError("nats-server did not start")
