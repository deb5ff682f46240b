"""What an explanation says, and where each step points."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots import ADA, NOW, OFF, arms, evaluator, flag, person, rollout, rule, split, test

from flagctl.evaluate.bucket import bucket
from flagctl.evaluate.trace import Trace, shown


def explain(flags: dict[str, Any], context: Any = ADA, segments: Any = None, **more: Any) -> list[str]:
    """Each step as `<flag or segment><pointer> <indent><text>`."""
    trace = Trace()
    evaluator(flags, segments).evaluate("f", context, more.pop("now", NOW), trace=trace, **more)
    return [f"{s.segment or s.flag}{s.pointer} {'  ' * s.depth}{s.text}" for s in trace.steps]


def test_every_step_is_told_in_the_order_of_the_evaluation() -> None:
    flags = {
        "f": flag(
            expires_at=NOW + 86_400,
            schedule=[{"at": NOW, "enabled": True}, {"at": NOW + 1, "default": OFF}],
            enabled=False,
            requires=[{"flag": "core", "variant": "on"}],
            overrides={"on": ["bob"]},
            rules=[
                rule("pro", test("plan", "in", ["pro", "plus"])),
                rule("young", {"not": test("age", "gte", 18)}, {"segment": "eu"}, serve="off"),
            ],
        ),
        "core": flag(),
    }
    segments = {"eu": [{"any": [test("country", "equals", "DE"), test("country", "equals", "FR")]}]}
    assert explain(flags, ADA | {"plan": 7, "age": 12, "country": "FR"}, segments) == [
        "f/expires_at expires at 1970-01-13T13:46:40Z — not yet",
        "f/schedule/0 scheduled for 1970-01-12T13:46:40Z — due",
        "f/schedule/1 scheduled for 1970-01-12T13:46:41Z — not yet",
        "f/schedule/0/enabled enabled",
        "f/requires/0 requires core to be on — yes: it answers on",
        "core/enabled   enabled",
        "core/default   default",
        "core/default/serve     serves on",
        "f/overrides ada is listed for no variant",
        "f/rules/0 rule pro — no",
        "f/rules/0/when/0   plan in [pro, plus] — no: plan is 7, a value of another type",
        "f/rules/1 rule young — yes",
        "f/rules/1/when/0   not this — yes",
        "f/rules/1/when/0/not     age is at least 18 — no: age is 12",
        "f/rules/1/when/1   in segment eu — yes",
        "eu/when/0     any of these — yes",
        "eu/when/0/any/0       country is DE — no: country is FR",
        "eu/when/0/any/1       country is FR — yes: country is FR",
        "f/rules/1/serve   serves off",
    ]


@pytest.mark.parametrize(
    ("parts", "last"),
    [
        ({"expires_at": 86_400}, "f/expires_at expires at 1970-01-02T00:00:00Z — serves off"),
        ({"enabled": False}, "f/enabled not enabled — serves off"),
        ({"schedule": [{"at": 0, "enabled": False}]}, "f/schedule/0/enabled not enabled — serves off"),
        (
            {"requires": [{"flag": "gone", "variant": "on"}]},
            'f/requires/0 requires gone to be on — no: no flag "gone" in this snapshot; serves off',
        ),
        ({"overrides": {"off": ["bob"], "on": ["ada"]}}, "f/overrides/on ada is listed for on"),
        (
            {"default": OFF, "schedule": [{"at": 5, "default": {"serve": "on"}}]},
            "f/schedule/0/default/serve   serves on",
        ),
    ],
)
def test_the_last_step_is_the_one_that_decided(parts: dict[str, Any], last: str) -> None:
    assert explain({"f": flag(**parts)})[-1] == last


def test_a_preview_is_the_only_step() -> None:
    assert explain({"f": flag(enabled=False)}, preview={"f": "on"}) == ["f this session previews on"]


def test_a_circle_says_so() -> None:
    steps = explain({"f": flag(requires=[{"flag": "f", "variant": "on"}])})
    assert steps[-1] == "f/requires/0 requires f to be on — no: flags require each other in a circle; serves off"


def test_a_bucket_is_told_with_the_bounds_it_lies_in() -> None:
    number = bucket("portable", "salt", "ada")
    outcome = split("a", 0, "b", number, "c", number + 1, "a", 100_000)
    assert explain({"f": arms(default=outcome)})[-1] == (
        f'f/default/split   bucket {number:,} of 100,000 under salt "salt": c owns {number:,}–{number + 1:,}'
    )
    assert explain({"f": arms(default=outcome)}, bucket=99_999)[-1] == (
        f"f/default/split   bucket 99,999 of 100,000 as asked: a owns {number + 1:,}–100,000"
    )


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (-1, "the ramp has not begun: 0 %, next at 1970-01-01T00:00:00Z"),
        (0, "step 1 of 3 of the ramp: 1 %, next at 1970-01-01T00:01:00Z"),
        (119, "step 2 of 3 of the ramp: 12.5 %, next at 1970-01-01T00:02:00Z"),
        (120, "step 3 of 3 of the ramp: 100 %"),
    ],
)
def test_the_step_of_a_ramp_is_told(now: int, told: str) -> None:
    steps = [[0, 1000], [60, 12_500], [120, 100_000]]
    outcome = {"ramp": steps, "variant": "on", "rest": "off", "bucket_by": "targetingKey", "salt": "s"}
    assert explain({"f": flag(default=outcome)}, now=now)[-2] == f"f/default/ramp   {told}"


def test_slots_and_traffic_of_an_experiment_are_told() -> None:
    user = person("layer:shop", 0, 50)
    layer = bucket("portable", "layer:shop", user["targetingKey"])
    traffic = bucket("portable", "traffic:e", user["targetingKey"])
    experiment = {"name": "e", "layer": "shop", "slots": [0, 50_000], "traffic": traffic}
    outcome = split("a", 100_000, experiment=experiment)
    assert explain({"f": arms(rules=[rule("test", **outcome)])}, user)[1:4] == [
        "f/rules/0 rule test — yes",
        f'f/rules/0/experiment/slots   bucket {layer:,} of 100,000 under salt "layer:shop" — yes: '
        "the experiment owns 0–50,000",
        f'f/rules/0/experiment/traffic   bucket {traffic:,} of 100,000 under salt "traffic:e" — no: '
        f"the experiment owns 0–{traffic:,}",
    ]


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({}, "targetingKey is missing"),
        ({"targetingKey": ""}, "targetingKey is empty"),
        ({"targetingKey": 1.5}, "targetingKey is 1.5: only text and integers have a bucket"),
    ],
)
def test_who_has_no_bucket_is_told_why(context: dict[str, Any], why: str) -> None:
    assert explain({"f": flag(default=rollout(50))}, context)[-1] == f"f/default   {why} — serves off"


@pytest.mark.parametrize(
    ("condition", "value", "told"),
    [
        (test("x", "exists", True), 1, "x is given — yes"),
        (test("x", "ends_with", ["a", "b"]), None, "x ends with [a, b] — no: x is missing"),
        (test("x", "ends_with", ["a"]), 5, "x ends with a — no: x is 5, no text"),
        (test("x", "gt", 5), "6", 'x is over 5 — no: x is "6", no number'),
        (test("x", "before", 86_400), "soon", "x is before 1970-01-02T00:00:00Z — no: x is soon, no time"),
        (test("x", "semver_gte", "2"), 3, 'x is at least version "2" — no: x is 3, no version'),
        (test("x", "includes", "a"), "a", "x includes a — no: x is a, no array"),
        (test("x", "equals", "5"), 5, 'x is "5" — no: x is 5, a value of another type'),
    ],
)
def test_a_condition_is_told_with_what_was_found(condition: dict[str, Any], value: Any, told: str) -> None:
    context = {} if value is None else {"x": value}
    assert explain({"f": flag(rules=[rule("r", condition)])}, context)[2] == f"f/rules/0/when/0   {told}"


@pytest.mark.parametrize("value", ["x" * 1000, [1] * 1000, [10**5000], [[[]]], {"a": object()}])
def test_values_are_shown_short_whatever_they_are(value: Any) -> None:
    assert 0 < len(shown(value)) <= 80
