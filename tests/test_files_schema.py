"""The schemas, and the words for data they don't accept."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from flag_files import flags, said
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.errors import UsageError
from flagctl.files import schema
from flagctl.files.locate import locate
from flagctl.files.understand import understand
from flagctl.files.validator import _HOLDS, faults
from flagctl.files.walk import classify
from flagctl.model.condition import OPERATORS

KINDS = {"flag": "flag", "segment": "segment", "settings": "settings", "attributes": "attributes", "tests": "test"}
SCHEMAS: dict[str, dict[str, Any]] = {name: json.loads(schema.schema_text(name)) for name in KINDS}
HEAD = "description: x\nowner: {team: t}\n"
RULE = "rules:\n  - name: r\n    serve: on\n    when:\n      - "

# what is wrong in a flag file behind HEAD (2 lines): line, column, words, rule, hint
FLAGS: dict[str, tuple[int, int, str, str, str]] = {
    "defualt: {serve: on}": (3, 1, 'unknown field "defualt" in a flag', "unknown-field", "did you mean default?"),
    "enabled: yes": (
        3, 10, 'expected true or false, found the text "yes"', "schema", "yes is text in YAML 1.2: write true"),
    "enabled: off": (
        3, 10, 'expected true or false, found the text "off"', "schema", "off is text in YAML 1.2: write false"),
    "enabled: 'true'": (3, 10, 'expected true or false, found the text "true"', "schema", "write true"),
    "enabled:": (3, 9, "expected true or false, found nothing", "schema", ""),
    "overrides: {on: [42]}": (
        3, 18, "expected a targeting key as text, found the number 42", "quote-it", 'quote it: "42"'),
    "overrides: {on: ['']}": (3, 18, "expected a targeting key as text, found an empty text", "schema", ""),
    "overrides: {on: alice}": (3, 17, 'expected a list of targeting keys, found the text "alice"', "schema", ""),
    "overrides: {42: [a]}": (3, 13, "expected text as a key, found the number 42", "quote-it", 'quote it: "42"'),
    "expires_at: 2027-01-01T00:00:00": (
        3, 13, 'the time "2027-01-01T00:00:00" names no zone', "time",
        "write 2027-01-01T00:00:00Z for UTC, or add an offset such as +01:00"),
    "expires_at: 2027-01-01 09:00": (
        3, 13, 'the time "2027-01-01 09:00" names no zone', "time",
        "write 2027-01-01 09:00:00Z for UTC, or add an offset such as +01:00"),
    "expires_at: 2027-02-30": (
        3, 13, '"2027-02-30" is no time', "time", "write a time such as 2027-03-01T09:00:00Z, or a date"),
    "rules: [{name: a, when: [{attribute: t, before: 2027-01-01T09:00:00.5Z}], serve: on}]": (
        3, 49, "expected a whole second, found 2027-01-01T09:00:00.5Z", "time",
        "write 2027-01-01T09:00:00Z or 2027-01-01T09:00:01Z"),
    "expires_at: 2027": (
        3, 13, "expected a time with a zone such as 2027-03-01T09:00:00Z, or a date, found the number 2027", "time",
        ""),
    "default: {rollout: 25%}": (
        3, 20, 'expected a percentage from 0 to 100 such as 25 or 12.5, found the text "25%"', "percent", "write 25"),
    "default: {rollout: 125}": (
        3, 20, "expected a percentage from 0 to 100 such as 25 or 12.5, found the number 125", "percent", ""),
    "default: {rollout: 12.3456}": (3, 20, "expected at most three decimals, found 12.3456", "percent", ""),
    "default: {serve: on, rollout: 2}": (
        3, 22, "expected one of serve, rollout, split or ramp, found rollout as well", "schema", "keep one of them"),
    "default: {serve: on, salt: x}": (3, 22, "salt means nothing beside serve", "schema", "take it out"),
    "default: {rollout: 3, experiment: {name: x}}": (
        3, 23, "experiment can stand beside split only", "schema", ""),
    "default: {serv: on}": (3, 11, 'unknown field "serv" in an outcome', "unknown-field", "did you mean serve?"),
    "default: {}": (3, 10, "expected an outcome: one of serve, rollout, split or ramp", "schema", ""),
    "default: on": (
        3, 10, 'expected an outcome such as {serve: on} or {rollout: 25}, found the text "on"', "schema", ""),
    "default: {split: {on: 50, true: 50}}": (
        3, 27, '"true" means the variant on, which stands here already', "duplicate-key", ""),
    "default: {split: {on: 50, off: 50}, experiment: {name: x, trafic: 2}}": (
        3, 59, '"trafic" is kept as a note and decides nothing', "unknown-field", "did you mean traffic?"),
    "default: {ramp: {variant: on, from: 1, to: 9, start: 2027-01-01, duration: 24, step: 5}}": (
        3, 76, "expected a duration with its unit such as 90m, 24h or 7d, found the number 24", "duration",
        "say the unit: 24h, 24m or 24s"),
    "default: {ramp: {variant: on, from: 1, to: 9, start: 2027-01-01, duration: 0h, step: 5}}": (
        3, 76, 'expected a duration longer than nothing, found "0h"', "duration", ""),
    "default:\n  <<: {serve: on}": (
        4, 3, "merge keys (<<) are not supported", "unknown-field",
        "write the fields out, or repeat a whole value by an alias"),
    "rules:\n  - serve: on\n    when: [{segment: s}]": (4, 5, 'the field "name" is missing', "schema", ""),
    "rules:\n  - nam: r\n    serve: on\n    when: [{segment: s}]": (
        4, 5, 'unknown field "nam" in a rule', "unknown-field", "did you mean name?"),
    "rules:\n  - name: r\n    serve: on\n    when: []": (
        6, 11, "expected a list of conditions, found an empty list", "schema", ""),
    RULE + "{attribute: x, equal: 1}": (7, 24, 'unknown operator "equal"', "unknown-field", "did you mean equals?"),
    RULE + "{attribute: x}": (
        7, 9, "expected an operator beside attribute, such as equals or in", "schema", ""),
    RULE + "{attribute: x, gt: 1, lt: 2}": (
        7, 9, "expected exactly one operator, found gt and lt", "schema", "write a condition for each"),
    RULE + "{attribute: x, segment: s}": (
        7, 24, "segment can't stand beside attribute", "unknown-field", "write a condition for each"),
    RULE + "{atribute: x, equals: 1}": (
        7, 9, "expected a condition: one of attribute, segment, any, all or not", "schema", "did you mean attribute?"),
    RULE + "{attribute: v, semver_gte: 2.10}": (
        7, 36, "expected a version as text, found the number 2.1", "quote-it",
        'quote it: "2.1"; a bare 2.10 is read as 2.1'),
    RULE + "{attribute: v, semver_gte: 2}": (
        7, 36, "expected a version as text, found the number 2", "quote-it", 'quote it: "2"'),
    RULE + "{attribute: x, starts_with: 3}": (
        7, 37, "expected a text or a list of texts, found the number 3", "quote-it", 'quote it: "3"'),
    RULE + "{attribute: x, gt: '3'}": (
        7, 28, 'expected a number, found the text "3"', "schema", "write 3 without quotes"),
    RULE + "{any: [{not: {attribute: x, exists: no}}]}": (
        7, 45, 'expected true or false, found the text "no"', "schema", "no is text in YAML 1.2: write false"),
    RULE + "foo": (
        7, 9, 'expected a condition such as {attribute: country, in: [DE, FR]}, found the text "foo"', "schema", ""),
    "type: sting": (
        3, 7, 'expected one of boolean, string, integer, number or object, found the text "sting"', "schema",
        "did you mean string?"),
    "type: string\nvariants: {a: 1}\noff_variant: a": (
        4, 15, "expected a text, as the flag's type is string, found the number 1", "quote-it", 'quote it: "1"'),
    "type: string\nvariants: {a b: x}\noff_variant: a": (
        4, 12, "expected a name of letters, digits, dots, dashes and underscores that begins with a letter or digit, "
        'found "a b"', "schema", ""),
    "type: string\nvariants: {a: x}": (1, 1, 'the field "off_variant" is missing', "schema", ""),
    "type: string\nvariants: {a: x}\noff_variant: true": (
        5, 14, "expected a variant's name, found the boolean true", "quote-it", 'quote it: "true"'),
    "type: string\nvariants: {a: x}\noff_variant: a\ndefault: {rollout: 4}": (
        6, 11, "rollout is for boolean flags only", "schema", "use split, or ramp"),
    RULE + "{any: [{attribute: x, before: 2027-02-30}]}": (
        7, 39, '"2027-02-30" is no time', "time", "write a time such as 2027-03-01T09:00:00Z, or a date"),
    'expires_at: "2027-01-01\\n"': (
        3, 13, '"2027-01-01\n" is no time', "time", "write a time such as 2027-03-01T09:00:00Z, or a date"),
    "variants: {on: 1}": (3, 16, "expected true, found the number 1", "schema", ""),
    "variants: {on: false}": (3, 16, "expected true, found false", "schema", ""),
    "off_variant: on": (
        3, 14, "expected off, as the flag's type is boolean, found the text \"on\"", "schema", ""),
    "schedule: [{at: 2027-01-01}]": (
        3, 12, "expected enabled or default beside at: this entry changes nothing", "schema", ""),
    "cache_ttl_seconds: -1": (3, 20, "expected a whole number of at least 0, found the number -1", "schema", ""),
    "documentation_url: javascript:x": (
        3, 20, 'expected a web address that begins with https://, found the text "javascript:x"', "schema", ""),
    "requires: [core]": (
        3, 12, 'expected a requirement such as {flag: wishlist-core}, found the text "core"', "schema", ""),
}  # fmt: skip
OTHERS: dict[tuple[str, str], tuple[int, int, str, str, str]] = {
    ("flags/flagctl.yaml", "environments: {tests: {}}"): (1, 16, '"tests" can\'t be a name here', "schema", ""),
    ("flags/flagctl.yaml", "environments: {}"): (
        1, 15, "expected at least one environment, such as {development: {}}, found no fields", "schema", ""),
    ("flags/flagctl.yaml", "environments: {a: {promote_from: b}}"): (
        1, 20, 'unknown field "promote_from" in an environment', "unknown-field", "did you mean promotes_from?"),
    ("flags/flagctl.yaml", "environments: {a: }\ncheck: {severity: {x: warn}}"): (
        2, 23, 'expected one of error, warning or off, found the text "warn"', "schema", "did you mean warning?"),
    ("flags/attributes.yaml", "attributes: {a: string}"): (
        1, 17, 'expected an attribute such as {type: string}, found the text "string"', "schema", ""),
    ("flags/attributes.yaml", "attributes: {a: {type: string, items: string}}"): (
        1, 24, 'expected array, as only arrays have items, found the text "string"', "schema", ""),
    ("flags/tests/x.yaml", "tests: [{expect: {varient: on}}]"): (
        1, 19, 'unknown field "varient" in an expectation', "unknown-field", "did you mean variant?"),
    ("flags/tests/x.yaml", "tests: [{expect: {matches: true}}]"): (
        1, 19, "matches is for segments", "schema", "expect a variant, a value or a reason of a flag"),
    ("flags/tests/x.yaml", "flag: a\nsegment: b\ntests: [{expect: {matches: true}}]"): (
        1, 1, "expected flag or segment, found both", "schema", "keep one of them"),
    ("flags/production/segments/s.yaml", "description: x"): (1, 1, 'the field "when" is missing', "schema", ""),
}  # fmt: skip


def wrong(path: str, text: str) -> list[tuple[int, int, str, str, str]]:
    found = []
    for problem in understand(classify(path), text.encode()).problems:
        place = (problem.line, problem.column) if problem.line else locate(text, problem.pointer, problem.at_key)[:2]
        found.append((*place, problem.message, problem.rule, problem.hint))
    return found


@pytest.mark.parametrize("text", FLAGS)
def test_what_is_wrong_in_a_flag_file_is_said_exactly_and_once(text: str) -> None:
    assert wrong("flags/production/x.yaml", f"{HEAD}{text}\n") == [FLAGS[text]]


@pytest.mark.parametrize(("path", "text"), OTHERS)
def test_what_is_wrong_in_another_file_is_said_exactly_and_once(path: str, text: str) -> None:
    assert wrong(path, text + "\n") == [OTHERS[path, text]]


def test_a_missing_field_that_is_misspelled_is_one_problem() -> None:
    found = wrong("flags/production/x.yaml", "description: x\nowner: {taem: t}\n")
    assert found == [(2, 9, 'unknown field "taem" in an owner', "unknown-field", "did you mean team?")]


def test_all_that_is_wrong_is_said_in_one_pass() -> None:
    text = "enabled: yes\ndefault: {rollout: 125}\nrules: [{name: a, when: [{attribute: x, equal: 1}]}]\n"
    rules = [rule for *_, rule, _ in wrong("flags/production/x.yaml", text)]
    assert sorted(rules) == ["percent", "schema", "schema", "schema", "schema", "unknown-field"]


# --- the schemas themselves


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_and_their_examples_fit(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    for part in _schemas(SCHEMAS[name]):
        for example in part.get("examples", ()):
            whole = {**part, "$defs": SCHEMAS[name].get("$defs", {})}
            assert list(faults(whole, example)) == [], (part.get("title"), example)


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_editor_can_explain_every_field(name: str) -> None:
    definitions = SCHEMAS[name].get("$defs", {})
    for part in [SCHEMAS[name], *definitions.values()]:
        for field, of_field in part.get("properties", {}).items():
            base = definitions[of_field["$ref"].rpartition("/")[2]] if "$ref" in of_field else {}
            assert (base | of_field).get("description"), f"{name}: {field}"


def test_definitions_that_schemas_share_are_the_same() -> None:
    shared: dict[str, Any] = {}
    for name in ("flag", "segment", "attributes", "tests"):
        for part, definition in SCHEMAS[name].get("$defs", {}).items():
            assert shared.setdefault(part, definition) == definition, part


def test_the_schema_knows_the_operators_of_the_model_and_no_other() -> None:
    known = SCHEMAS["flag"]["$defs"]["condition"]["then"]["properties"]
    assert set(known) == {"attribute", *OPERATORS}


def test_a_schema_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError) as error:
        schema.schema_text("flags")
    assert (error.value.message, error.value.hint) == ('no schema "flags"', "did you mean flag?")
    assert set(KINDS) < set(schema.names())


# --- our validator, against two others

JUNK: list[Any] = [None, True, False, 0, 1, 1.5, -1, 101, "", "x", "on", "off", "true", [], {}, [1], {"x": 1}, ["a"],
                   "2027-01-01", "24h", "2027-01-01\n", "a\n", {"serve": "on"}, {"attribute": "a"},
                   {"all": []}]  # fmt: skip
FIELDS = ["serve", "rollout", "split", "ramp", "experiment", "salt", "when", "any", "segment", "attribute", "equals",
          "in", "variant", "type", "variants", "x", "<<", "name", "at", "a\n"]  # fmt: skip


def _places(data: Any) -> list[tuple[Any, Any]]:
    pairs = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [place for key, value in pairs for place in [(data, key), *_places(value)]]


@st.composite
def broken(draw: st.DrawFn) -> Any:
    data = copy.deepcopy(said(draw(flags())))
    for _ in range(draw(st.integers(1, 2))):
        places = _places(data)
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "remove" and isinstance(holder, dict):
            del holder[key]
        elif change == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(FIELDS))] = draw(st.sampled_from(JUNK))
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
    return data


FAST = {name: jsonschema_rs.Draft202012Validator(said) for name, said in SCHEMAS.items()}
EXACT = {name: jsonschema.Draft202012Validator(said) for name, said in SCHEMAS.items()}
many = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def agree(name: str, data: Any) -> bool:
    """Whether data is valid, to all three."""
    valid = FAST[name].is_valid(data)
    assert (next(faults(SCHEMAS[name], data), None) is None) == valid
    if "\\n" not in json.dumps(data):  # jsonschema lets $ fit before a line break at the end
        assert EXACT[name].is_valid(data) == valid
    return valid


@many
@given(broken())
def test_three_validators_agree_and_what_is_refused_has_words(data: Any) -> None:
    problems = schema.validate("flag", data, "x.yaml")
    assert (problems == []) == agree("flag", data)
    for problem in problems:
        assert "is not valid under" not in problem.message
        assert problem.message


@many
@given(broken())
def test_data_that_the_schema_accepts_is_parsed_or_has_problems(data: Any) -> None:
    raw = json.dumps(data, ensure_ascii=False).encode()
    for bulk in (False, True):
        found = understand(classify("flags/production/x.yaml"), raw, bulk=bulk)
        errors = [problem for problem in found.problems if problem.severity == "error"]
        assert (found.model is None) == bool(errors)


OTHER_DATA: dict[str, Any] = {
    "segment": {"when": [{"any": [{"segment": "a"}, {"not": {"attribute": "b", "in": [1]}}]}], "owner": {"team": "t"}},
    "settings": {
        "environments": {"a": None, "b": {"promotes_from": "a", "targets": ["x", {"url": "x", "region": "x"}]}},
        "check": {"severity": {"x": "off"}, "expired_grace_days": 1},
        "defaults": {"cache_ttl_seconds": 1},
        "bucketing": "portable",
    },
    "attributes": {"attributes": {"a.b": {"type": "array", "items": "string", "values": [1]}, "c": {"type": "string"}}},
    "tests": {
        "flag": "a",
        "tests": [{"expect": {"variant": True}, "environment": "a", "at": "2027-01-01", "matrix": {"bucket": [1]}}],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_DATA)
def test_validators_agree_on_the_other_files_with_any_value_replaced_or_removed(name: str) -> None:
    for index in range(len(_places(OTHER_DATA[name]))):
        for junk in [*JUNK, ...]:
            data = copy.deepcopy(OTHER_DATA[name])
            holder, key = _places(data)[index]
            if junk is ...:
                del holder[key]
            else:
                holder[key] = junk
            assert (schema.validate(KINDS[name], data, "x") == []) == agree(name, data), data


def test_the_schemas_use_no_keyword_that_our_validator_passes_over() -> None:
    understood = set(_HOLDS) | {"$ref", "allOf", "if", "then", "else", "not", "oneOf", "items", "properties"}
    understood |= {"propertyNames", "additionalProperties"}
    notes = {"$schema", "$id", "$defs", "title", "description", "examples", "default"}
    for name, whole in SCHEMAS.items():
        for part in _schemas(whole):
            assert {word for word in part if not word.startswith("x-")} <= understood | notes, name


def _schemas(part: dict[str, Any]) -> list[dict[str, Any]]:
    found = [part]
    for keyword, said_of in part.items():
        if keyword in ("properties", "$defs"):
            below = list(said_of.values())
        elif keyword in ("allOf", "oneOf"):
            below = said_of
        elif keyword in ("if", "then", "else", "not", "items", "propertyNames", "additionalProperties"):
            below = [said_of] if isinstance(said_of, dict) else []
        else:
            below = []
        found += [inner for schema_below in below for inner in _schemas(schema_below)]
    return found
