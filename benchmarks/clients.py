"""How fast a thousand clients hear of a publish, and what a client adds to a question.

    python benchmarks/clients.py [--only questions,stalls] [--without-peers] [--rounds 15]

publishes: a thousand clients in four processes read one Redis; ten publishes.
stalls:    how long evaluations are held up while 10,000 flags are refreshed.
starting:  what importing costs.
ending:    what 10,000 clients leave behind.
questions: a client beside the bare generated evaluator, with counting off and on, and beside the SDKs of other products
           (their environment is the one that `evaluate.py` makes).

Exit code 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

from evaluate import (
    HERE,
    NOW,
    Contestant,
    Limits,
    calling,
    check_shares,
    passers_by,
    race,
    report,
    resident,
    timed,
    use_own_environment,
)

CLIENTS, PROCESSES, PUBLISHES = 1000, 4, 10
PARTS = ("publishes", "stalls", "starting", "ending", "questions")
_SHARED_CLOCK = time.CLOCK_MONOTONIC


# A thousand clients


@contextlib.contextmanager
def redis_server() -> Iterator[int]:
    """A Redis of our own."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def members(url: str, count: int) -> None:
    """One process: open clients, and for each line of stdin say when each of them had that version."""
    from flagctl.client import Client, Event

    when: dict[int, list[float]] = {}

    def listener(event: Event) -> None:
        if event.kind == "changed" and event.version is not None:
            when.setdefault(event.version, []).append(time.clock_gettime(_SHARED_CLOCK))

    clients = [Client(url, "production", cache=False, on_event=listener, wait=20) for _ in range(count)]
    print(sum(client.version is not None for client in clients), threading.active_count(), flush=True)
    for line in sys.stdin:
        version = int(line)
        until = time.monotonic() + 20
        while len(when.get(version, [])) < count and time.monotonic() < until:
            time.sleep(0.02)
        print(json.dumps(when.get(version, [])), flush=True)
    for client in clients:
        client.close()


