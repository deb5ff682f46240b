"""A service under gunicorn: its workers are forked, hear of publishes, count, are killed, forked anew, and end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from servers import Place, free_port, until
from test_client_servers import send

SERVICE = """
import os
from flask import Flask
from flagctl.client import Client
from flagctl.client.middleware import WsgiPreview
from flagctl.client.recorder import Recorder
from flagctl.client.sinks import Redis

flags = Client(os.environ["SOURCE"], "production", refresh=3600, require=True)
Recorder(flags, sinks=[Redis(os.environ["SOURCE"])], every=3600)
app = Flask(__name__)
app.wsgi_app = WsgiPreview(app.wsgi_app, flags, secrets="s" * 32)

@app.get("/")
def answer():
    return {"worker": os.getpid(), "number": flags.value("number", default=-1, user="ada")}
"""


class Gunicorn:
    """A running gunicorn, and what its workers answered."""

    def __init__(self, folder: Path, source: str, *options: str) -> None:
        (folder / "service.py").write_text(SERVICE)
        self.address = f"127.0.0.1:{free_port()}"
        self.log = folder / "log"
        self.answers: Counter[int] = Counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-b", self.address, "-w", "2", *options, "service:app"],
            cwd=folder,
            env=os.environ | {"SOURCE": source},
            stderr=self.log.open("wb"),
        )

    def ask(self) -> tuple[int, int] | None:
        """Which worker answers, and what; None where none does: it was killed, or has not begun."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/", timeout=20) as answer:
                found: dict[str, int] = json.loads(answer.read())
        except OSError:
            return None
        self.answers[found["worker"]] += 1
        return found["worker"], found["number"]

    def workers(self, number: int, *, without: set[int]) -> set[int]:
        """The two workers, none of those left out, once both of them answer with a number."""
        seen: dict[int, int] = {}

        def both() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            if (found := self.ask()) is not None:
                seen[found[0]] = found[1]
            living = {worker for worker in seen if worker not in without}
            return len(living) >= 2 and all(seen[worker] == number for worker in living)

        until(both)
        return {worker for worker in seen if worker not in without}


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
@pytest.mark.parametrize("workers", [["-k", "sync"], ["-k", "gthread", "--threads", "4"]], ids=["sync", "gthread"])
def test_workers_answer_hear_count_come_again_and_end(
    make_place: Callable[[str], Place], tmp_path: Path, workers: list[str], preload: list[str]
) -> None:
    place = make_place("redis")
    store: Any = place.open()
    send(store, 1)
    server = Gunicorn(tmp_path, place.url, *workers, *preload)
    try:
        first = server.workers(1, without=set())
        send(store, 2)
        assert server.workers(2, without=set()) == first

        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        second = server.workers(2, without={killed})
        assert first - second == {killed}
        send(store, 3)
        assert server.workers(3, without={killed}) == second

        server.process.send_signal(signal.SIGHUP)
        third = server.workers(3, without=first | second)
        assert not third & second

        server.process.terminate()
        assert server.process.wait(30) == 0
    finally:
        server.process.kill()
        server.process.wait()
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "TIMEOUT" not in log
    asked = server.answers.total()
    assert asked - server.answers[killed] <= counted(store.client, place) <= asked, "only what is killed can't write"


def counted(client: redis.Redis, place: Place) -> int:
    """The evaluations that the workers wrote to Redis, each of them at its end."""
    (stream,) = client.scan_iter(f"{place.url.partition('prefix=')[2]}*:usage")
    rows: Any = client.xrange(stream)
    return sum(one["count"] for _, fields in rows for one in json.loads(fields[b"json"])["counts"])
