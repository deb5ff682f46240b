"""Rules that can never match: what is found, what is left alone, and that nobody ever reaches one that was found."""

from __future__ import annotations

from typing import Any

import pytest
from flagtree import NOW, flag, problems
from hypothesis import given, settings
from hypothesis import strategies as st

from flagctl.check import facts
from flagctl.check.run import found_by_rules
from flagctl.compile.snapshot import snapshot
from flagctl.evaluate.evaluator import Evaluator
from flagctl.evaluate.operators import matches
from flagctl.model import condition, repository
from flagctl.model.condition import AllOf, AnyOf, Condition, InSegment, Not
from flagctl.model.flag import Experiment, Flag, Outcome, Owner, Rule, Segment, Serve, Split

DE, FR = "{attribute: country, equals: DE}", "{attribute: country, equals: FR}"
TEEN = "{attribute: age, lt: 20}"


def of(name: str, operator: str, value: str) -> str:
    return f"{{attribute: {name}, {operator}: {value}}}"


def not_(one: str) -> str:
    return f"{{not: {one}}}"


def any_(*some: str) -> str:
    return f"{{any: [{', '.join(some)}]}}"


def all_(*some: str) -> str:
    return f"{{all: [{', '.join(some)}]}}"


def rule(name: str, *conditions: str, outcome: str = "serve: on") -> str:
    return f"  - {{name: {name}, when: [{', '.join(conditions)}], {outcome}}}\n"


def ids(text: str) -> list[tuple[str, str]]:
    return [(p.rule, p.pointer) for p in problems(text)]


CONTRADICTIONS = [
    (DE, FR),
    (DE, of("country", "in", "[FR, ES]")),
    (of("country", "in", "[DE, FR]"), of("country", "not_in", "[FR, DE, ES]")),
    (DE, of("country", "not_equals", "DE")),
    (DE, not_(DE)),
    (of("country", "in", "[DE, ES]"), of("country", "starts_with", "F")),
    (of("country", "in", "[DE, FR]"), of("country", "matches", "^E")),
    (of("age", "gt", "20"), of("age", "lt", "20")),
    (of("age", "gte", "20"), of("age", "lt", "20")),
    (of("age", "equals", "5"), of("age", "gt", "5")),
    (of("age", "gt", "30"), not_(of("age", "gt", "20"))),
    (of("signed_up", "before", "2027-01-01"), of("signed_up", "after", "2027-01-01")),
    (of("app_version", "semver_gte", "2.0.0"), of("app_version", "semver_lt", '"2"')),
    (of("app_version", "semver_eq", "2.0.0"), of("app_version", "semver_eq", "2.0.1")),
    (of("email", "exists", "false"), of("email", "ends_with", '"@example.com"')),
    (of("email", "exists", "false"), of("email", "not_ends_with", '"@example.com"')),
    (of("email", "exists", "true"), of("email", "exists", "false")),
    (of("email", "exists", "true"), not_(of("email", "exists", "true"))),
    (of("email", "ends_with", "[a.com, b.com]"), of("email", "ends_with", "c.com")),
    (of("email", "starts_with", "ab"), of("email", "not_starts_with", "[a, c]")),
    (of("email", "starts_with", "abc"), of("email", "not_contains", "b")),
    (of("email", "contains", "abc"), of("email", "not_contains", "b")),
    (of("email", "matches", "x"), of("email", "not_matches", "x")),
    (of("roles", "includes", "admin"), of("roles", "not_includes", "admin")),
    (of("roles", "includes_all", "[a, b]"), of("roles", "not_includes", "b")),
    (of("roles", "includes_any", "[a, b]"), of("roles", "not_includes", "a"), of("roles", "not_includes", "b")),
    (DE, all_(TEEN, FR)),
    (DE, not_(any_(DE, TEEN))),
    (DE, TEEN, not_(all_(TEEN, DE))),
    (DE, any_(FR, of("country", "equals", "ES"))),
    (DE, not_(not_(FR))),
]

