"""Killed publishers, racing publishers and readers beside them, against every real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import KINDS, Place

SCRIPT = str(Path(__file__).parent / "publisher.py")
# Full size with FLAGCTL_TEST_FULL=1: 20 processes with 10 publishes each, 1,000 publishes under a reader, and a kill
# at each call also where a call is slow: S3 answers in tens of milliseconds here, and its leases take many calls.
FULL = os.environ.get("FLAGCTL_TEST_FULL") == "1"


def start(place: Place, *arguments: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, SCRIPT, place.url, *map(str, arguments)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def output_of(process: subprocess.Popen[str]) -> list[str]:
    stdout, stderr = process.communicate(timeout=3600 if FULL else 600)
    assert process.returncode == 0, stderr
    return stdout.splitlines()


@pytest.mark.parametrize(
    ("kind", "already"),
    [("redis", []), ("redis", [1]), ("redis-cluster", [1]), ("redis-sentinel", [1]), ("s3", [1]),
     ("s3-unconditional", [1])],
)  # fmt: skip
def test_a_publisher_killed_at_any_call_leaves_one_whole_version_and_the_next_one_finishes(
    make_place: Callable[[str], Place], kind: str, already: list[int]
) -> None:
    place = make_place(kind)
    # An odd step, so that half a message and all of one take turns.
    step = 1 if FULL else {"s3": 3, "s3-unconditional": 7}.get(kind, 1)
    corner = place.url.partition("prefix=")[2] or place.url.split("/")[3].partition("?")[0]
    runs = list(
        map(json.loads, output_of(start(Place(kind, place.url.replace(corner, "CORNER")), "kill", step, *already)))
    )
    assert [run["status"] for run in runs] == [9] * (len(runs) - 1) + [0]
    seen = [run["found"] for run in runs]
    old = 1 if already else None
    first_new = seen.index(2)
    assert 2 < first_new < len(seen)
    assert seen == [old] * first_new + [2] * (len(seen) - first_new)
    version = len(already) + 1
    keys = ["production/flagd.json", "production/snapshot.json"]
    if kind.startswith("s3"):
        keys[1:1] = [f"production/history/{n}-{n + 1 - len(already):012}.json" for n in range(1, version + 1)]
    for run in runs:
        assert (run["version"], run["retry"], run["beside"]) == (version, [version, 2], [version])
        assert run["keys"] == sorted(keys), f"something stayed behind or is missing: {run['keys']}"


@pytest.mark.parametrize("kind", KINDS)
def test_racing_publishers_share_one_count(make_place: Callable[[str], Place], kind: str) -> None:
    place = make_place(kind)
    processes, each = (20, 10) if FULL else (3, 3) if kind == "s3-unconditional" else (4, 5)
    # Where nothing is there yet, moto lets two in at once now and then (2 of 245 objects of 16 racing processes).
    before = 1 if kind == "s3" else 0
    output_of(start(place, "write", before, 3))
    racers = [start(place, "race", number, each) for number in range(1, processes + 1)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdin is not None
        assert racer.stdout.readline() == "ready\n", racer.communicate()[1]
    for racer in racers:
        racer.stdin.write("go\n")  # type: ignore[union-attr]
        racer.stdin.flush()  # type: ignore[union-attr]
    lines = [line for racer in racers for line in output_of(racer)]
    versions = [int(line) for line in lines if line.isdigit()]
    total = before + processes * each
    assert sorted(versions) == list(range(before + 1, total + 1))
    store = place.open()
    live = store.get("production/snapshot.json")
    assert json.loads(live.data)["version"] == total
    assert set(json.loads(store.get("production/flagd.json").data)["flags"].values()) == {total}
    if not kind.startswith("redis"):
        history = {int(key.split("/")[2].split("-")[0]): key for key in store.keys("production/history/")}
        assert sorted(history) == list(range(1, total + 1))
        assert len(store.keys("production/history/")) == total
        assert store.get(history[total]).data == live.data
    lost = sum(int(line.removeprefix("lost ")) for line in lines if line.startswith("lost"))
    if kind in ("file", "s3-unconditional"):
        assert lost == 0
    elif kind == "s3":
        assert lost > 0, "nobody raced"


@pytest.mark.parametrize("kind", KINDS)
def test_a_follower_sees_each_version_whole_and_none_after_a_newer(
    make_place: Callable[[str], Place], kind: str
) -> None:
    place = make_place(kind)
    count = 1000 if FULL else {"s3": 25, "s3-unconditional": 7, "file": 100}.get(kind, 200)
    with start(place, "follow") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "ready\n"
        with start(place, "write", count, 300) as writer:
            output_of(writer)
        (line,) = output_of(follower)
    seen, last = map(int, line.split())
    assert last == count
    assert seen > 3, "the reader saw too little to say anything"
