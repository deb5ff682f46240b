"""YAML to model: whatever a flag is, its file says it, and the spellings that mean the same read the same."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flag_files import flags, said
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from flagctl.files import read
from flagctl.files.understand import understand
from flagctl.files.walk import classify
from flagctl.model.condition import Test
from flagctl.model.flag import Flag, Ramp, Requirement, Rollout, Serve, Split
from flagctl.model.repository import Attribute, EnvironmentSettings, Expectation, Settings, Target

slow = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
HEAD = "description: x\nowner: {team: t}\n"


def block(data: Any) -> str:
    """YAML as ruamel writes it: blocks, plain words where they can be."""
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = True
    yaml.dump(data, stream)
    return stream.getvalue()


def understood(text: str, path: str = "flags/production/x.yaml") -> Any:
    found = understand(classify(path), text.encode())
    assert found.problems == ()
    return found.model


def flag(text: str) -> Flag:
    found: Flag = understood(HEAD + text)
    return found


@slow
@given(flags())
def test_a_flag_file_is_read_as_the_flag_it_says(wanted: Flag) -> None:
    data = said(wanted)
    path = f"flags/production/{wanted.key}.yaml"
    for text in (json.dumps(data, ensure_ascii=False), block(data)):
        found = understand(classify(path), text.encode())
        assert [problem for problem in found.problems if problem.severity == "error"] == []
        assert found.model == wanted


@slow
@given(flags())
def test_both_yaml_readers_agree_on_what_a_file_says(wanted: Flag) -> None:
    text = block(said(wanted))  # quotes what ruamel would take for a date
    assert read.load(text.encode(), "x.yaml") == (YAML(typ="safe", pure=True).load(text), [])


@pytest.mark.parametrize("spelling", ["{on: 25, off: 75}", "{true: 25, false: 75}", "{True: 25, 'off': 75}"])
def test_variants_of_a_boolean_flag_may_be_true_and_false(spelling: str) -> None:
    assert flag(f"default: {{split: {spelling}}}").default == Split((("on", 25_000), ("off", 75_000)))


@pytest.mark.parametrize("word", ["on", "true", "'true'", "TRUE"])
def test_a_served_variant_of_a_boolean_flag_may_be_true(word: str) -> None:
    assert flag(f"default: {{serve: {word}}}").default == Serve("on")
    assert flag(f"overrides: {{{word}: [ada]}}").overrides == {"on": ("ada",)}


def test_boolean_flags_have_their_variants_without_saying_so() -> None:
    for text in ("", "variants: {on: true, off: false}\noff_variant: off\n", "off_variant: false\n"):
        assert flag(text).variants == {"on": True, "off": False}
        assert flag(text).off_variant == "off"


def test_a_required_variant_is_on_unless_said() -> None:
    found = flag("requires: [{flag: a}, {flag: b, variant: false}, {flag: c, variant: blue}]").requires
    assert found == (Requirement("a", "on"), Requirement("b", "off"), Requirement("c", "blue"))


@pytest.mark.parametrize(
    ("percent", "share"),
    [("0", 0), ("100", 100_000), ("12.5", 12_500), ("0.001", 1), ("33.333", 33_333), ("99.999", 99_999), ("5.0", 5000)],
)
def test_percentages_are_exact(percent: str, share: int) -> None:
    assert flag(f"default: {{rollout: {percent}}}").default == Rollout(share)


def test_every_thousandth_of_a_percent_is_read_exactly() -> None:
    from flagctl.files.convert import Converter

    convert = Converter("x", boolean=True)
    assert [convert.percent(float(f"{n / 1000:.3f}"), "") for n in range(0, 100_001, 7)] == list(range(0, 100_001, 7))
    assert convert.problems == []


def test_times_dates_and_durations() -> None:
    found = flag(
        "expires_at: 2027-03-01\n"
        "default: {ramp: {variant: on, from: 0, to: 1, start: 2027-03-01T01:00:00+01:00, duration: 1d12h, step: 1}}\n"
    )
    assert isinstance(found.default, Ramp)
    assert (found.expires_at, found.default.start, found.default.duration) == (1_803_859_200, 1_803_859_200, 129_600)


def test_whole_numbers_may_be_spelled_with_a_point() -> None:
    found = flag("type: integer\nvariants: {a: 5.0}\noff_variant: a\ncache_ttl_seconds: 60.0\n")
    assert [type(value) for value in (found.variants["a"], found.cache_ttl_seconds)] == [int, int]


def test_conditions_are_normalised() -> None:
    found = understood(
        "when: [{attribute: a, contains: x}, {attribute: a, before: 1970-01-02}, {attribute: a, in: [1, b]}]",
        "flags/production/segments/s.yaml",
    )
    assert found.when == (Test("a", "contains", ("x",)), Test("a", "before", 86_400), Test("a", "in", (1, "b")))


def test_anchors_and_aliases_are_expanded() -> None:
    found = flag("tags: &words [a, b]\nrules:\n  - {name: r, when: [{attribute: x, in: *words}], serve: on}\n")
    assert found.rules[0].when == (Test("x", "in", ("a", "b")),)


def test_settings() -> None:
    found = understood(
        "environments:\n  dev:\n"
        "  prod: {promotes_from: dev, protected: true, targets: ['file:out', {url: 's3://b', region: x}]}\n"
        "defaults: {cache_ttl_seconds: 60}\ncheck: {expired_grace_days: 7, severity: {split-sum: warning}}\n",
        "flags/flagctl.yaml",
    )
    assert found == Settings(
        environments={
            "dev": EnvironmentSettings(name="dev"),
            "prod": EnvironmentSettings(
                name="prod",
                promotes_from="dev",
                protected=True,
                targets=(Target(url="file:out"), Target(url="s3://b", options={"region": "x"})),
            ),
        },
        cache_ttl_seconds=60,
        expired_grace_days=7,
        severities={"split-sum": "warning"},
    )
    assert list(found.environments) == ["dev", "prod"]


def test_attributes() -> None:
    found = understood(
        "attributes: {plan: {type: string, values: [free]}, roles: {type: array, items: integer, private: true}}",
        "flags/attributes.yaml",
    )
    assert found == {
        "plan": Attribute(name="plan", type="string", values=("free",)),
        "roles": Attribute(name="roles", type="array", items="integer", private=True),
    }


def test_expectations() -> None:
    found = understood(
        "tests:\n"
        "  - name: n\n    environment: production\n    context: {age: 3}\n    at: 1970-01-02\n    bucket: 100\n"
        "    matrix: {plan: [free, pro], bucket: [37.5], at: [1970-01-01]}\n    expect: {variant: true}\n"
        "  - {environment: [a, b], expect: {value: null}}\n",
        "flags/tests/wishlist.yaml",
    )
    where = {"file": "flags/tests/wishlist.yaml", "flag": "wishlist"}
    assert found == [
        Expectation(
            **where,
            pointer="/tests/0",
            name="n",
            environments=("production",),
            context={"age": 3},
            at=86_400,
            bucket=99_999,
            matrix={"plan": ("free", "pro"), "bucket": (37_500,), "at": (0,)},
            expect={"variant": "on"},
        ),
        Expectation(**where, pointer="/tests/1", name="", environments=("a", "b"), expect={"value": None}),
    ]
    of_segment = understood("segment: s\ntests: [{expect: {matches: false}}]", "flags/tests/s.yaml")
    assert (of_segment[0].flag, of_segment[0].segment) == ("", "s")
