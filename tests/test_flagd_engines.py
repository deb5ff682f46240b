"""The flagd document, held against flagd's own engines: value, variant and error code are ours in every case."""

from __future__ import annotations

from flagd_engines import ENGINES
from flagd_worlds import exam

FLAGS, CONTEXTS = 2_000, 50
OF_GENERATION_2 = [engine for engine in ENGINES if engine != "python-3"]


def test_every_engine_answers_as_we_do() -> None:
    found = exam(2026, "portable", flags=FLAGS, contexts=CONTEXTS)
    assert len(found.asks) == FLAGS * CONTEXTS
    assert found.differences(ENGINES)[:5] == []


def test_with_the_key_of_one_generation_the_engines_of_that_generation_do() -> None:
    second, third = (exam(7, bucketing, flags=200, contexts=20) for bucketing in ("flagd-2", "flagd-3"))
    assert second.differences(OF_GENERATION_2)[:5] == []
    assert third.differences(["python-3"])[:5] == []
    assert len(second.differences(["python-3"])) > 50
    assert len(third.differences(["python-2"])) > 50
