"""How long `flagctl why` and `bisect` take over a long history.

    python benchmarks/why.py [--flags 2000] [--commits 20000] [--runs 5]

Each line is the CPU time (user and system, Git's with it) and the wall time of a fresh process, the median of several
rounds, and the ratio to a bare `git log --raw` of the same folder. «many» is a flag that other flags and segments
decide. The exit code is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from check import run
from generate_history import generate

LIMIT = 2.0
"""Seconds of CPU for 20,000 commits."""
GIT = (
    "-c", "import subprocess; subprocess.run(['git', 'log', '--first-parent', '--raw', '--', 'flags/production'],"
    " stdout=subprocess.DEVNULL, check=True)",
)  # fmt: skip
WHO = ("-e", "production", "--user", "user-7", "-a", "plan=pro", "-a", "country=DE")


def main() -> int:
    """Generate, measure, show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=2000)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    flagctl = ("-m", "flagctl")
    commands = {
        "git log --raw": GIT,
        "flagctl why": (*flagctl, "why", "flag-00101", *WHO),
        "flagctl why, many": (*flagctl, "why", "flag-00103", *WHO),
        "flagctl why --since": (*flagctl, "why", "flag-00103", *WHO, "--since", "2024-12-01"),
        "flagctl bisect": (*flagctl, "bisect", "flag-00103", *WHO, "--good", "good"),
    }
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, options.flags, options.commits)
        edit_once(folder)
        for _ in range(options.runs):
            for what, arguments in commands.items():
                start = time.monotonic()
                cost = run(folder, *arguments)
                found.setdefault(what, []).append((cost.cpu, time.monotonic() - start))
    costs = {what: sorted(of)[options.runs // 2] for what, of in found.items()}
    bare = costs["git log --raw"][0]
    print(f"{options.commits:,} commits, {options.flags:,} flags{'':6} CPU ms  wall ms  × git log")
    for what, (cpu, wall) in costs.items():
        print(f"{what:<32} {cpu * 1000:7.0f} {wall * 1000:8.0f} {cpu / bare:9.2f}")
    limit = LIMIT * options.commits / 20_000
    missed = [what for what, (cpu, _) in costs.items() if cpu > limit]
    for what in missed:
        print(f"missed: {what}: {costs[what][0]:.2f} s of CPU, at most {limit:.2f}")
    return 1 if missed else 0


def edit_once(folder: Path) -> None:
    """One more commit, which changes the answer that `bisect` asks about; a thousand commits before it is `good`."""
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "tag", "good", "HEAD~1000"], check=True)
    file = next(folder.glob("flags/production/*/flag-00103.yaml"))
    file.write_text("description: Once more.\nowner: {team: growth}\noverrides: {on: [user-7]}\n")
    subprocess.run([*git, "commit", "--quiet", "--all", "--message", "Once more"], check=True)


if __name__ == "__main__":
    sys.exit(main())