POSSIBLE = [
    (DE, TEEN),
    (DE, of("country", "in", "[FR, DE]")),
    (DE, not_(FR)),
    (DE, any_(FR, TEEN)),
    (any_(DE, FR), any_(FR, TEEN)),
    (of("age", "gte", "20"), of("age", "lte", "20")),
    (of("age", "gt", "20"), of("age", "lt", "21")),  # services may send 20.5
    (of("score", "equals", "1"), of("score", "lte", "1.0")),
    (of("app_version", "semver_gt", "1.0.0"), of("app_version", "semver_lt", "1.0.1")),  # 1.0.1-beta
    (of("app_version", "semver_gte", '"2.0"'), of("app_version", "semver_lte", "2.0.0")),
    (of("email", "exists", "false"), not_(of("email", "ends_with", "a"))),
    (not_(of("email", "ends_with", "a")), not_(of("email", "not_ends_with", "a"))),  # it may be missing
    (of("email", "starts_with", "a"), of("email", "starts_with", "ab")),
    (of("email", "starts_with", "ab"), of("email", "not_starts_with", "abc")),
    (of("email", "starts_with", "a"), of("email", "ends_with", "b")),
    (of("email", "contains", "a"), of("email", "contains", "b")),
    (of("email", "contains", "a"), of("email", "not_contains", "ab")),
    (of("email", "contains", "[a, b]"), of("email", "not_contains", "a")),
    (of("email", "matches", "^a"), of("email", "matches", "^b")),  # not judged
    (of("roles", "includes", "a"), of("roles", "not_includes", "b")),
    (of("roles", "includes", "a"), of("roles", "includes", "b")),
    (of("roles", "includes_any", "[a, b]"), of("roles", "not_includes", "b")),
    (of("country", "not_equals", "DE"), of("country", "not_equals", "FR")),
    (DE, TEEN, not_(all_(TEEN, FR))),
]


@pytest.mark.parametrize("conditions", CONTRADICTIONS, ids=", ".join)
def test_a_contradiction_is_found_whatever_the_order(conditions: tuple[str, ...]) -> None:
    for order in (conditions, conditions[::-1]):
        assert ids(flag("rules:\n" + rule("one", *order))) == [("contradiction", "/rules/0/when")]


@pytest.mark.parametrize("conditions", POSSIBLE, ids=", ".join)
def test_what_somebody_may_fulfil_is_no_contradiction(conditions: tuple[str, ...]) -> None:
    assert ids(flag("rules:\n" + rule("one", *conditions))) == []


SHADOWED = [
    ((DE,), (DE,)),
    ((DE,), (DE, TEEN)),
    ((DE, TEEN), (TEEN, of("plan", "equals", "pro"), DE)),
    ((of("country", "in", "[DE, FR]"),), (FR,)),
    ((of("country", "in", "[DE, FR]"),), (any_(DE, FR),)),
    ((of("country", "exists", "true"),), (of("country", "not_equals", "DE"),)),
    ((of("country", "not_in", "[DE]"),), (of("country", "not_in", "[DE, FR]"),)),
    ((of("country", "not_equals", "DE"),), (FR,)),
    ((not_(DE),), (FR,)),
    ((not_(DE),), (of("country", "exists", "false"),)),
    ((not_(of("country", "in", "[DE, ES]")),), (not_(of("country", "in", "[DE, ES, FR]")),)),
    ((not_(all_(TEEN, DE)),), (FR,)),
    ((any_(DE, TEEN),), (TEEN,)),
    ((any_(DE, TEEN, FR),), (any_(TEEN, DE),)),
    ((all_(DE, TEEN),), (DE, of("age", "lte", "19"))),
    ((of("age", "gt", "10"),), (of("age", "gte", "11"),)),
    ((of("age", "gte", "10"),), (of("age", "equals", "10"),)),
    ((of("signed_up", "before", "2027-02-01"),), (of("signed_up", "before", "2027-01-01"),)),
    ((of("app_version", "semver_gte", "2.0.0"),), (of("app_version", "semver_eq", '"2"'),)),
    ((of("email", "ends_with", "[example.com, example.org]"),), (of("email", "ends_with", '"@example.org"'),)),
    ((of("email", "contains", "b"),), (of("email", "starts_with", "abc"),)),
    ((of("email", "not_starts_with", "abc"),), (of("email", "not_starts_with", "ab"),)),
    ((of("email", "not_starts_with", "b"),), (of("email", "starts_with", "a"),)),
    ((of("roles", "includes_any", "[a, b]"),), (of("roles", "includes", "b"),)),
    ((of("roles", "includes", "a"), of("roles", "includes", "b")), (of("roles", "includes_all", "[a, b, c]"),)),
]

REACHED = [
    ((DE, TEEN), (DE,)),
    ((DE,), (FR,)),
    ((FR,), (of("country", "in", "[DE, FR]"),)),
    ((of("country", "not_equals", "DE"),), (of("country", "exists", "false"),)),
    ((of("country", "not_equals", "DE"),), (of("country", "not_equals", "FR"),)),
    ((of("age", "gte", "11"),), (of("age", "gt", "10"),)),
    ((of("age", "gt", "10"),), (of("age", "gte", "10"),)),
    ((of("score", "not_equals", "1"),), (of("country", "not_equals", "DE"),)),
    ((TEEN,), (any_(DE, TEEN),)),
    ((of("email", "starts_with", "abc"),), (of("email", "starts_with", "ab"),)),
    ((of("email", "not_contains", "abc"),), (of("email", "not_contains", "abcd"),)),
    ((of("email", "starts_with", "b"),), (of("email", "contains", "b"),)),
    ((of("roles", "includes_all", "[a, b]"),), (of("roles", "includes", "a"),)),
    ((not_(DE),), (DE,)),
    ((not_(of("country", "exists", "true")),), (FR,)),
]


