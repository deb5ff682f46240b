"""Before a flagd definition leaves, flagd's engine has to answer from it as we do."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from random_flags import Limits, world
from snapshots import arms, flag, rollout, rule, snapshot
from snapshots import test as condition

from flagctl.compile.flagd import definition
from flagctl.errors import RefusedError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.publish.selftest import contexts, try_out

STAFF = condition("email", "ends_with", ["@example.com"])
DOCUMENT = snapshot(
    {
        "rollout": flag(default=rollout(50)),
        "listed": flag(overrides={"off": ["ada"]}),
        "ruled": flag(rules=[rule("staff", STAFF)], default={"serve": "off"}),
        "segmented": flag(rules=[rule("r", {"segment": "grown"}, serve="off")]),
        "named": arms(rules=[rule("r", condition("account.plan", "in", ["pro", "plus"]), serve="b")]),
        "needy": flag(requires=[{"flag": "ruled", "variant": "on"}]),
        "unsaid": flag(rules=[rule("r", condition("email", "matches", "^a"))]),
    },
    {"grown": [condition("age", "gte", 18), {"not": condition("country", "exists", False)}]},
)


def ask(document: dict[str, Any], **more: Any) -> int:
    return try_out(DOCUMENT, document, seed=1, clock=time.time, **more)


def test_the_definition_that_we_make_passes() -> None:
    steps: list[tuple[int, int]] = []
    assert ask(definition(DOCUMENT).document, report=lambda done, total: steps.append((done, total))) == 6 * 30
    assert steps == [(done, 6) for done in range(6)]


@pytest.mark.parametrize("seed", range(3))
def test_so_do_those_of_random_flags_that_are_as_they_should_be(seed: int) -> None:
    made = world(Random(seed), flags=100, limits=Limits(ascii_keys=True, flagd=True, json=True)).document
    assert try_out(made, definition(made).document, seed=seed, clock=time.time) == 100 * 30


def spoilt(key: str, old: str, new: str) -> dict[str, Any]:
    document = copy.deepcopy(definition(DOCUMENT).document)
    text = json.dumps(document["flags"][key])
    assert old in text
    document["flags"][key] = json.loads(text.replace(old, new))
    return document


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("rollout", '"on", 50000', '"on", 5000'),
        ("rollout", "salt:", "Salt:"),
        ("listed", '"ada"', '"eve"'),
        ("ruled", "@example.com", "@example.org"),
        ("segmented", "18", "180"),
        ("segmented", '"country"', '"county"'),
        ("named", '"pro"', '"bro"'),
        ("needy", '"on"', '"off"'),
        ("ruled", '"ends_with"', '"ends_in"'),
        ("named", '"B"', '"BB"'),
    ],
)
def test_one_that_answers_otherwise_is_refused_with_the_flags_name(key: str, old: str, new: str) -> None:
    with pytest.raises(RefusedError) as raised:
        ask(spoilt(key, old, new))
    assert f"in production: {key} for {{" in raised.value.message
    assert "--no-self-test" in raised.value.hint


def test_one_that_the_engine_can_not_load_is_refused() -> None:
    with pytest.raises(RefusedError, match="can't load the definition of production"):
        ask(spoilt("rollout", '"state"', '"stale"'))


def test_the_contexts_reach_most_paths() -> None:
    made = world(Random(4), flags=150, limits=Limits(flagd=True, json=True)).document
    evaluator, dice = Evaluator(made), Random(4)
    reached, reachable = set(), set()
    for key, found in made["flags"].items():
        for context in contexts(made, key, dice, 30):
            answer = evaluator.evaluate(key, context, 1_800_000_000)
            if answer.reason != "DISABLED":
                reachable |= {(key, one["name"]) for one in found.get("rules", ())}
                reached.add((key, answer.rule))
    assert len(reached & reachable) > 0.6 * len(reachable) > 50


def test_publish_tries_protected_environments_out(repo: Path, flagctl: Callable[..., Any]) -> None:
    assert flagctl("publish", "production").returncode == 0
    assert flagctl("publish", "development", "--target", "file:there", "--self-test").returncode == 0


@pytest.fixture
def without_engine(tmp_path: Path) -> dict[str, str]:
    """An environment in which another package of that name hides flagd's engine."""
    (tmp_path / "hiding/openfeature").mkdir(parents=True)
    (tmp_path / "hiding/openfeature/__init__.py").write_text("")
    return {"PYTHONPATH": str(tmp_path / "hiding")}


def test_without_the_engine_a_line_says_so(
    repo: Path, flagctl: Callable[..., Any], without_engine: dict[str, str]
) -> None:
    done = flagctl("publish", "production", env=without_engine)
    assert done.returncode == 0
    said = "the flagd definition of production is published without a self-test: pip install openfeature-flagd-core"
    assert said in done.stderr
    quiet = flagctl("publish", "production", "--no-self-test", env=without_engine)
    assert (quiet.returncode, "self-test" in quiet.stderr) == (0, False)
    done = flagctl("publish", "production", "--self-test", env=without_engine)
    assert (done.returncode, "not installed" in done.stderr) == (2, True)
