"""Before a flagd definition leaves, flagd's engine has to answer from it as we do."""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from random_flags import Limits, world
from snapshots import arms, flag, rollout, rule, snapshot
from snapshots import test as condition

from flagctl.compile.flagd import definition
from flagctl.compile.snapshot import encode_value
from flagctl.errors import RefusedError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.publish import selftest
from flagctl.publish.flagd import FlagdMaker, with_required
from flagctl.publish.passed import engine, stretch
from flagctl.publish.selftest import Tried, contexts, try_out

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


class Given(FlagdMaker):
    """Makes the flags of a definition that is there already."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__()
        self.given = {key: msgspec.Raw(encode_value(flag)) for key, flag in document["flags"].items()}

    def parts(self, document: dict[str, Any]) -> dict[str, msgspec.Raw]:
        return self.given


def ask(maker: FlagdMaker, snapshot: dict[str, Any] = DOCUMENT, **more: Any) -> Tried:
    return try_out(snapshot, maker, **{"seed": 1, "clock": time.time} | more)


def test_the_definition_that_we_make_passes() -> None:
    steps: list[tuple[int, int]] = []
    tried = ask(FlagdMaker(), report=lambda done, total: steps.append((done, total)))
    assert tried == Tried(flags=6, asked=6, answers=6 * 30)
    assert steps == [(done, 6) for done in range(6)]


@pytest.mark.parametrize("seed", range(3))
def test_so_do_those_of_random_flags_that_are_as_they_should_be(seed: int) -> None:
    made = world(Random(seed), flags=100, limits=Limits(ascii_keys=True, flagd=True, json=True)).document
    assert ask(FlagdMaker(), made, seed=seed) == Tried(flags=100, asked=100, answers=100 * 30)


def spoilt(key: str, old: str, new: str) -> Given:
    document = copy.deepcopy(definition(DOCUMENT).document)
    text = json.dumps(document["flags"][key])
    assert old in text
    document["flags"][key] = json.loads(text.replace(old, new))
    return Given(document)


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


def with_flag(name: str, **parts: Any) -> dict[str, Any]:
    return {**DOCUMENT, "flags": {**DOCUMENT["flags"], name: flag(**parts)}}


CHANGES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("nothing", DOCUMENT, set()),
    ("version and commit", {**DOCUMENT, "version": 9, "commit": "b" * 40}, set()),
    ("a flag", with_flag("rollout", default=rollout(60)), {"rollout"}),
    ("what another requires", with_flag("ruled", default={"serve": "off"}), {"ruled", "needy"}),
    ("a new flag, like another but for its name", with_flag("more", default=rollout(50)), {"more"}),
    ("a flag that is gone", {**DOCUMENT, "flags": {"rollout": DOCUMENT["flags"]["rollout"]}}, set()),
    ("bucketing", {**DOCUMENT, "bucketing": "flagd-3"}, set(DOCUMENT["flags"]) - {"unsaid"}),
]


@pytest.mark.parametrize(("after", "again"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_what_passed_is_not_asked_again_until_it_or_what_it_needs_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: dict[str, Any], again: set[str]
) -> None:
    asked: list[str] = []

    def spy(snapshot: dict[str, Any], key: str, *more: Any) -> Any:
        asked.append(key)
        return contexts(snapshot, key, *more)

    memory = tmp_path / "memory"
    assert ask(FlagdMaker(), memory=memory).asked == 6
    monkeypatch.setattr(selftest, "contexts", spy)
    tried = ask(FlagdMaker(), after, memory=memory)
    assert (set(asked), tried.asked, tried.answers) == (again, len(again), len(again) * 30)


def test_our_definition_may_not_change_unnoticed_where_flagds_does_not(tmp_path: Path) -> None:
    ask(FlagdMaker(), memory=tmp_path / "memory")
    with pytest.raises(RefusedError, match="in production: listed for "):
        ask(
            Given(definition(DOCUMENT).document),
            with_flag("listed", overrides={"off": ["eve"]}),
            memory=tmp_path / "memory",
        )


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: b"", lambda data: data[:40] + b"x" + data[41:]])
def test_a_damaged_memory_is_none(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    memory = tmp_path / "memory"
    ask(FlagdMaker(), memory=memory)
    memory.write_bytes(spoil(memory.read_bytes()))
    assert ask(FlagdMaker(), memory=memory).asked == 6


def test_another_engine_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine().startswith("openfeature-flagd-core 2.")
    assert ", mmh3 " in engine()
    ask(FlagdMaker(), memory=tmp_path / "memory")
    monkeypatch.setattr(selftest, "engine", lambda: "openfeature-flagd-core 2.0.99")
    assert ask(FlagdMaker(), memory=tmp_path / "memory").asked == 6


def test_what_failed_is_asked_again_and_the_rest_is_not(tmp_path: Path) -> None:
    memory, steps = tmp_path / "memory", list[int]()
    for _ in range(2):
        steps.clear()
        with pytest.raises(RefusedError, match="named for"):
            ask(spoilt("named", '"B"', '"BB"'), memory=memory, report=lambda done, total: steps.append(total))
    assert set(steps) == {1}
    assert ask(FlagdMaker(), memory=memory).asked == 1


@pytest.mark.parametrize("seconds", [-1000, 1000, 3000])
def test_a_flag_that_knows_the_clock_is_asked_again_when_one_of_its_moments_has_passed(
    tmp_path: Path, seconds: int
) -> None:
    now = int(time.time())
    moments = [{"at": now + at, "enabled": True} for at in (-500, 500, 2000)]
    made = snapshot(
        {"scheduled": flag(schedule=moments), "needy": flag(requires=[{"flag": "scheduled", "variant": "on"}]),
         "plain": flag()}
    )  # fmt: skip
    memory = tmp_path / "memory"
    assert ask(FlagdMaker(), made, memory=memory).asked == 3
    assert ask(FlagdMaker(), made, memory=memory, clock=lambda: time.time() + 300).asked == 0
    assert ask(FlagdMaker(), made, memory=memory, clock=lambda: time.time() + seconds).asked == 2


def test_a_flag_that_was_asked_while_one_of_its_moments_passed_is_not_remembered(tmp_path: Path) -> None:
    start, ticks = int(time.time()) + 9000, iter([0, *[0] * 3, *[10] * 1000])
    made = snapshot({"scheduled": flag(schedule=[{"at": start + 5, "enabled": True}])})
    assert ask(FlagdMaker(), made, memory=tmp_path / "memory", clock=lambda: start + next(ticks)).asked == 1
    assert ask(FlagdMaker(), made, memory=tmp_path / "memory", clock=lambda: start).asked == 1
    assert ask(FlagdMaker(), made, memory=tmp_path / "memory", clock=lambda: start).asked == 0


ONE = 1_800_000_000


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b'{"a":5,"b":99999999999,"c":999999999}'], (0, 10**10)),
        ([b'{">=":[1,1800000001]}'], (0, ONE + 1)),
        ([b'{"at":1800000000}', b'[["1799999999",3],["1800000009",4]]'], (ONE, ONE + 9)),
        ([b'{"at":1799999990}', b'{"at":1800000002}', b'{"at":1800000001}'], (ONE - 10, ONE + 1)),
    ],
)
def test_a_stretch_lies_between_the_moments_around_now(parts: list[bytes], expected: tuple[int, int]) -> None:
    assert stretch(parts, ONE) == expected


@pytest.mark.parametrize("seed", range(6))
def test_within_a_stretch_no_answer_changes(seed: int) -> None:
    """By the evaluator, for random flags with schedules, ramps and expiries, at its first and its last second."""
    made = world(Random(seed), flags=60, limits=Limits(flagd=True, json=True)).document
    evaluator, dice, moved = Evaluator(made), Random(seed), 0
    for key in made["flags"]:
        parts = [encode_value(made["flags"][name]) for name in with_required(made["flags"], [key])]
        moments = sorted({int(found) for part in parts for found in re.findall(rb"\d{10}", part)})
        now = dice.choice(moments or [ONE])
        first, end = stretch(parts, now)
        assert first <= now < end
        for context in contexts(made, key, dice, 10):
            answers = [evaluator.evaluate(key, context, at) for at in (first, now, end - 1)]
            assert answers[0] == answers[1] == answers[2]
            moved += evaluator.evaluate(key, context, end) != answers[0]
    assert moved


def test_publish_tries_protected_environments_out_once(
    repo: Path, flagctl: Callable[..., Any], git: Callable[..., str]
) -> None:
    said = "flagd answers as flagctl in"
    done = flagctl("publish", "production")
    assert (done.returncode, f"{said} production: 2 of 2 flags asked\n" in done.stderr) == (0, True)
    file = repo / "flags/production/wishlist-edit.yaml"
    file.write_text(file.read_text().replace("serve: on", "rollout: 30"))
    git(repo, "commit", "-qam", "Careful")
    done = flagctl("publish", "production", "--dry-run")
    assert f"{said} production: 1 of 2 flags asked, the rest passed before\n" in done.stderr
    done = flagctl("publish", "production")
    assert f"{said} production: 0 of 2 flags asked, the rest passed before\n" in done.stderr
    done = flagctl("publish", "development", "--target", "file:there", "--self-test")
    assert (done.returncode, f"{said} development: 2 of 2 flags asked\n" in done.stderr) == (0, True)
    assert flagctl("publish", "development", "--target", "file:there").stderr == ""


def test_an_engine_of_another_generation_stops_publish(repo: Path, flagctl: Callable[..., Any], git: Any) -> None:
    """Settings ask for the bucketing of generation 2; the engine that is installed is of generation 3."""
    assert flagctl("publish", "production").returncode == 0
    before = {file: file.read_bytes() for file in (repo / "published").rglob("*") if file.is_file()}
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text() + "bucketing: flagd-2\n")
    git(repo, "commit", "-qam", "As our old services do")
    for _ in range(2):
        done = flagctl("publish", "production")
        assert (done.returncode, done.stdout) == (5, "")
        found = re.search(
            r"error: flagd's engine answers otherwise than flagctl in production: "
            r"wishlist-edit for (\{.*?\}): flagctl (on|off) \((True|False)\), flagd (on|off) \((True|False)\); "
            r"wishlist-gallery for \{",
            done.stderr,
        )
        assert found, done.stderr
        context, ours, value, theirs, other = found.groups()
        assert "'targetingKey': 'user-" in context
        assert ((ours, value), (theirs, other)) in [
            (("on", "True"), ("off", "False")),
            (("off", "False"), ("on", "True")),
        ]
        assert "bucketing: flagd-2; is openfeature-flagd-core 2." in done.stderr
        assert {file: file.read_bytes() for file in (repo / "published").rglob("*") if file.is_file()} == before
    assert flagctl("publish", "production", "--no-self-test").returncode == 0


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
    said = 'the flagd definition of production is published without a self-test: pip install "flagctl[flagd]"'
    assert said in done.stderr
    quiet = flagctl("publish", "production", "--no-self-test", env=without_engine)
    assert (quiet.returncode, "self-test" in quiet.stderr) == (0, False)
    done = flagctl("publish", "production", "--self-test", env=without_engine)
    assert (done.returncode, "not installed" in done.stderr) == (2, True)
