"""How fast an answer is, beside hand-written code and the SDKs of other products.

    python benchmarks/evaluate.py [--rounds 15] [--without-peers]

The first run makes benchmarks/.venv and installs the peers of peers.txt there. Everything is offline. All answers are
checked first. Then every contestant is timed in turn, again and again, each time with a few people who were made that
moment and whom nobody asked about before; a figure is the median of its rounds, in CPU nanoseconds per answer. Exit
code 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOW = 1_800_000_000.0
BLOCK, TURNS = 200, 10
"""People in a block at the most, and blocks in a round."""
Drive = Callable[[list[Any]], None]
Times = dict[str, list[float]]


def use_own_environment() -> None:
    """Run again in an environment that has the peers, made if need be."""
    if find_spec("eppo_client") and find_spec("mmh3"):
        return
    folder = HERE / ".venv"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", HERE / "peers.txt", "--editable", HERE.parent], check=True)
    os.execv(python, [python, *sys.argv])


def passers_by(dice: random.Random, count: int) -> Iterator[Any]:
    """People as requests bring them, one by one: every text of its own, no hash worked out yet."""
    from workloads import ADA, LISTED, Person

    for _ in range(count):
        raw = json.dumps({"key": f"user-{dice.randrange(2 * LISTED)}", "attributes": ADA})
        yield Person(**json.loads(raw))


def median_of(times: list[float]) -> float:
    return statistics.median(times)


def timed(drive: Drive, people: list[Any]) -> int:
    """CPU nanoseconds, those of one look at the clock among them."""
    start = time.thread_time_ns()
    drive(people)
    return time.thread_time_ns() - start


def calling(function: Callable[[Any], Any]) -> Drive:
    def drive(people: list[Any]) -> None:
        for who in people:
            function(who)

    return drive


def asking(method: Callable[..., Any], key: str) -> Drive:
    """As an application asks: a key, a context and the time."""

    def drive(people: list[Any]) -> None:
        now = NOW
        for who in people:
            method(key, who, now)

    return drive


class Contestant:
    """What is timed; `person` makes of somebody what it is asked with, which takes no time here.

    overhead: whether to subtract the call of a function. after: does what a round of questions leaves to be done, which
    is timed too.
    """

    def __init__(
        self,
        name: str,
        person: Callable[[Any], Any],
        drive: Drive,
        overhead: bool = False,
        after: Drive | None = None,
    ) -> None:
        self.name = name
        self.person = person
        self.drive = drive
        self.overhead = overhead
        self.after = after
        self.block = BLOCK

    @property
    def first(self) -> int:
        """How many of each block are not timed: they bring back what other contestants drove out of the caches."""
        return -(-self.block // 4)

    def calibrate(self, dice: random.Random) -> None:
        """Take about 1 ms a block."""
        self.turn(dice)
        took = timed(self.drive, [self.person(who) for who in passers_by(dice, 3)]) / 3
        self.block = int(min(BLOCK, max(1, 1e6 / took)))

    def turn(self, dice: random.Random) -> int:
        """One block: what it took to ask."""
        people = [self.person(who) for who in passers_by(dice, self.first + self.block)]
        self.drive(people[: self.first])
        return timed(self.drive, people[self.first :])


def race(contestants: list[Contestant], rounds: int) -> dict[str, float]:
    """Everybody's median.

    A service makes a context and asks with it a moment later, while the context is still in a cache; contexts that
    were made by the ten thousand beforehand are not, and asking with them measures the memory. So a contestant's turn
    is a small block of people, made right before and never seen again, of which only the asking is timed. In each
    of a round's turns all contestants come once, in random order. What two looks at the clock cost with nothing
    between them is subtracted from each block: it would be a tenth of the quickest ones.
    """
    dice = random.Random(1)
    loop = Contestant("", lambda who: who, calling(lambda who: None))
    everybody = [loop, *contestants]
    for one in everybody:
        one.calibrate(dice)
    times: Times = {one.name: [] for one in everybody}
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        clock = median_of([float(timed(loop.drive, [])) for _ in range(100)])
        spent = dict.fromkeys(times, 0.0)
        for _ in range(TURNS):
            for one in dice.sample(everybody, len(everybody)):
                spent[one.name] += one.turn(dice) - clock
        for one in everybody:
            left = timed(one.after, []) / (one.first + one.block) if one.after else 0
            times[one.name].append((spent[one.name] / one.block + left) / TURNS)
        gc.enable()
    own = median_of(times[loop.name])
    return {one.name: median_of(times[one.name]) - (own if one.overhead else 0) for one in contestants}


def our_contestants(engine: Any, key: str, workload: str, bucketing: str) -> list[Contestant]:
    from by_hand import BARE, DETAILS

    def context(who: Any) -> Any:
        return who.context

    return [
        Contestant("by hand, bare", context, calling(BARE[bucketing][workload])),
        Contestant("by hand, details", context, calling(DETAILS[bucketing][workload])),
        Contestant("evaluate()", context, asking(engine.evaluate, key)),
        Contestant("enabled()" if key == "new-checkout" else "value()", context, asking(_quick(engine, key), key)),
    ]


def _quick(engine: Any, key: str) -> Callable[..., Any]:
    return engine.enabled if key == "new-checkout" else engine.value


def check_ours(engine: Any, spec: Any, workload: str, bucketing: str) -> None:
    """By hand and made: the same to the last field."""
    from by_hand import BARE, DETAILS

    for who in passers_by(random.Random(2), 2000):
        found = engine.evaluate(spec.key, who.context, NOW)
        by_hand = DETAILS[bucketing][workload](who.context)
        fields = ("value", "variant", "reason", "rule")
        if any(getattr(found, name) != getattr(by_hand, name) for name in fields):
            raise SystemExit(f"{workload}: {found} is not {vars(by_hand)}")
        if BARE[bucketing][workload](who.context) != found.value or found.value != _quick(engine, spec.key)(
            spec.key, who.context, NOW
        ):
            raise SystemExit(f"{workload}: not {found.value}")


def check_shares(name: str, workload: str, engine: Any, spec: Any, person: Any, ask: Any) -> None:
    """A peer's answers: exactly ours where nothing is drawn, else in the same shares, for it draws otherwise."""
    people = list(passers_by(random.Random(3), 1000))
    found = [ask(person(who)) for who in people]
    expected = [engine.evaluate(spec.key, who.context, NOW) for who in people]
    if expected[0].reason == "SPLIT":
        ours, theirs = Counter(one.value for one in expected), Counter(found)
        wrong = any(abs(ours[value] - theirs[value]) > 80 for value in ours | theirs)
    else:
        wrong = found != [one.value for one in expected]
    if wrong:
        raise SystemExit(f"{workload}: {name} answers wrongly: {Counter(found)}")


