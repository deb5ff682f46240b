"""Clients for a long time in a bad world: no exception, no wrong answer, no memory lost.

    python benchmarks/soak.py compressed [--hours 4] [--seed N]     a clock of our own, and a source that misbehaves
    python benchmarks/soak.py real [--minutes 10]                   a real Redis behind a network of ours

Each version's flags all answer with its number, so an answer tells which version it is from. It is wrong when that
version was never published, is older than one this client answered from before, or differs from what another flag
said in the same frozen block. Exit code 1 when anything was wrong.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from proxy import Proxy  # noqa: E402
from servers import free_port, redis_server  # noqa: E402

from flagctl.client import Client  # noqa: E402
from flagctl.client.keeper import Clock  # noqa: E402
from flagctl.compile.snapshot import encode  # noqa: E402
from flagctl.errors import OutsideError  # noqa: E402
from flagctl.publish.draft import Draft  # noqa: E402
from flagctl.publish.publish import publish  # noqa: E402
from flagctl.signing import PrivateKey, public_line  # noqa: E402
from flagctl.stores import open_store  # noqa: E402
from flagctl.stores.base import UNCHANGED, Stored  # noqa: E402

ENVIRONMENT = "production"
NEVER = -1
STRICT = 600
"""Seconds after which one of the flags answers with the caller's default."""
LONGEST = 75.0
"""Seconds after which a client has found out about a new version by itself, however it slept."""


def flags_of(version: int, count: int = 3, ttl: int = 300) -> dict[str, Any]:
    """Flags that answer with the version: `mark-0` and on, and `strict`, which does not when it is old."""
    flag = {
        "type": "integer",
        "variants": {"now": version, "off": 0},
        "off_variant": "off",
        "enabled": True,
        "default": {"serve": "now"},
        "ttl": ttl,
        "metadata": {"owner": "growth"},
    }
    strict = flag | {"stale": "default", "max_stale": STRICT}
    return {**{f"mark-{number}": flag for number in range(count)}, "strict": strict}


def document(version: int, **parts: Any) -> dict[str, Any]:
    """A snapshot."""
    return {
        "format": "flagctl/snapshot/1",
        "environment": ENVIRONMENT,
        "version": version,
        "commit": f"{version:040x}",
        "commit_time": None,
        "bucketing": "portable",
        "protected": False,
        "attributes": {},
        "segments": {},
        "flags": flags_of(version),
        **parts,
    }


class Watcher:
    """Asks one client and remembers what was wrong."""

    def __init__(self, name: str, published: set[int], wrong: list[str]) -> None:
        self.name = name
        self.published = published
        self.wrong = wrong
        self.last = NEVER
        self.asked = 0
        self.reasons: Counter[str] = Counter()

    def ask(self, client: Client) -> int:
        """Ask in every way there is."""
        self.asked += 1
        try:
            with client.frozen():
                first = client.details("mark-0", default=NEVER, user=f"user-{self.asked % 97}")
                rest = [client.value(f"mark-{number}", default=NEVER) for number in (1, 2)]
            now = client.value("mark-1", default=NEVER)
        except Exception as error:
            self.wrong.append(f"{self.name}: {error!r}")
            return NEVER
        self.reasons[first.reason] += 1
        if {first.value} != set(rest):
            self.wrong.append(f"{self.name}: one block saw {first.value} and {rest}")
        for value in (first.value, now):
            if value != NEVER and value not in self.published:
                self.wrong.append(f"{self.name}: {value} was never published")
            if value < self.last:
                self.wrong.append(f"{self.name}: {value} after {self.last}")
            self.last = max(self.last, value)
        return int(now)


# A clock of our own


class World:
    """Time, what is live, and what goes wrong."""

    def __init__(self, dice: random.Random, key: PrivateKey) -> None:
        self.dice = dice
        self.key = key
        self.now = 0.0
        self.jump = 0.0
        self.version = 0
        self.published: set[int] = set()
        self.good: dict[int, bytes] = {}
        self.when: dict[int, float] = {}
        self.trouble = ""
        self.since = 0.0
        self.happened: Counter[str] = Counter()

    def publish(self) -> None:
        self.version += self.dice.choice((1, 1, 1, 2, 40))
        plain = document(self.version)
        self.good[self.version] = encode(plain | {"signature": self.key.sign(encode(plain), "release")})
        self.published.add(self.version)
        self.when[self.version] = self.now
        self.happened["publish"] += 1
        for version in sorted(self.good)[:-20]:
            del self.good[version]

    def change(self) -> None:
        """Another trouble, or none."""
        self.trouble = self.dice.choice(("", "", *TROUBLES))
        self.since = self.now
        self.happened[self.trouble or "mended"] += 1

    def leap(self) -> None:
        """The clock on the wall is put to another time; durations go on."""
        self.jump += self.dice.choice((-86_400.0, -3600.0, -1.0, 1.0, 3600.0, 86_400.0))
        self.happened["clock jump"] += 1

    @property
    def clock(self) -> Clock:
        """What clients go by."""
        return Clock(lambda: 1_800_000_000 + self.now + self.jump, lambda: self.now)


