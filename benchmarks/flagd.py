"""Hold the flagd document against flagd's engines at length, and measure what it costs them and us.

    python benchmarks/flagd.py [--flags 20000] [--contexts 50] [--seed 1]

Random flags in rounds of 1,000, each asked of every engine; then the time of an answer, and of compiling. The exit code
is 1 when an engine answers otherwise than our evaluator.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from flagd_engines import ENGINES, Engine
from flagd_worlds import exam
from random_flags import Limits, world

from flagctl.compile.flagd import definition
from flagctl.compile.snapshot import encode

ROUND = 1_000


def compare(flags: int, contexts: int, seed: int) -> int:
    """Differences found, over all rounds."""
    found = asked = 0
    for number in range(-(-flags // ROUND)):
        made = exam(seed * 1_000 + number, "portable", flags=min(ROUND, flags - number * ROUND), contexts=contexts)
        different = made.differences(ENGINES)
        found, asked = found + len(different), asked + len(made.asks)
        print(f"{asked:>9,} questions to each of {len(ENGINES)} engines, {found} differences", flush=True)
        for line in different[:3]:
            print(line)
    return found


def costs(seed: int) -> None:
    """Microseconds of an answer in each engine, process and JSON around it included, and of compiling a flag."""
    document = world(Random(seed), flags=2_000, limits=Limits(flagd=True, json=True)).document
    start = time.perf_counter()
    data = encode(definition(document).document)
    spent = (time.perf_counter() - start) * 1e6 / 2_000
    print(f"compiling a random flag takes {spent:.0f} µs and gives {len(data) / 2_000:,.0f} bytes")
    made = exam(seed, "portable", flags=500, contexts=40)
    for name in ENGINES:
        with Engine(name) as engine:
            engine.load(made.document)
            engine.answers(made.asks)
            start = time.perf_counter()
            engine.answers(made.asks)
            print(f"{name:24} {(time.perf_counter() - start) * 1e6 / len(made.asks):6.1f} µs an answer")


def main() -> int:
    """Compare and measure; 1 for differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=20_000)
    parser.add_argument("--contexts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    costs(options.seed)
    return 1 if compare(options.flags, options.contexts, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
