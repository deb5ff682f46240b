"""Reading over HTTP: a web server before a published folder, S3's own interface, and servers that misbehave."""

from __future__ import annotations

import functools
import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from publisher import LIVE, send
from servers import Place

from flagctl.errors import OutsideError
from flagctl.stores import open_reader
from flagctl.stores.base import UNCHANGED


@contextmanager
def serving(handler: Any) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


def test_a_published_folder_behind_a_web_server(make_place: Callable[[str], Place]) -> None:
    place = make_place("file")
    store = place.open()
    with serving(functools.partial(Quiet, directory=str(store.root))) as url:
        reader = open_reader(f"{url}/", Path("/"))
        assert reader.get(LIVE) is None
        send(store, 1)
        found = reader.read_if_changed(LIVE, "")
        assert found is not None
        assert found.data == store.get(LIVE).data
        assert found.modified == pytest.approx(store.get(LIVE).modified, abs=2)
        assert reader.read_if_changed(LIVE, found.token) is UNCHANGED


def test_a_bucket_behind_its_own_http_interface(make_place: Callable[[str], Place]) -> None:
    place = make_place("s3")
    store = place.open()
    send(store, 1)
    for key in (LIVE, "production/flagd.json"):
        store.client.put_object_acl(**store.place(key), ACL="public-read")
    endpoint = place.url.partition("endpoint=")[2]
    reader = open_reader(f"{endpoint}/flags/{store.prefix}", Path("/"))
    found = reader.get(LIVE)
    assert found is not None
    assert (found.data, found.token) == (store.get(LIVE).data, store.get(LIVE).token)
    assert found.size < len(found.data)
    assert reader.read_if_changed(LIVE, found.token) is UNCHANGED


class Odd(Quiet):
    """Answers as its class attribute says, and remembers what it was asked."""

    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    asked: list[Any]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, {}, b""), "it answers 500"),
        ((403, {}, b""), "look at the credentials"),
        ((200, {"Content-Length": "10"}, b"short"), "cut short|5 bytes read"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"whole" * 99)[:-9]), "its end is missing"),
    ],
)
def test_servers_that_misbehave_are_told_and_the_url_is_masked(
    answer: tuple[int, dict[str, str], bytes], words: str
) -> None:
    with serving(type("Handler", (Odd,), {"answer": answer, "asked": []})) as url:
        reader = open_reader(url.replace("//", "//user:s3cr3t@") + "/x?token=s3cr3t", Path("/"))
        with pytest.raises(OutsideError) as caught:
            reader.get(LIVE)
    said = f"{caught.value.message} {caught.value.hint}"
    assert any(word in said for word in words.split("|")), said
    assert "s3cr3t" not in said


def test_credentials_and_tokens_of_the_url_are_sent() -> None:
    asked: list[Any] = []
    with serving(type("Handler", (Odd,), {"answer": (200, {"ETag": '"1"'}, b"{}"), "asked": asked})) as url:
        reader = open_reader(url.replace("//", "//user:s3cr3t@") + "/x?token=t0k3n", Path("/"))
        found = reader.get(LIVE)
        assert found is not None
        assert (found.data, found.token) == (b"{}", '"1"')
        reader.read_if_changed(LIVE, found.token)
    assert asked[0][0] == f"/x/{LIVE}?token=t0k3n"
    assert asked[0][1]["Authorization"] == "Basic dXNlcjpzM2NyM3Q="
    assert asked[1][1]["If-None-Match"] == '"1"'


def test_nobody_there() -> None:
    with pytest.raises(OutsideError, match=r"http://127\.0\.0\.1:1: .*refused"):
        open_reader("http://127.0.0.1:1", Path("/")).get(LIVE)
