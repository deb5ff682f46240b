"""Clients of one process that read the same: one thread, one question to the source, and each its own life."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest
from snapshots import flag, snapshot

from flagctl.client import Client, Event
from flagctl.client.feed import _FEEDS, Shared
from flagctl.compile.snapshot import encode
from flagctl.errors import OutsideError
from flagctl.stores.base import UNCHANGED, Stored


class Source:
    """Says what it holds, and counts how often it was asked."""

    url = "memory"

    def __init__(self, version: int = 1) -> None:
        self.asked = 0
        self.publish(version)

    def publish(self, version: int) -> None:
        self.found: Stored | None = Stored(encode(snapshot({"gallery": flag()}) | {"version": version}), str(version))

    def get(self, key: str) -> Stored | None:
        return self.found

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        self.asked += 1
        if self.found is None:
            raise OutsideError("it is down")
        return UNCHANGED if self.found.token == token else self.found


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "flagctl-client"]


def test_fifty_clients_have_one_thread_and_ask_once() -> None:
    source = Source()
    clients = [Client(source, "production", cache=False, refresh=3600) for _ in range(50)]
    assert len(threads()) == 1
    assert len({id(client._keeper.held.engine) for client in clients if client._keeper.held}) == 1
    heard = threading.Barrier(51)
    pool = [threading.Thread(target=heard.wait, args=(20,)) for _ in clients]
    for client, thread in zip(clients, pool, strict=True):
        client.on_change("gallery", lambda key, thread=thread: thread.start())  # type: ignore[misc]
    source.asked = 0
    source.found = Stored(encode(snapshot({"gallery": flag(enabled=False)}) | {"version": 2}), "2")
    assert clients[7].refresh()
    heard.wait(20)
    assert {client.version for client in clients} == {2}
    assert source.asked <= 2, "once for all; and once more where a client's time had come"
    for client in clients[:-1]:
        client.close()
    source.publish(3)
    assert clients[-1].refresh()
    assert (clients[-1].version, clients[0].version, len(threads())) == (3, 2, 1)
    clients[-1].close()
    assert not threads()
    assert not _FEEDS


def test_a_listener_may_close_its_client_and_open_another() -> None:
    source = Source()
    opened: list[Client] = []
    told = threading.Event()
    first = Client(source, "production", cache=False, refresh=3600)

    def listener(event: Event) -> None:
        first.close()
        opened.append(Client(source, "production", cache=False, refresh=3600, wait=0))
        told.set()

    first.on_event(listener)
    source.publish(2)
    first.refresh(0.1)
    assert told.wait(10)
    assert opened[0].refresh()
    assert opened[0].version == 2
    opened[0].close()
    assert not threads()


def test_a_key_that_is_none_leaves_nothing_behind(tmp_path: Path) -> None:
    for source, keys in ((f"file:{tmp_path}", {"release": "no key"}), ("redis3://x", ())):
        with pytest.raises(Exception, match=r"no Ed25519 public key|doesn't know"):
            Client(source, "production", public_keys=keys)
    assert not _FEEDS
    assert not threads()


@pytest.mark.parametrize(("way", "count"), [("closed", 1000), ("forgotten", 200)])
def test_many_clients_one_after_the_other_leave_nothing_behind(tmp_path: Path, way: str, count: int) -> None:
    place = tmp_path / "production/snapshot.json"
    place.parent.mkdir()
    place.write_bytes(encode(snapshot({"gallery": flag()})))

    def once() -> None:
        client = Client(f"file:{tmp_path}", "production", cache=tmp_path / "cache")
        assert client.enabled("gallery", user="ada") is True
        if way == "closed":
            client.close()
        else:
            thread = client._feed._thread  # type: ignore[union-attr]
            del client
            thread.join(10)

    for _ in range(10):
        once()
    objects = _count()
    files, running = _open_files(), threading.active_count()
    for _ in range(count):
        once()
    assert _open_files() <= files, "what other tests left open may be closed meanwhile"
    assert threading.active_count() <= running
    assert _count() < objects + count, "less than one object a client"


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _count() -> int:
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.parametrize(("first", "second", "asked"), [("1", "1", 1), ("1", "0", 2), ("0", "0", 1), ("0", "1", 1)])
def test_what_was_said_is_said_again_to_who_may_hear_it(first: str, second: str, asked: int) -> None:
    source = Source()
    shared = Shared(source)
    for token in (first, second):
        found = shared.read_if_changed("production/snapshot.json", token)
        assert (found is UNCHANGED) is (token == "1")
    assert source.asked == asked
    shared.begin()
    source.publish(2)
    found = shared.read_if_changed("production/snapshot.json", "1")
    assert found is not None
    assert found.token == "2"


def test_a_source_that_fails_is_asked_once_too() -> None:
    source = Source()
    source.found = None
    shared = Shared(source)
    for _ in range(3):
        with pytest.raises(OutsideError, match="it is down"):
            shared.read_if_changed("production/snapshot.json", "1")
    assert source.asked == 1
