"""How long `flagctl plan` takes over a pull request of 50 changed flags in a large repository.

    python benchmarks/plan.py [--files 10000] [--changed 50] [--runs 5]

Each line is the CPU time (user and system, all processes) and peak memory of a fresh process, the median of several
rounds, and its ratio to `flagctl check` of the same files. The exit code is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from check import run
from generate import generate

LIMITS = {"flagctl plan, cold": 8.0, "flagctl plan, warm": 3.0}
"""Seconds for 10,000 files."""


def change(folder: Path, count: int) -> None:
    """Edit so many flags of production: other shares and, in every tenth, an attribute to bucket by or a rule less."""
    dice = random.Random(1)
    files = sorted(folder.glob("flags/production/*/flag-*.yaml"))
    for number, path in enumerate(dice.sample(files, count)):
        text = re.sub(r"rollout: \d+", lambda _: f"rollout: {dice.randint(1, 99)}", path.read_text())
        if number % 10 == 0:
            text = text.replace("bucket_by: account.id", "bucket_by: country")
        elif number % 10 == 5:
            text = re.sub(r"  - name: rule-0\n(?:    .*\n)+(?=  - name)", "", text)
        path.write_text(text + f"max_stale_seconds: {number + 1}\n")


def main() -> int:
    """Generate, measure, show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--changed", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, options.files)
        git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com"]
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
            subprocess.run([*git, *arguments], check=True)
        change(folder, options.changed)
        for _ in range(options.runs):
            for what in ("flagctl plan, cold", "flagctl plan, warm", "flagctl check, warm"):
                if what.endswith("cold"):
                    for cache in (folder / ".git" / "flagctl").glob("*.cache"):
                        cache.unlink()
                command = what.split()[1].removesuffix(",")
                found.setdefault(what, []).append(run(folder, "-m", "flagctl", command))
    costs = {what: sorted(of)[options.runs // 2] for what, of in found.items()}
    check = costs["flagctl check, warm"][0]
    print(f"{options.changed} of {options.files} flag files changed   CPU ms     MB  × check")
    for what, (cpu, memory) in costs.items():
        print(f"{what:<34} {cpu * 1000:7.0f} {memory:6.0f} {cpu / check:8.2f}")
    missed = [what for what, limit in LIMITS.items() if costs[what][0] > limit * options.files / 10_000]
    for what in missed:
        print(f"missed: {what}: {costs[what][0]:.2f} s of CPU, at most {LIMITS[what] * options.files / 10_000:.2f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