TROUBLES = (
    "down", "gone", "odd error", "flaky",
    "cut short", "flipped", "unsigned", "stranger", "elsewhere", "older", "newer format",
)  # fmt: skip


class Source:
    """What a client reads, after what is live and what goes wrong."""

    url = "the world"

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, key: str) -> Stored | None:
        return self.read_if_changed(key, "")

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        world, dice = self.world, self.world.dice
        trouble = world.trouble if world.trouble != "flaky" else dice.choice(("", "down", "cut short", "odd error"))
        if trouble == "down":
            raise OutsideError("it is down")
        if trouble == "odd error":
            raise dice.choice((ValueError, KeyError, TimeoutError, ConnectionResetError, MemoryError))("unforeseen")
        if trouble == "gone" or not world.good:
            return None
        data = world.good[world.version]
        if trouble:
            data = self.spoilt(trouble, data)
        stored = Stored(data, f"{trouble} {world.version} {len(data)}")
        return UNCHANGED if stored.token == token else stored

    def spoilt(self, trouble: str, data: bytes) -> bytes:
        world, dice = self.world, self.world.dice
        if trouble == "cut short":
            return data[: dice.randrange(len(data))]
        if trouble == "flipped":
            place = dice.randrange(len(data))
            return data[:place] + bytes([data[place] ^ 1 << dice.randrange(7)]) + data[place + 1 :]
        if trouble == "older":
            return world.good[min(world.good)]
        if trouble == "unsigned":
            return encode(document(world.version + 1000))
        plain = document(world.version + 1000)
        if trouble == "elsewhere":
            plain["environment"] = "staging"
        if trouble == "newer format":
            plain["format"] = "flagctl/snapshot/2"
        key = PrivateKey.new() if trouble == "stranger" else world.key
        return encode(plain | {"signature": key.sign(encode(plain), "release")})


class Subject:
    """One client, driven by the world's clock, opened anew from time to time."""

    def __init__(self, number: int, world: World, folder: Path, wrong: list[str]) -> None:
        self.name = f"client {number}"
        self.world = world
        self.folder = folder / str(number)
        self.wrong = wrong
        self.asked = 0
        self.reasons: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()
        self.open()

    def open(self) -> None:
        """A process starts."""
        self.source = Source(self.world)
        self.watcher = Watcher(self.name, self.world.published, self.wrong)
        self.client = Client(
            self.source,
            ENVIRONMENT,
            public_keys={"release": public_line(self.world.key.public, "release")},
            cache=self.folder,
            clock=self.world.clock,
            start=False,
        )
        self.due = self.world.now
        self.opened = self.world.now

    def close(self) -> None:
        """And ends."""
        self.client.close()
        self.asked += self.watcher.asked
        self.reasons += self.watcher.reasons
        self.figures += Counter({name: getattr(self.client.figures, name) for name in ("looks", "failures", "refused")})

    def step(self, *, told: bool) -> None:
        """Let it look when it wants to, and ask it."""
        if told or self.world.now >= self.due:
            try:
                self.due = self.world.now + self.client.tick(told=told, asked=self.world.dice.random() < 0.2)
            except Exception as error:
                self.wrong.append(f"{self.name}: a look raised {error!r}")
        value = self.watcher.ask(self.client)
        world, age = self.world, self.client.age
        quiet = world.now - max(world.since, self.opened, world.when.get(world.version, 0))
        if not world.trouble and quiet > LONGEST and value != world.version:
            self.wrong.append(f"{self.name}: after {quiet:.0f} s of peace it holds {value}, not {world.version}")
        strict = self.client.value("strict", default=NEVER)
        if (strict == NEVER) != (value == NEVER or age > STRICT):
            self.wrong.append(f"{self.name}: strict is {strict} at the age of {age:.0f}")
        reason = self.client.details("mark-0", default=NEVER).reason
        if value != NEVER and (reason == "STALE") != (age >= 300):
            self.wrong.append(f"{self.name}: {reason} at the age of {age:.0f}")


