"""Keeping one snapshot fresh: where it is looked for, what is believed, and when to look again.

Nothing here starts a thread or waits: `look` asks the source once and says how long nothing needs to be done.
Whoever drives it (a thread, an asyncio task, a test with a clock of its own) waits that long, or less when the
source says that it has something new, or when somebody asks for a flag that is older than it may be.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import RLock, main_thread
from typing import TYPE_CHECKING

import msgspec

from flagctl.client.events import Event, Figures, Kind
from flagctl.client.held import NotBelievedError, Origin, made
from flagctl.errors import FlagctlError, OutsideError
from flagctl.stores.base import UNCHANGED

if TYPE_CHECKING:
    from flagctl.client.cache import DiskCache
    from flagctl.client.held import Held, Trust
    from flagctl.stores.base import Reader, Stored

_OFTEN, _SELDOM = 1.0, 60.0
"""The bounds of the seconds between two looks that are chosen from the flags' own lifetimes."""
_FIRST_PAUSE = 0.25
_JITTER = 0.2


class Clock:
    """Time as a client sees it: `time` in seconds since the epoch, `monotonic` for durations."""

    def __init__(self, time: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.time = time
        self.monotonic = monotonic


class Shelf(msgspec.Struct):
    """One key of the source, and what was seen there last.

    token: of what was read last; refused: whether that is not believed, so that the same bytes are not looked at
    twice. version: of what is there for this client, None while nothing is.
    """

    key: str
    canary: bool = False
    token: str = ""
    refused: bool = False
    version: int | None = None


class Keeper:
    """The snapshot of one environment, and how fresh it is.

    held: what answers, None until there is something. confirmed: when, by the monotonic clock, the source last
    said that this is what is live. began: when the last look that ended began. installed: called after another
    snapshot took over, with the one before.
    tell: called with each event.
    """

    def __init__(
        self,
        reader: Reader,
        key: str,
        trust: Trust,
        clock: Clock,
        *,
        interval: float | None,
        cache: DiskCache | None,
        installed: Callable[[Held | None, Held], None],
        tell: Callable[[Event], None],
        dice: Random,
    ) -> None:
        self.reader = reader
        self.shelves = [Shelf(key)]
        if trust.instance:
            self.shelves.append(Shelf(f"{trust.environment}/canary.json", canary=True))
        self.trust = trust
        self.clock = clock
        self.interval = interval
        self.cache = cache
        self.installed = installed
        self.tell = tell
        self.dice = dice
        self.figures = Figures()
        self.held: Held | None = None
        self.confirmed = self.began = float("-inf")
        self.error = ""
        """Why the last look failed, "" when it did not."""
        self._lock = RLock()
        self._failed = 0
        self._stale = False
        self._unsaved: bytes | None = None

    def age(self) -> float:
        """Seconds since the source last said that what is held is live."""
        return self.clock.monotonic() - self.confirmed

    def fresh_for(self) -> float:
        """Seconds until the first flag is older than it may be; 0 when one is."""
        return 0.0 if self.held is None else max(0.0, self.held.ttl - self.age())

    def begin(self, data: bytes, origin: Origin, at: float | None) -> bool:
        """Start with a snapshot that is at hand, unless there is one already; whether it is to be believed.

        at: when it was last known to be live, seconds since the epoch; None when nobody knows.
        """
        try:
            held = made(self.trust.judge(data, origin), "", origin)
        except NotBelievedError as error:
            self.complain(error)
            return False
        age = float("inf") if at is None else max(0.0, self.clock.time() - at)
        with self._lock:
            if self.held is not None:
                return False
            self._install(held, self.clock.monotonic() - age)
        return True

    def _recall(self, data: bytes) -> None:
        """Before the first bytes of the source take over: what an earlier process kept goes on where it is newer."""
        kept = None if self.cache is None or self.cache.holds(data) else self.cache.read()
        if kept is None:
            return
        try:
            before, offered = self.trust.judge(kept.data, "disk"), self.trust.judge(data, "source")
        except NotBelievedError:
            return
        if before.version > offered.version:
            self.begin(kept.data, "disk", kept.at)

    def begin_anew(self, reader: Reader) -> None:
        """Go on with what is held in another process, where connections and locks are somebody else's."""
        self.reader = reader
        self._lock = RLock()

    def look(self) -> float:
        """Ask the source once; seconds until the next look. Never raises."""
        self.figures.looks += 1
        began = self.clock.monotonic()
        try:
            for shelf in self.shelves:
                self._take(shelf, self.reader.read_if_changed(shelf.key, shelf.token))
        except Exception as error:  # whatever a source does, a service goes on with what it has
            self._failed += 1
            self._complain(error)
            self.grow_stale()
            pause = min(_FIRST_PAUSE * 2 ** min(self._failed - 1, 12), self._between())
        else:
            self._failed = 0
            self.error = self.error if any(shelf.refused for shelf in self.shelves) else ""
            pause = self._between()
        self.began = began
        return float(pause * (1 + self.dice.uniform(-_JITTER, _JITTER)))

    def grow_stale(self) -> None:
        """Tell, once, when a flag is older than it may be."""
        if self.held is not None and not self._stale and self.fresh_for() <= 0 < self.held.ttl:
            self._stale = True
            self._tell("stale", self.error or "the source has not confirmed the snapshot for too long")

    def _between(self) -> float:
        if self.interval is not None:
            return self.interval
        ttl = self.held.ttl if self.held is not None else _SELDOM
        return min(max(ttl / 2, _OFTEN), _SELDOM)

    def _take(self, shelf: Shelf, found: Stored | None) -> None:
        if found is None:
            shelf.token, shelf.refused, shelf.version = "", False, None
            if not shelf.canary:
                raise OutsideError(f"{shelf.key} is not at {self.reader.url}", hint="was it ever published there?")
        elif found is not UNCHANGED:
            with self._lock:
                self._believe(shelf, found)
        held = self.held
        if held is None or shelf.refused or held.canary is not shelf.canary:
            return
        if shelf.version == held.version:
            self._confirm()
        elif shelf.canary:
            # What is live is older, and a step back needs a publish with a higher number.
            raise OutsideError(f"version {held.version}, a canary, is held and is not offered to this client any more")

    def _believe(self, shelf: Shelf, found: Stored) -> None:
        if self.held is None and not shelf.canary:
            self._recall(found.data)
        held = self.held
        # What is live is older than a canary, and rises by itself.
        floor = None if shelf.canary else shelf.version if held is None or held.canary else held.version
        try:
            verdict = self.trust.judge(found.data, "source", held=floor, canary=shelf.canary)
            mine = not shelf.canary or self.trust.chosen(verdict)
            wins = not shelf.canary or (held is not None and held.canary)  # of equal ones what is live wins
            above = held is None or verdict.version > held.version or (verdict.version == held.version and wins)
            new = made(verdict, found.token, "source") if mine and above else None
        except NotBelievedError as error:
            # A key that is not valid yet may be valid at the next look.
            shelf.token, shelf.refused = ("", False) if error.state == "early-key" else (found.token, True)
            if error.state == "step-back" and held is not None and held.origin == "disk" and self.cache is not None:
                error.message += f"; version {held.version} is kept in {self.cache.path}"
            raise
        shelf.token, shelf.refused, shelf.version = found.token, False, verdict.version if mine else None
        if new is None:
            return
        if held is not None and held.digest == new.digest:
            self.held = new  # the same bytes, from the disk or rewritten: only the token is another
            return
        self._install(new, self.clock.monotonic())
        if not shelf.canary:
            self._keep(found.data)  # a process that starts without its source is better off with what everybody has

    def _install(self, new: Held, confirmed: float) -> None:
        before, self.held, self.confirmed = self.held, new, confirmed
        self.figures.installed += 1
        self.installed(before, new)
        if self._stale or before is None:
            self._stale = False
            self._tell("ready", f"version {new.version} from the {new.origin}")
        self.grow_stale()

    def _confirm(self) -> None:
        self.confirmed = self.clock.monotonic()
        if self.cache is not None:
            self.cache.confirm(self.clock.time())
        if self._stale:
            self._stale = False
            self._tell("ready", "the source has confirmed the snapshot")

    def save(self) -> None:
        """Keep on disk what was installed since the last time; apart from `look`, for a disk may be slow."""
        data, self._unsaved = self._unsaved, None
        if self.cache is not None and data is not None and not self.cache.write(data, self.clock.time()):
            self.figures.cache_failures += 1

    def _keep(self, data: bytes) -> None:
        self._unsaved = data

    def complain(self, error: FlagctlError) -> None:
        """Say what is wrong with something to start with, beside what is wrong with the source."""
        error.message = f"{self.error}; {error.message}" if self.error else error.message
        self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not isinstance(error, FlagctlError) and not main_thread().is_alive():
            return  # the interpreter ends: whatever is imported or started now fails
        if isinstance(error, NotBelievedError):
            self.figures.refused += 1
        else:
            self.figures.failures += 1
        said = error.message if isinstance(error, FlagctlError) else f"{type(error).__name__}: {error}"
        if said != self.error:  # once, not at every try
            self.error = said
            self._tell("error", said)

    def _tell(self, kind: Kind, message: str) -> None:
        self.tell(Event(kind, message, version=self.held.version if self.held is not None else None))
