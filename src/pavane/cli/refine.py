"""`pavane refine`: may a hand-written machine take a role's part?"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from ..language.local_types import LocalTypeError
from ..language.machine_files import Whose, placed
from ..language.subtyping import Answer, Move, refines
from ..language.system import Automaton
from .errors import Refused, UsageError
from .exits import UNDECIDED, verb
from .machines import Composed, composed, machine_of
from .options import Bind, File, Json, bindings
from .protocols import only
from .screen import say, write_json
from .sources import Source, read

COLOURS = {"yes": "bold green", "no": "bold red", "cannot decide": "bold yellow"}


def install(app: typer.Typer) -> None:
    app.command()(refine)


@verb
def refine(
    protocol: File,
    machine: Annotated[
        str,
        typer.Argument(
            metavar="MACHINE", help="The machine: JSON as `project --json` has it, or a local type."
        ),
    ],
    role: Annotated[
        str, typer.Option("--role", help="Whose part it takes: a role, or one instance W[2].")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="The protocol, where the file has several.")
    ] = None,
    bind: Bind = None,
    json: Json = False,
) -> None:
    """Check whether a hand-written machine may take the place of a role's projection.

    It may send earlier, past receives and past sends to others, and receive earlier than receives
    from others, as long as nothing is left undone for ever. The answer is yes, no with a trace
    that shows what goes wrong, or that it cannot be decided. Exits with 0, 1 and 4.

    [dim]Examples:[/dim]
      pavane refine buffering.choreo kernel.local --role Kernel
      pavane refine ring.choreo node.json --role Node --bind N=5 --json
    """
    given = bindings(bind)
    compiled = only(protocol, name, bindings=given)
    machines = composed(compiled, given)
    instance, answer = _worst(machines, read(machine), role)
    if json:
        write_json({"protocol": compiled.protocol.full_name, "role": instance, **as_json(answer)})
    else:
        _write(machine, instance, answer)
    if answer.verdict == "no":
        raise Refused("the machine does not refine the role")
    if answer.verdict == "cannot decide":
        raise typer.Exit(UNDECIDED)


def as_json(answer: Answer) -> dict[str, Any]:
    """`trace` and `loop` have one entry per step, in order; `side` is `candidate` or `original`."""
    return {
        "answer": answer.verdict,
        "reason": answer.reason,
        "trace": [_move(move) for move in answer.trace],
        "loop": [_move(move) for move in answer.loop],
        "configurations": answer.configurations,
        "method": answer.method,
    }


def _move(move: Move) -> dict[str, str]:
    return {"side": move.side, "step": str(move.step)}


def _worst(machines: Composed, source: Source, role: str) -> tuple[str, Answer]:
    """The answer for the role, or for that instance of the family that it is worst for."""
    instances = {n: a for n, a in machines.automata.items() if role in (n, n.split("[")[0])}
    if not instances:
        roles = ", ".join(dict.fromkeys(n.split("[")[0] for n in machines.automata))
        raise UsageError(f"there is no role {role}", hint=f"the roles are {roles}")
    worst: tuple[str, Answer] | None = None
    seen = set[str]()
    for instance, original in instances.items():
        index = int(instance[:-1].split("[")[1]) if "[" in instance else None
        candidate = _candidate(source, role, Whose(instance, index, machines.sizes))
        key = _content(candidate, original)
        if key in seen:
            continue
        seen.add(key)
        answer = refines(candidate, original)
        if answer.verdict == "no":
            return instance, answer
        if worst is None or answer.verdict == "cannot decide":
            worst = instance, answer
    assert worst is not None, "there is at least one instance"
    return worst if worst[1].verdict != "yes" else (role, worst[1])


def _candidate(source: Source, role: str, whose: Whose) -> Automaton:
    """The machine of a file as that of one instance."""
    found = machine_of(source, role, whose)
    try:
        return placed(found, whose)
    except LocalTypeError as error:
        raise UsageError(f"{source.file}: {error.message}", hint=error.hint) from None


def _content(*automata: Automaton) -> str:
    return repr(automata)


def _write(file: str, instance: str, answer: Answer) -> None:
    sentence = {
        "yes": f"{file} may take the part of {instance}",
        "no": f"{file} may not take the part of {instance}: {answer.reason}",
        "cannot decide": f"whether {file} may take the part of {instance}: {answer.reason}",
    }[answer.verdict]
    say(Text.assemble((answer.verdict, COLOURS[answer.verdict]), "  ", sentence))
    if answer.verdict != "no":
        return
    say()
    if not answer.trace:
        say("It shows at the very beginning.")
    else:
        say(Text("      candidate             original", "dim"))
    for number, move in enumerate(answer.trace, start=1):
        say(_row(str(number), move))
    if answer.loop:
        say(Text("and then, again and again:", "dim"))
    for move in answer.loop:
        say(_row("", move))


def _row(number: str, move: Move) -> str:
    ours, theirs = (str(move.step), "") if move.side == "candidate" else ("", str(move.step))
    return f"{number:>4}  {ours:<20}  {theirs}".rstrip()
