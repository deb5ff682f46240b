"""How long Git's history takes, side by side in one run with plain Git, so that the ratios hold on any machine.

    python benchmarks/history.py [--flags 2000] [--commits 20000] [--runs 7]

Times are CPU (user and system, Git's processes included), the median of several rounds of everything; the first
entry is wall-clock time. Both repositories are as `flagctl init` leaves a clone; start-up is the same command in one
of a single commit. Fresh is a clone where it did not run: it has no commit-graph, and nothing is kept. The exit code
is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate_history import generate, path_of

NUMBER, ENVIRONMENT = 12, "production"
KEY = f"flag-{NUMBER:05}"
FLAGCTL = (sys.executable, "-m", "flagctl")
START = "flagctl log KEY, one commit (start-up)"
PLAIN, PLAIN_FRESH = "git log --oneline -- PATH", "git log --oneline -- PATH, fresh"
EVAL, EVAL_AT, EVAL_DATE = "flagctl eval", "flagctl eval --at HEAD~500", "flagctl eval --at DATE"
OF_FLAG, OF_FLAG_FRESH, AGAIN = "flagctl log KEY", "flagctl log KEY, fresh", "flagctl log KEY, again"
UNKNOWING = "flagctl log KEY, filters alone"
ALL, COLD = "flagctl log, warm", "flagctl log, cold"
FIRST = "flagctl log KEY, first entry (wall)"
COLD_FIRST = "flagctl log, cold, first entry (wall)"
FEW = "flagctl log -n 20, cold"
KEPT = Path(".git") / "flagctl"


def commands() -> dict[str, tuple[str, ...]]:
    """What is measured, by the name it is shown under."""
    evaluate = (*FLAGCTL, "eval", KEY, "-e", ENVIRONMENT, "--user", "ada")
    return {
        PLAIN: ("git", "log", "--oneline", "--", path_of(NUMBER, ENVIRONMENT)),
        START: (*FLAGCTL, "-C", "tiny", "log", KEY, "-e", ENVIRONMENT),
        OF_FLAG: (*FLAGCTL, "log", KEY, "-e", ENVIRONMENT),
        AGAIN: (*FLAGCTL, "log", KEY, "-e", ENVIRONMENT),
        UNKNOWING: (*FLAGCTL, "log", KEY, "-e", ENVIRONMENT),
        PLAIN_FRESH: ("git", "-C", "fresh", "log", "--oneline", "--", path_of(NUMBER, ENVIRONMENT)),
        OF_FLAG_FRESH: (*FLAGCTL, "-C", "fresh", "log", KEY, "-e", ENVIRONMENT),
        FEW: (*FLAGCTL, "log", "-n", "20"),
        COLD: (*FLAGCTL, "log"),
        ALL: (*FLAGCTL, "log"),
        "flagctl list, warm": (*FLAGCTL, "list"),
        EVAL: evaluate,
        EVAL_AT: (*evaluate, "--at", "HEAD~500"),
        EVAL_DATE: (*evaluate, "--at", "2024-05-01"),
    }


def cpu(folder: Path, command: tuple[str, ...]) -> tuple[float, int]:
    """CPU seconds of a command with all it starts, and the lines it printed."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.count(b"\n")


def first_line(folder: Path, command: tuple[str, ...]) -> float:
    """Seconds until a command's first line is there."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = time.perf_counter() - start
        process.stdout.read()
    return found


def set_up(folder: Path, flags: int, commits: int) -> None:
    """The repository, `tiny` and `fresh` inside it."""
    generate(folder, flags, commits, commit_graph=False)
    generate(folder / "tiny", NUMBER + 1, 1, commit_graph=False)
    subprocess.run(["git", "clone", "--quiet", str(folder), str(folder / "fresh")], check=True)
    for root in (folder, folder / "tiny"):
        subprocess.run([*FLAGCTL, "init"], cwd=root, check=True, capture_output=True)
        shutil.copytree(root / KEPT, root / "as-init-left-it")


def _keep(root: Path, *, of_init: bool) -> None:
    """Leave what flagctl keeps beside Git as `init` left it, or nothing of it."""
    shutil.rmtree(root / KEPT, ignore_errors=True)
    if of_init:
        shutil.copytree(root / "as-init-left-it", root / KEPT)


def measure(folder: Path, runs: int) -> tuple[dict[str, float], int]:
    """The median of each, and how many entries the whole log has."""
    costs: dict[str, list[float]] = {}
    entries = 0
    for _ in range(runs):
        for name, command in commands().items():
            if name in (OF_FLAG, START):
                _keep(folder / ("tiny" if name == START else ""), of_init=True)
            elif name in (FEW, COLD, UNKNOWING, OF_FLAG_FRESH):
                _keep(folder / ("fresh" if name == OF_FLAG_FRESH else ""), of_init=False)
            cost, lines = cpu(folder, command)
            costs.setdefault(name, []).append(cost)
            entries = lines // 3 if name == ALL else entries
        _keep(folder, of_init=True)
        costs.setdefault(FIRST, []).append(first_line(folder, commands()[OF_FLAG]))
        _keep(folder, of_init=False)
        costs.setdefault(COLD_FIRST, []).append(first_line(folder, commands()[COLD]))
    return {name: sorted(found)[runs // 2] for name, found in costs.items()}, entries


def misses(costs: dict[str, float], entries: int) -> list[str]:
    """Which of the promised limits do not hold."""
    found = []
    if costs[FIRST] > 0.5:
        found.append(f"{FIRST}: {costs[FIRST]:.2f} s, at most 0.5")
    for name, plain in ((OF_FLAG, PLAIN), (AGAIN, PLAIN), (OF_FLAG_FRESH, PLAIN_FRESH)):
        allowed = 1.5 * costs[plain] + costs[START]
        if costs[name] >= allowed:
            found.append(f"{name}: {costs[name]:.3f} s, under 1.5 times git and start-up, {allowed:.3f}")
    for name in (ALL, COLD):  # cold: the ledger is made on the way
        if entries / costs[name] < 5000:
            found.append(f"{name}: {entries / costs[name]:,.0f} entries a second, at least 5,000")
    for name in (EVAL_AT, EVAL_DATE):
        if costs[name] > 1.5 * costs[EVAL]:
            found.append(f"{name}: {costs[name] / costs[EVAL]:.2f} times eval, at most 1.5")
    return found


def main() -> int:
    """Generate, measure, show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=2000)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        set_up(folder, options.flags, options.commits)
        costs, entries = measure(folder, options.runs)
    print(f"{options.commits} commits, {3 * options.flags} flag files, {entries} entries{'':6}   ms   × eval")
    for name, cost in costs.items():
        rate = f"{entries / cost:10,.0f} entries/s" if name in (ALL, COLD) else ""
        print(f"{name:<48} {cost * 1000:8.0f} {cost / costs[EVAL]:8.2f}{rate}")
    missed = misses(costs, entries)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
