"""The changes of many files, each behind the one before it of the same file, understood when somebody asks.

Whoever reads the newest first has the first of them at once: the files of the others are read as they come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from flagctl.files.walk import classify
from flagctl.history.pasts import Models, Past, Row, paired, take
from flagctl.history.touches import Touch

_FIRST, _MOST = 8, 512
"""Changes whose files are read from Git at once: few at first, so that somebody sees something."""


class Link(msgspec.Struct):
    """One change of a file. before: the one that made what it changed, or where that stood at the start.

    left: the one before moved the file away, and this one made another in its place.
    """

    place: int
    touch: Touch
    before: Link | Past
    left: bool = False
    row: Row | None = None
    after: Past = Past()
    away: Past = Past()


class Chains:
    """What commits did to files, from `pasts` on; `commits`: the touches of each, oldest first."""

    def __init__(self, commits: Iterable[Sequence[Touch]], pasts: Mapping[str, Past], models: Models) -> None:
        self._models = models
        self._pasts = dict(pasts)
        self._last: dict[str, tuple[Link, bool]] = {}
        self._links: list[Link] = []
        for place, touches in enumerate(commits):
            self._add(place, paired(touches, models))

    def _add(self, place: int, touches: Sequence[Touch]) -> None:
        links = []
        for touch in touches:
            before, left = self._last.get(touch.old_path) or (self._pasts.get(touch.old_path, Past()), False)
            links.append(Link(place, touch, before, left))
        for link in links:
            if link.touch.old_path != link.touch.path:
                self._last[link.touch.old_path] = link, True
            self._last[link.touch.path] = link, False
        self._links += links

    def __len__(self) -> int:
        return len(self._links)

    def rows(self, *, oldest_first: bool = False) -> Iterator[tuple[int, Row]]:
        """What each did, with the place of its commit: commits newest first, of one commit in the order of paths."""
        # Sorting is stable: the links of one commit stay in their order.
        links = iter(self._links if oldest_first else sorted(self._links, key=lambda link: -link.place))
        size = _FIRST
        while some := list(islice(links, size)):
            size = min(2 * size, _MOST)
            self._models.fetch(link.touch.new for one in some for link in _unread(one))
            for link in some:
                yield link.place, self._understood(link)

    def touches(self, kinds: Collection[str]) -> dict[str, list[tuple[int, Touch]]]:
        """What touched each file of these kinds, moves followed, with the place of its commit, the newest first.

        Files that were links at times are left out, and such as went elsewhere: others stood in their places.
        """
        found = {}
        for path, (link, left) in self._last.items():
            if classify(path).kind in kinds:
                chain = _chain(link, left)
                if chain:
                    found[path] = chain
        return found

    def pasts(self) -> dict[str, Past]:
        """Where every file stands after all of it."""
        found = dict(self._pasts)
        for path, (link, left) in self._last.items():
            self._understood(link)
            found[path] = link.away if left else link.after
        return found

    def _understood(self, link: Link) -> Row:
        row = link.row
        for each in reversed(_unread(link)):
            before = each.before
            past = before if isinstance(before, Past) else before.away if each.left else before.after
            each.after, row = take(past, each.touch, self._models)
            each.row, each.away = row, Past(past.version + 1, "", each.touch.old_path)
        assert row is not None
        return row


def _chain(link: Link | Past, left: bool) -> list[tuple[int, Touch]]:
    found = []
    while isinstance(link, Link):
        if left or link.touch.link:
            return []
        found.append((link.place, link.touch))
        before, left = link.before, link.left
        link = before
    return found


def _unread(link: Link) -> list[Link]:
    """It and those before it, as far as nobody has asked for them."""
    found: list[Link] = []
    one: Link | Past = link
    while isinstance(one, Link) and one.row is None:
        found.append(one)
        one = one.before
    return found
