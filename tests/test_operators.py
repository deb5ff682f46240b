"""Every operator on values it holds for, values it does not, and values it has nothing to say about."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots import evaluator, test

from flagctl.check.rules.bad_pattern import _wrong
from flagctl.evaluate.operators import lookup
from flagctl.model.condition import OPERATORS

NAN, INFINITY = float("nan"), float("inf")
HUGE = 10**400
NEW_YEAR = 1_767_225_600  # 2026-01-01T00:00:00Z

CASES: dict[str, list[tuple[Any, list[Any], list[Any]]]] = {
    # operator: (value in the flag, values that match, values that do not)
    "equals": [
        ("pro", ["pro"], ["Pro", "pro ", ""]),
        ("", [""], ["pro"]),
        (1, [1, 1.0], [2, -1, 1.5, HUGE]),
        (0.5, [0.5], [0, 0.25]),
        (True, [True], [False]),
        (0, [0, 0.0, -0.0], [1]),
    ],
    "not_equals": [("pro", ["free", ""], ["pro"]), (1, [2, 1.5, HUGE], [1, 1.0]), (True, [False], [True])],
    "in": [
        (["DE", "FR"], ["DE", "FR"], ["de", "GB", ""]),
        ([1, 2.5], [1.0, 2.5], [3]),
        ([1, "1", True], [1, "1", True], [2, "2", False]),
        ([False], [False], [True]),
    ],
    "not_in": [(["DE", "FR"], ["GB", ""], ["DE"]), ([1, "a"], [2, "b"], [1.0, "a"])],
    "contains": [(["@x", "@y"], ["a@x.com", "@y"], ["a@X.com", "", "x"]), ([""], ["", "a"], [])],
    "not_contains": [(["@x", "@y"], ["a@z.com", ""], ["a@x.com", "@y"])],
    "starts_with": [(["/a", "/b"], ["/a", "/b/c"], ["x/a", "", "/A"])],
    "not_starts_with": [(["/a", "/b"], ["x/a", ""], ["/a", "/b/c"])],
    "ends_with": [(["@example.com"], ["ada@example.com"], ["ada@example.com.evil", "", "@EXAMPLE.COM"])],
    "not_ends_with": [(["@example.com"], ["ada@example.com.evil", ""], ["ada@example.com"])],
    "matches": [
        ("^a+$", ["a", "aaa"], ["b", "", "ba"]),
        ("b", ["abc"], ["ac"]),
        ("é", ["café"], ["cafe"]),
        ("(a+)+$", [], ["a" * 50_000 + "b"]),
    ],
    "not_matches": [("^a+$", ["b", "", "ba"], ["a"])],
    "gt": [(18, [19, 18.1, HUGE], [18, 18.0, 17, -HUGE])],
    "gte": [(18, [18, 18.0, 19], [17, 17.999])],
    "lt": [(18, [17, 17.9, -HUGE], [18, 18.0, 19])],
    "lte": [(18, [18, 18.0, 17], [18.001, HUGE])],
    "before": [
        (
            NEW_YEAR,
            [
                "2025-12-31T23:59:59.9999999Z",
                "2026-01-01T00:59:59+01:00",
                "2025-12-31",
                NEW_YEAR - 1,
                NEW_YEAR - 0.5,
                0,
            ],
            ["2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00.000001Z", NEW_YEAR, NEW_YEAR + 0.5],
        )
    ],
    "after": [
        (
            NEW_YEAR,
            [
                "2026-01-01T00:00:00.000001Z",
                "2026-01-01T00:00:00.0000001Z",
                "2025-12-31T23:00:01-01:00",
                "2026-01-02",
                NEW_YEAR + 0.5,
                HUGE,
            ],
            ["2026-01-01T00:00:00Z", "2026-01-01", "2025-12-31T23:59:59Z", NEW_YEAR, NEW_YEAR - 1],
        )
    ],
    "semver_eq": [("2.0.0", ["2", "2.0", "v2.0.0", "2.0.0+build.7"], ["2.0.1", "2.0.0-rc.1", "3"])],
    "semver_gt": [("2.9.0", ["2.10.0", "3", "2.9.1-alpha"], ["2.9.0", "2.9", "2.9.0-rc.1", "2.8.9"])],
    "semver_gte": [("2.9.0", ["2.9", "2.9.0+x", "2.10.0"], ["2.9.0-rc.1", "2.8.9"])],
    "semver_lt": [("2.0.0-rc.2", ["2.0.0-rc.1", "2.0.0-alpha", "1.9"], ["2.0.0-rc.2", "2.0.0-rc.10", "2.0.0"])],
    "semver_lte": [("2.0.0", ["2", "2.0.0-rc.1", "1.10"], ["2.0.1", "10.0.0"])],
    "includes": [
        ("admin", [["admin"], ["x", "admin"], ("admin",)], [[], ["Admin"], [["admin"]]]),
        (1, [[1], [1.0]], [[True], ["1"]]),
    ],
    "not_includes": [("admin", [[], ["user"], [1]], [["admin"], ["user", "admin"]])],
    "includes_any": [(["a", "b"], [["a"], ["c", "b"]], [[], ["c"], [True]])],
    "includes_all": [(["a", "b"], [["a", "b"], ["b", "c", "a"]], [["a"], [], ["b", "b"]])],
    "exists": [
        (True, ["", 0, False, "x", [], {}, NAN], [None]),
        (False, [None], ["", 0, False, "x", [], {}, NAN]),
    ],
}

WRONG_TYPE: dict[str, list[Any]] = {
    "scalar": [["DE"], {"DE": 1}, NAN, INFINITY, b"DE", object()],
    "string": [1, 1.5, True, ["@x"], {"@x": 1}, b"@x", object(), "\ud800"],
    "number": ["19", True, NAN, INFINITY, -INFINITY, [19], {"n": 19}, 19j],
    "datetime": [
        "yesterday",
        "2025-06-01T00:00:00",
        "2025-02-30",
        "2025-06-01T00:00:00+00:60",
        "",
        True,
        NAN,
        ["2025-01-01"],
        {},
    ],
    "semver": ["latest", "", "2.0.0.0", "2.0-rc.1", "2+b", "02.0.0", "²", 2, 2.1, True, ["2.0.0"]],
    "array": ["admin", "", 1, True, {"admin": 1}],
    "any": [],
}


def holds(operator: str, wanted: Any, context: dict[str, Any], *, negated: bool = False) -> bool:
    condition = test("x", operator, wanted)
    when = [{"not": condition}] if negated else [condition]
    return evaluator({}, {"people": when}).matches_segment("people", context, 0)


def test_no_operator_is_forgotten() -> None:
    assert set(CASES) == set(OPERATORS)
    assert set(WRONG_TYPE) == {operator.on for operator in OPERATORS.values()}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_holds_for_what_it_means(operator: str) -> None:
    for wanted, matching, others in CASES[operator]:
        for value in matching:
            assert holds(operator, wanted, {"x": value}), (wanted, value)
        for value in others:
            assert not holds(operator, wanted, {"x": value}), (wanted, value)


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "exists"])
def test_a_missing_a_null_and_a_wrong_value_match_no_operator_but_an_explicit_not_sees_them(operator: str) -> None:
    on = OPERATORS[operator].on
    contexts: list[dict[str, Any]] = [{}, {"x": None}, {"y": "pro"}]
    # Not every string operator reads UTF-8; only RE2 can't take a lone surrogate.
    wrong = [value for value in WRONG_TYPE[on] if value != "\ud800" or OPERATORS[operator].takes == "pattern"]
    contexts += [{"x": value} for value in wrong]
    for wanted, _, _ in CASES[operator]:
        for context in contexts:
            assert not holds(operator, wanted, context), (wanted, context)
            assert holds(operator, wanted, context, negated=True), (wanted, context)


@pytest.mark.parametrize("operator", ["equals", "not_equals", "in", "not_in"])
@pytest.mark.parametrize(
    ("wanted", "value"),
    [("1", 1), (1, "1"), (1, True), (True, 1), (0, False), (False, 0), ("true", True), (1.0, True), ("", 0)],
)
def test_equality_is_strict_about_types(operator: str, wanted: Any, value: Any) -> None:
    given = [wanted] if operator.endswith("in") else wanted
    assert not holds(operator, given, {"x": value})


@pytest.mark.parametrize("operator", [name for name in OPERATORS if OPERATORS[name].negates])
def test_a_negative_is_the_opposite_for_every_value_of_its_type(operator: str) -> None:
    positive = OPERATORS[operator].negates
    for wanted, matching, others in CASES[operator]:
        for value in matching + others:
            assert holds(operator, wanted, {"x": value}) != holds(positive, wanted, {"x": value})


@pytest.mark.parametrize("operator", ["matches", "not_matches"])
@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "\ud800"])
def test_a_bad_pattern_matches_nobody(operator: str, pattern: str) -> None:
    assert not holds(operator, pattern, {"x": "a"})
    assert holds(operator, pattern, {"x": "a"}, negated=True)


@pytest.mark.parametrize("wanted", [True, False])
def test_exists_sees_what_is_nested(wanted: bool) -> None:
    condition = [test("account.plan", "exists", wanted)]
    people = evaluator({}, {"people": condition})
    for context, there in [
        ({"account": {"plan": "pro"}}, True),
        ({"account": {"plan": None}}, False),
        ({"account": {}}, False),
        ({"account": "plan"}, False),
        ({"account": ["plan"]}, False),
        ({"account.plan": "pro"}, False),
        ({}, False),
    ]:
        assert people.matches_segment("people", context, 0) is (there is wanted), context


@pytest.mark.parametrize(
    ("context", "name", "value"),
    [
        ({"a": 1}, "a", 1),
        ({"a": {"b": {"c": 0}}}, "a.b.c", 0),
        ({"a": {"b": 1}}, "a.b.c", None),
        ({"": {"": 2}}, ".", 2),
        (None, "a", None),
        ([("a", 1)], "a", None),
        ("a", "a", None),
    ],
)
def test_names_walk_into_objects_only(context: Any, name: str, value: Any) -> None:
    assert lookup(context, name) == value


def test_a_pattern_that_takes_too_much_memory_matches_nobody_and_check_says_so() -> None:
    assert not holds("matches", "[\\pL]{300}", {"x": "a" * 300})
    assert _wrong("[\\pL]{300}").startswith("pattern too large")
    assert _wrong("[a-z]{300}") == ""
