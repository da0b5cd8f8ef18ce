"""Roles as programs: values that are put together, checked before they run, and tested alone.

python examples/16_programs.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane
from pavane import Program

delivery = pavane.load(Path(__file__).with_suffix(".choreo"))

# --- Alice: two pieces, put together ---------------------------------------------------------

handshake = Program().send("Bob", "Hello", name="Alice").recv("Bob", "Welcome").end()

parcel = (
    Program()
    .send("Bob", "Parcel", number=lambda got: got.round + 1)
    .offer(
        Taken=Program().recv("Bob", "Taken"),
        Full=Program().recv("Bob", "Full"),
    )
)
parcels = (
    Program().loop(parcel, while_=lambda got: "Full" not in got.selected).send("Bob", "Done").end()
)

alice = handshake.then(parcels)

# --- Bob: one program, ended by what Alice says ------------------------------------------------


def has_room(got: pavane.Results) -> str:
    return "taken" if got["Parcel"].number <= 2 else "full"


answer = (
    Program()
    .recv("Alice", "Parcel")
    .choose(has_room, taken=Program().send("Alice", "Taken"), full=Program().send("Alice", "Full"))
)
bob = (
    Program()
    .recv("Alice", "Hello")
    .send("Alice", "Welcome", room=2)
    .loop(Program().offer(Parcel=answer, Done=Program().recv("Alice", "Done")), until="Done")
)


async def main() -> None:
    async with pavane.open("memory://") as runtime:
        outcome = await runtime.run(delivery, Alice=alice, Bob=bob)
        result: pavane.ProgramResult = outcome["Alice"]
        print("Alice:", result.state, [heard.label for heard in result.received])

        try:  # parcels before the welcome: nothing is sent
            await runtime.run(delivery, Alice=parcels, Bob=bob)
        except pavane.ProgramDeparts as refused:
            print("refused:", refused.message)

    script = pavane.ScriptedHandler([("Welcome", {"room": 0}), ("Full", None)])
    result = await alice(script)
    print("alone:", result.state, [sent.label for sent in script.sent])


if __name__ == "__main__":
    asyncio.run(main())
