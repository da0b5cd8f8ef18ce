"""Which subscriptions a subject reaches: a trie of patterns, and a cache of what it answered."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

_CACHE_LIMIT = 65_536


class _Node(Generic[T]):
    __slots__ = ("children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.here: list[tuple[int, T]] = []


class Routes(Generic[T]):
    """Patterns with `*` and `>` to values, found in the order in which they were added."""

    def __init__(self) -> None:
        self._root = _Node[T]()
        self._cache: dict[str, tuple[T, ...]] = {}
        self._added = 0

    def add(self, pattern: str, value: T) -> None:
        node = self._root
        for name in pattern.split("."):
            node = node.children.setdefault(name, _Node())
        self._added += 1
        node.here.append((self._added, value))
        self._cache.clear()

    def remove(self, pattern: str, value: T) -> None:
        path = [self._root]
        names = pattern.split(".")
        for name in names:
            path.append(path[-1].children[name])
        path[-1].here = [entry for entry in path[-1].here if entry[1] is not value]
        for parent, name in zip(reversed(path[:-1]), reversed(names), strict=True):
            child = parent.children[name]
            if child.here or child.children:
                break
            del parent.children[name]
        self._cache.clear()

    def cached(self, subject: str) -> tuple[T, ...] | None:
        """What `find` answered for `subject`, if nothing changed since."""
        return self._cache.get(subject)

    def find(self, subject: str) -> tuple[T, ...]:
        found: list[tuple[int, T]] = []
        self._collect(self._root, subject.split("."), 0, found)
        found.sort(key=lambda entry: entry[0])
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        result = self._cache[subject] = tuple(dict.fromkeys(value for _, value in found))
        return result

    def _collect(
        self, node: _Node[T], names: list[str], at: int, found: list[tuple[int, T]]
    ) -> None:
        if at == len(names):
            found.extend(node.here)
            return
        children = node.children
        if (rest := children.get(">")) is not None:
            found.extend(rest.here)
        for key in (names[at], "*"):
            if (child := children.get(key)) is not None:
                self._collect(child, names, at + 1, found)