def compressed(hours: float, seed: int, wall: float = float("inf"), clients: int = 3) -> dict[str, Any]:
    """So many hours by a clock of our own, or so many seconds by the one on the wall."""
    dice = random.Random(seed)
    world = World(dice, PrivateKey.new())
    wrong: list[str] = []
    folder = Path(tempfile.mkdtemp())
    began = time.perf_counter()
    try:
        subjects = [Subject(number, world, folder, wrong) for number in range(clients)]
        steps = 0
        while world.now < hours * 3600 and time.perf_counter() - began < wall and len(wrong) < 20:
            steps += 1
            told = False
            match dice.randrange(40):
                case 0 | 1:
                    world.publish()
                    told = dice.random() < 0.7
                case 2:
                    world.change()
                case 3 if dice.random() < 0.2:
                    world.leap()
                case 4 if dice.random() < 0.3:
                    again = dice.choice(subjects)
                    again.close()
                    again.open()
                    world.happened["restart"] += 1
            for subject in subjects:
                subject.step(told=told)
            step = dice.choice((0.01, 0.5, 1.0, 5.0, 20.0))
            world.now = min([world.now + step, *(max(one.due, world.now + 0.001) for one in subjects)])
        for subject in subjects:
            subject.close()
    finally:
        shutil.rmtree(folder)
    return {
        "hours": round(world.now / 3600, 2),
        "seconds": round(time.perf_counter() - began, 1),
        "steps": steps,
        "asked": sum(one.asked for one in subjects),
        "reasons": dict(sum((one.reasons for one in subjects), Counter())),
        "figures": dict(sum((one.figures for one in subjects), Counter())),
        "happened": dict(world.happened),
        "wrong": wrong,
    }


# A real Redis


class Server:
    """A Redis that writes down all it does, and can be killed and started again, with its data or without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Wait until it answers."""
        self._running = redis_server(self.folder, self.port, "--appendonly", "yes", "--appendfsync", "always")
        self.process = self._running.__enter__()

    def kill(self, *, empty: bool) -> None:
        """kill -9."""
        self._running.__exit__(None, None, None)
        if empty:
            shutil.rmtree(self.folder)


class Publisher:
    """Publishes the next version; says what it is before anybody can read it."""

    def __init__(self, port: int, key: PrivateKey) -> None:
        self.store = open_store(f"redis://127.0.0.1:{port}/0?timeout=2", Path("/"))
        self.key = key
        self.published: set[int] = set()
        self.version = 0
        self.at: dict[int, float] = {}

    def publish(self) -> bool:
        """Whether it is out. A place that was emptied is counted on in."""
        version = self.version + 1
        self.published.add(version)
        draft = Draft(document(version), sign=lambda data: self.key.sign(data, "release"))
        try:
            receipt = publish(
                draft, self.store, is_ancestor=lambda first, second: True, elapsed=lambda: 0.0, allow_older=True,
                above=self.version,
            )  # fmt: skip
        except OutsideError:
            return False
        if receipt.version != version:
            raise SystemExit(f"version {receipt.version} was published as {version}")
        self.version = version
        self.at[version] = time.perf_counter()
        return True

    def spoil(self, dice: random.Random) -> None:
        """Damage what lies there, and tell everybody."""
        name = self.store.name(f"{ENVIRONMENT}/snapshot.json")
        raw = self.store.client.get(name) or b""
        place = dice.randrange(1, max(2, len(raw)))
        spoilt = dice.choice((raw[:place], b"", b"nonsense", raw[:place] + b"\0" + raw[place + 1 :]))
        self.store.client.set(name, spoilt)
        self.store.client.xadd(self.store._own(ENVIRONMENT, "versions"), {"version": "0"})
        self.store.client.publish(self.store._own(ENVIRONMENT, "changes"), "0")


