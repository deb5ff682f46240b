"""What flag tests find: each case of a test file against the evaluator, and what they leave out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagctl.check.cases import MOST_CASES
from flagctl.check.coverage import coverage
from flagctl.check.expect import Report, run_expectations, same
from flagctl.cli.formats import tests as formats
from flagctl.errors import UsageError
from flagctl.files.repository import read_repository
from flagctl.files.walk import DiskTree
from flagctl.model import times
from flagctl.model.repository import Repository

NOW = times.seconds("2026-11-24T09:00:00Z") or 0

SETTINGS = "environments: {staging: {}, production: {}}\n"
ATTRIBUTES = """\
attributes:
  country: {type: string}
  account.plan: {type: string}
"""
FLAG = """\
description: A flag.
owner: {team: growth}
overrides:
  on: [alice]
rules:
  - name: germans
    when: [{segment: germans}]
    rollout: 25
  - name: pros
    when: [{attribute: account.plan, equals: pro}]
    serve: on
default: {serve: off}
schedule:
  - {at: 2027-01-01, default: {rollout: 10}}
"""
SEGMENT = "description: Germans.\nwhen: [{attribute: country, equals: DE}]\n"
BASE = {
    "flags/flagctl.yaml": SETTINGS,
    "flags/attributes.yaml": ATTRIBUTES,
    "flags/production/banner.yaml": FLAG,
    "flags/production/segments/germans.yaml": SEGMENT,
    "flags/staging/banner.yaml": "description: A flag.\nowner: {team: growth}\ndefault: {serve: on}\n",
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Repository]:
    """read(tests=[case...], more={path: text}) -> the repository with these tests of `banner`; it must be clean."""

    def make(tests: list[dict[str, Any]] | None = None, more: dict[str, str] | None = None) -> Repository:
        files = BASE | (more or {})
        if tests is not None:
            files["flags/tests/banner.yaml"] = json.dumps({"tests": tests})
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        reading = read_repository(DiskTree(tmp_path))
        assert reading.problems == []
        return reading.repository

    return make


def found(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    """(environment, name, what was wrong) of every case."""
    return [(result.environment, result.name, result.wrong) for result in report.results]


PRODUCTION: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("override", {"context": {"targetingKey": "alice"}}, {"variant": "on", "reason": "TARGETING_MATCH"}),
    ("boolean spelling", {"context": {"targetingKey": "alice"}}, {"variant": True, "value": True}),
    ("default", {"context": {"targetingKey": "bob"}}, {"value": False, "reason": "DEFAULT"}),
    ("no context at all", {}, {"variant": "off"}),
    (
        "nested attribute",
        {"context": {"targetingKey": "bob", "account": {"plan": "pro"}}},
        {"variant": "on", "reason": "TARGETING_MATCH"},
    ),
    (
        "bucket below the share",
        {"context": {"targetingKey": "bob", "country": "DE"}, "bucket": 24.999},
        {"variant": "on", "reason": "SPLIT"},
    ),
    (
        "bucket at the share",
        {"context": {"targetingKey": "bob", "country": "DE"}, "bucket": 25},
        {"variant": "off", "reason": "SPLIT"},
    ),
    (
        "the last bucket is below 100",
        {"context": {"targetingKey": "bob", "country": "DE"}, "bucket": 100},
        {"variant": "off"},
    ),
    (
        "before the schedule",
        {"at": "2026-12-31T23:59:59Z", "bucket": 0, "context": {"targetingKey": "bob"}},
        {"value": False},
    ),
    ("after the schedule", {"at": "2027-01-01", "bucket": 9.999, "context": {"targetingKey": "bob"}}, {"value": True}),
]


@pytest.mark.parametrize(("case", "expect"), [case[1:] for case in PRODUCTION], ids=[case[0] for case in PRODUCTION])
def test_what_a_service_would_answer_passes(
    read: Callable[..., Repository], case: dict[str, Any], expect: dict[str, Any]
) -> None:
    report = run_expectations(read([{"environment": "production", **case, "expect": expect}]), NOW)
    assert found(report) == [("production", "", ())]


@pytest.mark.parametrize("wrong", [{"variant": "on"}, {"value": True}, {"value": 0}, {"reason": "STATIC"}])
def test_anything_else_fails_and_says_what(read: Callable[..., Repository], wrong: dict[str, Any]) -> None:
    report = run_expectations(read([{"environment": "production", "name": "a case", "expect": wrong}]), NOW)
    assert found(report) == [("production", "a case", tuple(wrong))]
    assert report.failed[0].found == {"variant": "off", "value": False, "reason": "DEFAULT"}
    assert report.failed[0].file == "flags/tests/banner.yaml"
    assert report.failed[0].pointer == "/tests/0"


def test_a_case_without_environment_runs_wherever_the_flag_is(read: Callable[..., Repository]) -> None:
    report = run_expectations(read([{"expect": {"variant": "on"}}]), NOW)
    assert found(report) == [("staging", "", ()), ("production", "", ("variant",))]


def test_a_case_without_at_is_asked_at_the_commands_time(read: Callable[..., Repository]) -> None:
    case = {"environment": "production", "bucket": 0, "context": {"targetingKey": "bob"}, "expect": {"variant": "on"}}
    repository = read([case])
    assert run_expectations(repository, NOW).failed
    assert not run_expectations(repository, NOW + 86400 * 60).failed


def test_a_matrix_tries_each_value_with_each(read: Callable[..., Repository]) -> None:
    case = {
        "name": "case",
        "context": {"targetingKey": "bob", "account": {"id": 7}},
        "matrix": {
            "environment": ["production"],
            "account.plan": ["free", "pro"],
            "country": ["DE", "FR"],
            "bucket": [0, 50.5],
            "at": ["2026-12-01"],
        },
        "expect": {"variant": "on"},
    }
    report = run_expectations(read([case]), NOW)
    tried = [(r.context["account"], r.context["country"], r.bucket, r.passed) for r in report.results]
    free, pro = {"id": 7, "plan": "free"}, {"id": 7, "plan": "pro"}
    assert tried == [
        (free, "DE", 0, True),
        (free, "DE", 50_500, False),
        (free, "FR", 0, False),
        (free, "FR", 50_500, False),
        (pro, "DE", 0, True),
        (pro, "DE", 50_500, False),  # the first rule decides, and gives off above its share
        (pro, "FR", 0, True),
        (pro, "FR", 50_500, True),
    ]
    assert report.results[1].name == "case [account.plan=free, country=DE, bucket=50.5, at=2026-12-01T00:00:00Z]"


def test_a_matrix_of_environments(read: Callable[..., Repository]) -> None:
    case = {"matrix": {"environment": ["production", "staging"]}, "expect": {"variant": "on"}}
    assert found(run_expectations(read([case]), NOW)) == [("production", "", ("variant",)), ("staging", "", ())]


def test_segments_are_tested_like_flags(read: Callable[..., Repository]) -> None:
    text = """\
