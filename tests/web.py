"""Real web servers in threads, and a browser's memory of cookies in front of them."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn


class Answer:
    """What came back."""

    def __init__(self, answer: Any) -> None:
        self.status: int = answer.status
        self.headers = answer.headers
        self.text: str = answer.read().decode()

    @property
    def preview(self) -> str | None:
        found: str | None = self.headers["X-Flagctl-Preview"]
        return found

    @property
    def cookie(self) -> str | None:
        found: str | None = self.headers["Set-Cookie"]
        return found


class Browser:
    """Asks one server, with a cookie jar of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, path: str, **headers: str) -> Answer:
        request = urllib.request.Request(self.address + path, headers=headers)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return Answer(answer)
        except urllib.error.HTTPError as error:
            return Answer(error)

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.jar}


@contextlib.contextmanager
def asgi_server(app: Any) -> Iterator[str]:
    """uvicorn with this application; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@contextlib.contextmanager
def wsgi_server(app: Any) -> Iterator[str]:
    """wsgiref's server, a thread for each request; gives its address."""
    with make_server("127.0.0.1", 0, app, server_class=Threads, handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(20)
