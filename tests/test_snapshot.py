"""Snapshots: canonical bytes, one golden file per kind of flag, and the schema that describes them.

After a wanted change of the format, write the golden files anew and read the difference:

    UPDATE_GOLDEN=1 python -m pytest tests/test_snapshot.py
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from snapshots import arms, flag, rollout, rule, snapshot, split, test

from flagctl.compile.snapshot import content, digest, encode
from flagctl.compile.snapshot import snapshot as compiled
from flagctl.evaluate.evaluator import Evaluator
from flagctl.files.parse import flag as parse_flag
from flagctl.files.read import load
from flagctl.files.schema import schema_text, validate
from flagctl.model.condition import OPERATORS, InSegment, Not, Test
from flagctl.model.flag import Flag, Segment
from flagctl.model.repository import Attribute, Environment, EnvironmentSettings, Settings

GOLDEN = Path(__file__).parent / "golden"
KINDS = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
SCHEMA = json.loads(schema_text("snapshot"))
SETTINGS = Settings(environments={"production": EnvironmentSettings(name="production", protected=True)})
ATTRIBUTES = {
    "country": Attribute(name="country", type="string", values=("DE", "FR")),
    "email": Attribute(name="email", type="string", private=True),
}
SEGMENTS = {
    "staff": Segment(name="staff", when=(Test("email", "ends_with", ("@example.com",)), Not(InSegment("robots")))),
    "robots": Segment(name="robots", when=()),
}
COMMIT = {"commit": "0123456789abcdef0123456789abcdef01234567", "commit_time": "2026-11-24T09:00:00Z"}


def read(kind: str) -> Flag:
    file = GOLDEN / f"{kind}.yaml"
    data, problems = load(file.read_bytes(), file.name)
    assert not problems
    assert not validate("flag", data, file.name)
    found, problems = parse_flag(data, kind, file.name)
    assert found is not None, problems
    return found


def environment(kinds: list[str]) -> Environment:
    return Environment(name="production", flags={kind: read(kind) for kind in kinds}, segments=SEGMENTS)


def faults(document: Any) -> list[str]:
    checker = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_each_kind_of_flag_stay_as_they_are(kind: str) -> None:
    data = encode(compiled(environment([kind]), SETTINGS, ATTRIBUTES, version=7, **COMMIT))
    golden = GOLDEN / f"{kind}.json"
    if UPDATE:
        golden.write_bytes(data)
    assert data == golden.read_bytes()
    assert not faults(json.loads(data))


def test_there_is_a_golden_file_for_every_kind() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(KINDS)
    assert {read(kind).type for kind in KINDS} == {"boolean", "string", "integer", "number", "object"}


def test_bytes_are_canonical_whatever_the_order_of_reading() -> None:
    forwards = encode(compiled(environment(KINDS), SETTINGS, ATTRIBUTES))
    backwards = environment(KINDS[::-1])
    backwards.segments = dict(reversed(SEGMENTS.items()))
    assert encode(compiled(backwards, SETTINGS, dict(reversed(ATTRIBUTES.items())))) == forwards
    assert encode(json.loads(forwards)) == forwards
    assert b"\n" not in forwards
    assert "café".encode() in forwards


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests'); import test_snapshot as t;"
        "sys.stdout.buffer.write(t.encode(t.compiled(t.environment(t.KINDS), t.SETTINGS, t.ATTRIBUTES)))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=GOLDEN.parent.parent,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert runs.pop()


def test_a_digest_names_its_algorithm() -> None:
    assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_content_is_what_is_left_when_nothing_but_the_commit_changed() -> None:
    first = compiled(environment(KINDS), SETTINGS, ATTRIBUTES, version=3, **COMMIT)
    again = compiled(environment(KINDS), SETTINGS, ATTRIBUTES)
    assert content(first) == content(again)
    assert content(first | {"signature": "x"}) == content(again)
    assert content(compiled(environment(KINDS[1:]), SETTINGS, ATTRIBUTES)) != content(again)


def test_only_some_flags_may_be_asked_for() -> None:
    document = compiled(environment(KINDS), SETTINGS, ATTRIBUTES, only={"ramp", "nothing"})
    assert list(document["flags"]) == ["ramp"]
    assert set(document["segments"]) == set(SEGMENTS)


def test_defaults_of_the_settings_are_filled_in() -> None:
    settings = Settings(environments={}, bucketing="flagd-3", cache_ttl_seconds=5)
    document = compiled(environment(["boolean", "rollout"]), settings, {})
    assert (document["bucketing"], document["protected"]) == ("flagd-3", False)
    assert [document["flags"][key]["ttl"] for key in ("boolean", "rollout")] == [5, 60]


def test_what_is_compiled_answers_as_the_file_says() -> None:
    document = compiled(environment(KINDS), SETTINGS, ATTRIBUTES)
    answers, now = Evaluator(document), 1_800_000_000
    assert answers.keys() == KINDS
    assert answers.evaluate("number", {}, now).value == 0.25
    assert answers.evaluate("object", {}, now).value["sizes"] == [1, 2.5, []]
    assert answers.evaluate("ramp", {"targetingKey": "ada"}, now).variant == "on"
    assert answers.evaluate("rollout", {"targetingKey": 42}, now).reason == "DISABLED"
    assert answers.evaluate("boolean", {}, now).reason == "STATIC"
    assert all(answers.evaluate(key, {"targetingKey": "ada"}, now).reason != "ERROR" for key in KINDS)


def test_the_schema_is_a_sound_one_and_explains_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    silent = [name for name, part in SCHEMA["$defs"].items() if "$ref" not in part and not part.get("description")]
    assert not silent
    properties = SCHEMA["properties"] | SCHEMA["$defs"]["flag"]["properties"]
    assert not [name for name, part in properties.items() if not {"title", "description", "$ref"} & set(part)]
    assert SCHEMA["$defs"]["condition"]["properties"]["op"]["enum"] == list(OPERATORS)


SOUND = snapshot(
    {
        "f": flag(rules=[rule("r", {"any": [test("x", "exists", True), {"not": {"segment": "s"}}]})]),
        "g": arms(default=split("a", 1, "b", 100_000, experiment={"name": "e", "layer": "l", "slots": [0, 5]})),
        "h": flag(schedule=[{"at": 1, "default": rollout(5)}], default={**rollout(1)}),
    },
    {"s": [test("x", "in", ["a", 1])]},
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "flagctl/snapshot/2"),
        ("version", -1),
        ("commit", "HEAD"),
        ("surprise", 1),
        ("flags/f/variants/on", 1),
        ("flags/f/default", {}),
        ("flags/f/default", {"serve": "on", "salt": "x"}),
        ("flags/f/default", {"split": [["on", 100_000]]}),
        ("flags/f/default", {"ramp": [[1, 2]], "bucket_by": "x", "salt": "x", "variant": "on"}),
        ("flags/f/default/surprise", 1),
        ("flags/f/rules/0/surprise", 1),
        ("flags/f/rules/0/serve", ""),
        ("flags/f/rules/0/when/0/any/0/op", "resembles"),
        ("flags/f/rules/0/when/0/any/0/segment", "s"),
        ("flags/f/rules/0/when/0/all", []),
        ("flags/f/rules/0/when/0", {}),
        ("flags/f/metadata", {}),
        ("flags/f/stale", "serve"),
        ("flags/g/default/split/0/1", 100_001),
        ("flags/g/default/split/0/1", 2.5),
        ("flags/g/default/experiment/layer", ""),
        ("flags/h/schedule/0/default", {"serve": "on", "ramp": []}),
        ("segments/s/when/0/value", {"a": 1}),
        ("segments/a b", {"when": []}),
    ],
)
def test_the_schema_refuses_what_no_snapshot_holds(path: str, value: Any) -> None:
    assert not faults(SOUND)
    document = json.loads(json.dumps(SOUND))
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    place = document
    for part in parents:
        place = place[part]
    place[last] = value
    assert faults(document)


@pytest.mark.parametrize(
    ("algorithm", "bounds"),
    [(None, [["on", 10_000], ["off", 100_000]]), ("launchdarkly-sha1", [["off", 90_000], ["on", 100_000]])],
)
def test_on_owns_the_low_end_of_a_split_but_for_the_order_of_another_product(algorithm: str, bounds: Any) -> None:
    data = {"description": "d", "owner": {"team": "t"}, "default": {"split": {"off": 90, "on": 10}}}
    found, _ = parse_flag(data | ({"bucketing": {"algorithm": algorithm}} if algorithm else {}), "f", "f.yaml")
    assert found is not None
    document = compiled(Environment(name="production", flags={"f": found}, segments={}), SETTINGS, {})
    assert document["flags"]["f"]["default"]["split"] == bounds


def test_shares_add_up_and_zero_width_entries_are_kept() -> None:
    bounds = compiled(environment(["integer"]), SETTINGS, {})["flags"]["integer"]["default"]["split"]
    assert bounds == [["few", 99_999], ["many", 99_999], ["none", 100_000]]
    dice = random.Random(3)
    people = [{"targetingKey": str(dice.random())} for _ in range(200)]
    answers = Evaluator(compiled(environment(["integer"]), SETTINGS, {}))
    assert "many" not in {answers.evaluate("integer", person, 0).variant for person in people}
