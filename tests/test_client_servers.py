"""Clients of real servers that fail in every way: the last good answers go on, and all mends by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from proxy import Proxy, faulty_s3, proxy_to
from servers import Place, free_port, redis_sentinel, redis_server, until
from snapshots import flag, snapshot

from flagctl.client import Client, Event
from flagctl.client.aio import AsyncClient
from flagctl.compile.snapshot import encode
from flagctl.publish.draft import Draft
from flagctl.publish.publish import publish
from flagctl.stores import open_store

LIVE = "production/snapshot.json"


def document(version: int) -> dict[str, Any]:
    """A snapshot whose flag answers with its version."""
    number = {"type": "integer", "variants": {"now": version, "off": 0}, "default": {"serve": "now"}}
    return {**snapshot({"number": flag(**number)}), "version": version, "commit": f"{version:040x}"}


def send(store: Any, version: int, above: int = -1) -> None:
    """Publish, as `flagctl publish` does; it has to become this version."""
    receipt = publish(
        Draft(document(version)),
        store,
        is_ancestor=lambda first, second: True,
        elapsed=lambda: 0.0,
        allow_older=True,
        above=above,
    )
    assert receipt.version == version


class Seen:
    """A client, watched: what it answers never goes back, and each version is waited for by an event."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[Event] = []
        self._changed = threading.Condition()
        client.on_event(self._hear)

    def _hear(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def now(self) -> int:
        """The version that answers; every way of asking says the same."""
        answer = self.client.details("number", default=-1)
        assert answer.value == self.client.version
        return int(answer.value)

    def comes_to(self, version: int, seconds: float = 20) -> None:
        """Wait until that version answers."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.client.version == version, seconds), (
                f"{self.client.version}, not {version}: {self.client.error}"
            )
        assert self.now() == version

    def goes_from(self, old: int, new: int) -> None:
        """Ask without a pause until the new version answers; nothing else does meanwhile."""
        answers = set()
        while self.client.version == old:
            answers.add(self.client.value("number", default=-1))
        assert answers <= {old, new}
        self.comes_to(new)

    def complains(self, words: str, seconds: float = 20) -> None:
        """Wait for an error event with these words."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(event.kind == "error" and words in event.message for event in self.events), seconds
            ), [event.message for event in self.events]


@pytest.fixture
def watch() -> Iterator[Callable[..., Seen]]:
    """watch(url, **options) -> a client that looks once an hour, unless it is told or asked otherwise."""
    with ExitStack() as stack:

        def opened(url: str, **options: Any) -> Seen:
            settings = {"cache": False, "refresh": 3600, "require": True} | options
            return Seen(stack.enter_context(Client(url, "production", **settings)))

        yield opened


Watch = Callable[..., Seen]
AOF = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.mark.parametrize("kind", ["file", "s3", "redis", "redis-cluster", "redis-sentinel"])
def test_every_place_is_followed(make_place: Callable[[str], Place], watch: Watch, kind: str) -> None:
    place = make_place(kind)
    store = place.open()
    send(store, 1)
    seen = watch(place.url, refresh=0.2 if kind == "s3" else 3600)
    assert seen.now() == 1
    for version in range(2, 6):
        send(store, version)
        seen.comes_to(version)
    assert seen.client.figures.failures == 0
    changed = [event for event in seen.events if event.kind == "changed"]
    assert {event.keys for event in changed} == {("number",)}