segment: germans
tests:
  - {name: inside, context: {country: DE}, expect: {matches: true}}
  - {name: outside, matrix: {country: [FR, null]}, expect: {matches: false}}
  - {name: wrong, context: {country: FR}, expect: {matches: true}}
"""
    report = run_expectations(read(more={"flags/tests/who.yaml": text}), NOW)
    assert [(name, wrong) for _, name, wrong in found(report)] == [
        ("inside", ()),
        ("outside [country=FR]", ()),
        ("outside [country=None]", ()),
        ("wrong", ("matches",)),
    ]


def test_keys_and_environment_choose(read: Callable[..., Repository]) -> None:
    segment = "segment: germans\ntests:\n  - {context: {country: DE}, expect: {matches: true}}\n"
    repository = read([{"expect": {"variant": "on"}}], {"flags/tests/who.yaml": segment})
    assert [r.segment for r in run_expectations(repository, NOW, keys=["germans"]).results] == ["germans"]
    assert [r.environment for r in run_expectations(repository, NOW, environment="staging").results] == ["staging"]
    with pytest.raises(UsageError) as error:
        run_expectations(repository, NOW, keys=["baner"])
    assert error.value.hint == "did you mean banner?"
    with pytest.raises(UsageError) as error:
        run_expectations(repository, NOW, environment="prodution")
    assert error.value.hint == "did you mean production?"


PROBLEMS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"environment": "prod", "expect": {"variant": "on"}}, "unknown-environment", "/tests/0/environment", ""),
    (
        {"matrix": {"environment": ["stagin"]}, "expect": {"variant": "on"}},
        "unknown-environment",
        "/tests/0/matrix/environment",
        "did you mean staging?",
    ),
    (
        {"environment": "staging", "expect": {"variant": "onn"}},
        "unknown-variant",
        "/tests/0/expect/variant",
        "did you mean on?",
    ),
    (
        {"matrix": {"country": ["x"] * 200, "account.plan": ["x"] * 51}, "expect": {"variant": "on"}},
        "schema",
        "/tests/0/matrix",
        "",
    ),
]


@pytest.mark.parametrize(("case", "rule", "pointer", "hint"), PROBLEMS)
def test_a_case_that_makes_no_sense_is_a_problem_and_does_not_run(
    read: Callable[..., Repository], case: dict[str, Any], rule: str, pointer: str, hint: str
) -> None:
    report = run_expectations(read([case, {"environment": "staging", "expect": {"variant": "on"}}]), NOW)
    assert [(p.rule, p.file, p.pointer) for p in report.problems] == [(rule, "flags/tests/banner.yaml", pointer)]
    assert hint in report.problems[0].hint
    assert len(report.results) == 1


@pytest.mark.parametrize(
    ("text", "rule", "message", "hint"),
    [
        ("flag: baner\n", "unknown-flag", 'no flag "baner" in any environment', "did you mean banner?"),
        ("segment: german\n", "unknown-segment", 'no segment "german" in any environment', "did you mean germans?"),
        ("segment: germans\nENVIRONMENT", "unknown-segment", "segment germans is not in staging", ""),
    ],
)
def test_tests_of_what_is_not_there(
    read: Callable[..., Repository], text: str, rule: str, message: str, hint: str
) -> None:
    expect = "{matches: true}" if "segment" in text else "{variant: on}"
    case = f"tests:\n  - {{{'environment: staging, ' if 'ENVIRONMENT' in text else ''}expect: {expect}}}\n"
    report = run_expectations(read(more={"flags/tests/x.yaml": text.replace("ENVIRONMENT", "") + case}), NOW)
    assert [(p.rule, p.message, p.hint) for p in report.problems] == [(rule, message, hint)]


def test_a_huge_matrix_is_not_even_counted_out(read: Callable[..., Repository]) -> None:
    matrix = {f"country.{i}": list(range(10)) for i in range(3000)}
    report = run_expectations(read([{"matrix": matrix, "expect": {"variant": "on"}}]), NOW)
    assert [problem.message for problem in report.problems] == [f"the matrix makes more than {MOST_CASES:,} cases"]


# What the cases reach, and what coverage says is left of production's flag.
ALICE = {"environment": "production", "context": {"targetingKey": "alice"}, "expect": {"variant": "on"}}
COVERED: list[tuple[list[dict[str, Any]], set[str]]] = [
    (
        [],
        {"rule germans", "rule pros", "override on", "schedule 2027-01-01T00:00:00Z", "variant on", "variant off",
         "segment germans"},
    ),
    (
        [ALICE],
        {"rule germans", "rule pros", "schedule 2027-01-01T00:00:00Z", "variant off", "segment germans"},
    ),
    (
        [ALICE | {"at": "2027-01-01"}],
        {"rule germans", "rule pros", "variant off", "segment germans"},
    ),
    (
        [ALICE | {"context": {"targetingKey": "bob", "country": "DE"}, "bucket": 99}],
        {"rule pros", "override on", "schedule 2027-01-01T00:00:00Z", "variant on"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("cases", "left"), COVERED)
def test_coverage_says_what_no_expectation_reaches(
    read: Callable[..., Repository], cases: list[dict[str, Any]], left: set[str]
) -> None:
    repository = read(cases or None)
    report = run_expectations(repository, NOW)
    result = coverage(repository, report.reached, environment="production")
    assert {f"{part.kind} {part.name}" for part in result.unreached} == left
    assert result.total == 7
    places = {part.kind: (part.file, part.pointer) for part in result.unreached}
    assert places.get("rule", ("flags/production/banner.yaml", "/rules/1"))[0] == "flags/production/banner.yaml"


DEAD = """\
description: A flag.
owner: {team: growth}
enabled: false
rules:
  - {name: nobody, when: [{attribute: country, equals: DE}], serve: on}
