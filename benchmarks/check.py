"""How long flagctl takes over many files, measured side by side in one run, so that the ratios hold on any machine.

    python benchmarks/check.py [--files 10000] [--runs 5]

Each line is the CPU time (user and system, all processes) and peak memory of a fresh process, the median of
several rounds, and its ratio to `python -c pass` and to parsing the same files with nothing around it. The exit
code is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from generate import generate

KEY, ENVIRONMENT = "flag-00013", "production"
EXPECTATIONS = 40_000
PARSE = """\
import gc, pathlib, sys, yaml_rs
gc.disable()
for path in pathlib.Path(sys.argv[1]).rglob("*.yaml"):
    yaml_rs.loads(path.read_text(), parse_datetime=False)
"""


class Cost(NamedTuple):
    """CPU seconds and peak memory in MB of one process."""

    cpu: float
    memory: float


def run(folder: Path, *arguments: str) -> Cost:
    """The cost of `python ARGUMENTS` in a folder; its output is thrown away, its failure ends the benchmark."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *arguments], cwd=folder, stdout=quiet, stderr=quiet, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"python {' '.join(arguments)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(folder: Path, runs: int) -> dict[str, Cost]:
    """The median cost of each command over rounds of all of them; cold means without a cache."""
    flagctl = ("-m", "flagctl")
    evaluate = (*flagctl, "eval", KEY, "-e", ENVIRONMENT, "--user", "ada")
    commands: dict[str, tuple[str, ...]] = {
        "python -c pass": ("-c", "pass"),
        "parsing alone": ("-c", PARSE, str(folder / "flags")),
        "flagctl --version": (*flagctl, "--version"),
        "flagctl --help": (*flagctl, "--help"),
        "flagctl eval": evaluate,
        "flagctl check, cold": (*flagctl, "check"),
        "flagctl check, warm": (*flagctl, "check"),
        "flagctl build, cold": (*flagctl, "build", ENVIRONMENT),
        "flagctl build, warm": (*flagctl, "build", ENVIRONMENT),
        f"flagctl test, {EXPECTATIONS:,} cases": (*flagctl, "-C", str(folder / "tested"), "test"),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, arguments in commands.items():
            if name.endswith("cold"):
                for cache in (folder / ".git" / "flagctl").glob("*.cache"):
                    cache.unlink()
            costs[name].append(run(folder, *arguments))
    return {name: sorted(found)[runs // 2] for name, found in costs.items()}


def misses(costs: dict[str, Cost], files: int) -> list[str]:
    """Which of the promised limits do not hold; those in seconds are for 10,000 files on README.md's machine."""
    seconds = {"check, cold": 3, "check, warm": 1, "build, cold": 3, "build, warm": 1}
    seconds[f"test, {EXPECTATIONS:,} cases"] = 8
    scale = files / 10_000
    found = [
        f"flagctl {name}: {costs[f'flagctl {name}'].cpu:.2f} s of CPU, at most {limit * scale:.2f}"
        for name, limit in seconds.items()
        if costs[f"flagctl {name}"].cpu > limit * scale
    ]
    found += [f"{name}: {cost.memory:.0f} MB, at most 400" for name, cost in costs.items() if cost.memory > 400]
    bare, version = costs["python -c pass"].cpu, costs["flagctl --version"].cpu
    if costs["flagctl eval"].cpu > 1.5 * version:
        found.append(f"flagctl eval: {costs['flagctl eval'].cpu / version:.2f} times flagctl --version, at most 1.5")
    for name in ("flagctl --version", "flagctl --help", "flagctl eval"):
        if costs[name].cpu > 8 * bare:
            found.append(f"{name}: {costs[name].cpu / bare:.1f} times python -c pass, at most 8")
    return found


def main() -> int:
    """Generate, measure, show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, options.files)
        generate(folder / "tested", options.files, EXPECTATIONS)
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        costs = measure(folder, options.runs)
    bare, parsing = costs["python -c pass"].cpu, costs["parsing alone"].cpu
    print(f"{options.files} flag files{'':22}   CPU ms     MB   × bare  × parsing")
    for name, cost in costs.items():
        print(f"{name:<36} {cost.cpu * 1000:9.0f} {cost.memory:6.0f} {cost.cpu / bare:8.1f} {cost.cpu / parsing:10.2f}")
    missed = misses(costs, options.files)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
