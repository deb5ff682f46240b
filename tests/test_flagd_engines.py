"""The flagd document, held against flagd's own engines: value, variant and error code are ours in every case."""

from __future__ import annotations

from flagd_engines import ENGINES, Engine
from flagd_worlds import exam
from snapshots import OFF, flag, rule, snapshot
from snapshots import test as condition

from flagctl.compile.flagd import definition
from flagctl.evaluate.evaluator import Evaluator

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


def test_long_lists_are_read_by_every_engine() -> None:
    texts = [f"t{number}." for number in range(6_000)]
    asked = {
        "starts": condition("page", "starts_with", texts),
        "lacks": condition("page", "not_contains", texts),
        "has": condition("groups", "includes_any", texts),
        "all": condition("numbers", "includes_all", list(range(6_000))),
    }
    document = snapshot({key: flag(rules=[rule("r", when)], default=OFF) for key, when in asked.items()})
    people = [
        {"page": "t5999.html", "groups": ["t5999."], "numbers": list(range(6_000))},
        {"page": "x", "groups": ["t6000."], "numbers": list(range(1, 6_000))},
    ]
    asks = [(key, "boolean", person, 0.0) for key in asked for person in people]
    ours = [Evaluator(document).evaluate(key, person, 0).variant for key, _, person, _ in asks]
    assert ours == ["on", "off", "off", "on", "on", "off", "on", "off"]
    for name in ENGINES:
        with Engine(name) as engine:
            engine.load(definition(document).document)
            assert [answer[1] for answer in engine.answers(asks)] == ours, name
