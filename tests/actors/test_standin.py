"""Stand-ins play every protocol without user code, and the same seed gives the same run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import pavane
from pavane.actors.events import Event, MessageReceived, MessageSent
from pavane.actors.standin import StandIn

GUIDE = sorted((Path(__file__).parents[1] / "data" / "guide").glob("*.choreo"))


def bindings(choreography: pavane.Choreography, size: int = 3) -> dict[str, int]:
    counts = dict.fromkeys(choreography.compiled.open_counts, size)
    return counts | dict.fromkeys(choreography.compiled.open_bounds, 2)


async def play(
    runtime: pavane.Runtime, choreography: pavane.Choreography, seed: int
) -> list[Event]:
    events: list[Event] = []
    runtime.observe(events.append)
    stand_in = StandIn(seed)
    roles = dict.fromkeys(choreography.roles, stand_in)
    async with asyncio.timeout(20):
        await runtime.run(choreography, roles, bindings=bindings(choreography), session="s")
    return events


def test_the_guide_is_all_here() -> None:
    assert len(GUIDE) == 16


@pytest.mark.parametrize("path", GUIDE, ids=lambda path: path.stem)
async def test_stand_ins_run_the_guides_protocols(broker_url: str, path: Path) -> None:
    for choreography in pavane.load_all(path):
        async with pavane.open(broker_url) as runtime:
            events = await play(runtime, choreography, seed=1)
        sent = [e for e in events if isinstance(e, MessageSent)]
        received = [e for e in events if isinstance(e, MessageReceived)]
        assert sum(e.copies for e in sent) == len(received) > 0


EVERYTHING = """protocol Everything { roles: A, B, C, W[4];
  A ->* : Start(name: str, sizes: list[int]);
  loop (count: 2) { B -> C: Tick; loop (count: 3) { C -> B: Tock(float); } }
  loop (decides: B) { B -> A: Item(dict[str, int]); A -> B: Got; }
  parallel { A -> B: P1(bool) ; B -> A: P2 | C -> W[*]: Q1 ; W[i] -> C: Q2(int); }
  rec Again { choice C {
      more when (x > 50): { C -> A: More(bytes); continue Again; }
      enough: { C -> A: Enough; C -> B: Enough(int | None); } } }
  A -> W[1..3]: Last; W[2] -> A: Final(str);
}"""


async def test_stand_ins_play_every_construct(runtime: pavane.Runtime) -> None:
    everything = pavane.load(EVERYTHING)
    for seed in range(8):
        async with asyncio.timeout(10):
            roles = dict.fromkeys(everything.roles, StandIn(seed))
            outcome = await runtime.run(everything, roles)
        assert outcome.tallies["A"].sent >= 6 + 1 + 2


async def test_the_same_seed_gives_the_same_events() -> None:
    everything = pavane.load(EVERYTHING)
    runs: list[list[Event]] = []
    for seed in (7, 7, 8):
        async with pavane.for_testing() as runtime:
            runs.append([e for e in await play(runtime, everything, seed) if not _is_end(e)])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def _is_end(event: Event) -> bool:
    return type(event).__name__ == "SessionEnded"


async def test_branches_are_all_taken_by_some_seed(runtime: pavane.Runtime) -> None:
    text = """protocol P { roles: A, B;
      choice A { x: { A -> B: X; } y: { A -> B: Y; } z: { A -> B: Z; } } }"""
    taken: set[str] = set()

    async def b(me: pavane.Endpoint) -> None:
        taken.add((await me.offer()).label)

    for seed in range(20):
        await runtime.run(pavane.load(text), A=StandIn(seed), B=b)
    assert taken == {"X", "Y", "Z"}


@pytest.mark.parametrize("seed", range(3))
async def test_who_is_told_the_branch_may_have_to_speak_first(
    runtime: pavane.Runtime, seed: int
) -> None:
    """Nobody else does here, as the selection alone says that it is one's turn."""
    text = """protocol Told { roles: A, B, C, D;
        choice A { go { A -> B: Go; parallel { C -> D: One(int) | D -> C: Two(int) } }
                   also { A -> B: Also; parallel { C -> D: One(int) | D -> C: Two(int) } }
                   no { A -> B: No; } } }"""
    await play(runtime, pavane.load(text), seed)
