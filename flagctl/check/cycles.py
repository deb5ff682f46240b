"""Circles among things that name each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def cycles(links: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """One circle of each group that goes round, from the name that sorts first back to it.

    Deep chains are fine: nothing here recurses.
    """
    for group in _groups(links):
        first = min(group)
        yield _shortest(first, group, links)


def _shortest(start: str, group: set[str], links: Mapping[str, Sequence[str]]) -> list[str]:
    ways = [[start]]
    seen = set[str]()
    for way in ways:
        for name in links.get(way[-1], ()):
            if name == start:
                return [*way, start]
            if name in group and name not in seen:
                seen.add(name)
                ways.append([*way, name])
    raise AssertionError("a group goes round")


def _groups(links: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """Strongly connected components that hold a circle (Kosaraju's two passes), in order of their first names."""
    order: list[str] = []
    seen = set[str]()
    for start in links:
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(links[start]))]
        while stack:
            name, rest = stack[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                order.append(stack.pop()[0])
            else:
                seen.add(following)
                stack.append((following, iter(links.get(following, ()))))
    back: dict[str, list[str]] = {}
    for name, others in links.items():
        for other in others:
            back.setdefault(other, []).append(name)
    found: list[set[str]] = []
    placed = set[str]()
    for start in reversed(order):
        if start in placed:
            continue
        group, todo = {start}, [start]
        while todo:
            new = [name for name in back.get(todo.pop(), ()) if name not in placed and name not in group]
            group.update(new)
            todo += new
        placed |= group
        if len(group) > 1 or start in links.get(start, ()):
            found.append(group)
    return sorted(found, key=min)