def test_redis_killed_restarted_and_emptied(tmp_path: Path, watch: Watch) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0?timeout=2"
    store = open_store(url, Path("/"))
    with redis_server(tmp_path / "redis", port, *AOF):
        send(store, 1)
        seen = watch(url)
        send(store, 2)
        seen.comes_to(2)
    seen.complains("127.0.0.1")  # killed: its connection broke, so it looked at once
    assert seen.now() == 2
    with redis_server(tmp_path / "redis", port, *AOF):
        send(store, 3)
        seen.comes_to(3)
    with redis_server(tmp_path / "another", port, *AOF):  # nothing in it
        seen.complains("is not at")
        assert seen.now() == 3
        send(store, 1)
        seen.complains("older than version 3")
        assert seen.now() == 3
        send(store, 4, above=3)
        seen.comes_to(4)
    assert seen.now() == 4


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[Any, Proxy, str]]:
    """(a store, the network that a client's URL goes through, that URL)"""
    port = free_port()
    with redis_server(tmp_path / "redis", port), proxy_to(port) as proxy:
        yield open_store(f"redis://127.0.0.1:{port}/0", Path("/")), proxy, f"redis://127.0.0.1:{proxy.port}/0?timeout=1"


def test_a_cut_network(proxied: tuple[Any, Proxy, str], watch: Watch) -> None:
    store, proxy, url = proxied
    send(store, 1)
    seen = watch(url)
    for version in (2, 3):
        proxy.cut()
        send(store, version)
        seen.complains("can't")
        assert seen.now() == version - 1
        proxy.mend()
        seen.comes_to(version)
        seen.events.clear()


def test_connections_that_are_half_open_blind_nobody_for_long(proxied: tuple[Any, Proxy, str], watch: Watch) -> None:
    store, proxy, url = proxied
    send(store, 1)
    seen = watch(url, refresh=1)
    channel = "flagctl:{production}:changes"
    until(lambda: store.client.pubsub_numsub(channel)[0][1] == 1)
    proxy.freeze()
    send(store, 2)
    seen.comes_to(2)
    # The channel did not tell of it, so there is another one now, which does.
    until(lambda: store.client.pubsub_numsub(channel)[0][1] == 2)
    seen.client._keeper.interval = 3600
    assert seen.client.refresh(20)
    for version in range(3, 6):
        send(store, version)
        seen.comes_to(version)


def test_a_slow_network_gives_the_old_answer_until_the_new_one_is_whole(
    proxied: tuple[Any, Proxy, str], watch: Watch
) -> None:
    store, proxy, url = proxied
    send(store, 1)
    seen = watch(url)
    proxy.chunk, proxy.pause = 16, 0.02
    send(store, 2)
    seen.goes_from(1, 2)


def test_an_asyncio_client_is_told_by_redis(make_place: Callable[[str], Place]) -> None:
    place = make_place("redis")
    store = place.open()
    send(store, 1)

    async def service() -> None:
        async with await AsyncClient.open(place.url, "production", cache=False, refresh=3600) as flags:
            loop, told = asyncio.get_running_loop(), asyncio.Event()
            flags.on_change("number", lambda key: loop.call_soon_threadsafe(told.set))
            await loop.run_in_executor(None, send, store, 2)
            await asyncio.wait_for(told.wait(), 20)
            assert flags.value("number", default=-1) == 2

    asyncio.run(service())


def test_a_failover_is_followed(tmp_path: Path, watch: Watch) -> None:
    with redis_sentinel(tmp_path) as sentinel:
        store = open_store(sentinel.url + "?timeout=2", Path("/"))
        send(store, 1)
        seen = watch(sentinel.url + "?timeout=2")
        sentinel.process.kill()
        again = open_store(sentinel.url + "?timeout=2&replicas=0", Path("/"))

        def sent() -> bool:
            try:
                send(again, 2)
            except Exception:
                return False
            return True

        until(sent)
        seen.comes_to(2, 30)


# HTTP