def a_thousand(limits: Limits) -> None:
    """From the moment that `publish` begins until each client answers from the new version."""
    from workloads import many, snapshot

    from flagctl.publish.draft import Draft
    from flagctl.publish.publish import publish
    from flagctl.stores import open_store

    specs = many(100)
    with redis_server() as port:
        url = f"redis://127.0.0.1:{port}/0"
        store = open_store(url, Path("/"))

        def send(number: int) -> float:
            document = json.loads(snapshot(specs)) | {"commit": f"{number:040x}"}
            document["flags"]["flag-00000"]["ttl"] = 300 + number
            draft = Draft(document)
            start = time.clock_gettime(_SHARED_CLOCK)
            publish(draft, store, is_ancestor=lambda a, b: True, elapsed=lambda: 0.0, allow_older=True)
            return start

        send(1)
        command = [sys.executable, __file__, "--members", url, str(CLIENTS // PROCESSES)]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(PROCESSES)
        ]
        threads = 0
        for process in processes:
            assert process.stdout is not None
            ready, count = map(int, process.stdout.readline().split())
            threads += count
            if ready != CLIENTS // PROCESSES:
                raise SystemExit(f"only {ready} clients found a snapshot")
        medians, lasts = [], []
        for number in range(2, PUBLISHES + 2):
            time.sleep(0.5)
            start = send(number)
            found: list[float] = []
            for process in processes:
                assert process.stdin is not None
                assert process.stdout is not None
                print(number, file=process.stdin, flush=True)
                found += json.loads(process.stdout.readline())
            if len(found) != CLIENTS:
                raise SystemExit(f"only {len(found)} clients heard of version {number}")
            medians.append(1e3 * (statistics.median(found) - start))
            lasts.append(1e3 * (max(found) - start))
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
    print(f"\n{CLIENTS} clients in {PROCESSES} processes with {threads} threads, {PUBLISHES} publishes, ms after each")
    print(f"  median client: {statistics.median(medians):.1f}, at worst {max(medians):.1f}")
    print(f"  last client:   {statistics.median(lasts):.1f}, at worst {max(lasts):.1f}")
    limits.hold("the median client knows of a publish", statistics.median(medians), 50, " ms")
    limits.hold("the last one, in the worst of all publishes", max(lasts), 1000, " ms")


# What a client adds to a question


def opened(data: bytes, folder: Path) -> Any:
    """A client of a folder with this snapshot."""
    from flagctl.client import Client

    place = folder / "production/snapshot.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_suffix(".new").write_bytes(data)
    place.with_suffix(".new").replace(place)
    return Client(f"file:{folder}", "production", cache=False, require=True)


EXPIRES = "W2, expires"
PEERS = ("LaunchDarkly", "Unleash", "flagd core", "GrowthBook core")


BARE, CLIENT, COUNTS, IN_ALL = "the evaluator, bare", "client", "client that counts", "counting, in all"
BY_NAME = ", by name"


@contextlib.contextmanager
def contestants(spec: Any, data: bytes, folder: Path) -> Iterator[list[Contestant]]:
    """The bare evaluator, a client, one that counts, and one whose account is worked off in the thread that asks.

    With a context that is at hand; and, but for `value`, with attributes by name, for which the bare evaluator is given
    a new context each time. The clock's own share is in the client's time, not in the evaluator's.
    """
    from flagctl.client.recorder import Recorder
    from flagctl.evaluate.engine import Engine

    engine, key = Engine.load(data), spec.key
    plain, counting, working = (opened(data, folder / name) for name in ("plain", "counting", "working"))
    recorders = [Recorder(counting, every=0.2), Recorder(working, every=3600)]
    for one in (engine, *(client._keeper.held.engine for client in (plain, counting, working))):
        one.prepare()

    def bare(people: list[Any]) -> None:
        ask, now = engine.enabled if spec.boolean else engine.value, NOW
        for who in people:
            ask(key, who, now)

    def through(client: Any, people: list[Any]) -> None:
        if spec.boolean:
            ask = client.enabled
            for who in people:
                ask(key, who)
        else:
            ask = client.value
            for who in people:
                ask(key, who, default="")

    def work_off(nobody: list[Any]) -> None:
        recorders[1].flush()

    def bare_by_name(people: list[Any]) -> None:
        ask, now = engine.enabled, NOW
        for who in people:
            ask(key, {"targetingKey": who.key, "country": who.attributes["country"]}, now)

    def by_name(client: Any, people: list[Any]) -> None:
        ask = client.enabled
        for who in people:
            ask(key, user=who.key, country=who.attributes["country"])

    def context(who: Any) -> Any:
        return who.context

    def person(who: Any) -> Any:
        return who

    racing = [
        Contestant(BARE, context, bare),
        Contestant(CLIENT, context, partial(through, plain)),
        Contestant(COUNTS, context, partial(through, counting)),
        Contestant(IN_ALL, context, partial(through, working), after=work_off),
    ]
    if spec.boolean:
        racing += [
            Contestant(BARE + BY_NAME, person, bare_by_name),
            Contestant(CLIENT + BY_NAME, person, partial(by_name, plain)),
            Contestant(COUNTS + BY_NAME, person, partial(by_name, counting)),
        ]
    yield racing
    for recorder in recorders:
        recorder.flush()
        if recorder.written.dropped or not recorder.counts.flags:
            raise SystemExit(f"{folder.name}: nothing was counted, or something dropped")
    for client in (plain, counting, working):
        client.close()


def long_before(racing: list[Contestant], rounds: int, count: int = 20_000) -> dict[str, float]:
    """The same with contexts that were all made before the first is asked with: too many for a core's own caches."""
    dice = random.Random(2)
    times: dict[str, list[float]] = {one.name: [] for one in racing}
    for _ in range(rounds):
        for one in dice.sample(racing, len(racing)):
            gc.collect()
            people = [one.person(who) for who in passers_by(dice, count)]
            gc.disable()
            times[one.name].append(timed(one.drive, people) / count)
            gc.enable()
    return {name: statistics.median(found) for name, found in times.items()}


def questions(limits: Limits, names: list[str], rounds: int, folder: Path) -> None:
    """W1, W2 and W4 by `enabled`, W3 by `value`; and W2 of a flag that expires one day, for the clock's sake."""
    from peers import PEERS as ALL
    from workloads import WORKLOADS, snapshot

    from flagctl.evaluate.engine import Engine

    table, cold = {}, {}
    for workload, spec in [*WORKLOADS.items(), (EXPIRES, WORKLOADS["W2"])]:
        data = snapshot([spec])
        if workload == EXPIRES:
            data = data.replace(b'"enabled":true', b'"enabled":true,"expires_at":4000000000')
        with contestants(spec, data, folder / workload) as racing:
            for name in names if workload != EXPIRES else ():
                person, asked = ALL[name][1]([spec])
                ask = asked(spec)
                check_shares(name, workload, Engine.load(data), spec, person, ask)
                racing.append(Contestant(name, person, calling(ask), overhead=True))
            table[workload] = race(racing, rounds)
            if workload == "W1":
                cold = long_before([one for one in racing if one.name in (BARE, COUNTS)], rounds)
    print("\nCPU ns per question")
    report(table)
    print(
        f"W1 with contexts made long before, no longer in a cache: {BARE} {cold[BARE]:.0f}, "
        f"{COUNTS} {cold[COUNTS]:.0f}, {cold[COUNTS] / cold[BARE]:.2f}x (no limit)"
    )
    for workload, column in table.items():
        for form in ("", BY_NAME) if workload != "W3" else ():
            bare = column[BARE + form]
            limits.hold(f"{workload}{form}: enabled() to the bare evaluator", column[CLIENT + form] / bare, 1.5, "x")
            limits.hold(f"{workload}{form}: and counted", column[COUNTS + form] / bare, 2, "x")
        for name in names if workload != EXPIRES else ():
            limits.hold(f"{workload}: to {name}", column[COUNTS] / column[name], 1, "x")


# Stalls


def stalls(limits: Limits, folder: Path, count: int = 10_000, refreshes: int = 20) -> None:
    """How long evaluations of another thread take while all flags are refreshed again and again.

    Whoever publishes is in this process, so it sleeps until it hears of each version, and puts no bytes together.
    """
    from workloads import many, snapshot

    data = snapshot(many(count))
    client = opened(data, folder / "stalls")
    arrived: Queue[int | None] = Queue()
    client.on_event(lambda event: arrived.put(event.version) if event.kind == "changed" else None)
    head, tail = data.split(b'"version":1}')
    done, took = threading.Event(), array("d")  # not a list: the garbage collector would walk through millions
    who = next(passers_by(random.Random(3), 1)).context
    keys = client.keys()[:50]

    def ask() -> None:
        enabled, append, clock = client.enabled, took.append, time.perf_counter
        while not done.is_set():
            for key in keys:
                before = clock()
                enabled(key, who)
                append(clock() - before)

    ask_quietly = threading.Thread(target=ask)
    ask_quietly.start()
    time.sleep(2)
    done.set()
    ask_quietly.join()
    quiet = array("d", sorted(took))
    del took[:]
    done.clear()
    asking = threading.Thread(target=ask)
    asking.start()
    place = folder / "stalls/production/snapshot.json"
    for version in range(2, refreshes + 2):
        with place.with_suffix(".new").open("wb", buffering=0) as file:
            file.write(head)
            file.write(b'"version":%d}' % version + tail)
        place.with_suffix(".new").replace(place)
        if (found := arrived.get(timeout=20)) != version:
            raise SystemExit(f"version {found} arrived, not {version}: {client.error}")
    done.set()
    asking.join()
    client.close()
    took = array("d", sorted(took))

    def at(times: array[float], share: float) -> float:
        return 1e3 * times[min(len(times) - 1, int(len(times) * share))]

    print(
        f"\n{len(took):,} questions while {count:,} flags were refreshed {refreshes} times, ms; before: {len(quiet):,}"
    )
    for name, share in (
        ("median", 0.5),
        ("99.9th percentile", 0.999),
        ("99.99th percentile", 0.9999),
        ("longest", 1.0),
    ):
        print(f"  {name:20}{at(took, share):10.4f}   before {at(quiet, share):10.4f}")
    limits.hold("the 99.9th percentile while flags are refreshed", at(took, 0.999), 20, " ms")


# Starting and ending


def starting(limits: Limits) -> None:
    """CPU time of a fresh interpreter that does nothing, and of one that imports the client."""
    import resource

    def cpu(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    runs = [(cpu("pass"), cpu("import flagctl.client"), cpu("import redis")) for _ in range(15)]
    bare, ours, redis = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"\nCPU ms: python {bare:.0f}, import flagctl.client {ours:.0f}, import redis alone {redis:.0f}")
    limits.hold("importing the client, to a bare interpreter", ours / bare, 8, "x")


def ending(limits: Limits, folder: Path, count: int = 10_000) -> None:
    """What clients leave behind that were opened and closed one after the other."""
    from workloads import many, snapshot

    data = snapshot(many(1))

    def some(number: int) -> None:
        for _ in range(number):
            opened_once.close() if (opened_once := opened(data, folder / "ending")).version == 1 else sys.exit("no")

    some(200)
    gc.collect()
    places, before = len(list(Path("/proc/self/fd").iterdir())), resident()
    threads = threading.active_count()
    start = time.perf_counter()
    some(count)
    took = time.perf_counter() - start
    gc.collect()
    grown = resident() - before
    more = len(list(Path("/proc/self/fd").iterdir())) - places + threading.active_count() - threads
    print(f"\n{count:,} clients opened and closed in {took:.0f} s: {more} more files and threads, {grown:+.2f} MB")
    limits.hold("files and threads left behind", more, 0)
    limits.hold("memory left behind", grown, 2, " MB")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", help=f"parts to run, by commas: {', '.join(PARTS)}")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--members", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    use_own_environment()
    if options.members:
        members(options.members[0], int(options.members[1]))
        return 0
    parts = options.only.split(",") if options.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only: found {', '.join(sorted(unknown))}, expected some of {', '.join(PARTS)}")
    names = [] if options.without_peers else list(PEERS)
    print(f"CPython {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    limits = Limits()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = {
            "publishes": lambda: a_thousand(limits),
            "stalls": lambda: stalls(limits, folder),
            "starting": lambda: starting(limits),
            "ending": lambda: ending(limits, folder),
            "questions": lambda: questions(limits, names, options.rounds, folder),
        }
        for part in parts:
            run[part]()
    sys.stdout.flush()
    os._exit(1 if limits.missed else 0)  # a peer's threads may not end by themselves


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
