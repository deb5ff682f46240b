"""Killed publishers, racing publishers, and readers beside them. Processes are real, and so is kill -9."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flagctl.stores.folder import FolderStore

COMMON = """
import json, os, sys
from pathlib import Path
from flagctl.publish.draft import Draft
from flagctl.publish.publish import publish
from flagctl.stores.folder import FolderStore

def send(number, marks=40):
    document = {
        "format": "flagctl/snapshot/1", "environment": "production", "version": 0, "bucketing": "portable",
        "commit": f"{number:040x}", "commit_time": None, "protected": False, "attributes": {}, "segments": {},
        "flags": {f"flag-{i}": {"mark": number} for i in range(marks)},
    }
    store = FolderStore(Path(sys.argv[1]), "file:x")
    mine = document["commit"]
    return publish(Draft(document), store, is_ancestor=lambda a, b: b == mine, elapsed=lambda: 0.0).version
"""

# Publishes 2 over 1 (or over nothing) again and again in forked children, the n-th of which kills itself at its
# n-th call to the file system; half of what it was about to write is written. Prints what a reader then finds.
KILLER = (
    COMMON
    + """
import fcntl, shutil, signal

CALLS = [(os, name) for name in ("open", "write", "fsync", "replace", "mkdir", "close")] + [(fcntl, "flock")]

def kill_at(wanted):
    count = 0
    def wrapped(name, function):
        def call(*arguments, **keywords):
            nonlocal count
            count += 1
            if count == wanted:
                if name == "write":
                    function(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)
        return call
    for module, name in CALLS:
        setattr(module, name, wrapped(name, getattr(module, name)))

folder, live = Path(sys.argv[1]), Path(sys.argv[1], "production/snapshot.json")
for n in range(1, 1000):
    shutil.rmtree(folder, ignore_errors=True)
    for number in map(int, sys.argv[2:]):
        send(number)
    child = os.fork()
    if not child:
        kill_at(n)
        send(2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = live.read_text() if live.exists() else None
    version = send(2)
    left = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    print(json.dumps({"status": status, "found": found, "version": version, "retry": live.read_text(), "left": left}))
    if not status:
        break
"""
)


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def output_of(process: subprocess.Popen[str]) -> list[Any]:
    stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 0, stderr
    return [json.loads(line) for line in stdout.splitlines()]


def marks(text: str) -> set[int]:
    return {flag["mark"] for flag in json.loads(text)["flags"].values()}


@pytest.mark.parametrize("already", [[], [1]])
def test_a_publisher_killed_at_any_call_leaves_a_whole_snapshot_and_the_next_one_finishes(
    tmp_path: Path, already: list[int]
) -> None:
    runs = output_of(run(KILLER, tmp_path / "published", *already))
    assert len(runs) > 15, "the calls were not counted"
    assert [r["status"] for r in runs] == [9] * (len(runs) - 1) + [0]
    seen = [None if r["found"] is None else tuple(marks(r["found"])) for r in runs]
    old = (1,) if already else None
    first_new = seen.index((2,))
    assert 5 < first_new < len(seen) - 5
    assert seen == [old] * first_new + [(2,)] * (len(seen) - first_new)
    for r in runs:
        version = len(already) + 1
        assert (r["version"], json.loads(r["retry"])["version"], marks(r["retry"])) == (version, version, {2})
        history = [f"production/history/{n}-{n + 1 - len(already):012}.json" for n in range(1, version + 1)]
        assert len(r["left"]) == len(history) + 2, f"something stayed behind: {r['left']}"


RACER = (
    COMMON
    + """
print("ready", flush=True)
sys.stdin.readline()
print(*[send(number) for number in map(int, sys.argv[2:])], flush=True)
"""
)


def test_racing_publishers_share_one_count(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), *(str(100 * number + i) for i in range(10))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(1, 5)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    versions = [int(word) for racer in racers for word in racer.communicate(timeout=100)[0].split()]
    assert sorted(versions) == list(range(1, 41))
    history = FolderStore(tmp_path, "file:x").keys("production/history/")
    assert sorted(int(key.rpartition("/")[2].partition("-")[0]) for key in history) == list(range(1, 41))
    last = max(history, key=lambda key: int(key.rpartition("/")[2].partition("-")[0]))
    assert (tmp_path / "production/snapshot.json").read_bytes() == (tmp_path / last).read_bytes()


WRITER = (
    COMMON
    + """
for number in range(1, 201):
    send(number, marks=300)
"""
)


def test_a_reader_beside_two_hundred_publishes_sees_each_whole_and_none_after_a_newer(tmp_path: Path) -> None:
    live = tmp_path / "production" / "snapshot.json"
    seen: list[int] = []
    with run(WRITER, tmp_path) as writer:
        finished = False
        while not finished:
            finished = writer.poll() is not None
            if live.exists():
                document = json.loads(live.read_bytes())
                assert {flag["mark"] for flag in document["flags"].values()} == {document["version"]}
                assert len(document["flags"]) == 300
                seen.append(document["version"])
        output_of(writer)
    assert seen == sorted(seen)
    assert seen[-1] == 200
    assert len(set(seen)) > 5, "the reader saw too little to say anything"
