"""The sample repository in flags/: clean, tested to the last rule, and showing everything a flag can say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from flagctl.check.coverage import coverage
from flagctl.check.expect import run_expectations
from flagctl.check.run import check
from flagctl.files.fmt import fmt
from flagctl.files.read import load
from flagctl.files.repository import Reading, read_repository
from flagctl.files.walk import DiskTree, classify
from flagctl.model import times
from flagctl.model.condition import OPERATORS, AllOf, AnyOf, Condition, InSegment, Not, Test
from flagctl.model.flag import WHOLE, Experiment, Flag, Kind, Outcome, Ramp, Rollout, Serve, Split, Type
from flagctl.model.repository import AttributeType, Target

ROOT = Path(__file__).parent.parent
NOW = times.seconds("2026-11-24T09:00:00Z") or 0
YEAR = 365 * 86400


@pytest.fixture(scope="module")
def sample() -> Reading:
    return read_repository(DiskTree(ROOT))


@pytest.mark.parametrize("now", [NOW, NOW + YEAR], ids=["today", "in a year"])
def test_check_finds_nothing(sample: Reading, now: float) -> None:
    assert check(sample, now) == []


def test_every_flag_test_passes_and_together_they_reach_everything(sample: Reading) -> None:
    report = run_expectations(sample.repository, NOW)
    assert report.problems == []
    assert [(result.file, result.name, result.wrong) for result in report.failed] == []
    reached = coverage(sample.repository, report.reached)
    assert reached.unreached == ()
    assert reached.total > 100


def test_every_flag_and_segment_has_a_test_of_its_own(sample: Reading) -> None:
    tested = {expectation.flag or expectation.segment for expectation in sample.repository.expectations}
    held = sample.repository.environments.values()
    assert tested == {name for environment in held for name in (*environment.flags, *environment.segments)}


def test_every_file_names_its_schema_where_an_editor_finds_it() -> None:
    for path in DiskTree(ROOT).paths():
        first = (ROOT / path).read_text().split("\n", 1)[0]
        found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert found, path
        schema = (ROOT / path).parent / found.group(1)
        wanted = {"test": "tests"}.get(classify(path).kind, classify(path).kind)
        assert schema.resolve() == ROOT / "schema" / f"{wanted}.schema.json", path
        assert schema.is_file(), path


def test_every_file_is_laid_out_in_the_standard_way() -> None:
    for path in DiskTree(ROOT).paths():
        text = (ROOT / path).read_text()
        assert fmt(text) == text, path


# What docs/flags.md says a flag can say, and whether the sample shows it.


def flags(sample: Reading) -> Iterator[Flag]:
    for environment in sample.repository.environments.values():
        yield from environment.flags.values()


def outcomes(sample: Reading) -> Iterator[Outcome]:
    for flag in flags(sample):
        found = [flag.default, *(rule.outcome for rule in flag.rules), *(entry.default for entry in flag.schedule)]
        yield from (outcome for outcome in found if outcome is not None)


def experiments(sample: Reading) -> Iterator[tuple[Split, Experiment]]:
    for outcome in outcomes(sample):
        if isinstance(outcome, Split) and outcome.experiment:
            yield outcome, outcome.experiment


def conditions(sample: Reading) -> Iterator[Condition]:
    for environment in sample.repository.environments.values():
        for flag in environment.flags.values():
            for rule in flag.rules:
                yield from nested(rule.when)
        for segment in environment.segments.values():
            yield from nested(segment.when)


def nested(members: Iterable[Condition]) -> Iterator[Condition]:
    for condition in members:
        yield condition
        if isinstance(condition, AnyOf | AllOf):
            yield from nested(condition.members)
        elif isinstance(condition, Not):
            yield from nested([condition.member])


def test_every_family_of_operators_occurs_and_its_opposite_where_it_has_one(sample: Reading) -> None:
    used = {condition.operator for condition in conditions(sample) if isinstance(condition, Test)}
    kinds = {name: (of.on, of.takes, bool(of.negates)) for name, of in OPERATORS.items()}
    assert set(kinds.values()) == {kinds[name] for name in used}
    assert {"before", "after", "gte", "lt", "lte", "semver_gte", "semver_lt", "includes_any", "includes_all"} <= used


def test_every_kind_of_condition_and_outcome_occurs(sample: Reading) -> None:
    assert {type(condition) for condition in conditions(sample)} == {Test, InSegment, AnyOf, AllOf, Not}
    assert {type(outcome) for outcome in outcomes(sample)} == {Serve, Rollout, Split, Ramp}


def test_every_type_and_kind_of_flag_occurs(sample: Reading) -> None:
    assert {flag.type for flag in flags(sample)} == set(get_args(Type))
    assert {flag.kind for flag in flags(sample)} == set(get_args(Kind))


@pytest.mark.parametrize(
    "field",
    ["documentation_url", "tags", "expires_at", "cache_ttl_seconds", "max_stale_seconds", "requires", "overrides",
     "rules", "default", "schedule", "bucketing"],
)  # fmt: skip
def test_every_field_of_a_flag_is_used(sample: Reading, field: str) -> None:
    assert any(getattr(flag, field) for flag in flags(sample))


SHOWN = {
    "a flag that is switched off": lambda s: any(not flag.enabled for flag in flags(s)),
    "a stale policy": lambda s: any(flag.stale != "serve" for flag in flags(s)),
    "a required variant of a flag that is not boolean": lambda s: any(
        needed.variant not in ("on", "off") for flag in flags(s) for needed in flag.requires
    ),
    "a schedule that switches on": lambda s: any(entry.enabled for flag in flags(s) for entry in flag.schedule),
    "a schedule that changes the default": lambda s: any(e.default for flag in flags(s) for e in flag.schedule),
    "a rule that is not promoted": lambda s: any(not rule.promote for flag in flags(s) for rule in flag.rules),
    "a rule with a description": lambda s: any(rule.description for flag in flags(s) for rule in flag.rules),
    "bucketing by another attribute": lambda s: any(
        getattr(outcome, "bucket_by", "targetingKey") != "targetingKey" for outcome in outcomes(s)
    ),
    "a salt": lambda s: any(getattr(outcome, "salt", "") for outcome in outcomes(s)),
    "a share finer than a percent": lambda s: any(
        isinstance(outcome, Rollout) and outcome.share % 1000 for outcome in outcomes(s)
    ),
    "three arms": lambda s: any(len(split.weights) == 3 for split, _ in experiments(s)),
    "two experiments in one layer": lambda s: len({e.name for _, e in experiments(s) if e.layer == "checkout"}) == 2,
    "slots": lambda s: any(experiment.slots != (0, WHOLE) for _, experiment in experiments(s)),
    "traffic": lambda s: any(experiment.traffic < WHOLE for _, experiment in experiments(s)),
    "an experiment's notes": lambda s: any(experiment.metadata for _, experiment in experiments(s)),
    "nested segments": lambda s: any(
        isinstance(condition, InSegment)
        for environment in s.repository.environments.values()
        for segment in environment.segments.values()
        for condition in nested(segment.when)
    ),
    "an attribute inside an object": lambda s: any(
        isinstance(condition, Test) and "." in condition.attribute for condition in conditions(s)
    ),
    "an owner's address, and one without": lambda s: {bool(flag.owner.email) for flag in flags(s)} == {True, False},
}


@pytest.mark.parametrize("what", SHOWN)
def test_it_shows(sample: Reading, what: str) -> None:
    assert SHOWN[what](sample)


def test_settings_and_attributes_show_all_they_can_say(sample: Reading) -> None:
    repository = sample.repository
    environments = repository.settings.environments
    assert list(environments) == ["development", "staging", "production"]
    assert [e.promotes_from for e in environments.values()] == ["", "development", "staging"]
    assert [e.protected for e in environments.values()] == [False, False, True]
    assert all(e.targets == (Target(url="file:published"),) for e in environments.values())
    attributes = repository.attributes.values()
    assert {attribute.type for attribute in attributes} == set(get_args(AttributeType))
    assert any(attribute.private for attribute in attributes)
    assert any(attribute.values for attribute in attributes)


def test_flag_tests_show_all_they_can_say(sample: Reading) -> None:
    expectations = sample.repository.expectations
    assert {key for e in expectations for key in e.expect} == {"variant", "value", "reason", "matches"}
    assert {"at", "bucket"} <= {name for e in expectations for name in e.matrix}
    assert {len(e.environments) for e in expectations} == {0, 1, 2}
    assert {e.expect.get("reason") for e in expectations} == {
        None, "STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"
    }  # fmt: skip


def test_both_spellings_of_a_boolean_variant_occur() -> None:
    served: set[Any] = set()
    for path in DiskTree(ROOT).paths():
        data = load((ROOT / path).read_bytes(), path)[0] or {}
        served |= {rule.get("serve") for rule in data.get("rules", [])}
    assert {"on", True} <= served