@pytest.mark.parametrize(("earlier", "later"), SHADOWED)
def test_a_rule_whose_people_an_earlier_one_takes_is_found(earlier: tuple[str, ...], later: tuple[str, ...]) -> None:
    text = flag("rules:\n" + rule("one", *earlier) + rule("other", TEEN, FR) + rule("two", *later))
    assert ("shadowed-rule", "/rules/2/when") in ids(text)


@pytest.mark.parametrize(("earlier", "later"), REACHED)
def test_a_rule_that_somebody_still_reaches_is_left_alone(earlier: tuple[str, ...], later: tuple[str, ...]) -> None:
    assert ids(flag("rules:\n" + rule("one", *earlier) + rule("two", *later))) == []


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        ("serve: a", True),
        ("split: {a: 50, b: 50}", True),
        ("ramp: {variant: b, from: 0, to: 100, start: 2030-01-01, duration: 1d, step: 5}", True),
        ("split: {a: 50, b: 50}, experiment: {name: x}", True),
        ("split: {a: 50, b: 50}, experiment: {name: x, layer: y}", True),
        ("split: {a: 50, b: 50}, experiment: {name: x, layer: y, slots: [0, 50]}", False),
        ("split: {a: 50, b: 50}, experiment: {name: x, traffic: 99.999}", False),
    ],
)
def test_an_experiment_that_passes_people_on_shadows_nobody(outcome: str, found: bool) -> None:
    head = {"type": "string", "variants": "{a: one, b: two}", "off_variant": "a"}
    text = flag("rules:\n" + rule("one", DE, outcome=outcome) + rule("two", DE, outcome="serve: b"), **head)
    assert ids(text) == ([("shadowed-rule", "/rules/1/when")] if found else [])


def segment(name: str, *conditions: str) -> dict[str, str]:
    return {f"flags/production/segments/{name}.yaml": f"when: [{', '.join(conditions)}]\n"}


def test_segments_are_looked_into() -> None:
    files = segment("germans", DE) | segment("inner", "{segment: germans}", TEEN)
    contradicting = rule("one", "{segment: inner}", FR)
    shadowed = rule("two", "{segment: germans}") + rule("three", "{segment: inner}") + rule("four", DE)
    files["flags/production/x.yaml"] = flag("rules:\n" + contradicting + shadowed)
    assert [(p.rule, p.pointer) for p in problems(files)] == [
        ("contradiction", "/rules/0/when"),
        ("shadowed-rule", "/rules/2/when"),
        ("shadowed-rule", "/rules/3/when"),
    ]


def test_a_contradiction_that_comes_of_another_mistake_is_not_told_twice() -> None:
    conditions = (of("country", "equals", "1"), of("country", "equals", '"1"'))
    assert ids(flag("rules:\n" + rule("one", *conditions))) == [("value-type", "/rules/0/when/0/equals")]


def test_a_long_chain_of_segments_and_a_wide_rule_take_no_time() -> None:
    files: dict[str, str] = {}
    for i in range(600):
        files |= segment(f"s{i}", f"{{segment: s{i + 1}}}") if i < 599 else segment(f"s{i}", DE)
    choices = [any_(*(of("email", "equals", f"u{i}-{j}") for j in range(30))) for i in range(30)]
    files["flags/production/x.yaml"] = flag("rules:\n" + rule("one", "{segment: s0}") + rule("two", DE, *choices))
    assert [p.rule for p in problems(files)] == []


# ---- what is said to follow, or to clash, does so for every value there is ----

TEXTS = ["a", "ab", "abc", "b", "bc", "1.0.0", "1.0.1-beta", "2.0", "2026-01-01", "2026-06-01T00:00:00Z", ""]
NUMBERS = [0, 1, 1.0, 1.5, 2, -1]
SCALARS = [*TEXTS, *NUMBERS, True, False]
LISTS = [[], ["a"], ["a", "b"], ["b", "ab"], ["abc", 1], [True], [1.0]]
JANUARY, JUNE = 1767225600, 1780272000
VALUES = [*SCALARS, *LISTS, JANUARY, JUNE - 1, JUNE, None, {}, float("nan")]
SAMPLES: dict[str, list[Any]] = {
    "scalar": ["a", "ab", 1, 1.0, 2, True],
    "scalars": [("a",), ("a", "ab"), ("b", 1), (1, 2), (True, 1), (1.0,), ("ab", "abc", "b")],
    "texts": [("a",), ("ab",), ("b", "a"), ("bc", "c"), ("abc",), ("",)],
    "pattern": ["a", "^b", "("],
    "number": [0, 1, 1.5, 2],
    "time": [JANUARY, JUNE],
    "version": ["1", "1.0.0", "1.0.1", "2.0.0", "1.0.1-beta", "no"],
    "bool": [True, False],
}
POOL = [
    condition.Test("x", name, value)
    for name, operator in condition.OPERATORS.items()
    for value in SAMPLES[operator.takes]
]
PASSING = [{i for i, value in enumerate(VALUES) if matches(one.operator, value, one.value)} for one in POOL]