default: {serve: on}
"""
COLOUR = """\
description: A colour.
owner: {team: growth}
type: string
variants: {red: r, green: g, blue: b}
off_variant: blue
"""
RED = COLOUR + "default: {split: {red: 100, green: 0}}\n"


@pytest.mark.parametrize(
    ("flag", "parts"),
    [
        (DEAD, {"variant off"}),
        (DEAD + "schedule: [{at: 2027-01-01, enabled: true}]\n",
         {"variant off", "variant on", "rule nobody", "schedule 2027-01-01T00:00:00Z"}),
        (COLOUR, {"variant blue"}),
        (RED, {"variant red"}),
        (RED + "expires_at: 2028-01-01\n", {"variant red", "variant blue"}),
    ],
)  # fmt: skip
def test_coverage_does_not_ask_for_what_cannot_be_reached(
    read: Callable[..., Repository], flag: str, parts: set[str]
) -> None:
    repository = read(more={"flags/production/other.yaml": flag})
    result = coverage(repository, set(), keys=["other"])
    assert {f"{part.kind} {part.name}" for part in result.unreached} == parts


def test_percentages_never_round_up_to_all() -> None:
    from flagctl.check.coverage import Coverage, Part

    part = Part(environment="e", flag="f", kind="rule", name="r", file="", pointer="")
    assert Coverage(total=10_000, unreached=(part,)).percent == 99.9
    assert Coverage(total=0, unreached=()).percent == 100


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (True, 1, False),
        (0, False, False),
        (1, 1.0, True),
        ("1", 1, False),
        (None, None, True),
        ({"a": [1, {"b": True}]}, {"a": [1.0, {"b": True}]}, True),
        ({"a": [1, {"b": True}]}, {"a": [1, {"b": 1}]}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
        ([], {}, False),
    ],
)
def test_values_compare_as_json_does(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


@given(st.text(), st.text())
def test_junit_is_well_formed_whatever_stands_in_names_and_contexts(name: str, value: str) -> None:
    repository = _in_memory(name, value)
    report = run_expectations(repository, NOW)
    root = ElementTree.fromstring(formats.junit(report, [], repository, lambda file, pointer: 1))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "1", "0")


def _in_memory(name: str, value: str) -> Repository:
    from flagctl.model.flag import Flag, Owner
    from flagctl.model.repository import Environment, EnvironmentSettings, Expectation, Settings

    flag = Flag(key="f", description="", owner=Owner("t"), variants={"on": True, "off": False}, off_variant="off")
    case = Expectation(
        file="flags/tests/f.yaml",
        pointer="/tests/0",
        name=name,
        flag="f",
        context={"a": value},
        expect={"value": value},
    )
    return Repository(
        settings=Settings(environments={"e": EnvironmentSettings(name="e")}),
        environments={"e": Environment(name="e", flags={"f": flag})},
        expectations=[case],
    )


# The command.

CASES = """\
tests:
  - {name: staff, context: {email: carol@example.com}, expect: {variant: on}}
  - {name: wrong, environment: production, at: 2026-12-01, context: {email: carol@example.com}, expect: {value: false}}
