"""Whether one machine can stand in for another: asynchronous subtyping with three answers.

The relation is undecidable (Bravetti, Carbone, Zavattaro, TCS 2018), refuting it is not: a finite
trace to a configuration that goes wrong, or a cycle on which something is put off for ever, is
found by visiting the configurations. To confirm it, the configurations have to be finitely many
or be covered by finitely many: queues that grow are summarised, coarsely at first and then more
finely, until the summaries show nothing wrong or the limit is reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..system import Automaton
from .answer import Answer
from .game import Game
from .pumping import pumped
from .search import Graph, search, told
from .side import Side
from .waiting import PutOff, put_off

LIMIT = 50_000
"""Configurations visited in the longest of the searches."""
FIRST = 2_000
SUMMARY_LIMIT = 20_000
LETTERS = 10_000_000
"""Letters in the queues of all configurations of one search, which bounds its memory."""
SUMMARIES = ((1, 0), (1, 1), (2, 0), (2, 1), (3, 1), (4, 0), (2, 2), (4, 1), (6, 0), (8, 0))
"""Length of the summaries, and what letters are told apart by, from coarse to fine."""
COARSE = 3
"""How many of them are tried before loops on which queues grow are looked for."""


def refines(candidate: Automaton, original: Automaton, *, limit: int = LIMIT) -> Answer:
    """Whether `candidate` may replace `original` wherever that takes part.

    "no" comes with a trace. Time and memory are bounded by `limit` configurations for each of a
    dozen searches.
    """
    new, old = Side(candidate), Side(original)
    pairs = _simulates(new, old)
    if pairs:
        return Answer("yes", "each step is one of the original's", (), (), pairs, "simulation")
    exact = Game(new, old, 0, 0)
    first = search(exact, min(FIRST, limit), LETTERS, refute=True)
    answer = _judged(first, "exact")
    if answer is None and first.wrong is None:
        answer = (
            _summarised(new, old, limit, SUMMARIES[:COARSE])
            or _growing(first)
            or _summarised(new, old, limit, SUMMARIES[COARSE:])
        )
    if answer is None and limit > FIRST and not first.complete:
        answer = _judged(search(exact, limit, LETTERS, refute=True), "exact")
    return answer or _undecided(first)


def _simulates(new: Side, old: Side) -> int:
    """How many pairs of states it takes to see that the candidate follows the original step by
    step (Gay and Hole, Acta Informatica 42, 2005), sends left out and receives added; 0 if it
    does not. States that mix sends and receives have to have the same steps."""
    found = {(0, 0)}
    waiting = deque(found)
    while waiting:
        left, right = waiting.popleft()
        shared = _shared(new, old, left, right)
        if shared is None:
            return 0
        for pair in shared:
            if pair not in found:
                found.add(pair)
                waiting.append(pair)
    return len(found)


def _shared(new: Side, old: Side, left: int, right: int) -> list[tuple[int, int]] | None:
    kind = new.kinds[left]
    if kind != old.kinds[right]:
        return None
    ours, theirs = new.steps[left], old.steps[right]
    if kind != "receive" and not ours.keys() <= theirs.keys():
        return None
    if kind != "send" and not theirs.keys() <= ours.keys():
        return None
    if kind == "odd" and (left in new.finals) != (right in old.finals):
        return None
    return [(target, theirs[step]) for step, target in ours.items() if step in theirs]


def _judged(graph: Graph, method: str) -> Answer | None:
    count = len(graph.nodes)
    if graph.wrong is not None and graph.wrong.certain:
        return Answer("no", graph.wrong.reason, graph.trace(graph.wrong_at), (), count, method)
    cycle = put_off(graph)
    if cycle is not None:
        return _refuted(graph, cycle, method)
    if graph.complete:
        return Answer("yes", "nothing can go wrong", (), (), count, method)
    return None


def _growing(graph: Graph) -> Answer | None:
    cycle = pumped(graph)
    return None if cycle is None else _refuted(graph, cycle, "exact")


def _refuted(graph: Graph, cycle: PutOff, method: str) -> Answer:
    loop = tuple(m for node, place in cycle.edges for m in told(graph.moves[node][place][0]))
    peer = cycle.duty.peer or "the other side"
    reason = {
        "sent": f"the original never sends to {peer} what the candidate has sent",
        "received": f"the candidate never receives from {peer} what the original has received",
        "original": "the original never moves",
    }[cycle.duty.what]
    count = len(graph.nodes)
    if graph.nodes[cycle.node][4]:
        return Answer("cannot decide", f"it may be that {reason}", (), (), count, method)
    return Answer("no", reason, graph.trace(cycle.node), loop, count, method)


def _summarised(
    new: Side, old: Side, limit: int, summaries: Sequence[tuple[int, int]]
) -> Answer | None:
    for keep, tags in summaries:
        graph = search(Game(new, old, keep, tags), min(limit, SUMMARY_LIMIT), LETTERS, refute=False)
        if graph.complete and put_off(graph) is None:
            method = f"summaries of length {keep}"
            reason = "nothing can go wrong, however far the candidate gets ahead"
            return Answer("yes", reason, (), (), len(graph.nodes), method)
    return None


def _undecided(graph: Graph) -> Answer:
    if graph.wrong is not None:
        reason = f"it may be that {graph.wrong.reason}"
    else:
        reason = (
            "the candidate can get ahead of the original without bound, "
            "in a way that no summary of the queues covers"
        )
    return Answer("cannot decide", reason, (), (), len(graph.nodes), "exact")
