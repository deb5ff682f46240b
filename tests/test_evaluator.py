"""The six steps of docs/flags.md, one by one: what the readable evaluator answers."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots import NOW, OFF, ON, arms, ask, evaluator, flag, person, rollout, rule, said, test

from flagctl.evaluate.evaluator import Resolution

PRO = test("plan", "equals", "pro")


# Step 1: an unknown flag


def test_an_unknown_flag_gets_the_callers_default() -> None:
    answer = ask({}, default="mine", key="nothing")
    assert (answer.value, answer.variant, answer.reason, answer.error_code) == ("mine", None, "ERROR", "FLAG_NOT_FOUND")
    assert "nothing" in (answer.error_message or "")


def test_nobody_previews_an_unknown_flag() -> None:
    assert ask({}, preview={"f": "on"}).error_code == "FLAG_NOT_FOUND"


# Step 2: previews


@pytest.mark.parametrize(
    "parts",
    [
        {"enabled": False},
        {"expires_at": NOW - 1},
        {"requires": [{"flag": "gone", "variant": "on"}]},
        {"overrides": {"off": ["ada"]}},
        {"rules": [rule("all", serve="off")]},
        {"default": OFF},
    ],
)
def test_a_preview_comes_before_everything_else(parts: dict[str, Any]) -> None:
    answer = ask({"f": flag(**parts)}, preview={"f": "on"})
    assert answer == Resolution(True, "on", "TARGETING_MATCH", rule="preview")


@pytest.mark.parametrize("preview", [{"f": "purple"}, {"f": True}, {"f": []}, {"g": "off"}, {}, None])
def test_a_preview_of_what_there_is_not_is_passed_over(preview: Any) -> None:
    assert said(ask({"f": flag()}, preview=preview)) == ("on", "STATIC")


def test_a_required_flag_sees_the_preview() -> None:
    flags = {"f": flag(requires=[{"flag": "core", "variant": "on"}]), "core": flag(enabled=False)}
    assert said(ask(flags)) == ("off", "DISABLED")
    assert said(ask(flags, preview={"core": "on"})) == ("on", "DEFAULT")


# Step 3: expiry, the kill switch and requirements


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (NOW - 1, ("on", "DEFAULT")),
        (NOW - 0.001, ("on", "DEFAULT")),
        (NOW, ("off", "DISABLED")),
        (NOW + 9, ("off", "DISABLED")),
    ],
)
def test_a_flag_expires_at_its_second(now: float, answer: tuple[str, str]) -> None:
    assert said(ask({"f": flag(expires_at=NOW)}, now=now)) == answer


@pytest.mark.parametrize(
    "parts", [{}, {"overrides": {"on": ["ada"]}}, {"rules": [rule("all")]}, {"default": rollout(100)}, {"default": ON}]
)
def test_the_kill_switch_beats_all_targeting(parts: dict[str, Any]) -> None:
    assert ask({"f": flag(enabled=False, **parts)}) == Resolution(False, "off", "DISABLED")


def test_another_type_serves_its_own_off_variant() -> None:
    assert ask({"f": arms(enabled=False)}) == Resolution("C", "c", "DISABLED")


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (NOW - 1, ("off", "DISABLED")),
        (NOW, ("off", "DEFAULT")),
        (NOW + 99, ("off", "DEFAULT")),
        (NOW + 100, ("on", "DEFAULT")),
        (NOW + 199.9, ("on", "DEFAULT")),
        (NOW + 200, ("off", "DISABLED")),
    ],
)
def test_schedule_entries_apply_one_after_the_other(now: float, answer: tuple[str, str]) -> None:
    schedule = [{"at": NOW, "enabled": True}, {"at": NOW + 100, "default": ON}, {"at": NOW + 200, "enabled": False}]
    assert said(ask({"f": flag(enabled=False, default=OFF, schedule=schedule)}, now=now)) == answer


def test_the_latest_entry_that_says_so_decides() -> None:
    schedule = [{"at": 1, "default": {"serve": "a"}}, {"at": 2, "default": {"serve": "b"}}, {"at": 3, "enabled": True}]
    assert said(ask({"f": arms(default={"serve": "c"}, schedule=schedule)})) == ("b", "DEFAULT")


def test_a_schedule_does_not_reach_the_rules() -> None:
    flags = {"f": arms(rules=[rule("pro", PRO, serve="a")], schedule=[{"at": 1, "default": {"serve": "b"}}])}
    assert said(ask(flags, {"plan": "pro"})) == ("a", "TARGETING_MATCH")


@pytest.mark.parametrize(
    ("core", "met"),
    [
        (flag(), True),
        (flag(default=OFF), False),
        (flag(enabled=False), False),
        (flag(expires_at=NOW), False),
        (flag(default=OFF, overrides={"on": ["ada"]}), True),
        (flag(default=OFF, rules=[rule("ada", test("targetingKey", "equals", "ada"))]), True),
        (flag(default=OFF, rules=[rule("bob", test("targetingKey", "equals", "bob"))]), False),
        (flag(default=OFF, schedule=[{"at": NOW, "default": ON}]), True),
        (flag(requires=[{"flag": "base", "variant": "b"}]), False),
        (flag(requires=[{"flag": "base", "variant": "a"}]), True),
    ],
)
def test_a_required_flag_is_evaluated_by_the_same_steps(core: dict[str, Any], met: bool) -> None:
    flags = {"f": flag(requires=[{"flag": "core", "variant": "on"}]), "core": core, "base": arms()}
    assert said(ask(flags)) == (("on", "DEFAULT") if met else ("off", "DISABLED"))


def test_every_requirement_must_hold() -> None:
    requires = [{"flag": "yes", "variant": "on"}, {"flag": "no", "variant": "on"}]
    for order in (requires, requires[::-1]):
        flags = {"f": flag(requires=order), "yes": flag(), "no": flag(default=OFF)}
        assert said(ask(flags)) == ("off", "DISABLED")
    assert said(ask({"f": flag(requires=requires), "yes": flag(), "no": flag()})) == ("on", "DEFAULT")


def test_a_required_variant_may_be_the_off_variant() -> None:
    flags = {"f": flag(requires=[{"flag": "old", "variant": "off"}]), "old": flag(enabled=False)}
    assert said(ask(flags)) == ("on", "DEFAULT")


def test_a_missing_required_flag_is_unmet() -> None:
    assert ask({"f": flag(requires=[{"flag": "gone", "variant": "on"}])}) == Resolution(False, "off", "DISABLED")


@pytest.mark.parametrize("key", ["a", "b", "c"])
def test_a_circle_of_requirements_is_off_and_says_so(key: str) -> None:
    # c is no part of the circle, but leads into it; "off" would hold if a circle counted as an answer
    flags = {name: flag(requires=[{"flag": other, "variant": "off"}]) for name, other in ("ab", "ba", "ca")}
    answer = ask(flags, key=key)
    assert (answer.variant, answer.reason, answer.error_code) == ("off", "DISABLED", "GENERAL")
    assert "circle" in (answer.error_message or "")


def test_two_ways_to_one_requirement_are_no_circle() -> None:
    flags = {
        "f": flag(requires=[{"flag": "left", "variant": "on"}, {"flag": "right", "variant": "on"}]),
        "left": flag(requires=[{"flag": "base", "variant": "on"}]),
        "right": flag(requires=[{"flag": "base", "variant": "on"}]),
        "base": flag(),
    }
    assert said(ask(flags)) == ("on", "DEFAULT")


# Step 4: overrides


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("ada", ("a", "TARGETING_MATCH")),
        ("bob", ("b", "TARGETING_MATCH")),
        ("Ada", ("c", "TARGETING_MATCH")),
        (42, ("b", "TARGETING_MATCH")),
        (42.0, ("c", "TARGETING_MATCH")),
        (True, ("c", "TARGETING_MATCH")),
        ("", ("c", "TARGETING_MATCH")),
        (None, ("c", "TARGETING_MATCH")),
        (["ada"], ("c", "TARGETING_MATCH")),
    ],
)
def test_overrides_come_before_rules_and_match_exact_keys(key: Any, answer: tuple[str, str]) -> None:
    overrides = {"a": ["ada"], "b": ["42", "bob"]}
    flags = {"f": arms(overrides=overrides, rules=[rule("all", serve="c")])}
    assert said(ask(flags, {"targetingKey": key})) == answer


def test_who_stands_in_two_overrides_gets_the_variant_whose_name_comes_first() -> None:
    # check forbids it; the order of a canonical document must not matter
    assert ask({"f": arms(overrides={"b": ["ada"], "a": ["ada"]})}).variant == "a"


def test_an_override_names_no_rule() -> None:
    assert ask({"f": flag(default=OFF, overrides={"on": ["ada"]})}) == Resolution(True, "on", "TARGETING_MATCH")


# Step 5: rules


@pytest.mark.parametrize(
    ("context", "variant", "name"),
    [
        ({"plan": "pro", "age": 20}, "a", "first"),
        ({"plan": "pro", "age": 3}, "b", "second"),
        ({"plan": "free", "age": 20}, "c", None),
        ({}, "c", None),
    ],
)
def test_the_first_rule_whose_conditions_all_hold_decides(
    context: dict[str, Any], variant: str, name: str | None
) -> None:
    rules = [rule("first", PRO, test("age", "gte", 18), serve="a"), rule("second", PRO, serve="b")]
    answer = ask({"f": arms(rules=rules, default={"serve": "c"})}, context)
    assert (answer.variant, answer.rule) == (variant, name)
    assert answer.reason == ("TARGETING_MATCH" if name else "DEFAULT")


def test_a_rule_without_conditions_catches_everybody() -> None:
    assert ask({"f": flag(default=OFF, rules=[rule("all")])}, {}).rule == "all"


YES, NO = test("a", "exists", False), test("a", "exists", True)


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ({"any": []}, False),
        ({"any": [NO, YES]}, True),
        ({"any": [NO, NO]}, False),
        ({"all": []}, True),
        ({"all": [YES, YES]}, True),
        ({"all": [YES, NO]}, False),
        ({"not": YES}, False),
        ({"not": NO}, True),
        ({"not": {"not": YES}}, True),
        ({"not": {"any": [NO, {"all": [YES, {"not": YES}]}]}}, True),
        ({"segment": "yes"}, True),
        ({"segment": "no"}, False),
        ({"segment": "nested"}, True),
        ({"not": {"segment": "nested"}}, False),
        ({"segment": "everybody"}, True),
    ],
)
def test_conditions_nest(condition: dict[str, Any], held: bool) -> None:
    segments = {"yes": [YES], "no": [YES, NO], "nested": [{"not": {"segment": "no"}}, YES], "everybody": []}
    answer = ask({"f": flag(default=OFF, rules=[rule("r", condition)])}, {}, segments=segments)
    assert answer.variant == ("on" if held else "off")
    assert evaluator({}, segments | {"it": [condition]}).matches_segment("it", {}, NOW) is held


def test_a_rule_may_draw() -> None:
    flags = {"f": flag(default=OFF, rules=[rule("half", **rollout(50))])}
    assert ask(flags, person("salt", 0, 50)) == Resolution(True, "on", "SPLIT", rule="half")
    assert ask(flags, person("salt", 50, 100)) == Resolution(False, "off", "SPLIT", rule="half")


# Step 6: the default


@pytest.mark.parametrize(
    "parts",
    [
        {"requires": [{"flag": "core", "variant": "on"}]},
        {"overrides": {"on": ["bob"]}},
        {"rules": [rule("never", NO, serve="off")]},
        {"schedule": [{"at": NOW + 1, "enabled": False}]},
        {"expires_at": NOW + 1},
    ],
)
def test_only_a_flag_on_which_nothing_can_act_is_static(parts: dict[str, Any]) -> None:
    assert said(ask({"f": flag(), "core": flag()})) == ("on", "STATIC")
    assert said(ask({"f": flag(**parts), "core": flag()})) == ("on", "DEFAULT")
