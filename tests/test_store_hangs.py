"""Nobody waits for ever: servers that hang, and tickets of publishers that died."""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from proxy import faulty_s3
from publisher import LIVE, send
from servers import BUCKET, Place, until
from snapshots import flag, snapshot

from flagctl.client import Client
from flagctl.compile.snapshot import encode
from flagctl.errors import OutsideError
from flagctl.stores import open_reader, patience, s3_client, s3_lease
from flagctl.stores.base import LostRaceError

HALF = {
    "http": b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "x"\r\n\r\n{"half',
    "redis": b"*1\r\n*2\r\n$1000\r\nhalf",
    "nothing": b"",
}


@contextmanager
def hanging(says: bytes, then: bytes = b"", every: float | None = None) -> Iterator[int]:
    """The port of a server that takes every connection, says so much after the first bytes, and then nothing.

    then, every: these bytes instead, again and again, after so many seconds.
    """
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1 << 16) and says:
                self.request.sendall(says)
            with suppress(OSError):
                while not over.wait(every):
                    self.request.sendall(then)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            over.set()
            server.shutdown()


@pytest.mark.parametrize(
    ("url", "says", "words"),
    [
        ("s3://b/x?endpoint=http://127.0.0.1:{}", "nothing", "Read timeout"),
        ("s3://b/x?endpoint=http://127.0.0.1:{}", "http", "Read timed? ?out"),
        ("http://127.0.0.1:{}/x", "nothing", "timed out"),
        ("http://127.0.0.1:{}/x", "http", "timed out"),
        ("redis://127.0.0.1:{}/0", "nothing", "did not answer in time"),
        ("redis://127.0.0.1:{}/0", "redis", "did not answer in time"),
        ("redis+sentinel://127.0.0.1:{}/mymaster", "nothing", "the Sentinels know no primary"),
        ("redis+cluster://127.0.0.1:{}", "nothing", "can't reach"),
    ],
)
def test_a_server_that_hangs_is_given_up_and_named(
    aws: None, monkeypatch: pytest.MonkeyPatch, url: str, says: str, words: str
) -> None:
    monkeypatch.setattr(s3_client, "_ATTEMPTS", 1)
    started = time.monotonic()
    with hanging(HALF[says]) as port:
        store: Any = open_reader(url.format(port), Path("/"), {"timeout": 1})
        for act in (lambda: store.get(LIVE), *([] if url.startswith("http") else [lambda: send(store, 1)])):
            with pytest.raises(OutsideError, match=words) as caught:
                act()
            assert f"127.0.0.1:{port}" in caught.value.message
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("url", "says", "words"),
    [
        ("s3://b/x?endpoint=http://127.0.0.1:{}", "http", "timed out: it sent [0-9]+ bytes in 1 seconds"),
        ("http://127.0.0.1:{}/x", "http", "timed out: it sent [0-9]+ bytes in 1 seconds"),
        ("redis://127.0.0.1:{}/0", "redis", "did not answer in time .its answer was not whole after 1 seconds"),
    ],
)
def test_a_server_that_sends_a_byte_now_and_then_is_given_up_too(
    aws: None, monkeypatch: pytest.MonkeyPatch, url: str, says: str, words: str
) -> None:
    """No silence in it is long enough for a time-out."""
    monkeypatch.setattr(patience, "WHOLE", 1)
    started = time.monotonic()
    with hanging(HALF[says], b"x", 0.05) as port:
        store: Any = open_reader(url.format(port), Path("/"), {"timeout": 1})
        for _ in range(2):
            with pytest.raises(OutsideError, match=words) as caught:
                store.get(LIVE)
            assert f"127.0.0.1:{port}" in caught.value.message
    assert time.monotonic() - started < 30


MB = 10**6


@pytest.mark.parametrize(
    ("pieces", "given_up"),
    [
        ([(1, 1)] * 18, False),  # a byte each second, for three times six seconds
        ([(1, 1)] * 19, True),
        ([(17, MB)], False),
        ([(19, MB)] * 20, False),  # slow, and moving: 50 kB a second
        ([(101, MB)] * 2, False),
        ([(101, MB)] * 20, True),
        ([(1, MB)] * 3 + [(1, 1)] * 320, True),  # what came fast buys time, not for ever
    ],
)
def test_what_is_large_may_take_longer(pieces: list[tuple[int, int]], given_up: bool) -> None:
    now, coming = 0.0, iter(pieces)

    def read1(most: int) -> bytes:
        nonlocal now
        seconds, size = next(coming, (0, 0))
        now += seconds
        return b"x" * size

    if given_up:
        with pytest.raises(TimeoutError):
            patience.read_all(read1, 3, clock=lambda: now)
    else:
        assert len(patience.read_all(read1, 3, clock=lambda: now)) == sum(size for _, size in pieces)