def resident() -> float:
    """MB of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def real(minutes: float, seed: int, clients: int = 4) -> dict[str, Any]:
    """So many minutes of publishing and trouble."""
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp())
    wrong: list[str] = []
    happened: Counter[str] = Counter()
    key = PrivateKey.new()
    server = Server(folder / "redis")
    proxies = [Proxy(server.port) for _ in range(clients)]
    publisher = Publisher(server.port, key)
    publisher.publish()
    done = threading.Event()
    watchers = [Watcher(f"client {number}", publisher.published, wrong) for number in range(clients)]
    opened = [
        Client(
            f"redis://127.0.0.1:{proxy.port}/0?timeout=2",
            ENVIRONMENT,
            public_keys={"release": public_line(key.public, "release")},
            cache=folder / "cache",
            refresh=5,
        )
        for proxy in proxies
    ]
    told: dict[int, list[float]] = {}
    for number, client in enumerate(opened):
        client.on_event(
            lambda event, number=number: (
                told.setdefault(event.version or 0, []).append(time.perf_counter())  # type: ignore[misc]
                if event.kind == "changed"
                else None
            )
        )

    def ask(watcher: Watcher, client: Client) -> None:
        while not done.is_set():
            for _ in range(20):
                watcher.ask(client)
            done.wait(0.02)

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(watchers, opened, strict=True)]
    for thread in threads:
        thread.start()
    recoveries: list[float] = []
    latencies: list[float] = []
    memory: list[float] = []
    until = time.perf_counter() + minutes * 60

    def settled(limit: float) -> None:
        """All is well again: publish, and see how long it takes until everybody knows."""
        while not publisher.publish():
            time.sleep(0.1)
        began = time.perf_counter()
        while any(client.version != publisher.version for client in opened):
            if time.perf_counter() - began > limit:
                held = [client.version for client in opened]
                wrong.append(f"{limit} s after all was well {held} are held, not {publisher.version}")
                break
            time.sleep(0.005)
        recoveries.append(time.perf_counter() - began)

    try:
        while time.perf_counter() < until and len(wrong) < 20:
            for _ in range(dice.randrange(3, 12)):  # peace
                publisher.publish()
                happened["publish"] += 1
                time.sleep(dice.uniform(0.05, 0.5))
                if len(times := told.get(publisher.version, [])) == clients:
                    latencies.append(max(times) - publisher.at[publisher.version])
            proxy = dice.choice(proxies)
            trouble = dice.choice(("kill -9", "emptied", "cut", "frozen", "slow", "spoilt"))
            happened[trouble] += 1
            match trouble:
                case "kill -9" | "emptied":
                    server.kill(empty=trouble == "emptied")
                    time.sleep(dice.uniform(0.1, 3))
                    server.start()
                case "cut":
                    proxy.cut()
                    publisher.publish()
                    time.sleep(dice.uniform(0.1, 3))
                    proxy.mend()
                case "frozen":
                    proxy.freeze()
                case "slow":
                    proxy.chunk, proxy.pause = 64, 0.05
                    publisher.publish()
                    time.sleep(dice.uniform(0.1, 3))
                    proxy.mend()
                case "spoilt":
                    publisher.spoil(dice)
                    time.sleep(dice.uniform(0.1, 1))
                    publisher.store.client.delete(publisher.store.name(f"{ENVIRONMENT}/snapshot.json"))
            settled(20)
            gc.collect()
            memory.append(resident())
    finally:
        done.set()
        for thread in threads:
            thread.join()
        for client in opened:
            client.close()
        server.kill(empty=True)
        for proxy in proxies:
            proxy.close()
        shutil.rmtree(folder, ignore_errors=True)
    recoveries.sort()
    latencies.sort()
    half = len(memory) // 2
    figures = sum((Counter({name: getattr(c.figures, name) for name in FIGURES}) for c in opened), Counter())
    return {
        "minutes": minutes,
        "asked": sum(watcher.asked for watcher in watchers),
        "versions": publisher.version,
        "happened": dict(happened),
        "reasons": dict(sum((watcher.reasons for watcher in watchers), Counter())),
        "figures": dict(figures),
        "ms from publish to the last client": {
            "median": round(1e3 * latencies[len(latencies) // 2], 1) if latencies else None,
            "worst": round(1e3 * latencies[-1], 1) if latencies else None,
            "counted": len(latencies),
        },
        "s to recover": {"median": round(recoveries[len(recoveries) // 2], 3), "worst": round(recoveries[-1], 2)},
        "MB": {
            "first half": round(sum(memory[:half]) / max(1, half), 1),
            "second half": round(sum(memory[half:]) / max(1, len(memory) - half), 1),
            "last": round(memory[-1], 1),
        },
        "wrong": wrong,
    }


FIGURES = ("looks", "failures", "refused", "installed")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("compressed", "real"))
    parser.add_argument("--hours", type=float, default=4)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    is_real = options.what == "real"
    found = real(options.minutes, options.seed) if is_real else compressed(options.hours, options.seed)
    print(json.dumps(found, indent=1))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
