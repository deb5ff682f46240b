"""What processes of their own do in tests: publish, follow, or die on the way.

python publisher.py URL race NUMBER COUNT     publishes COUNT times, again after each lost race
python publisher.py URL write COUNT FLAGS     publishes 1 to COUNT
python publisher.py URL follow                reads until stdin ends
python publisher.py URL kill STEP MARK...     publishes 2 over MARKs again and again; the n-th child dies while it
                                              sends for the n/2-th time, half sent or all; n rises by STEP
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from flagctl.publish.draft import Draft
from flagctl.publish.publish import publish
from flagctl.publish.receipt import Receipt
from flagctl.stores import open_store
from flagctl.stores.base import UNCHANGED, LostRaceError

LIVE, FLAGD = "production/snapshot.json", "production/flagd.json"


def flagd(document: dict[str, Any]) -> bytes:
    """A stand-in that says which version it was made of, large enough to be cut."""
    return json.dumps({"flags": dict.fromkeys(document["flags"], document["version"])}).encode()


def send(store: Any, mark: int, flags: int = 40) -> Receipt:
    """Publish a snapshot all of whose flags carry the mark; whatever is live counts as an ancestor."""
    commit = f"{mark:012x}" + "0" * 28
    document = {
        "format": "flagctl/snapshot/1",
        "environment": "production",
        "version": 0,
        "bucketing": "portable",
        "commit": commit,
        "commit_time": None,
        "protected": False,
        "attributes": {},
        "segments": {},
        "flags": {f"flag-{i}": {"mark": mark} for i in range(flags)},
    }
    draft = Draft(document, beside={"flagd.json": flagd})
    return publish(draft, store, is_ancestor=lambda first, second: second == commit, elapsed=lambda: 0.0)


def race(store: Any, number: int, count: int) -> None:
    """Print the version of each publish, and at last how many races were lost."""
    lost = 0
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(count):
        while True:
            try:
                print(send(store, 1000 * number + i).version, flush=True)
                break
            except LostRaceError:
                lost += 1
    print(f"lost {lost}", flush=True)


def look(data: bytes) -> tuple[int, int]:
    """Version and mark of a snapshot; fails for a mixture and for half of one."""
    document = json.loads(data)
    (mark,) = {flag["mark"] for flag in document["flags"].values()}
    return document["version"], mark


def follow(store: Any) -> None:
    """Read without a pause until stdin ends; print how many versions were seen and the last, or what was wrong."""
    token, seen, last = "", 0, 0
    print("ready", flush=True)
    finished = False
    while True:
        found = store.read_if_changed(LIVE, token)
        if found is not None and found is not UNCHANGED:
            version, mark = look(found.data)
            assert version == mark, f"version {version} holds what {mark} should"
            assert version >= last, f"version {version} after {last}"
            seen += version > last
            last, token = version, found.token
        beside = store.get(FLAGD)
        if beside is not None:
            assert len(set(json.loads(beside.data)["flags"].values())) == 1
        if finished:
            break
        finished = bool(select.select([sys.stdin], [], [], 0)[0])
    print(f"{seen} {last}", flush=True)


def die_at(wanted: int) -> None:
    """Kill this process when it sends: with n = 2i - 1 half of the i-th message is sent, with n = 2i all of it."""
    count = 0

    def call(connection: socket.socket, data: Any, *flags: Any) -> Any:
        nonlocal count
        count += 2
        if count == wanted + 1:
            send_all(connection, bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send_all(connection, data, *flags)
        if count == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    send_all = socket.socket.sendall
    socket.socket.sendall = call  # type: ignore[method-assign,assignment]


def kill(url: str, step: int, marks: list[int]) -> None:
    """Print, for each child, how it ended, what a reader found then, and what a retry made of it."""
    client = open_store(url, Path("/")).client
    for n in range(1, 1000, step):
        place = url.replace("CORNER", f"kill-{os.getpid()}-{n}")
        store = open_store(place, Path("/"))
        store._client = client  # type: ignore[attr-defined]  # making one takes longer than all else
        for mark in marks:
            send(store, mark)
        child = os.fork()
        if not child:
            own = open_store(place, Path("/"))
            assert own.client is not client  # type: ignore[attr-defined]
            die_at(n)
            send(own, 2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        found = store.get(LIVE)
        if place.startswith("s3:"):
            prefix = store.prefix + "production/.lease/"
            for entry in store.client.list_objects_v2(Bucket=store.bucket, Prefix=prefix).get("Contents", ()):
                store.client.delete_object(Bucket=store.bucket, Key=entry["Key"])
        version = send(store, 2).version
        again = store.get(LIVE)
        beside = set(json.loads(store.get(FLAGD).data)["flags"].values())
        told = {
            "status": status,
            "found": found and look(found.data)[1],
            "version": version,
            "retry": look(again.data),
            "beside": sorted(beside),
            "keys": store.keys("production/"),
        }
        print(json.dumps(told), flush=True)
        if not status:
            break


def main() -> None:
    """See above."""
    url, what, *rest = sys.argv[1:]
    assert threading.active_count() == 1
    if what == "kill":
        kill(url, int(rest[0]), [int(word) for word in rest[1:]])
        return
    store = open_store(url, Path("/"))
    if what == "race":
        race(store, int(rest[0]), int(rest[1]))
    elif what == "follow":
        follow(store)
    else:
        for mark in range(1, int(rest[0]) + 1):
            send(store, mark, int(rest[1]))


if __name__ == "__main__":
    main()
