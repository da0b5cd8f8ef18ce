"""`pavane new`: a protocol and its roles to begin with."""

from __future__ import annotations

import sys
from keyword import iskeyword
from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError
from .exits import verb
from .screen import say

PROTOCOL = """\
// What everybody does, in one place. `pavane check {name}.choreo` says whether it can go wrong.
#[namespace = "{name}"]
protocol {protocol} {{
    roles: Buyer, Seller;
    Buyer -> Seller: Offer(price: int);
    choice Seller {{
        accept: {{
            Seller -> Buyer: Accept;
        }}
        reject: {{
            Seller -> Buyer: Reject(reason: str);
        }}
    }}
}}
"""

ROLES = '''\
"""The roles of {name}.choreo. python {name}.py"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

{name} = pavane.load(Path(__file__).with_suffix(".choreo"))


@{name}.role("Buyer")
async def buyer(me: pavane.Endpoint) -> str:
    await me.send("Offer", price=95)
    answer = await me.offer()
    return answer.label


@{name}.role("Seller")
async def seller(me: pavane.Endpoint) -> None:
    offer = await me.receive("Offer")
    if offer.price >= 90:
        await me.send("Accept")
    else:
        await me.send("Reject", reason="too low")


async def main() -> None:
    async with pavane.open() as runtime:
        outcome = await runtime.run({name})
    print("The seller's answer:", outcome["Buyer"])


if __name__ == "__main__":
    asyncio.run(main())
'''

TAKEN = frozenset({"pavane", "buyer", "seller", "main"})
"""Names that the program has a use for, besides the modules of the standard library."""

NEXT = """\
  pavane check {name}.choreo
  pavane run {name}.choreo
  python {name}.py
"""


def install(app: typer.Typer) -> None:
    app.command()(new)


@verb
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As Python names a module.")],
) -> None:
    """Write NAME.choreo and NAME.py: a small protocol and its roles, to run and to change.

    [dim]Example:[/dim]
      pavane new market
    """
    _refuse_unusable(name)
    protocol = "".join(part.capitalize() for part in name.split("_"))
    texts = {f"{name}.choreo": PROTOCOL, f"{name}.py": ROLES}
    for file in texts:
        if Path(file).exists():
            raise UsageError(f"{file} is there already", hint="give another name")
    for file, text in texts.items():
        _write(Path(file), text.format(name=name, protocol=protocol))
    say(f"wrote {' and '.join(texts)}")
    say(NEXT.format(name=name).rstrip())


def _refuse_unusable(name: str) -> None:
    plain = name.isascii() and name.isidentifier() and name[0].isalpha() and name.islower()
    if not plain or iskeyword(name):
        hint = "write small letters, digits and `_`, as in: pavane new market"
        raise UsageError(f"{name!r:.60} is no name for a module", hint=hint)
    if name in sys.stdlib_module_names or name in TAKEN:
        raise UsageError(f"{name} means something else already in Python", hint="give another")


def _write(path: Path, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written: {reason}", hint="change the folder") from None
