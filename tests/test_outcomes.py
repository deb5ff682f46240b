"""Who gets what of a rollout, a split, a ramp and an experiment."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots import ADA, NOW, arms, ask, flag, person, rollout, rule, said, split

from flagctl.evaluate.bucket import bucket
from flagctl.model.flag import Ramp

LOW, HIGH = person("salt", 0, 10), person("salt", 90, 100)


@pytest.mark.parametrize(
    ("share", "context", "variant"),
    [(0, LOW, "off"), (100, HIGH, "on"), (50, LOW, "on"), (50, HIGH, "off")],
)
def test_a_rollout_is_a_split_whatever_its_share(share: float, context: dict[str, Any], variant: str) -> None:
    assert said(ask({"f": flag(default=rollout(share))}, context)) == (variant, "SPLIT")


@pytest.mark.parametrize(
    ("number", "variant"), [(0, "a"), (24_999, "a"), (25_000, "c"), (59_999, "c"), (60_000, "b"), (99_999, "b")]
)
def test_bounds_are_exclusive_and_an_empty_part_owns_nothing(number: int, variant: str) -> None:
    outcome = split("a", 25_000, "a", 25_000, "c", 60_000, "b", 100_000)
    assert said(ask({"f": arms(default=outcome)}, bucket=number)) == (variant, "SPLIT")


@pytest.mark.parametrize("generation", ["portable", "flagd-2", "flagd-3"])
def test_the_bucket_is_that_of_the_salt_and_of_the_snapshots_generation(generation: str) -> None:
    for salt in ("one", "two"):
        number = bucket(generation, salt, "ada")
        for share, variant in ((number, "off"), (number + 1, "on")):
            flags = {"f": flag(default=rollout(share / 1000, salt))}
            assert ask(flags, bucketing=generation).variant == variant


def test_another_attribute_may_be_bucketed_by() -> None:
    outcome = rollout((bucket("portable", "salt", "42") + 1) / 1000, by="account.id")
    for account, answer in [
        ({"id": 42}, ("on", "SPLIT")),
        ({"id": "42"}, ("on", "SPLIT")),
        ({}, ("off", "DEFAULT")),
        ({"id": 42.5}, ("off", "DEFAULT")),
    ]:
        assert said(ask({"f": flag(default=outcome)}, ADA | {"account": account})) == answer


@pytest.mark.parametrize(
    "context", [{}, {"targetingKey": ""}, {"targetingKey": None}, {"targetingKey": 1.5}, {"targetingKey": True}]
)
@pytest.mark.parametrize(
    "outcome",
    [
        rollout(100),
        split("a", 50_000, "b", 100_000, experiment={"name": "e", "traffic": 50_000}),
        {"ramp": [[0, 100_000]], "variant": "on", "rest": "off", "bucket_by": "targetingKey", "salt": "s"},
    ],
)
def test_who_has_no_bucket_gets_the_off_variant(context: dict[str, Any], outcome: dict[str, Any]) -> None:
    plain = flag if "experiment" not in outcome else arms
    off = plain()["off_variant"]
    assert said(ask({"f": plain(default=outcome)}, context)) == (off, "DEFAULT")
    answer = ask({"f": plain(rules=[rule("r", **outcome), rule("later")])}, context)
    assert (answer.variant, answer.reason, answer.rule) == (off, "TARGETING_MATCH", "r")


def test_a_foreign_algorithm_draws_the_outcome_alone() -> None:
    foreign = {"algorithm": "launchdarkly-sha1", "salt": "saltyA"}
    outcome = split("a", 42_157, "b", 42_158, "c", 100_000)  # userKeyA's published bucket is 0.42157587
    user = {"targetingKey": "userKeyA"}
    flags = {"hashKey": arms(default=outcome, foreign_bucketing=foreign)}
    assert ask(flags, user, key="hashKey").variant == "b"
    inside = bucket("portable", "traffic:e", "userKeyA") + 1
    for traffic, variant in ((inside, "b"), (inside - 1, "c")):
        flags["hashKey"]["default"] = outcome | {"experiment": {"name": "e", "traffic": traffic}}
        assert ask(flags, user, key="hashKey").variant == variant


# Ramps


def test_a_ramp_has_its_share_at_each_edge() -> None:
    ramp = Ramp("on", 10_000, 100_000, NOW, 3600, 25_000)
    steps = ramp.steps()
    assert steps == [
        (NOW, 10_000),
        (NOW + 900, 35_000),
        (NOW + 1800, 60_000),
        (NOW + 2700, 85_000),
        (NOW + 3600, 100_000),
    ]
    flags = {
        "f": flag(default={"ramp": steps, "variant": "on", "rest": "off", "bucket_by": "targetingKey", "salt": "s"})
    }
    for now, share in [
        (0, 0),
        (NOW - 1, 0),
        *steps,
        *((at - 0.5, before) for (at, _), (_, before) in zip(steps[1:], steps[:-1], strict=True)),
        (NOW * 2, 100_000),
    ]:
        assert said(ask(flags, now=now, bucket=99_999)) == ("on" if share == 100_000 else "off", "SPLIT")
        if share:
            assert ask(flags, now=now, bucket=share - 1).variant == "on"
        if share < 100_000:
            assert ask(flags, now=now, bucket=share).variant == "off"


def test_a_ramp_may_give_any_variant() -> None:
    ramp = {"ramp": [[NOW, 50_000]], "variant": "a", "rest": "c", "bucket_by": "targetingKey", "salt": "salt"}
    assert said(ask({"f": arms(default=ramp)}, LOW)) == ("a", "SPLIT")
    assert said(ask({"f": arms(default=ramp)}, HIGH)) == ("c", "SPLIT")


# Experiments


def experiment(**parts: Any) -> dict[str, Any]:
    return split("a", 50_000, "b", 100_000, experiment={"name": "checkout-2027", **parts})


@pytest.mark.parametrize(
    ("parts", "user", "inside"),
    [
        ({}, ADA, True),
        ({"metadata": {"hypothesis": "none", "traffic": 0}}, ADA, True),
        ({"layer": "shop"}, ADA, True),
        ({"layer": "shop", "slots": [0, 50_000]}, person("layer:shop", 0, 50), True),
        ({"layer": "shop", "slots": [0, 50_000]}, person("layer:shop", 50, 100), False),
        ({"layer": "shop", "slots": [50_000, 100_000]}, person("layer:shop", 0, 50), False),
        ({"layer": "shop", "slots": [50_000, 100_000]}, person("layer:shop", 50, 100), True),
        ({"traffic": 20_000}, person("traffic:checkout-2027", 0, 20), True),
        ({"traffic": 20_000}, person("traffic:checkout-2027", 20, 100), False),
        ({"traffic": 0}, ADA, False),
        ({"layer": "shop", "slots": [0, 50_000], "traffic": 0}, person("layer:shop", 0, 50), False),
    ],
)
def test_who_stands_outside_the_slots_or_the_traffic_is_not_in_the_experiment(
    parts: dict[str, Any], user: dict[str, Any], inside: bool
) -> None:
    outcome = experiment(**parts)
    arm = "a" if bucket("portable", "salt", user["targetingKey"]) < 50_000 else "b"
    as_default = ask({"f": arms(default=outcome)}, user)
    assert said(as_default) == ((arm, "SPLIT") if inside else ("c", "DEFAULT"))
    as_scheduled = ask({"f": arms(schedule=[{"at": 0, "default": outcome}])}, user)
    assert said(as_scheduled) == said(as_default)
    in_rule = ask({"f": arms(rules=[rule("test", **outcome), rule("next", serve="c")])}, user)
    assert (in_rule.variant, in_rule.reason, in_rule.rule) == (
        (arm, "SPLIT", "test") if inside else ("c", "TARGETING_MATCH", "next")
    )


def test_the_edges_of_slots_belong_to_one_experiment_only() -> None:
    number = bucket("portable", "layer:shop", "ada")
    for slots, inside in (([0, number], False), ([number, number + 1], True), ([number + 1, 100_000], False)):
        assert ask({"f": arms(default=experiment(layer="shop", slots=slots))}).reason == (
            "SPLIT" if inside else "DEFAULT"
        )


def test_widening_traffic_moves_nobody_between_arms() -> None:
    for number in range(300):
        user = {"targetingKey": f"user-{number}"}
        arms_seen = {
            ask({"f": arms(default=experiment(traffic=share))}, user).variant for share in range(0, 100_001, 20_000)
        }
        assert not arms_seen >= {"a", "b"}


def test_a_given_bucket_stands_in_for_the_draw_and_is_admitted() -> None:
    outcome = experiment(layer="shop", slots=[0, 1], traffic=0)
    for context in (ADA, {}):
        assert ask({"f": arms(default=outcome)}, context, bucket=49_999).variant == "a"
        assert ask({"f": arms(default=outcome)}, context, bucket=50_000).variant == "b"
