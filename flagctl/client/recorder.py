"""Keeping account of evaluations: counts of all, and who was exposed to which arm of an experiment.

Where a flag is asked for, a word or two are written into a book and nothing else happens; the client's own thread works
it off, and the time that an evaluation is counted at is that of this thread's turn. Somebody in an experiment is
written down with the time and the attributes that exposures carry. Private attributes are never written anywhere, and
neither is a targeting key that `attributes.yaml` declares private.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from flagctl.client.answers import Account
from flagctl.client.book import Book, Sight, text_of
from flagctl.client.counts import OTHERS, Counts, Spot
from flagctl.errors import FlagctlError, UsageError
from flagctl.evaluate.operators import lookup
from flagctl.model.condition import TARGETING_KEY

if TYPE_CHECKING:
    from flagctl.client.client import Client

Row = dict[str, Any]
Tally = dict[tuple[str, str | None, str, str | None], int]


class Batch(msgspec.Struct, frozen=True):
    """What a sink is given.

    environment, version: of the snapshot that answered last. tally: how often each (flag, variant, reason, error code)
    since the batch before. exposures: one row for each first sight of a person in an experiment.
    """

    environment: str
    version: int | None
    tally: Tally
    exposures: Sequence[Row]


class Sink(Protocol):
    """Where accounts go. It may raise, and is given the same batch again at the next turn."""

    def write(self, batch: Batch, /) -> None:
        """Take a batch."""


class Written(msgspec.Struct):
    """dropped: evaluations that found the book full; failures: batches that a sink did not take at once; lost:
    exposures that were let go of because a sink had failed for too long."""

    dropped: int = 0
    failures: int = 0
    lost: int = 0


class Recorder:
    """Keeps account of a client's evaluations from now on.

    every: seconds between two batches. limit: evaluations that wait in the book, and rows that wait for a sink, at the
    most. attributes: names that exposures carry beside the targeting key, unless they are private. remembered: pairs of
    person and experiment that are known to have been logged; past that the oldest may be logged again.
    """

    def __init__(
        self,
        client: Client,
        *,
        sinks: Sequence[Sink] = (),
        every: float = 10.0,
        limit: int = 50_000,
        attributes: Sequence[str] = (),
        remembered: int = 100_000,
    ) -> None:
        self.counts = Counts()
        self.written = Written()
        self._client = client
        self._sinks = tuple(sinks)
        for sink in self._sinks:
            if not hasattr(sink, "write"):
                raise UsageError(f"{sink!r} is no sink: it has no write", hint="sinks.Call(function) makes one")
        self._failing: set[int] = set()
        self._every = every
        self._limit = limit
        self._remembered = remembered
        self._seen: dict[int, None] = {}
        self._attributes = tuple(attributes)
        self._book = Book(limit, bool(attributes), client.ring)
        self._waiting: list[list[Batch]] = [[] for _ in self._sinks]
        self._due = float("-inf")
        self._one_turn = RLock()
        client.account(Account(self._book.table, self._book.note, self._turn, self._after_fork))

    def usage(self) -> dict[str, Any]:
        """A JSON document of what was counted so far, in the format `flagctl/usage/1`."""
        figures = self._client.figures
        return {
            "format": "flagctl/usage/1",
            "flags": {key: usage.plain() for key, usage in sorted(self.counts.flags.items())},
            "client": {**msgspec.to_builtins(figures), "age": self._client.age, "version": self._client.version},
            "account": msgspec.to_builtins(self.written),
        }

    def flush(self) -> None:
        """Bring everything to the sinks now."""
        self._turn(self._due, final=True)

    def _after_fork(self) -> None:
        """In the child of a fork, what waits is the parent's to write."""
        self._book.begin()
        self._one_turn = RLock()
        self._waiting = [[] for _ in self._sinks]
        self.counts, self.written = Counts(), Written()

    def _turn(self, now: float, *, final: bool = False) -> float:
        """Do what is due at a monotonic time; seconds until the next turn."""
        with self._one_turn:
            if now < self._due and not final and not self._book.filling():
                return self._due - now
            self._due = now + self._every
            batch = self._drain()
            self.written.dropped = self._book.dropped
            for sink, waiting in zip(self._sinks, self._waiting, strict=True):
                if batch.tally or batch.exposures:
                    waiting.append(batch)
                self._write(sink, waiting)
            return self._every

    def _write(self, sink: Sink, waiting: list[Batch]) -> None:
        while waiting:
            try:
                sink.write(waiting[0])
            except Exception as error:  # a sink that fails costs rows, never answers
                self.written.failures += 1
                if id(sink) not in self._failing:  # once, not at every try
                    self._failing.add(id(sink))
                    _complain(sink, error)
                while sum(len(batch.exposures) + 1 for batch in waiting) > self._limit:
                    self.written.lost += len(waiting.pop(0).exposures)
                return
            del waiting[0]
            self._failing.discard(id(sink))

    def _drain(self) -> Batch:
        client, counts, now = self._client, self.counts, self._client.time()
        asked, who, sights = self._book.take()
        tally: Tally = Counter()
        for key, answer, times in asked:
            key = key if _writable(key) else OTHERS
            usage = counts.of(key)
            usage.counts[answer.variant or "", answer.reason] += times
            usage.last = max(usage.last, now)
            tally[key, answer.variant, answer.reason, answer.error_code] += times
        spots: dict[str, Spot] = {}
        for key, users in who:
            counts.of(key if _writable(key) else OTHERS).users.add(users, spots)
        private = client.private_attributes()
        exposures = [self._exposure(sight, private) for sight in sights if self._is_new(sight)]
        return Batch(client.environment, client.version, tally, exposures)

    def _is_new(self, sight: Sight) -> bool:
        key, answer, named, *_ = sight
        user = text_of(named)
        if user is None:
            return False
        mark = hash((key, answer.experiment, answer.variant, user))
        if mark in self._seen:
            return False
        if len(self._seen) >= self._remembered:
            del self._seen[next(iter(self._seen))]
        self._seen[mark] = None
        return True

    def _exposure(self, sight: Sight, private: frozenset[str]) -> Row:
        key, answer, user, now, context = sight
        row: Row = {
            "time": now,
            "environment": self._client.environment,
            "flag": key,
            "experiment": answer.experiment,
            "variant": answer.variant,
            "rule": answer.rule,
            "version": self._client.version,
        }
        if TARGETING_KEY not in private:
            row["user"] = (text_of(user) or "").encode("utf-8", "backslashreplace").decode()
        shown = {name: _found(context, name) for name in self._attributes if not _hidden(name, private)}
        if shown:
            row["attributes"] = shown
        return row


def _writable(value: object) -> bool:
    """Whether it can be written: one value that can't would keep all others of its batch from a sink."""
    try:
        msgspec.json.encode(value)
    except Exception:  # of no type that JSON has, half a character, ...
        return False
    return True


def _complain(sink: Sink, error: Exception) -> None:
    import logging

    said = error.message if isinstance(error, FlagctlError) else f"{type(error).__name__}: {error}"
    logging.getLogger(__package__).warning("a recorder's %s failed: %s", type(sink).__name__, said)


def _found(context: Mapping[str, Any], name: str) -> Any:
    """The value of an attribute; None where looking for it raises, and for what can't be written."""
    try:
        value = lookup(context, name)
    except Exception:
        return None
    return value if _writable(value) else None


def _hidden(name: str, private: frozenset[str]) -> bool:
    """Whether an attribute is private, or inside one that is, or holds one."""
    return any(name == one or name.startswith(f"{one}.") or one.startswith(f"{name}.") for one in private)
