"""All that ever happened to every flag, worked out once and kept in `.git/flagctl`; later commits are added.

It follows the first parents of one commit, usually HEAD. Where another branch is looked at, what both share stays.
It is safe to delete, and is made anew by another flagctl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from flagctl.files.cache import keep, kept, place
from flagctl.files.walk import classify
from flagctl.history.chains import Chains
from flagctl.history.links import followed
from flagctl.history.pasts import Models, Past, Row
from flagctl.history.touches import first_parents, require_whole
from flagctl.history.trails import SHARED, share
from flagctl.history.travel import Blobs

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.history.touches import Step
    from flagctl.project import Progress

_ROOMS = ("files", "model", "plan", "history")
_FEW = 200
"""Commits up to which loading the fast validator does not pay."""
_rows = msgspec.msgpack.Decoder(list[Row])
_encode = msgspec.msgpack.Encoder().encode


class Page(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One commit that touched flags; its rows are decoded when they are looked at."""

    commit: str
    packed: msgspec.Raw

    def rows(self) -> list[Row]:
        """What it did, file by file."""
        return _rows.decode(self.packed)


class _Book(msgspec.Struct, array_like=True):
    """tip: the commit it reaches to. pages: oldest first. pasts: by path, as of the tip."""

    tip: str = ""
    pages: list[Page] = []
    pasts: dict[str, Past] = {}


class Ledger:
    """What happened on the first parents of `commit`. Raises RefusedError in a shallow clone."""

    def __init__(self, git: Git, commit: str, progress: Progress) -> None:
        self.commit = commit
        require_whole(git)
        self._git = git
        self._progress = progress
        self._path = place(git.root, ".history")
        self._book = _load(self._path)

    @property
    def blank(self) -> bool:
        """Nobody has worked out anything of this history yet."""
        return not self._book.pages

    def complete(self) -> None:
        """Work out what is new since it was last looked at."""
        if self._book.tip == self.commit:
            return
        with self._progress("reading the history") as report:
            self._rewind()
            self._go_on(report)
        self._keep()

    def pages(self) -> Iterator[Page]:
        """The commits that touched flags, newest first."""
        self.complete()
        return reversed(self._book.pages)

    def versions(self) -> dict[tuple[str, str], int]:
        """The version of every flag there is at the commit, by environment and key."""
        self.complete()
        found = {}
        for path, past in self._book.pasts.items():
            entry = classify(path)
            if entry.kind == "flag" and past.blob:
                found[entry.environment, entry.name] = past.version
        return found

    def unrolled(self, steps: Sequence[Step]) -> Iterator[tuple[int, Iterator[Row]]]:
        """All that happened, as it is worked out: the place of a commit in `steps`, and what it did.

        steps: the first parents, newest first. Of a blank ledger; whoever goes to the end fills it.
        """
        with Blobs(self._git) as blobs:
            chains = Chains(followed(self._git, reversed(steps), {}), {}, Models(blobs, bulk=len(steps) > _FEW))
            pages: list[Page] = []
            for number, together in groupby(chains.rows(), key=itemgetter(0)):
                rows: list[Row] = []
                yield len(steps) - 1 - number, _noted((row for _, row in together), rows)
                pages.append(_page(steps[len(steps) - 1 - number], rows))
            self._book = _Book(self.commit, pages[::-1], chains.pasts())
        self._keep()
        self._share(chains, steps[::-1])

    def _share(self, chains: Chains, steps: Sequence[Step]) -> None:
        """Keep for the log of one flag what touched segments and attributes; `steps`: all there are, oldest first."""
        touched = chains.touches(SHARED).items()
        trails = {path: [(steps[place].commit, touch) for place, touch in found] for path, found in touched}
        share(self._git, self.commit, trails)

    def _keep(self) -> None:
        keep(self._path, _encode(self._book), _ROOMS)

    def _rewind(self) -> None:
        """Back to where this history and the one in the book part."""
        book = self._book
        if not book.tip or self._git.follows(self.commit, book.tip):
            return
        known = set(self._git.read("rev-list", "--first-parent", self.commit).split("\n"))
        if book.tip in known:
            return
        while book.pages and book.pages[-1].commit not in known:
            book.pages.pop()
        book.tip = book.pages[-1].commit if book.pages else ""
        book.pasts = {}
        for page in book.pages:
            for row in page.rows():
                _remember(book.pasts, row)

    def _go_on(self, report: Callable[[int, int], None]) -> None:
        book = self._book
        span = f"{self.commit} ^{book.tip}" if book.tip else self.commit
        steps = list(first_parents(self._git, span, oldest_first=True))
        with Blobs(self._git) as blobs:
            links = {path: past.source for path, past in book.pasts.items() if past.source}
            chains = Chains(followed(self._git, steps, links), book.pasts, Models(blobs, bulk=len(steps) > _FEW))
            for number, together in groupby(chains.rows(oldest_first=True), key=itemgetter(0)):
                book.pages.append(_page(steps[number], [row for _, row in together]))
                report(number, len(steps))
            book.pasts = chains.pasts()
        if not book.tip:
            self._share(chains, steps)
        book.tip = self.commit


def _page(step: Step, rows: list[Row]) -> Page:
    return Page(step.commit.commit, msgspec.Raw(_encode(rows)))


def _noted(rows: Iterator[Row], into: list[Row]) -> Iterator[Row]:
    for row in rows:
        into.append(row)
        yield row


def _remember(pasts: dict[str, Past], row: Row) -> None:
    before = pasts.get(row.old_path, Past())
    if row.old_path != row.path:
        pasts[row.old_path] = Past(before.version + 1, "", row.old_path)
    if row.event == "unreadable":
        pasts[row.path] = Past(row.version, before.blob, before.path or row.path, row.source)
    else:
        pasts[row.path] = Past(row.version, row.new, row.path, row.source)


def _load(path: object) -> _Book:
    body = kept(path, _ROOMS)  # type: ignore[arg-type]
    if body is None:
        return _Book()
    try:
        return msgspec.msgpack.decode(body, type=_Book)
    except msgspec.MsgspecError:
        return _Book()
