"""Real worker processes on a real server, and the protocols that they serve."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import pavane
from pavane.actors.workers.announcement import Announcement
from pavane.actors.workers.roll import calling

HERE = Path(__file__).parent


class Crew:
    """The workers of one test, which has a namespace of its own, and so a queue. `url` and `within`,
    a command that runs another, are for the workers that are started next."""

    def __init__(self, url: str, folder: Path, space: str) -> None:
        self.url = url
        self.space = space
        self.folder = folder
        self.within: tuple[str, ...] = ()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.file = folder / "served.choreo"
        text = (HERE / "served.choreo").read_text(encoding="utf-8")
        self.file.write_text(text.replace("SPACE", space), encoding="utf-8")

    def load(self, name: str) -> pavane.Choreography:
        """One of the protocols that are served."""
        return pavane.load(self.file, name=name)

    def start(self, name: str, *served: str, lease: float = 1.0, **options: object) -> None:
        """One more worker, of all of `served.py` or some of it; `options` as on the command
        line."""
        targets = [f"{HERE / 'served.py'}{':' if one else ''}{one}" for one in served or ("",)]
        command = [*self.within, sys.executable, "-m", "pavane", "worker", *targets]
        command += ["--url", self.url, "--name", name, "--lease", str(lease)]
        for option, value in options.items():
            command += [f"--{option}"] if value is True else [f"--{option}", str(value)]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | {"SERVED": str(self.file)},
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    async def drain(self, name: str) -> int:
        """Send SIGTERM, and say what it exits with."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(process.wait, 30)

    async def until(
        self,
        runtime: pavane.Runtime,
        enough: Callable[[list[Announcement]], bool],
        seconds: float = 60.0,
    ) -> list[Announcement]:
        """Wait until the workers that are there are as they should be."""
        async with calling(runtime.broker, self.space) as roll:
            assert await roll.until(lambda p: enough(list(p.values())), seconds), self.logs()
            return list(roll.present.values())

    def logs(self) -> str:
        return "\n".join(f.read_text(errors="replace") for f in self.folder.glob("*.log"))

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def crew(nats_url: str, tmp_path: Path, unique: str) -> Iterator[Crew]:
    crew = Crew(nats_url, tmp_path, unique)
    yield crew
    crew.close()


@pytest.fixture
async def starter(nats_url: str) -> AsyncIterator[pavane.Runtime]:
    """A runtime that starts sessions and plays nothing."""
    async with pavane.open(nats_url) as runtime:
        yield runtime
