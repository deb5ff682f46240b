"""Hours of trouble by a clock of our own; `benchmarks/soak.py` has them longer, and with a real Redis."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import soak

from flagctl.client.held import Trust


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_four_hours_without_a_wrong_answer(seed: int) -> None:
    found = soak.compressed(4, seed)
    assert found["wrong"] == []
    assert found["hours"] >= 4
    assert set(soak.TROUBLES) <= set(found["happened"])
    assert min(found["happened"][name] for name in ("publish", "clock jump", "restart")) > 5
    assert found["reasons"]["STALE"] > 100
    assert found["figures"]["refused"] > 100


def test_it_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that believes anything is found out."""
    judge = Trust.judge

    def believes(self: Trust, data: bytes, origin: Any, **more: Any) -> Any:
        return judge(Trust(self.environment, self.audience, (), self.now), data, origin)

    monkeypatch.setattr(Trust, "judge", believes)
    assert soak.compressed(4, 1)["wrong"]
