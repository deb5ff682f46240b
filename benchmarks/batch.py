"""How many contexts a second `eval --batch` answers, Parquet to Parquet, beside polars reading and hashing alone.

    python benchmarks/batch.py [--rows 10000000] [--runs 5] [--quiet SECONDS]

Each case runs in a fresh process; a line is the median of the rounds. CPU time is that of all threads: two cores with
nothing else to do can't answer more than 2 / CPU rows a second, however busy this machine is. With --quiet a run waits
for a moment when others leave the machine alone, counts only if they did so all the time, and all of that takes at
most so many seconds. The exit code is 1 when a promised speed is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ARMS = {"type": "string", "variants": {"a": "A", "b": "B", "c": "C"}, "off_variant": "c"}
COUNTRIES = ["AT", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "PL", "US"]
FLAG = {"enabled": True, "ttl": 300, "metadata": {"owner": "team", "kind": "release", "description": "A flag."}}
PROMISED = {"W2": 10e6, "W3": 6e6, "W2, key written back": 4e6, "W3, key written back": 4e6}
QUIET = 0.15
"""How many cores others may use meanwhile."""
BARE = "polars: read, hash the key"
PADDED = "the same, padded to 120"


class Cost(NamedTuple):
    """Wall and CPU nanoseconds a row, peak memory in MB, and the cores that others kept busy meanwhile."""

    wall: float
    cpu: float
    memory: float
    others: float


def snapshot(workload: str) -> dict[str, Any]:
    """W2: half of all, by key. W3: five rules of two conditions, of which the fifth matches, then a three-way split."""
    if workload == "W2":
        half = {"split": [["on", 50_000], ["off", 100_000]], "salt": "wishlist-gallery", "bucket_by": "targetingKey"}
        boolean = {"type": "boolean", "variants": {"on": True, "off": False}, "off_variant": "off"}
        flag = FLAG | boolean | {"default": half}
    else:
        three = {
            "split": [["a", 33_000], ["b", 66_000], ["c", 100_000]],
            "salt": "checkout",
            "bucket_by": "targetingKey",
        }
        tests = [
            [("country", "in", ["NO", "SE", "FI"]), ("plan", "equals", "pro")],
            [("plan", "equals", "enterprise"), ("app_version", "semver_gte", "2.3.0")],
            [("app_version", "semver_gte", "9.0.0"), ("email", "ends_with", ["@example.com"])],
            [("email", "ends_with", ["@nobody.example"]), ("age", "gte", 18)],
            [("age", "gte", 18), ("country", "in", COUNTRIES)],
        ]
        names = ("attribute", "op", "value")
        rules = [
            {"name": f"rule {number}", "when": [dict(zip(names, test, strict=True)) for test in when]} | three
            for number, when in enumerate(tests)
        ]
        flag = FLAG | ARMS | {"default": {"serve": "c"}, "rules": rules}
    return {"bucketing": "portable", "segments": {}, "attributes": {}, "flags": {"f": flag}}


def people(path: Path, rows: int) -> None:
    """A Parquet file of that many contexts; the same every time."""
    import polars as pl

    dice = random.Random(1)
    size = min(rows, 1_000_000)
    numbers = pl.Series([dice.randrange(10**9) for _ in range(size)])
    versions = [f"{major}.{minor}.{patch}" for major in range(1, 5) for minor in range(12) for patch in range(6)]
    frame = pl.DataFrame(
        {
            "targetingKey": numbers,
            "country": [dice.choice(COUNTRIES) for _ in range(size)],
            "plan": [dice.choice(["free", "plus", "pro"]) for _ in range(size)],
            "app_version": [dice.choice(versions) for _ in range(size)],
            "email": [dice.choice(["example.com", "example.org", "mail.test"]) for _ in range(size)],
            "age": [dice.randint(18, 90) for _ in range(size)],
        }
    )
    parts = []
    for start in range(0, rows, size):
        key = pl.format("user-{}", pl.col("targetingKey") + start)
        parts.append(frame.head(rows - start).with_columns(key, pl.format("{}@{}", key, "email").alias("email")).lazy())
    pl.concat(parts).sink_parquet(path)


def work(case: str, source: Path, sink: Path) -> None:
    """One case in this process; prints its costs."""
    import polars as pl
    import polars_hash

    from flagctl.evaluate.batch.engine import Plan
    from flagctl.evaluate.batch.tables import Job, run

    rows = pl.scan_parquet(source).select(pl.len()).collect().item()
    wall, cpu, busy = time.perf_counter(), time.process_time(), machine()
    if case in (BARE, PADDED):
        key = polars_hash.col("targetingKey")
        if case == PADDED:
            key = polars_hash.concat_str(pl.concat_str(pl.lit("xxs:"), key, pl.lit("." * 120)).str.head(122))
        pl.scan_parquet(source).select(key.nchash.murmur32().sum()).collect(engine="streaming")
    else:
        columns = ["targetingKey", "variant"] if "written" in case else ["variant"]
        plan = Plan(snapshot(case[:2]), "f", 1_800_000_000, {})
        job = Job(source=source, sink=sink, into=sink, columns=columns)
        done = run(plan, job, lambda done, total: None)
        if len(done.answers) != (2 if case.startswith("W2") else 3) or done.rows != rows:
            raise SystemExit(f"{case}: wrong answers: {done}")
    spent = time.perf_counter() - wall, time.process_time() - cpu
    others = (machine() - busy - spent[1]) / spent[0]
    # Not getrusage: its maximum is inherited from whoever started us.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps([*(each / rows * 1e9 for each in spent), int(peak.split()[1]) / 1024, others]))


def machine() -> float:
    """CPU seconds that all processes have used, and those that the host kept for itself."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def is_quiet(deadline: float) -> bool:
    """Whether a moment came when nobody used the machine."""
    while time.monotonic() < deadline:
        busy = machine()
        time.sleep(0.4)
        if (machine() - busy) / 0.4 < QUIET:
            return True
    return False


