"""What stands in a queue: the very word, or a finite summary of many words.

A summary of length k knows a word's first k letters, its last k letters, and which runs of k + 1
letters occur in it (the k-testable languages in the strict sense; Garcia and Vidal, Inference of
k-testable languages in the strict sense, IEEE PAMI 12(9), 1990). Words of at most k letters are kept
as they are. Every operation yields summaries of at least the words that the operation on the
summarised words yields, and there are finitely many summaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

Letter = tuple[str, int]
"""A label, and where it was put into the queue as far as that is told apart."""
Exact = tuple[Letter, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Words longer than `len(first)`: walks from `first` to `last` over `runs`, at least one
    step long."""

    first: Exact
    runs: frozenset[Exact]
    last: Exact


Word = Exact | Summary


def length(word: Word) -> int:
    """How many letters it takes to store the word."""
    return len(word) if isinstance(word, tuple) else len(word.first) * (len(word.runs) + 2)


def head(word: Word) -> Letter:
    """The letter that comes out next; the word is not empty."""
    return word[0] if isinstance(word, tuple) else word.first[0]


def pushed(word: Word, letter: Letter, keep: int) -> Word:
    """The word with a letter more; what is longer than `keep` letters is summarised, unless
    `keep` is 0."""
    if isinstance(word, tuple):
        if not keep or len(word) < keep:
            return (*word, letter)
        run = (*word, letter)
        return Summary(word, frozenset((run,)), run[1:])
    run = (*word.last, letter)
    return Summary(word.first, word.runs | {run}, run[1:])


def popped(word: Word) -> tuple[Word, ...]:
    """What can be left when the first letter is taken out."""
    return (word[1:],) if isinstance(word, tuple) else _shortened(word)


@lru_cache(maxsize=20_000)
def _shortened(word: Summary) -> tuple[Word, ...]:
    results = list[Word]()
    for run in sorted(word.runs):
        if run[:-1] != word.first:
            continue
        first = run[1:]
        if first == word.last:
            results.append(first)
        runs = _between(first, word)
        if runs:
            results.append(Summary(first, runs, word.last))
    return tuple(results)


def _between(first: Exact, word: Summary) -> frozenset[Exact]:
    """The runs that lie on a walk from `first` to the word's end."""
    after: dict[Exact, list[Exact]] = {}
    before: dict[Exact, list[Exact]] = {}
    for run in word.runs:
        after.setdefault(run[:-1], []).append(run[1:])
        before.setdefault(run[1:], []).append(run[:-1])
    ahead = _reached(first, after)
    behind = _reached(word.last, before)
    return frozenset(r for r in word.runs if r[:-1] in ahead and r[1:] in behind)


def _reached(start: Exact, following: dict[Exact, list[Exact]]) -> set[Exact]:
    found = {start}
    waiting = [start]
    while waiting:
        for there in following.get(waiting.pop(), ()):
            if there not in found:
                found.add(there)
                waiting.append(there)
    return found
