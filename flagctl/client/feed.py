"""One thread for all clients of a process that read the same environment of the same source.

It waits for the source, for the clock and for anybody who asks, and then gives each of its clients a turn. What the
source says is asked for once a turn, however many clients want to know.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import ref

from flagctl.client.driver import Alarm, Ears
from flagctl.client.held import forget
from flagctl.errors import UsageError
from flagctl.stores import open_reader
from flagctl.stores.base import UNCHANGED

if TYPE_CHECKING:
    from flagctl.client.client import Client
    from flagctl.client.keeper import Clock
    from flagctl.stores.base import Reader, Stored

_NAME = "flagctl-client"
_AFTER_A_FAULT = 1.0
_PATIENCE = 1.0
"""Seconds that a fork waits for a thread that is at work: it may be waiting for the network."""


class Shared:
    """A reader that asks its source once between two calls of `begin`. One object serves one thread."""

    def __init__(self, reader: Reader) -> None:
        self.url = reader.url
        self._reader = reader
        self._known: dict[str, tuple[str, Stored | Exception | None]] = {}

    def begin(self) -> None:
        """From now on the source is asked again."""
        self._known.clear()

    def get(self, key: str) -> Stored | None:
        """See Reader; always asks."""
        return self._reader.get(key)

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """See Reader."""
        asked, found = self._known.get(key, ("", UNCHANGED))
        if found is UNCHANGED and (key not in self._known or asked != token):
            try:
                found = self._reader.read_if_changed(key, token)
            except Exception as error:
                found = error
            self._known[key] = token, found
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        return UNCHANGED if found is not None and token and found.token == token else found


class Feed:
    """The thread, and whom it serves. It holds clients only while it works, so that one nobody uses can go."""

    def __init__(self, name: Hashable, reader: Reader, environment: str) -> None:
        """Made by `feed_of`."""
        self.reader = Shared(reader)
        self.alarm = Alarm()
        self.expected = 0
        """Clients that are being opened."""
        self._name = name
        self._ears = Ears(reader, environment)
        self._clients: dict[int, ref[Client]] = {}
        self._idle = threading.Condition(_LOCK)
        self._busy: Client | None = None
        self.working = threading.RLock()
        """Held by the thread except while it waits."""
        self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)

    def add(self, client: Client) -> None:
        """Serve a client, one that was expected, from now on."""
        with _LOCK:
            self.expected -= 1
            self._clients[id(client)] = ref(client)
            if self._thread.ident is None:
                self._thread.start()
        self.alarm.ring()

    def remove(self, client: Client, patience: float) -> None:
        """Serve it no more; waits so long for its turn if it is having one, and for the thread if it was the last."""
        end = time.monotonic() + patience
        mine = self._thread is threading.current_thread()
        with self._idle:
            self._clients.pop(id(client), None)
            last = not self._clients and not self.expected
            if not mine:
                self._idle.wait_for(lambda: self._busy is not client, patience)
        self.alarm.ring()
        if last and not mine:
            self._thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        told = asked = False
        try:
            while True:
                with self.working:
                    seconds = self._turns(told, asked)
                    if seconds is None:
                        return
                    told, asked, poll = self._listen()
                if not told:
                    poll.poll(max(0.0, min(seconds, self._ears.patience(), 1e6)) * 1000)
                    with self.working:
                        told, asked = self._ears.heard(), self.alarm.silence()
        finally:
            self._ears.close()
            self.alarm.close()

    def _turns(self, told: bool, asked: bool) -> float | None:
        """Give each client its turn; seconds until the next, None when there are no more clients."""
        with _LOCK:
            living = [client for one in self._clients.values() if (client := one()) is not None]
            self._clients = {id(client): ref(client) for client in living}
            if not living and not self.expected:
                if _FEEDS.get(self._name) is self:
                    del _FEEDS[self._name]
                return None
        self.reader.begin()
        told = told or any(client.due() for client in living)  # where one looks all look
        seconds = min((self._turn(client, told, asked) for client in living), default=_AFTER_A_FAULT)
        forget()
        for client in living:
            client.save()
        return seconds

    def _turn(self, client: Client, told: bool, asked: bool) -> float:
        with _LOCK:
            if id(client) not in self._clients:
                return float("inf")
            self._busy = client
        try:
            return client.tick(told=told, asked=asked, save=False)
        except Exception:  # one client's trouble is not that of the others
            return _AFTER_A_FAULT
        finally:
            with self._idle:
                self._busy = None
                self._idle.notify_all()

    def _listen(self) -> tuple[bool, bool, select.poll]:
        """Whether the source tells of something already; else what to wait for."""
        poll = select.poll()  # not select(): it fails for descriptors above 1023
        poll.register(self.alarm.fileno(), select.POLLIN)
        descriptor = self._ears.fileno()
        if descriptor is None:
            return self._ears.just_failed(), False, poll
        poll.register(descriptor, select.POLLIN)
        return self._ears.heard(), False, poll


_LOCK = threading.RLock()
_FEEDS: dict[Hashable, Feed] = {}


def feed_of(source: str | Reader, environment: str, clock: Clock) -> Feed:
    """The feed of everybody who reads the same by the same clock; it expects a client now."""
    place = Path.cwd() if isinstance(source, str) and source.startswith("file:") else None
    name = (source if isinstance(source, str) else id(source), place, environment, id(clock))
    with _LOCK:
        feed = _FEEDS.get(name)
        if feed is None:
            feed = _FEEDS[name] = Feed(name, opened(source), environment)
        feed.expected += 1
        return feed


def opened(source: str | Reader) -> Reader:
    """The reader of a source. Raises UsageError for one that is no place."""
    if not isinstance(source, str):
        if hasattr(source, "read_if_changed"):
            return source
        hint = f"file:{source}" if isinstance(source, os.PathLike) else "redis://HOST:6379/0, s3://…, https://…, file:…"
        raise UsageError(f"the source is a {type(source).__name__}, not a URL", hint=hint)
    return open_reader(source, Path.cwd() if source.startswith("file:") else Path())


def place_of(reader: Reader) -> str:
    """What tells the place of a reader from all others, also from those that programs started elsewhere call alike."""
    kind, _, path = reader.url.partition(":")
    return str(Path.cwd() / path.removeprefix("//")) if kind == "file" else reader.url


_FORKING = threading.RLock()
_still: list[Feed] = []


def _hold_still() -> None:
    """Before a fork: what a thread has half done, such as an import, would stay half done in the child."""
    _FORKING.acquire()
    for feed in list(_FEEDS.values()):
        if feed.working.acquire(timeout=_PATIENCE):
            _still.append(feed)


def _go_on() -> None:
    """In the parent."""
    while _still:
        _still.pop().working.release()
    _FORKING.release()


def _begin_anew() -> None:
    """In the child the threads are gone, and who held the locks with them."""
    global _LOCK, _FORKING
    _LOCK, _FORKING = threading.RLock(), threading.RLock()
    _still.clear()
    for feed in _FEEDS.values():
        feed.alarm.close()
    _FEEDS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_still, after_in_parent=_go_on, after_in_child=_begin_anew)
