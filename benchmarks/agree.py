"""The property test of the two evaluators, for as long as wanted: random flags, contexts and moments near their edges.

python benchmarks/agree.py [--combinations 10000000] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from random_flags import contexts, world

from flagctl.compile.snapshot import encode
from flagctl.evaluate.engine import Engine
from flagctl.evaluate.evaluator import Evaluator


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--combinations", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice, asked, start = Random(options.seed), 0, time.monotonic()
    while asked < options.combinations:
        made = world(dice, flags=50)
        readable, generated = Evaluator(made.document), Engine.load(encode(made.document))
        generated.prepare()
        for key in made.document["flags"]:
            for context, now in contexts(made, dice, key, 40):
                found, expected = generated.evaluate(key, context, now), readable.evaluate(key, context, now)
                if found != expected or type(found.value) is not type(expected.value):
                    raise SystemExit(f"{key} for {context!r} at {now}:\n{found}\n{expected}\n{made.document}")
                asked += 1
    print(f"{asked:,} combinations agree, in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
