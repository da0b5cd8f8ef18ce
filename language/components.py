"""Strongly connected components (Tarjan, SIAM J. Comput. 1(2), 1972), without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def components(
    roots: Iterable[int], following: Callable[[int], Iterable[int]]
) -> Iterator[list[int]]:
    """The components of what is reached from `roots`, each before those that lead to it."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack = list[int]()
    done = set[int]()
    for root in roots:
        if root in order:
            continue
        work = [_entered(root, order, low, stack, following)]
        while work:
            node, rest = work[-1]
            target = next(rest, None)
            if target is None:
                work.pop()
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[node])
                if low[node] == order[node]:
                    yield _taken(stack, done, node)
            elif target not in order:
                work.append(_entered(target, order, low, stack, following))
            elif target not in done:
                low[node] = min(low[node], order[target])


def _entered(
    node: int,
    order: dict[int, int],
    low: dict[int, int],
    stack: list[int],
    following: Callable[[int], Iterable[int]],
) -> tuple[int, Iterator[int]]:
    order[node] = low[node] = len(order)
    stack.append(node)
    return node, iter(following(node))


def _taken(stack: list[int], done: set[int], node: int) -> list[int]:
    component = list[int]()
    while not component or component[-1] != node:
        component.append(stack.pop())
    done.update(component)
    return component
