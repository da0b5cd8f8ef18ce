"""A family on several workers: scaled out while it works, drained, killed, and scaled in.

python examples/07_scaled_family.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterable
from pathlib import Path

import pavane
from pavane.broker.embedded import Server

mosaic = pavane.load(Path(__file__).with_suffix(".choreo"))
PAINTERS = 24


@mosaic.role("Artist")
async def artist(me: pavane.Endpoint) -> list[str]:
    await me.send("Sketch", 7)
    tiles = await me.receive("Tile")  # waits for all, whichever worker has painted them
    return sorted({tile.worker for tile in tiles.values()})


async def mix(seed: int) -> int:
    await asyncio.sleep(0.5)
    return seed * int.from_bytes(os.urandom(2))


@mosaic.role("Painters")
async def painter(me: pavane.Endpoint) -> None:
    sketch = await me.receive("Sketch")
    colour = await me.run(mix, sketch.seed)  # recorded: another worker would not mix it anew
    await me.send("Tile", colour, os.environ["WORKER"])


async def worker(url: str, name: str) -> Process:
    """What `pavane worker 07_scaled_family.py --name NAME --capacity 8` does in a terminal."""
    options = ["--url", url, "--name", name, "--capacity", "8", "--lease", "1", "--grace", "0.1"]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pavane", "worker", __file__, *options),
        env=os.environ | {"WORKER": name},
        stdout=DEVNULL,
        stderr=DEVNULL,
    )


async def paint(runtime: pavane.Runtime) -> None:
    handle = await runtime.start(mosaic, bindings={"N": PAINTERS}, patience=30)
    outcome = await handle.result()
    print(f"{len(outcome['Painters'])} tiles, by {', '.join(outcome['Artist'])}")


async def main() -> None:
    workers: dict[str, Process] = {}

    async def begin(url: str, names: Iterable[str]) -> None:
        workers.update({name: await worker(url, name) for name in names})

    async with Server() as server, pavane.open(server.url) as runtime:
        try:
            await begin(server.url, ["one"])
            painting = asyncio.create_task(paint(runtime))  # too much for one at a time
            await begin(server.url, ["two", "three", "four"])
            await painting
            painting = asyncio.create_task(paint(runtime))
            await asyncio.sleep(0.3)
            workers["three"].kill()  # its tiles are painted by the others
            workers["four"].terminate()  # hands over what it has not finished
            await painting
            print("drained, exit code", await workers["four"].wait())
        finally:
            for process in workers.values():
                if process.returncode is None:
                    process.terminate()
                await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
