"""Two flags to the changes between them: each kind of change in words, and nothing lost between equal and different."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from flag_files import flags as any_flag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.compile.snapshot import content, snapshot
from flagctl.files.understand import understand
from flagctl.files.walk import classify
from flagctl.model import plain
from flagctl.model.flag import Flag
from flagctl.model.repository import Attribute, Environment, Settings
from flagctl.plan import diff

HEAD = "description: A flag.\nowner: {team: growth}\n"
STRING = "type: string\nvariants: {a: x, b: y, c: z}\noff_variant: a\n"
slow = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def read(text: str, path: str = "flags/e/f.yaml") -> Any:
    found = understand(classify(path), text.encode())
    assert found.problems == (), found.problems
    return found.model


def flag(text: str) -> Flag:
    found: Flag = read((HEAD if not text.startswith("description:") else "") + text)
    return found


def rule(name: str, when: str, outcome: str = "serve: on") -> str:
    return f"{{name: {name}, when: [{when}], {outcome}}}"


EU = rule("eu-beta", "{attribute: country, in: [DE, FR]}")
STAFF = rule("staff", "{segment: staff}")
LATE = rule("late", "{attribute: age, gt: 18}")
EXPERIMENT = "default: {split: {a: 50, b: 50}, experiment: {name: x, layer: l, slots: [0, 50], traffic: 20}}\n"

CASES: list[tuple[str, str, str, str]] = [
    ("enabled: true", "enabled: false", "enabled", "enabled on → off"),
    ("default: {rollout: 10}", "default: {rollout: 25}", "default/rollout", "rollout 10 → 25"),
    ("default: {rollout: 0.125}", "default: {rollout: 25}", "default/rollout", "rollout 0.125 → 25"),
    ("default: {serve: off}", "default: {serve: on}", "default/serve", "serve off → on"),
    ("", "default: {serve: on}", "default/serve", "serve off → on"),
    ("", "default: {rollout: 5}", "default", "default off → 5 % on, the rest off"),
    ("default: {rollout: 5}", "default: {rollout: 5, salt: s}", "default/salt", "salt set to s"),
    (
        "default: {rollout: 5}", "default: {rollout: 5, bucket_by: account.id}",
        "default/bucket_by", "bucket_by targetingKey → account.id",
    ),
    (STRING + "default: {split: {a: 50, b: 50}}", STRING + "default: {split: {a: 25, b: 75}}",
     "default/split/a default/split/b", "split a 50 → 25; split b 50 → 75"),
    (STRING + "default: {split: {a: 50, b: 50}}", STRING + "default: {split: {b: 50, a: 50}}",
     "default/split", "split order a, b → b, a"),
    (STRING + EXPERIMENT, STRING + EXPERIMENT.replace("20", "40"),
     "default/experiment/traffic", "experiment traffic 20 → 40"),
    (STRING + EXPERIMENT, STRING + "default: {split: {a: 50, b: 50}}",
     "default/experiment", "experiment x, slots 0–50 % of layer l, 20 % of traffic → none"),
    (
        "default: {ramp: {variant: on, from: 1, to: 50, start: 2027-01-01, duration: 24h, step: 5}}",
        "default: {ramp: {variant: on, from: 1, to: 100, start: 2027-01-01, duration: 24h, step: 5}}",
        "default/ramp/to", "ramp to 50 → 100",
    ),
    ("expires_at: 2027-01-01", "expires_at: 2027-02-01", "expires_at",
     "expires_at 2027-01-01T00:00:00Z → 2027-02-01T00:00:00Z"),
    ("expires_at: 2027-01-01", "", "expires_at", "expires_at removed, was 2027-01-01T00:00:00Z"),
    ("", "requires: [{flag: core}]", "requires/core", "requires core set to on"),
    ("requires: [{flag: core}]", "requires: [{flag: core, variant: b}]", "requires/core", "requires core on → b"),
    ("overrides: {on: [ada]}", "overrides: {on: [ada, bob]}", "overrides/on", "overrides on gained bob"),
    ("overrides: {on: [ada]}", "overrides: {off: [ada]}", "overrides/on overrides/off",
     "overrides on lost ada; overrides off gained ada"),
    ("", "overrides: {on: [a, b, c, d, e, f, g]}", "overrides/on", "overrides on gained a, b, c, d, e and 2 more"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('FR', 'FR, AT')}]",
     "rules/eu-beta/when/0/in", "rule eu-beta: country gained AT"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('FR', 'AT')}]",
     "rules/eu-beta/when/0/in", "rule eu-beta: country gained AT, lost FR"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('in: [DE, FR]', 'equals: DE')}]",
     "rules/eu-beta/when/0", "rule eu-beta: country in [DE, FR] → country is DE"),
    (f"rules: [{LATE}]", f"rules: [{LATE.replace('18', '21')}]",
     "rules/late/when/0/gt", "rule late: age is over 18 → age is over 21"),
    # 1 is not true, though Python takes them for equal
    (f"rules: [{rule('one', '{attribute: n, equals: 1}')}]", f"rules: [{rule('one', '{attribute: n, equals: true}')}]",
     "rules/one/when/0/equals", "rule one: n is 1 → n is true"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('[{', '[{segment: x}, {')}]",
     "rules/eu-beta/when/0", "rule eu-beta: condition in segment x added"),
    (f"rules: [{EU.replace('[{', '[{segment: x}, {')}]", f"rules: [{EU}]",
     "rules/eu-beta/when/0", "rule eu-beta: condition in segment x removed"),
    (
        f"rules: [{rule('r', '{any: [{segment: a}, {attribute: n, in: [1]}]}')}]",
        f"rules: [{rule('r', '{any: [{segment: a}, {attribute: n, in: [1, 2]}]}')}]",
        "rules/r/when/0/any/1/in", "rule r: n gained 2",
    ),
    (f"rules: [{EU}]", f"rules: [{EU.replace('serve: on', 'rollout: 5')}]", "rules/eu-beta",
     "rule eu-beta: on → 5 % on, the rest off"),
    (f"rules: [{EU.replace('serve: on', 'rollout: 5')}]", f"rules: [{EU.replace('serve: on', 'rollout: 6')}]",
     "rules/eu-beta/rollout", "rule eu-beta: rollout 5 → 6"),
    (f"rules: [{EU}, {STAFF}]", f"rules: [{STAFF}, {EU}]", "rules", "rule staff moved before eu-beta"),
    (f"rules: [{EU}, {STAFF}, {LATE}]", f"rules: [{STAFF}, {LATE}, {EU}]", "rules", "rule eu-beta moved to the end"),
    (f"rules: [{EU}]", f"rules: [{STAFF}, {EU}]", "rules/staff",
     "rule staff added before eu-beta: in segment staff: on"),
    (f"rules: [{EU}]", f"rules: [{EU}, {STAFF}]", "rules/staff", "rule staff added: in segment staff: on"),
    (f"rules: [{EU}, {STAFF}]", f"rules: [{EU}]", "rules/staff", "rule staff removed, was in segment staff: on"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('eu-beta', 'europe')}]", "rules/europe/name",
     "rule eu-beta renamed to europe"),
    ("", "schedule: [{at: 2027-01-01, enabled: true}]", "schedule/0",
     "from 2027-01-01T00:00:00Z: enabled on scheduled"),
    ("schedule: [{at: 2027-01-01, enabled: true}]", "", "schedule/0",
     "from 2027-01-01T00:00:00Z: enabled on no longer scheduled"),
    ("schedule: [{at: 2027-01-01, default: {rollout: 5}}]", "schedule: [{at: 2027-01-01, default: {rollout: 6}}]",
     "schedule/0/default/rollout", "from 2027-01-01T00:00:00Z: rollout 5 → 6"),
    ("schedule: [{at: 2027-01-01, enabled: true}]", "schedule: [{at: 2027-01-01, enabled: false}]",
     "schedule/0/enabled", "from 2027-01-01T00:00:00Z: enabled on → off"),
    (STRING, STRING.replace("b: y", "b: w"), "variants/b", "variant b y → w"),
    (STRING, STRING.replace(", c: z", ""), "variants/c", "variant c removed, was z"),
    (STRING, STRING.replace("off_variant: a", "off_variant: b"), "off_variant default/serve",
     "off_variant a → b; serve a → b"),
    ("", "cache_ttl_seconds: 60", "cache_ttl_seconds", "cache_ttl_seconds set to 60"),
    ("", "bucketing: {algorithm: launchdarkly-sha1, salt: s}", "bucketing",
     'bucketing set to {"algorithm": "launchdarkly-sha1", "salt": "s"}'),
]  # fmt: skip
NO_MEANING: list[tuple[str, str, str, str]] = [
    (HEAD, HEAD.replace("A flag.", "Another."), "description", 'description A flag. → Another.'),
    (HEAD, HEAD.replace("growth", "search"), "owner/team", "owner growth → search"),
    ("kind: release", "kind: ops", "kind", "kind release → ops"),
    ("tags: [a]", "tags: [a, b]", "tags", "tags gained b"),
    ("", "default: {serve: off}", "default", "default serve off written out"),
    ("overrides: {on: [a, b]}", "overrides: {on: [b, a]}", "overrides/on", "overrides on re-ordered"),
    ("requires: [{flag: a}, {flag: b}]", "requires: [{flag: b}, {flag: a}]", "requires", "requires re-ordered"),
    (f"rules: [{EU.replace('[{', '[{segment: x}, {')}]",
     f"rules: [{EU.replace('}]', '}, {segment: x}]')}]", "rules/eu-beta/when", "rule eu-beta: conditions re-ordered"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('DE, FR', 'FR, DE')}]", "rules/eu-beta/when/0/in",
     "rule eu-beta: country re-ordered"),
    (f"rules: [{EU}]", f"rules: [{EU.replace('serve', 'description: d, serve')}]", "rules/eu-beta/description",
     "rule eu-beta: description set to d"),
    (STRING + EXPERIMENT, STRING + EXPERIMENT.replace("20", "20, hypothesis: h"), "default/experiment/hypothesis",
     "experiment hypothesis set to h"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "paths", "said"), CASES)
def test_a_change_of_meaning_in_words(old: str, new: str, paths: str, said: str) -> None:
    found = diff.flags(flag(old), flag(new))
    assert "; ".join(change.words for change in found) == said
    assert " ".join(change.path for change in found) == paths
    assert diff.means(found)


@pytest.mark.parametrize(("old", "new", "paths", "said"), NO_MEANING)
def test_what_people_read_and_another_spelling_is_no_meaning(old: str, new: str, paths: str, said: str) -> None:
    found = diff.flags(flag(old), flag(new))
    assert "; ".join(change.words for change in found) == said
    assert " ".join(change.path for change in found) == paths
    assert not diff.means(found)


def test_a_flag_that_comes_or_goes() -> None:
    (created,) = diff.flags(None, flag(f"rules: [{EU}]\ndefault: {{rollout: 5}}"))
    assert created.words == "created: rule eu-beta, then 5 % on, the rest off"
    assert created.old is None
    assert created.new["default"] == {"rollout": 5}
    (removed,) = diff.flags(flag("enabled: false"), None)
    assert removed.words == "removed, was not enabled, off"
    assert removed.new is None
    assert diff.flags(None, None) == ()


def test_segments_and_attributes() -> None:
    old = read("when: [{attribute: country, in: [DE]}]", "flags/e/segments/s.yaml")
    new = read("description: x\nwhen: [{attribute: country, in: [DE, AT]}]", "flags/e/segments/s.yaml")
    changes = diff.segments(old, new)
    assert [(change.path, change.words, change.meaning) for change in changes] == [
        ("when/0/in", "country gained AT", True),
        ("description", "description set to x", False),
    ]
    assert diff.segments(None, old)[0].words == "created: country in [DE]"
    assert diff.segments(old, None)[0].words == "removed, was country in [DE]"
    before = {"a": Attribute(name="a", type="string"), "b": Attribute(name="b", type="string")}
    after = {"a": Attribute(name="a", type="semver", values=("1",)), "c": Attribute(name="c", type="integer")}
    said = [(change.words, change.meaning) for change in diff.attributes(before, after)]
    assert said == [
        ("attribute a: type string → semver", True),
        ("attribute a: values gained \"1\"", False),
        ("attribute b removed, was string", True),
        ("attribute c set to integer", True),
    ]  # fmt: skip


@slow
@given(any_flag(), any_flag())
def test_equal_flags_and_no_others_have_no_changes(one: Flag, other: Flag) -> None:
    other = msgspec.structs.replace(other, key=one.key)
    assert diff.flags(one, one) == ()
    assert diff.flags(one, msgspec.json.decode(msgspec.json.encode(one), type=Flag)) == ()
    if one != other:
        assert diff.flags(one, other)
    for change in (*diff.flags(one, other), *diff.flags(None, one), *diff.flags(one, None)):
        assert "\n" not in change.words
        json.dumps([change.old, change.new], allow_nan=False)


UNORDERED = {"when", "any", "all", "requires", "value"}
"""Lists of a snapshot whose order decides nothing."""


def normal(data: Any, name: str = "") -> Any:
    """A part of a snapshot without what no evaluation notices."""
    if isinstance(data, dict):
        said = {key: normal(value, key) for key, value in data.items() if key != "metadata"}
        return {key: value for key, value in said.items() if value not in ({}, [])} if name == "overrides" else said
    if not isinstance(data, list):
        return data
    found = [normal(value) for value in data]
    return sorted(found, key=json.dumps) if name in UNORDERED else found


def served(flag: Flag) -> str:
    """What a snapshot says of a flag to an evaluation."""
    held = Environment(name="e", flags={flag.key: flag})
    said = normal(content(snapshot(held, Settings(environments={}), {}))["flags"][flag.key])
    return json.dumps({name: value for name, value in said.items() if value != {}}, sort_keys=True)


@st.composite
def edited(draw: st.DrawFn) -> tuple[Flag, Flag]:
    """A flag, and it with a few fields of another."""
    one, other = draw(any_flag()), draw(any_flag())
    names = draw(st.sets(st.sampled_from([name for name in Flag.__struct_fields__ if name != "key"]), max_size=4))
    return one, msgspec.structs.replace(one, **{name: getattr(other, name) for name in names})


SETTINGS: list[tuple[str, str, list[str]]] = [
    ("{e: {}}", "{e: {protected: true}}", ["environments/e/protected false → true"]),
    ("{e: {}}", "{e: {}, f: {}}", ["environments/f added"]),
    ("{e: {}, f: {}}", "{e: {}}", ["environments/f removed"]),
    ("{e: {owned: [overrides]}}", "{e: {owned: [schedule]}}",
     ["environments/e/owned gained schedule, lost overrides"]),
    ("{e: {}}", "{e: {approvals: {required: 1, when: {rollout_over: 12.5}}}}",
     ["environments/e/approvals/required set to 1", "environments/e/approvals/not_author false → true",
      "environments/e/approvals/when/rollout_over set to 12.5"]),
    ("{e: {}}", "{e: {freeze: [{from: 2027-12-01, to: 2028-01-01, reason: holidays}]}}",
     ['environments/e/freezes gained {"start": "2027-12-01T00:00:00Z", "end": "2028-01-01T00:00:00Z", '
      '"reason": "holidays"}']),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), SETTINGS)
def test_settings_are_told_field_by_field_as_their_file_has_them(old: str, new: str, said: list[str]) -> None:
    before, after = (read(f"environments: {text}\n", "flags/flagctl.yaml") for text in (old, new))
    assert [change.words for change in diff.settings(before, after)] == said


@slow
@given(edited())
def test_a_change_of_what_a_snapshot_serves_is_a_change_of_meaning(pair: tuple[Flag, Flag]) -> None:
    if not diff.means(diff.flags(*pair)):
        assert served(pair[0]) == served(pair[1])


@slow
@given(any_flag())
def test_a_flag_as_plain_data_is_read_as_itself(wanted: Flag) -> None:
    text = json.dumps(plain.flag(wanted), ensure_ascii=False)
    found = understand(classify(f"flags/production/{wanted.key}.yaml"), text.encode())
    assert found.model == wanted
