"""A client: what a service asks. It answers from the snapshot at hand and never waits for the network."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar

from flagctl.client.answers import Account, Answers, Careful, Noted, Waking
from flagctl.client.cache import DiskCache, default_folder
from flagctl.client.details import Details, describe, fitting
from flagctl.client.driver import Alarm
from flagctl.client.events import Event, Figures, Listener, Telling, changed_keys
from flagctl.client.feed import feed_of, opened, place_of
from flagctl.client.held import Held, Trust, believed, named
from flagctl.client.keeper import Clock, Keeper
from flagctl.client.lifetime import GOODBYE, OPEN
from flagctl.client.scope import EVERYWHERE, Scoped
from flagctl.errors import OutsideError, UsageError

if TYPE_CHECKING:
    from flagctl.evaluate.engine import Made
    from flagctl.signing import PublicKey
    from flagctl.stores.base import Reader

T = TypeVar("T")
User = str | int | None
_AT_MOST_EVERY = 1.0
"""Seconds between two looks that evaluations ask for."""
_CLOCK = Clock(time.time, time.monotonic)


class Client(Scoped, Telling):
    """The flags of one environment.

    Every question takes the flag's key, a context as a mapping, and attributes by name over it; `user` is the
    targeting key. Questions never raise and never wait. Close a client when it is no longer needed, or use it as a
    context manager; at the end of the process it closes itself. `time` is its clock: seconds since the epoch.
    """

    def __init__(
        self,
        source: str | Reader,
        environment: str,
        *,
        audience: str | None = None,
        canary: str = "",
        public_keys: Mapping[str, str] | Sequence[PublicKey] = (),
        wait: float = 5.0,
        require: bool = False,
        refresh: float | None = None,
        cache: bool | str | os.PathLike[str] = True,
        bootstrap: str | os.PathLike[str] | bytes | None = None,
        on_event: Listener | None = None,
        clock: Clock | None = None,
        start: bool = True,
    ) -> None:
        """Open a client; takes at most about `wait` seconds.

        source: `redis://…`, `s3://…`, `https://…` or `file:…`, as settings name targets, or a Reader. audience: the
        part of the environment to read, None for the whole. canary: what this instance of the service is called; it
        takes a version that is tried out when it is among those chosen, else what is live. public_keys: name to the
        line of an OpenSSH .pub file; with any, only what one of them signed is believed. refresh: seconds between two
        looks at the source; None chooses from the flags' lifetimes. cache: whether, or in which folder, the last good
        snapshot is kept on disk. bootstrap: a snapshot, or the path of one, to start with when there is nothing
        better. start: whether a thread keeps it fresh; without, whoever opens it calls `tick`.

        The answers come from the source; while that is silent from the disk, then from `bootstrap`, then they are the
        callers' defaults. Raises OutsideError when none of the first three is there and `require` is set; UsageError
        for a source that is no place or a key that is no key.
        """
        if refresh is not None and not refresh > 0:
            raise UsageError(f"refresh={refresh!r} is no number of seconds between two looks", hint="None chooses one")
        if canary and audience:
            raise UsageError("a canary is of a whole environment", hint="leave out canary= or audience=")
        self._source = source
        self._clock = clock or _CLOCK
        self.time = self._clock.time
        self.environment = environment
        Telling.__init__(self, on_event)
        Scoped.__init__(self)
        self._account: Account | None = None
        self._next_look = self._last_look = float("-inf")
        self._looked = threading.Event()
        self._closed = self._asleep = False
        key, trusted = named(environment, audience), believed(public_keys)
        # From here on nothing raises: the feed counts on a client.
        self._feed = feed_of(source, environment, self._clock) if start else None
        reader = opened(source) if self._feed is None else self._feed.reader
        folder = default_folder() if cache is True else None if cache is False else Path(cache)
        this = weakref.ref(self)  # the keeper outlives nobody: it must not keep its client alive
        self._keeper = Keeper(
            reader,
            key,
            Trust(environment, audience, trusted, self._clock.time, canary),
            self._clock,
            interval=refresh,
            cache=None if folder is None else DiskCache(folder, place_of(reader), key),
            installed=lambda before, after: _installed(this, before, after),
            tell=lambda event: _tell(this, event),
            dice=Random(),
        )
        self._alarm = Alarm() if self._feed is None else self._feed.alarm
        self._careful = Careful(self._me, self._keeper, self._alarm.ring)
        self._answers: Answers = self._careful
        self._made: Mapping[str, Made] = {}
        weakref.finalize(self, self._alarm.close if self._feed is None else self._alarm.ring).atexit = False
        OPEN.add(self)
        if self._feed is not None:
            self._feed.add(self)
            self._looked.wait(wait)
        if self._keeper.held is None:
            self._fall_back(bootstrap)
        self._choose()
        if require and self._keeper.held is None:
            self.close()
            raise OutsideError(
                f"no snapshot of {environment}: {self._keeper.error or f'{reader.url} did not answer in {wait:g} s'}",
                hint="flagctl status shows what is published; bootstrap= names one to start with",
            )

    def enabled(
        self, key: str, context: Mapping[str, Any] | None = None, /, *, user: User = None, **attributes: Any
    ) -> bool:
        """Whether a boolean flag is on; False where that can't be told."""
        try:
            ask, answer, page = self._made[key]
            if ask is not None:
                if context is None or attributes or user is not None:
                    whole = attributes if context is None else {**context, **attributes}
                    if user is not None:
                        whole["targetingKey"] = user
                    context = whole
                answer = ask(context, self.time)
            if page is not None:  # somebody counts
                if user is None:
                    if context is not None and "targetingKey" in context:
                        user = context["targetingKey"]
                    if attributes:
                        user = attributes.get("targetingKey", user)
                if not next(page.places, False) and not page.more():
                    pass  # no room: it is dropped
                elif ask is None:
                    page.append(user)
                else:
                    page.extend((answer, user))
                    if answer.experiment is not None:
                        page.book.see(key, context, answer, self.time())
            return answer.value is True
        except Exception:  # never asked for yet, no snapshot, a preview, ...
            return self._answers.enabled(key, _joined(context, user, attributes), self.time())

    def variant(
        self, key: str, context: Mapping[str, Any] | None = None, /, *, user: User = None, **attributes: Any
    ) -> str | None:
        """The name of the variant; None where that can't be told."""
        return self._answers.variant(key, _joined(context, user, attributes), self.time())

    def value(
        self, key: str, context: Mapping[str, Any] | None = None, /, *, default: T, user: User = None, **attributes: Any
    ) -> T:
        """The value; `default` where that can't be told, and where it is of another type than the default."""
        found = self._answers.value(key, _joined(context, user, attributes), self.time(), default)
        return found if type(found) is type(default) else fitting(found, default)

    def details(
        self,
        key: str,
        context: Mapping[str, Any] | None = None,
        /,
        *,
        default: Any = None,
        user: User = None,
        **attributes: Any,
    ) -> Details:
        """The value and all there is to say of it."""
        answer = self._answers.evaluate(key, _joined(context, user, attributes), self.time(), default=default)
        return describe(key, answer, default, self._keeper.held, self._keeper.age())

    def _newest(self) -> Held | None:
        return self._keeper.held

    @property
    def version(self) -> int | None:
        """The version of the snapshot that answers; None while there is none."""
        held = self._keeper.held
        return None if held is None else held.version

    @property
    def origin(self) -> str | None:
        """Where that snapshot is from: source, disk or bootstrap."""
        held = self._keeper.held
        return None if held is None else held.origin

    @property
    def age(self) -> float:
        """Seconds since the source last said that this snapshot is live; infinite where it never has."""
        return self._keeper.age()

    @property
    def error(self) -> str:
        """What is wrong with the source, "" while nothing is."""
        return self._keeper.error

    @property
    def figures(self) -> Figures:
        """Counters since the client was opened."""
        return self._keeper.figures

    @property
    def canary(self) -> bool:
        """Whether that snapshot is a canary: one for some instances of the service only."""
        held = self._keeper.held
        return held is not None and held.canary

    def keys(self) -> list[str]:
        """The keys of all flags, sorted."""
        held = self._keeper.held
        return [] if held is None else held.engine.keys()

    def account(self, account: Account) -> None:
        """Let somebody keep account of questions from now on (a Recorder does)."""
        with self._lock:
            self._account = account
            self._choose()
        self.ring()

    def ring(self) -> None:
        """Wake the client's thread."""
        self._alarm.ring()

    def private_attributes(self) -> frozenset[str]:
        """The attributes that may not leave the process."""
        held = self._keeper.held
        return frozenset() if held is None else held.engine.private

    def due(self) -> bool:
        """Whether it is time to look at the source."""
        return self._clock.monotonic() >= self._next_look

    def tick(self, *, told: bool = False, asked: bool = False, save: bool = True) -> float:
        """Look at the source if it is time to, it told of something, or somebody asked; seconds until the next tick.

        save: whether to do what `save` does too.
        """
        now = self._clock.monotonic()
        soonest = self._next_look if self._keeper.error else self._last_look + _AT_MOST_EVERY
        if told or now >= self._next_look or (asked and now >= soonest):
            pause = self._keeper.look()
            self._last_look = now = self._clock.monotonic()
            self._next_look = now + pause
            self._looked.set()
            if save:
                self.save()
        self._keeper.grow_stale()
        with self._lock:
            self._choose()
        until = self._next_look - now
        if self._account is not None:
            until = min(until, self._account.turn(now))
        fresh = self._keeper.fresh_for()
        return min(until, fresh) if fresh > 0 else until

    def save(self) -> None:
        """Keep on disk what came since the last time."""
        self._keeper.save()

    def refresh(self, timeout: float = 5.0) -> bool:
        """Ask the source now and wait for what comes of it; whether the snapshot is confirmed after that.

        False at once where nobody would ask: the client is closed.
        """
        if self._closed:
            return False
        before = self._clock.monotonic()
        if self._asleep:
            self._start_again()
        if self._feed is None:
            self.tick(told=True)
        until = time.monotonic() + timeout
        while self._keeper.began < before:  # a look that is under way may have seen what was before
            self._looked.clear()
            self._next_look = float("-inf")
            self._alarm.ring()
            if not self._looked.wait(until - time.monotonic()):
                return False
        return self._keeper.confirmed >= before

    def close(self, patience: float = GOODBYE) -> None:
        """Stop keeping fresh; the last snapshot goes on answering. Waits so long for a look that is under way."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        OPEN.discard(self)
        if self._feed is not None:
            self._feed.remove(self, patience)
        else:
            self._alarm.close()
        if self._account is not None:
            self._account.turn(float("inf"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fall_back(self, bootstrap: str | os.PathLike[str] | bytes | None) -> None:
        kept = self._keeper.cache.read() if self._keeper.cache is not None else None
        if (kept is not None and self._keeper.begin(kept.data, "disk", kept.at)) or bootstrap is None:
            return
        try:
            data = bootstrap if isinstance(bootstrap, bytes) else Path(bootstrap).read_bytes()
        except OSError as error:
            self._keeper.complain(OutsideError(f"the bootstrap snapshot can't be read: {error}"))
            return
        self._keeper.begin(data, "bootstrap", None)

    def _choose(self) -> None:
        """What answers from now on: the engine itself where nothing has to be looked at beside it."""
        held = self._keeper.held
        if self._asleep:
            self._answers, self._made = Waking(self._start_again), {}
            return
        chosen: Answers = self._careful
        self._made = {}
        if held is not None and not self._scopes and not EVERYWHERE and self._keeper.fresh_for() > 0:
            made = held.engine.made()
            chosen, self._made = held.engine, made if self._account is None else self._account.table(made)
        self._answers = chosen if self._account is None else Noted(chosen, self._account.note)

    def _installed(self, before: Held | None, after: Held) -> None:
        with self._lock:
            self._choose()
        if before is not None and self._listeners:
            keys = changed_keys(before.engine, after.engine)
            self.tell(Event("changed", f"version {after.version} from the {after.origin}", keys, after.version))

    def after_fork(self) -> None:
        """In the child of a fork: the thread stayed behind, and locks may have stayed locked."""
        self._lock = threading.RLock()
        self._looked = threading.Event()
        shared, self._feed = self._asleep or self._feed is not None, None
        self._asleep = shared and not self._closed
        self._keeper.begin_anew(opened(self._source))
        if not shared:
            self._alarm = Alarm()
            self._careful = Careful(self._me, self._keeper, self._alarm.ring)
        if self._account is not None:
            self._account.after_fork()
        self._choose()

    def _start_again(self) -> Answers:
        with self._lock:
            if self._asleep and not self._closed:
                self._asleep = False
                self._feed = feed_of(self._source, self.environment, self._clock)
                self._alarm = self._feed.alarm
                self._careful = Careful(self._me, self._keeper, self._alarm.ring)
                self._keeper.begin_anew(self._feed.reader)
                self._feed.add(self)
            self._choose()
            return self._answers


def _joined(context: Mapping[str, Any] | None, user: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """The whole context of a question; one that is whole already as it is. What is no mapping says nothing."""
    if user is None and not attributes and type(context) is dict:
        return context
    try:
        whole = {**(context or {}), **attributes}
    except Exception:
        whole = attributes
    if user is not None:
        whole["targetingKey"] = user
    return whole


def _installed(this: weakref.ref[Client], before: Held | None, after: Held) -> None:
    client = this()
    if client is not None:
        client._installed(before, after)


def _tell(this: weakref.ref[Client], event: Event) -> None:
    client = this()
    if client is not None:
        client.tell(event)
