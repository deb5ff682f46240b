"""A bounded run of the fuzzer: no exception, no input that takes seconds, no growing memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_no_snapshot_breaks_loading_or_divides_the_evaluators(tmp_path: Path) -> None:
    script = Path(__file__).with_name("fuzz_snapshots.py")
    limits = ["-runs=3000", "-seed=1", "-timeout=10", "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1"]
    done = subprocess.run(
        [sys.executable, str(script), *limits], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
    assert "stat::number_of_executed_units: 3000" in done.stderr
    assert not list(tmp_path.iterdir())
