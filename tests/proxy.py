"""A network between a client and a server, to be cut, slowed down or left half-open by tests."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to a port of this machine.

    chunk, pause: so many bytes go through at once, and so many seconds pass after them.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.chunk, self.pause = 1 << 16, 0.0
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._refuses = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset all connections, and each new one, until `mend`."""
        with self._lock:
            self._refuses = True
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.reset()

    def freeze(self) -> None:
        """Leave all connections half-open: nothing goes through any more and nobody is told. New ones work."""
        with self._lock:
            for pair in self._pairs:
                pair.frozen = True

    def mend(self) -> None:
        """Let new connections work again, at full speed."""
        self._refuses = False
        self.chunk, self.pause = 1 << 16, 0.0

    def close(self) -> None:
        """Cut for good."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _reset(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                _reset(near)
                continue
            pair = _Pair(self, near, far)
            with self._lock:
                self._pairs.add(pair)
            pair.start()

    def forget(self, pair: _Pair) -> None:
        """It has ended."""
        with self._lock:
            self._pairs.discard(pair)


class _Pair:
    """One connection."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self.proxy = proxy
        self.near, self.far = near, far
        self.frozen = False

    def start(self) -> None:
        for ends in ((self.near, self.far), (self.far, self.near)):
            threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def reset(self) -> None:
        _reset(self.near)
        _reset(self.far)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self.proxy.chunk):
                if self.frozen:
                    continue
                sink.sendall(data)
                if self.proxy.pause:
                    time.sleep(self.proxy.pause)
        if not self.frozen:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self.proxy.forget(self)


def _reset(end: socket.socket) -> None:
    """Close with RST, as a network does that lost its memory."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)  # a thread may be reading
    end.close()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy that ends in the end."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()


class Faulty(BaseHTTPRequestHandler):
    """Hands requests on to an S3 server; of those about a live snapshot it spoils as many as there are faults."""

    upstream: int
    spoilt: str
    faults: list[str]
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = ""
        if self.command == self.spoilt and self.path.partition("?")[0].endswith("snapshot.json") and self.faults:
            fault = self.faults.pop(0)
        if fault in ("500", "503"):
            code = "SlowDown" if fault == "503" else "InternalError"
            said = f"<Error><Code>{code}</Code><Message>not now</Message></Error>".encode()
            return self.answer(int(fault), {"Content-Type": "application/xml"}, said)
        if fault == "silence":
            return self.say_nothing()
        if fault != "lost":
            connection = http.client.HTTPConnection("127.0.0.1", self.upstream)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            said = answer.read()
        if fault == "done but silent":
            return self.say_nothing(b"HTTP/1.1 200 O")
        if fault in ("lost", "done but lost"):
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        return self.answer(answer.status, dict(answer.headers), said, slowly=fault == "slow")

    def say_nothing(self, more: bytes = b"") -> None:
        self.close_connection = True
        self.wfile.write(more)
        threading.Event().wait(30)  # longer than anybody waits here; the thread ends with the process

    def answer(self, status: int, headers: dict[str, str], said: bytes, *, slowly: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header(
            "Content-Length", headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(said))
        )
        self.end_headers()
        for start in range(0, 0 if self.command == "HEAD" else len(said), 100):
            self.wfile.write(said[start : start + 100])
            time.sleep(0.1 if slowly else 0)

    do_GET = do_PUT = do_HEAD = do_DELETE = handle_one  # noqa: N815 - http.server looks for these names

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def faulty_s3(url: str, spoilt: str) -> Iterator[tuple[str, list[str]]]:
    """(the URL of a place in S3 behind a faulty connection, the faults to come for requests of the method `spoilt`)"""
    before, _, endpoint = url.partition("endpoint=")
    faults: list[str] = []
    parts = {"upstream": int(endpoint.rpartition(":")[2]), "spoilt": spoilt, "faults": faults}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Faulty,), parts)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{before}timeout=1&endpoint=http://127.0.0.1:{server.server_port}", faults
        server.shutdown()