class Web:
    """A web server that behaves as its `mood` says."""

    def __init__(self) -> None:
        self.data = b""
        self.mood = "well"
        self.answered: list[int] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.mood == "redirects" and not request.path.startswith("/there"):
            self.say(request, 302, {"Location": f"/there{request.path}"}, b"")
        elif self.mood == "500":
            self.say(request, 500, {}, b"sorry")
        elif request.headers.get("If-None-Match") == self.tag and self.mood in ("well", "redirects"):
            self.say(request, 304, {"ETag": self.tag}, b"")
        else:
            self.say(request, 200, {"ETag": self.tag, "Content-Length": str(len(self.data))}, self.data)

    def say(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        self.answered.append(status)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if body and self.mood == "cut short":
            body = body[: len(body) // 2]
        try:
            for start in range(0, len(body), 100):
                request.wfile.write(body[start : start + 100])
                if self.mood == "slow":
                    time.sleep(0.02)
        except OSError:
            pass

    @property
    def tag(self) -> str:
        return f'"{hash(self.data)}"'


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    web.data = encode(document(1))
    yield web
    web.server.shutdown()
    web.server.server_close()


def test_a_web_server_is_asked_whether_there_is_something_new(web: Web, watch: Watch) -> None:
    seen = watch(web.url, refresh=0.05)
    until(lambda: web.answered.count(304) > 3)
    assert web.answered.count(200) == 1
    web.data = encode(document(2))
    seen.comes_to(2)
    assert web.answered.count(200) == 2


@pytest.mark.parametrize(
    ("mood", "complaint"), [("500", "it answers 500"), ("cut short", "can't read"), ("slow", ""), ("redirects", "")]
)
def test_a_web_server_that_has_a_mood(web: Web, watch: Watch, mood: str, complaint: str) -> None:
    seen = watch(web.url, refresh=0.05)
    web.mood, web.data = mood, encode(document(2))
    if complaint:
        seen.complains(complaint)
        assert seen.now() == 1
        web.mood = "well"
    seen.comes_to(2)


@pytest.mark.parametrize("kind", ["http", "s3"])
def test_a_damaged_object_is_refused_and_the_next_one_taken(
    make_place: Callable[[str], Place], web: Web, watch: Watch, kind: str
) -> None:
    place = make_place(kind) if kind == "s3" else None
    store: Any = place.open() if place else None

    def put(data: bytes) -> None:
        web.data = data
        if store:
            store.put(LIVE, data)

    put(encode(document(1)))
    seen = watch(place.url if place else web.url, refresh=0.05)
    for number, spoilt in enumerate(
        (encode(document(9))[:-20], encode(document(9) | {"environment": "staging"}), b"<html>", encode(document(0)))
    ):
        put(spoilt)
        until(lambda wanted=number + 1: seen.client.figures.refused >= wanted)
        assert seen.now() == 1
    put(encode(document(2)))
    seen.comes_to(2)
    assert seen.client.error == ""


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("500", "the service failed, also when it was asked again"),
        ("503", "it asks for fewer requests"),
        ("lost", "can't read production/snapshot.json"),
        ("silence", "Read timeout"),
    ],
)
def test_s3_that_fails_for_a_time(make_place: Callable[[str], Place], watch: Watch, fault: str, complaint: str) -> None:
    place = make_place("s3")
    store = place.open()
    send(store, 1)
    with faulty_s3(place.url, "GET") as (url, faults):
        seen = watch(url, refresh=0.05)
        faults += [fault] * 12
        send(store, 2)
        seen.complains(complaint, 60)
        assert (seen.now(), seen.client.figures.refused) == (1, 0)
        faults.clear()
        seen.comes_to(2, 60)
        assert seen.client.error == ""


def test_s3_that_fails_from_the_start_and_s3_that_is_slow(make_place: Callable[[str], Place], watch: Watch) -> None:
    place = make_place("s3")
    store = place.open()
    send(store, 1)
    with faulty_s3(place.url, "GET") as (url, faults):
        faults += ["503"] * 1000
        bundled = encode(document(0))
        seen = watch(url, refresh=0.05, require=False, wait=0.5, bootstrap=bundled)
        assert (seen.now(), seen.client.origin) == (0, "bootstrap")
        faults.clear()
        seen.comes_to(1, 60)
        faults += ["slow"]
        send(store, 2)
        seen.goes_from(1, 2)
        assert not faults
