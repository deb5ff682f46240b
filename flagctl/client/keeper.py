"""Keeping one snapshot fresh: where it is looked for, what is believed, and when to look again.

Nothing here starts a thread or waits: `look` asks the source once and says how long nothing needs to be done.
Whoever drives it (a thread, an asyncio task, a test with a clock of its own) waits that long, or less when the
source says that it has something new, or when somebody asks for a flag that is older than it may be.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import RLock
from typing import TYPE_CHECKING

from flagctl.client.events import Event, Figures, Kind
from flagctl.client.held import NotBelievedError, Origin
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
        self.key = key
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
        self._refused = ""
        """The token of what was refused last; the same bytes are not looked at twice."""
        self._stale = False

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
            held = self.trust.take(data, "", origin, None)
        except NotBelievedError as error:
            self._complain(error)
            return False
        age = float("inf") if at is None else max(0.0, self.clock.time() - at)
        with self._lock:
            if self.held is not None:
                return False
            self._install(held, self.clock.monotonic() - age)
        return True

    def begin_anew(self, reader: Reader) -> None:
        """Go on with what is held in another process, where connections and locks are somebody else's."""
        self.reader = reader
        self._lock = RLock()

    def look(self) -> float:
        """Ask the source once; seconds until the next look. Never raises."""
        self.figures.looks += 1
        began = self.clock.monotonic()
        try:
            token = self._refused or (self.held.token if self.held is not None else "")
            self._take(self.reader.read_if_changed(self.key, token))
        except Exception as error:  # whatever a source does, a service goes on with what it has
            self._failed += 1
            self._complain(error)
            self.grow_stale()
            pause = min(_FIRST_PAUSE * 2 ** min(self._failed - 1, 12), self._between())
        else:
            self._failed = 0
            self.error = self.error if self._refused else ""
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

    def _take(self, found: Stored | None) -> None:
        if found is None:
            raise OutsideError(f"{self.key} is not at {self.reader.url}", hint="was it ever published there?")
        if found is UNCHANGED:
            if self._refused:
                return
            self._confirm()
            return
        with self._lock:
            self._believe(found)

    def _believe(self, found: Stored) -> None:
        held = self.held
        try:
            new = self.trust.take(found.data, found.token, "source", held)
        except NotBelievedError as error:
            # A key that is not valid yet may be valid at the next look.
            self._refused = "" if error.state == "early-key" else found.token
            raise
        self._refused = ""
        if held is not None and held.digest == new.digest:
            self.held = new  # the same bytes, from the disk or rewritten: only the token is another
            self._confirm()
            return
        self._install(new, self.clock.monotonic())
        self._keep(found.data)

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

    def _keep(self, data: bytes) -> None:
        if self.cache is not None and not self.cache.write(data, self.clock.time()):
            self.figures.cache_failures += 1

    def _complain(self, error: Exception) -> None:
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