def measure(folder: Path, source: Path, case: str) -> Cost:
    """A case in a fresh process."""
    command = [sys.executable, __file__, "--case", case, "--source", str(source), "--sink", str(folder / "out.parquet")]
    return Cost(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quiet", type=float, metavar="SECONDS")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sink", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        work(options.case, options.source, options.sink)
        return
    missed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {rows: folder / f"{rows}.parquet" for rows in (options.rows // 10, options.rows)}
        for rows, path in files.items():
            people(path, rows)
        found: dict[str, list[Cost]] = {case: [] for case in (BARE, PADDED, *PROMISED)}
        deadline = time.monotonic() + (options.quiet or 0)
        while any(len(costs) < options.runs for costs in found.values()):
            for case, costs in found.items():
                if len(costs) < options.runs and (options.quiet is None or is_quiet(deadline)):
                    cost = measure(folder, files[options.rows], case)
                    if options.quiet is None or cost.others < QUIET:
                        costs.append(cost)
            if options.quiet is not None and time.monotonic() > deadline:
                break
        small = {case: measure(folder, files[options.rows // 10], case).memory for case in found}
        medians = {
            case: Cost(*(sorted(each)[len(costs) // 2] for each in zip(*costs, strict=True)))
            for case, costs in found.items()
            if costs
        }
    print(f"{options.rows:,} rows, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end")
    print(
        f"{'':<28}{'M rows/s':>9}{'CPU ns/row':>12}{'2 / CPU':>9}{'x bare':>8}{'MB':>6}{'MB, a tenth':>13}{'runs':>6}"
    )
    for case, cost in medians.items():
        ratio = cost.cpu / medians.get(BARE, cost).cpu
        print(
            f"{case:<28}{1e3 / cost.wall:>9.1f}{cost.cpu:>12.0f}{2e3 / cost.cpu:>9.1f}{ratio:>8.1f}"
            f"{cost.memory:>6.0f}{small[case]:>13.0f}{len(found[case]):>6}"
        )
        if 1e9 / cost.wall < PROMISED.get(case, 0):
            missed.append(f"{case}: {1e3 / cost.wall:.1f} M rows/s, promised {PROMISED[case] / 1e6:.0f}")
    if missed:
        raise SystemExit("\n".join(["missed:", *missed]))


if __name__ == "__main__":
    main()