def test_s3_that_says_nothing_is_given_up_before_s3_that_says_not_now(make_place: Callable[[str], Place]) -> None:
    with faulty_s3(make_place("s3").url, "PUT") as (url, faults):
        place = Place("s3", url)
        send(place.open(), 1)
        faults += ["silence", "silence", "not reached"]
        with pytest.raises(OutsideError, match="Read timeout") as caught:
            send(place.open(), 2)
        assert "`timeout: 2` beside its url" in caught.value.hint
        assert faults == ["not reached"]
        faults[:] = ["503", "silence", "503"]
        assert send(place.open(), 2).outcome == "published"
        assert faults == []


@pytest.mark.parametrize("says", ["nothing", "redis"])
def test_a_service_goes_on_with_what_it_has_while_its_source_hangs(says: str) -> None:
    held = encode({**snapshot({"gallery": flag()}), "version": 7})
    said: list[str] = []
    with hanging(HALF[says]) as port:
        url = f"redis://127.0.0.1:{port}/0?timeout=1"
        client = Client(
            url, "production", cache=False, bootstrap=held, wait=0.1, on_event=lambda event: said.append(event.message)
        )
        with client:
            assert client.version == 7
            until(lambda: [message for message in said if "did not answer in time" in message])
            assert client.version == 7


class Aged:
    """A client of S3 that shows one object as older than it is."""

    def __init__(self, client: Any, key: str, seconds: float) -> None:
        self._client, self._key, self._seconds = client, key, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def list_objects_v2(self, **asked: Any) -> Any:
        answer = self._client.list_objects_v2(**asked)
        for entry in answer.get("Contents", ()):
            if entry["Key"] == self._key:
                entry["LastModified"] -= timedelta(seconds=self._seconds)
        return answer


class Hands:
    """A clock that a test turns: each look at it takes so many seconds."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def corner(make_place: Callable[[str], Place]) -> Any:
    """A store without conditional writes, and the ticket of a publisher who died there."""
    store: Any = make_place("s3-unconditional").open()
    send(store, 1)
    store.dead = f"{store.prefix}production/.lease/dead"
    store.client.put_object(Bucket=BUCKET, Key=store.dead, Body=b"a host 42")
    return store


def tickets(store: Any) -> list[str]:
    found = store.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{store.prefix}production/.lease/")
    return [entry["Key"] for entry in found.get("Contents", ())]


def test_the_ticket_of_a_dead_publisher_ends_after_a_minute_by_the_services_clock(corner: Any) -> None:
    corner._client = Aged(corner.client, corner.dead, 70)
    assert send(corner, 2).version == 2
    assert tickets(corner) == []


def test_before_that_minute_it_is_waited_for_and_then_named(corner: Any) -> None:
    folder = f"{corner.prefix}production"
    lease = s3_lease.Lease(Aged(corner.client, corner.dead, 40), BUCKET, folder, corner.url, clock=Hands(50))
    with pytest.raises(OutsideError, match="for 90 seconds") as caught, lease:
        pass
    assert corner.dead in caught.value.message
    assert tickets(corner) == [corner.dead], "the own one was withdrawn, that of somebody who may live was not"


def test_who_waits_is_told_for_whom_and_until_when(corner: Any) -> None:
    said: list[tuple[str, str]] = []
    folder = f"{corner.prefix}production"
    lease = s3_lease.Lease(
        corner.client, BUCKET, folder, corner.url, lasts=4, waiting=lambda what, hint: said.append((what, hint))
    )
    with lease:
        assert tickets(corner) == [lease._key], "the dead one's time was up"
    ((what, hint),) = said
    assert "process 42 on a host, which holds the lease of " + corner.url in what
    assert corner.dead in hint
    since, ends = (datetime.strptime(re.findall(r"\d\d:\d\d:\d\d", text)[0], "%H:%M:%S") for text in said[0])
    assert (ends - since).total_seconds() % 86400 == 4
    assert re.search(r" in [0-4] seconds", hint)


def test_what_publish_waits_for_can_be_ended_as_it_says(corner: Any, repo: Path) -> None:
    command = [sys.executable, "-m", "flagctl", "publish", "production", "--json", "--allow-older", "--no-self-test"]
    with subprocess.Popen(
        [*command, "--target", corner.url], cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as publisher:
        assert publisher.stderr is not None
        said = next(line for line in publisher.stderr if "waiting" in line)
        assert "process 42 on a host" in said
        key = re.search(r"remove the object (\S+) from the bucket", publisher.stderr.readline())
        assert key is not None
        corner.client.delete_object(Bucket=BUCKET, Key=key[1])
        out, err = publisher.communicate(timeout=60)
    assert publisher.returncode == 0, err
    assert [receipt["outcome"] for receipt in json.loads(out)["receipts"]] == ["published"]


def test_who_was_asleep_for_longer_than_their_lease_writes_nothing(corner: Any) -> None:
    clock = Hands(0)
    aged = Aged(corner.client, corner.dead, 70)
    with s3_lease.Lease(aged, BUCKET, f"{corner.prefix}production", corner.url, clock=clock) as lease:
        lease.check()
        clock.now += 31
        with pytest.raises(LostRaceError, match="nothing was written"):
            lease.check()
