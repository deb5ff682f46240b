"""Count out the blast radius of many random changes, longer than the tests have time for.

    python benchmarks/impact.py [--changes 300] [--seed 1]

For each change one group of people: an exact share in all 100,000 buckets, any share for 200,000 people. Prints what
does not agree, and exits with 1 then. Five standard deviations let one share in 1.7 million lie beside.
"""

from __future__ import annotations

import argparse
import sys
import time
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from counted_impact import for_people, in_every_bucket


def main() -> int:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start, groups, wrong = time.process_time(), 0, 0
    for found in in_every_bucket(options.seed, options.changes):
        counted = {move: Fraction(count, found.total) for move, count in found.moved.items()}
        groups += 1
        if counted != found.told:
            wrong += 1
            print(f"{found.where}: told {found.told}, counted {counted}")
    print(f"{groups} exact groups in all buckets, {wrong} wrong, {time.process_time() - start:.0f} s of CPU")
    start, people, far = time.process_time(), 0, 0
    for found in for_people(options.seed + 10_000_000, options.changes):
        people += 1
        if beside := found.far():
            far += 1
            print(f"{found.where}: told {found.told}, beside by {beside}")
    print(f"{people} groups of 200,000 people, {far} wrong, {time.process_time() - start:.0f} s of CPU")
    return 1 if wrong or far else 0


if __name__ == "__main__":
    sys.exit(main())