def four_workloads(peers: Iterable[str], rounds: int, bucketing: str) -> dict[str, dict[str, float]]:
    """W1 to W4."""
    from peers import PEERS
    from workloads import WORKLOADS, snapshot

    from flagctl.evaluate.engine import Engine

    table = {}
    for workload, spec in WORKLOADS.items():
        engine = Engine.load(snapshot([spec], bucketing))
        engine.prepare()
        check_ours(engine, spec, workload, bucketing)
        contestants = our_contestants(engine, spec.key, workload, bucketing)
        for name in peers:
            person, asked = PEERS[name][1]([spec])
            ask = asked(spec)
            check_shares(name, workload, engine, spec, person, ask)
            contestants.append(Contestant(name, person, calling(ask), overhead=True))
        table[workload] = race(contestants, rounds)
    return table


def fifth_workload(peers: Iterable[str], rounds: int) -> dict[str, float]:
    """A random flag among 10,000."""
    from peers import PEERS
    from workloads import many, snapshot

    from flagctl.evaluate.engine import Engine

    specs = many()
    engine = Engine.load(snapshot(specs))
    engine.prepare()
    dice = random.Random(4)
    evaluate, enabled = engine.evaluate, engine.enabled

    def any_of(function: Callable[[str, Any], Any]) -> Drive:
        def drive(people: list[Any]) -> None:
            for key, who in people:
                function(key, who)

        return drive

    def with_key(person: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda who: (dice.choice(specs).key, person(who))

    def evaluated(people: list[Any]) -> None:
        for key, who in people:
            evaluate(key, who, NOW)

    def was_enabled(people: list[Any]) -> None:
        for key, who in people:
            enabled(key, who, NOW)

    contestants = [
        Contestant("evaluate()", with_key(lambda who: who.context), evaluated),
        Contestant("enabled()", with_key(lambda who: who.context), was_enabled),
    ]
    for name in peers:
        person, asked = PEERS[name][1](specs)
        asks = {spec.key: asked(spec) for spec in specs}
        who = next(passers_by(dice, 1))
        native = person(who)
        some = specs if name != "Flagsmith" else specs[:20]  # it works out all flags for each question
        for spec in some:
            expected = engine.evaluate(spec.key, who.context, NOW)
            if expected.reason != "SPLIT" and asks[spec.key](native) != expected.value:
                raise SystemExit(f"W5: {name} answers {spec.key} wrongly")

        def ask(key: str, who: Any, asks: dict[str, Any] = asks) -> Any:
            return asks[key](who)

        contestants.append(Contestant(name, with_key(person), any_of(ask), overhead=True))
    return race(contestants, rounds)


def resident() -> float:
    """MB of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load_of_peer(name: str) -> dict[str, float]:
    """How long a peer takes over 10,000 flags, and how much memory; what only the benchmark needs is subtracted."""
    from peers import PEERS
    from workloads import many

    make = PEERS[name][1]
    make(many(1))
    specs = many()
    gc.collect()
    before, start = resident(), time.process_time()
    kept = make(specs)
    took = time.process_time() - start
    gc.collect()
    return {"ms": took * 1e3, "mb": resident() - before, "kept": float(len(kept))}


def load_of_ours() -> dict[str, float]:
    """Loading, the first answer of each flag, and how much memory that takes."""
    from workloads import many, snapshot

    from flagctl.evaluate import runtime
    from flagctl.evaluate.engine import Engine

    file = HERE / ".venv" / "snapshot.json"
    file.write_bytes(snapshot(many()))
    who = next(passers_by(random.Random(5), 1)).context
    Engine.load(snapshot(many(1))).evaluate("flag-00000", who, NOW)  # what the first call of all imports
    gc.collect()
    before = resident()
    data = file.read_bytes()
    start = time.process_time()
    engine = Engine.load(data)
    found = {"load ms": (time.process_time() - start) * 1e3, "load mb": resident() - before, "size mb": len(data) / 1e6}
    keys = engine.keys()
    runtime._codes.clear()
    start = time.process_time()
    for key in keys:
        engine.evaluate(key, who, NOW)
    found |= {"once s": time.process_time() - start, "once mb": resident() - before}
    engine.prepare()
    found |= {"made mb": resident() - before, "shapes": float(len(runtime._codes))}
    again = Engine.load(data)
    took = []
    for key in keys:
        one = time.thread_time_ns()
        again.evaluate(key, who, NOW)
        took.append(time.thread_time_ns() - one)
    found["first us"] = statistics.median(took) / 1e3
    found["first mean us"] = statistics.fmean(took) / 1e3
    return found


def in_process(*arguments: str) -> dict[str, float]:
    """The figures of one run of this script in a fresh process."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: median_of([run[name] for run in runs]) for name in runs[0]}


class Limits:
    """What must hold, said line by line."""

    def __init__(self) -> None:
        self.missed = 0

    def hold(self, what: str, found: float, most: float, unit: str = "") -> None:
        """A figure against the most it may be."""
        held = found <= most
        self.missed += not held
        print(f"  {'ok    ' if held else 'MISSED'} {what}: {found:.2f}{unit}, at most {most:g}{unit}")


def report(table: dict[str, dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for column in table.values() for name in column))
    width = max(22, *(len(name) + 1 for name in names))
    print(f"{'ns per answer':{width}}" + "".join(f"{workload:>12}" for workload in table))
    for name in names:
        cells = [f"{column[name]:12,.0f}" if name in column else f"{'':12}" for column in table.values()]
        print(f"{name:{width}}" + "".join(cells))


def judge(table: dict[str, dict[str, float]], peers: Iterable[str], limits: Limits) -> None:
    for workload in ("W1", "W2", "W3", "W4"):
        column = table[workload]
        ratio = column["evaluate()"] / column["by hand, details"]
        limits.hold(f"{workload}: evaluate() to a details object by hand", ratio, 1.3, "x")
        if workload != "W1":
            quick = column["value()" if workload == "W3" else "enabled()"]
            limits.hold(f"{workload}: enabled() to the bare value by hand", quick / column["by hand, bare"], 2, "x")
    for workload, column in table.items():
        fastest = min((column[name], name) for name in peers) if peers else None
        if fastest:
            limits.hold(
                f"{workload}: evaluate() to the fastest peer, {fastest[1]}", column["evaluate()"] / fastest[0], 1, "x"
            )


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--load", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    use_own_environment()
    if options.load:
        print(json.dumps(load_of_ours() if options.load == "flagctl" else load_of_peer(options.load)))
        sys.stdout.flush()
        os._exit(0)  # a peer's threads may not end by themselves
    from importlib.metadata import version

    from peers import PEERS

    peers = [] if options.without_peers else list(PEERS)
    print(f"CPython {sys.version.split()[0]} " + ", ".join(f"{name} {version(PEERS[name][0])}" for name in peers))
    table = four_workloads(peers, options.rounds, "portable")
    table["W5"] = fifth_workload(peers, options.rounds)
    report(table)
    print("\nthe same with the bucketing flagd-2")
    short = four_workloads([], options.rounds, "flagd-2")
    report(short)
    ours = medians([in_process("--load", "flagctl") for _ in range(5)])
    print(f"\n10,000 flags ({ours['size mb']:.1f} MB){'':10}      ms      MB")
    print(f"{'flagctl, loaded':32}{ours['load ms']:8.0f}{ours['load mb']:8.0f}")
    print(f"{'flagctl, each answered once':32}{ours['once s'] * 1e3:8.0f}{ours['once mb']:8.0f}")
    print(f"{'flagctl, a function of each':32}{'':8}{ours['made mb']:8.0f}   ({ours['shapes']:.0f} shapes)")
    for name in peers:
        found = in_process("--load", name)
        print(f"{name:32}{found['ms']:8.0f}{found['mb']:8.0f}")
    print("\nlimits")
    limits = Limits()
    judge(table, peers, limits)
    limits.hold("10,000 flags are loaded", ours["load ms"], 60, " ms")
    limits.hold("and take", ours["load mb"], 30, " MB")
    limits.hold("the first answer of a flag of a known shape takes", ours["first us"], 60, " us")
    limits.hold("each of 10,000 flags is answered once", ours["once s"], 1, " s")
    limits.hold("and all take", ours["once mb"], 80, " MB")
    sys.stdout.flush()
    os._exit(1 if limits.missed else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
