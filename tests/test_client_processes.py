"""A client in every way that a process can begin and end: forked, spawned, by exit, by a signal, while others ask."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Place
from test_client_servers import send

START = """
import atexit, multiprocessing, os, signal, sys, threading, time
from flagctl.client import Client
url = sys.argv[1]

def told_of(client, version):
    until = time.monotonic() + 30
    while client.version != version and time.monotonic() < until:
        client.value("number", default=-1)
        time.sleep(0.01)
    return client.value("number", default=-1) == version

"""
STORIES = {
    # What gunicorn --preload does: the application is loaded, its client too, before the workers are forked.
    "forked workers": """
client = Client(url, "production", cache=False, refresh=3600, require=True)
children = []
for number in range(3):
    child = os.fork()
    if not child:
        first = client.value("number", default=-1) == 1
        alone = [thread.name for thread in threading.enumerate()].count("flagctl-client") == 1
        os.write(1, b"ready\\n")
        os._exit(0 if first and alone and told_of(client, 2) else 1)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
sys.exit(0 if codes == [0, 0, 0] and told_of(client, 2) else f"{codes} {client.version}")
""",
    "a worker that is forked from a worker and ends as programs do": """
client = Client(url, "production", cache=False, refresh=3600, require=True)
child = os.fork()
if not child:
    grandchild = os.fork()
    if not grandchild:
        os.write(1, b"ready\\n")
        sys.exit(0 if told_of(client, 2) else 1)
    sys.exit(os.waitpid(grandchild, 0)[1])
os.write(1, b"ready\\n" * 2)
sys.exit(os.waitpid(child, 0)[1])
""",
    "forked while other threads ask and the client is at work": """
client = Client(url, "production", cache=False, refresh=0.001, require=True)
for number in range(4):
    threading.Thread(target=lambda: [client.value("number", default=-1) for _ in iter(int, 1)], daemon=True).start()
codes = set()
for number in range(20):
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if client.value("number", default=-1) == 1 and client.refresh(15) else 1)
    codes.add(os.waitpid(child, 0)[1])
os.write(1, b"ready\\n" * 3)
sys.stdin.readline()
client.close()
os._exit(0 if codes == {0} else 1)
""",
    "nothing is closed": """
client = Client(url, "production", cache=False, refresh=0.001, require=True)
os.write(1, b"ready\\n" * 3)
sys.stdin.readline()
""",
    "the interpreter ends while threads ask": """
client = Client(url, "production", cache=False, refresh=0.001, require=True)
def ask():
    while True:
        client.value("number", default=-1)
        client.details("number")
for number in range(4):
    threading.Thread(target=ask, daemon=True).start()
os.write(1, b"ready\\n" * 3)
sys.stdin.readline()
atexit.register(lambda: client.value("number", default=-1))
""",
    "SIGTERM ends it with what is registered for that": """
client = Client(url, "production", cache=False, refresh=0.001, require=True)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0 if client.value("number", default=-1) > 0 else 1))
os.write(1, b"ready\\n" * 3)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(30)
""",
    "a signal handler wakes the client": """
client = Client(url, "production", cache=False, refresh=3600, require=True)
signal.signal(signal.SIGUSR1, lambda number, frame: client.ring())
for number in range(200):
    os.kill(os.getpid(), signal.SIGUSR1)
os.write(1, b"ready\\n" * 3)
sys.exit(0 if told_of(client, 2) else 1)
""",
}
WORKERS = """

def work(url, answers):
    client = Client(url, "production", cache=False, refresh=3600, require=True)
    os.write(1, b"ready\\n")
    answers.put(told_of(client, 2))

if __name__ == "__main__":
    way = multiprocessing.get_context(sys.argv[2])
    answers = way.SimpleQueue()
    workers = [way.Process(target=work, args=(url, answers)) for _ in range(3)]
    client = Client(url, "production", cache=False, refresh=3600, require=True)
    assert client.value("number", default=-1) == 1
    for worker in workers:
        worker.start()
    found = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    codes = [worker.exitcode for worker in workers]
    sys.exit(0 if found == [True] * 3 and codes == [0] * 3 and told_of(client, 2) else f"{found} {codes}")
"""


@pytest.mark.parametrize("story", [*STORIES, "fork", "spawn", "forkserver"])
def test_it_lives_and_ends_with_its_process(make_place: Callable[[str], Place], tmp_path: Path, story: str) -> None:
    place = make_place("redis")
    store = place.open()
    send(store, 1)
    script = tmp_path / "service.py"
    script.write_text(START + STORIES.get(story, WORKERS))
    process = subprocess.Popen(
        [sys.executable, str(script), place.url, story],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert [process.stdout.readline() for _ in range(3)] == ["ready\n"] * 3
        send(store, 2)
        _, said = process.communicate("\n", timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (0, "")


def test_sigterm_without_a_handler_is_not_held_up(make_place: Callable[[str], Place], tmp_path: Path) -> None:
    place = make_place("redis")
    send(place.open(), 1)
    script = tmp_path / "service.py"
    script.write_text(START + STORIES["nothing is closed"])
    with subprocess.Popen(
        [sys.executable, str(script), place.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM


def test_an_end_waits_for_no_silent_network_for_long(tmp_path: Path) -> None:
    """Six sources that take a question and never answer: all together are waited for, not one after the other."""
    script = tmp_path / "service.py"
    script.write_text(
        """
import socket, time
from flagctl.client import Client
listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
sources = [f"redis://127.0.0.1:{one.getsockname()[1]}/0?timeout=60" for one in listening]
clients = [Client(source, "production", cache=False, wait=0) for source in sources]
for one in listening:
    one.accept()
print(time.monotonic(), flush=True)
"""
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True)
    assert time.monotonic() - float(done.stdout) < 8
    assert done.stderr == ""