"""


@pytest.fixture
def failing(repo: Path) -> Path:
    """The small repository with one case that passes in both environments, and one that fails."""
    (repo / "flags/tests").mkdir()
    (repo / "flags/tests/wishlist-gallery.yaml").write_text(CASES)
    return repo


def test_a_failure_is_told_with_what_was_expected_and_who_answered(failing: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("test")
    assert done.returncode == 1
    assert done.stderr == "2 passed, 1 failed\n"
    assert done.stdout.splitlines() == [
        "FAIL production wishlist-gallery: wrong",
        "  flags/tests/wishlist-gallery.yaml:3",
        "  value: expected false, found true",
        "  given email carol@example.com, at 2026-12-01T00:00:00Z",
        "  answered by rule staff (flags/production/wishlist-gallery.yaml:6), reason TARGETING_MATCH",
        "  look closer: flagctl eval wishlist-gallery -e production --clock 2026-12-01T00:00:00Z"
        " -a email=carol@example.com --explain",
    ]


def test_all_is_well(failing: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("test", "-e", "development")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 passed, 0 failed\n")


def test_coverage_names_places(failing: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("test", "wishlist-gallery", "-e", "development", "--coverage")
    assert done.returncode == 0
    assert done.stdout == (
        "not reached: variant off of wishlist-gallery in development  flags/development/wishlist-gallery.yaml:2\n"
    )
    assert done.stderr == "1 passed, 0 failed; 66.6 % covered (2 of 3)\n"


def test_json_and_junit(failing: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("test", "--json", "--coverage")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["format"], document["passed"], document["failed"]) == ("flagctl/test/1", 2, 1)
    wrong = next(result for result in document["results"] if not result["passed"])
    assert (wrong["wrong"], wrong["line"], wrong["rule"]) == (["value"], 3, "staff")
    assert document["coverage"]["total"] == 10
    done = flagctl("test", "--format", "junit")
    assert done.returncode == 1
    root = ElementTree.fromstring(done.stdout)
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == ["wrong"]


def test_a_file_with_mistakes_fails_the_run_and_the_others_are_still_tested(
    failing: Path, flagctl: Callable[..., Any]
) -> None:
    (failing / "flags/tests/broken.yaml").write_text("tests:\n  - {expect: {varaint: on}}\n")
    done = flagctl("test", "-e", "development")
    assert done.returncode == 1
    assert "flags/tests/broken.yaml:2" in done.stderr
    assert "1 passed, 0 failed, 1 problem" in done.stderr
    root = ElementTree.fromstring(flagctl("test", "-e", "development", "--format", "junit").stdout)
    assert (root.get("tests"), root.get("errors")) == ("2", "1")


def test_nothing_to_test(flagctl: Callable[..., Any]) -> None:
    done = flagctl("test")
    assert done.returncode == 0
    assert "flags/tests/<key>.yaml" in done.stderr


def test_the_clock_can_be_told(repo: Path, flagctl: Callable[..., Any]) -> None:
    file = repo / "flags/production/wishlist-edit.yaml"
    file.write_text(file.read_text() + "expires_at: 2030-01-01\n")
    (repo / "flags/tests").mkdir()
    case = "tests: [{environment: production, expect: {reason: DISABLED}}]\n"
    (repo / "flags/tests/wishlist-edit.yaml").write_text(case)
    assert flagctl("test", "--clock", "2030-01-01").returncode == 0
