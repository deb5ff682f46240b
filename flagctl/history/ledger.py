"""All that ever happened to every flag, worked out once and kept in `.git/flagctl`; later commits are added.

It follows the first parents of one commit, usually HEAD. Where another branch is looked at, what both share stays.
It is safe to delete, and is made anew by another flagctl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from flagctl.files.cache import keep, kept, place
from flagctl.files.walk import classify
from flagctl.history.pasts import Models, Past, Row, paired, take
from flagctl.history.touches import first_parents, require_whole
from flagctl.history.travel import Blobs

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.history.touches import Step
    from flagctl.project import Progress

_ROOMS = ("files", "model", "plan", "history")
_CHUNK = 200
"""Commits whose files are read from Git at once."""
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
        path = place(git.root, ".history")
        self._book = _load(path)
        if self._book.tip == commit:
            return
        with progress("reading the history") as report:
            self._rewind()
            self._go_on(report)
        keep(path, _encode(self._book), _ROOMS)

    def pages(self) -> Iterator[Page]:
        """The commits that touched flags, newest first."""
        return reversed(self._book.pages)

    def versions(self) -> dict[tuple[str, str], int]:
        """The version of every flag there is at the commit, by environment and key."""
        found = {}
        for path, past in self._book.pasts.items():
            entry = classify(path)
            if entry.kind == "flag" and past.blob:
                found[entry.environment, entry.name] = past.version
        return found

    def _rewind(self) -> None:
        """Back to where this history and the one in the book part."""
        book = self._book
        if not book.tip:
            return
        chain = self._git.look("rev-list", "--first-parent", "--parents", self.commit, f"^{book.tip}")[1].split("\n")
        oldest = chain[-2].split() if len(chain) > 1 else []
        if len(oldest) > 1 and oldest[1] == book.tip:
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
        span = [self.commit] + ([f"^{book.tip}"] if book.tip else [])
        total = int(self._git.read("rev-list", "--first-parent", "--count", *span))
        with Blobs(self._git) as blobs:
            models = Models(blobs, bulk=total > _CHUNK)
            done = 0
            for steps in _chunks(first_parents(self._git, " ".join(span), oldest_first=True)):
                models.fetch(touch.new for step in steps for touch in step.touches)
                for step in steps:
                    self._add(step, models)
                done += len(steps)
                report(done, total)
        book.tip = self.commit

    def _add(self, step: Step, models: Models) -> None:
        pasts, rows = self._book.pasts, []
        for touch in paired(step.touches, models):
            _, row = take(pasts.get(touch.old_path, Past()), touch, models)
            rows.append(row)
        for row in rows:
            _remember(pasts, row)
        if rows:
            self._book.pages.append(Page(step.commit.commit, msgspec.Raw(_encode(rows))))


def _remember(pasts: dict[str, Past], row: Row) -> None:
    before = pasts.get(row.old_path, Past())
    if row.old_path != row.path:
        pasts[row.old_path] = Past(before.version + 1, "", row.old_path)
    if row.event == "unreadable":
        pasts[row.path] = Past(row.version, before.blob, before.path or row.path)
    else:
        pasts[row.path] = Past(row.version, row.new, row.path)


def _chunks(steps: Iterator[Step]) -> Iterator[list[Step]]:
    some: list[Step] = []
    for step in steps:
        some.append(step)
        if len(some) == _CHUNK:
            yield some
            some = []
    yield some


def _load(path: object) -> _Book:
    body = kept(path, _ROOMS)  # type: ignore[arg-type]
    if body is None:
        return _Book()
    try:
        return msgspec.msgpack.decode(body, type=_Book)
    except msgspec.MsgspecError:
        return _Book()