def test_two_conditions_that_are_said_to_clash_have_no_value_in_common() -> None:
    found = [(i, j) for i in range(len(POOL)) for j in range(i) if facts.clash([POOL[i], POOL[j]])]
    assert len(found) > 500
    assert [(POOL[i], POOL[j]) for i, j in found if PASSING[i] & PASSING[j]] == []


def test_a_condition_that_is_said_to_follow_holds_wherever_the_other_does() -> None:
    found = [(i, j) for i in range(len(POOL)) for j in range(len(POOL)) if facts.follows([POOL[i]], POOL[j])]
    assert len(found) > 500
    assert [(POOL[i], POOL[j]) for i, j in found if not PASSING[i] <= PASSING[j]] == []


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.integers(0, len(POOL) - 1), min_size=3, max_size=4))
def test_so_it_is_with_three_conditions_and_more(chosen: list[int]) -> None:
    *given_, wanted = chosen
    tests = [POOL[i] for i in given_]
    common = set[int].intersection(*(PASSING[i] for i in given_))
    if facts.clash(tests):
        assert not common
    if facts.follows(tests, POOL[wanted]):
        assert common <= PASSING[wanted]


# ---- nobody reaches a rule that was found, whatever services send ----

NAMES = ["x", "y"]
SINGLE = st.builds(
    lambda name, one: condition.Test(name, one.operator, one.value), st.sampled_from(NAMES), st.sampled_from(POOL)
)
LEAVES = SINGLE | st.sampled_from(["s", "t", "gone"]).map(InSegment)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda m: AnyOf(tuple(m)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda m: AllOf(tuple(m)))
        | inner.map(Not)
    ),
    max_leaves=4,
)
WHEN = st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple)
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        Serve("on"),
        Split((("on", 50_000), ("off", 50_000))),
        Split((("on", 100_000),), experiment=Experiment(name="e", traffic=50_000)),
        Split((("on", 100_000),), experiment=Experiment(name="e", layer="l", slots=(0, 50_000))),
    ]
)
CONTEXTS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(
        lambda context: {"targetingKey": "u", **context}
    ),
    min_size=20,
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WHEN, OUTCOMES), min_size=1, max_size=4), WHEN, WHEN, CONTEXTS)
def test_nobody_reaches_a_rule_that_was_found(
    rules: list[tuple[tuple[Condition, ...], Outcome]],
    s: tuple[Condition, ...],
    t: tuple[Condition, ...],
    contexts: list[dict[str, Any]],
) -> None:
    tried = Flag(
        key="tried",
        description="",
        owner=Owner("us"),
        variants={"on": True, "off": False},
        off_variant="off",
        rules=tuple(Rule(name=f"{i}", when=when, outcome=outcome) for i, (when, outcome) in enumerate(rules)),
    )
    held = repository.Environment(
        name="production",
        flags={"tried": tried},
        segments={"s": Segment(name="s", when=_without_segments(s)), "t": Segment(name="t", when=t)},
        flag_files={"tried": "tried.yaml"},
        segment_files={"s": "s.yaml", "t": "t.yaml"},
    )
    if "t" in _named(t):  # a circle is another rule's business
        return
    options = repository.Settings(environments={})
    found = found_by_rules(repository.Repository(settings=options, environments={"production": held}), NOW)
    mistakes = [p for p in found if p.rule in ("contradiction", "shadowed-rule")]
    dead = {p.pointer.split("/")[2] for p in mistakes if p.file == "tried.yaml"}
    empty = {p.file.removesuffix(".yaml") for p in mistakes} & {"s", "t"}
    evaluator = Evaluator(snapshot(held, options, {}))
    for context in contexts:
        assert evaluator.evaluate("tried", context, NOW).rule not in dead
        assert not any(evaluator.matches_segment(name, context, NOW) for name in empty)


def _without_segments(when: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(one for one in when if not _named((one,))) or (condition.Test("x", "exists", True),)


def _named(when: tuple[Condition, ...]) -> set[str]:
    found = set[str]()
    for one in when:
        match one:
            case InSegment(name):
                found.add(name)
            case AnyOf(members) | AllOf(members):
                found |= _named(members)
            case Not(member):
                found |= _named((member,))
    return found
