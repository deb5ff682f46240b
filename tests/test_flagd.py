"""The flagd document: its form, what it leaves out, and how it says what is large."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import jsonschema_rs
import pytest
from random_flags import Limits, world
from snapshots import NOW, OFF, arms, flag, rollout, rule, snapshot, split
from snapshots import test as condition
from specs import ROOT, schema

from flagctl.compile.flagd import Definition, Unsaid, definition, measure
from flagctl.compile.snapshot import encode, encode_value
from flagctl.compile.snapshot import snapshot as compiled
from flagctl.files.repository import read_repository
from flagctl.files.walk import DiskTree


def made(flags: dict[str, Any], segments: dict[str, list[Any]] | None = None, **more: Any) -> Definition:
    return definition(snapshot(flags, segments) | more)


def only(**parts: Any) -> dict[str, Any]:
    """The flagd form of one flag."""
    found = made({"f": flag(**parts)})
    assert found.unsaid == []
    form: dict[str, Any] = found.document["flags"]["f"]
    return form


def unsaid(flags: dict[str, Any], segments: dict[str, list[Any]] | None = None) -> list[tuple[str, str, str]]:
    return [(one.code, one.flag, one.pointer) for one in made(flags, segments).unsaid]


@pytest.fixture(scope="module")
def flagds_own_schema() -> Any:
    # Its root is a bare $ref, beside which draft 7 reads no $id: so it is asked for by its address.
    home = "https://flagd.dev/schema/v0/"
    registry = jsonschema_rs.Registry(
        [(home + name, schema("flagd", name)) for name in ("flags.json", "targeting.json")]
    )
    return jsonschema_rs.Draft7Validator({"$ref": f"{home}flags.json#/definitions/providerConfig"}, registry=registry)


def test_the_schema_is_one_that_finds_something(flagds_own_schema: Any) -> None:
    document = made({"f": flag(default=rollout(25))}).document
    assert flagds_own_schema.is_valid(document)
    document["flags"]["f"]["targeting"] = {"flagref": ["x"]}
    assert not flagds_own_schema.is_valid(document)


@pytest.mark.parametrize("seed", range(3))
def test_documents_of_random_flags_fit_flagds_published_schema(flagds_own_schema: Any, seed: int) -> None:
    document = definition(world(Random(seed), flags=100, limits=Limits(json=True)).document).document
    assert len(document["flags"]) > 20
    assert [error.message[:300] for error in flagds_own_schema.iter_errors(document)] == []


def test_so_do_those_of_the_sample(flagds_own_schema: Any) -> None:
    repository = read_repository(DiskTree(ROOT)).repository
    for environment in repository.environments.values():
        document = definition(compiled(environment, repository.settings, repository.attributes)).document
        assert len(document["flags"]) >= 8
        assert [error.message[:300] for error in flagds_own_schema.iter_errors(document)] == []


def test_the_set_says_which_environment_version_and_commit_it_is() -> None:
    about = {"environment": "staging", "version": 7, "commit": "c" * 40, "commit_time": "2026-12-01T09:00:00Z"}
    assert made({}, **about).document == {
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "flags": {},
        "metadata": {
            "flagSetId": "staging",
            "version": "7",
            "commit": "c" * 40,
            "commit_time": "2026-12-01T09:00:00Z",
        },
    }
    assert made({}).document["metadata"] == {"flagSetId": "production", "version": "1"}


def test_a_flag_carries_flat_metadata_and_no_description() -> None:
    about = {
        "owner": "growth",
        "owner_email": "growth@example.com",
        "kind": "release",
        "description": "A flag.",
        "documentation_url": "https://example.com",
        "tags": ["web"],
    }
    assert only(metadata=about, expires_at=NOW)["metadata"] == {
        "owner": "growth",
        "kind": "release",
        "documentation_url": "https://example.com",
        "ttl": 300,
        "expires_at": "1970-01-12T13:46:40Z",
    }


def test_the_same_snapshot_gives_the_same_bytes() -> None:
    document = world(Random(1), flags=30).document
    assert encode(definition(document).document) == encode(definition(json.loads(encode(document))).document)


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ({}, "on"),
        ({"default": OFF}, "off"),
        ({"enabled": False}, "off"),
        ({"enabled": False, "default": rollout(50), "rules": [rule("r")]}, "off"),
        ({"rules": [rule("r", **OFF)]}, "off"),
        ({"rules": [rule("r", {"any": []}, **OFF)]}, "on"),
        ({"requires": [{"flag": "nowhere", "variant": "on"}]}, "off"),
    ],
)
def test_what_depends_on_nothing_has_no_targeting(parts: dict[str, Any], answer: str) -> None:
    form = only(**parts)
    assert "targeting" not in form
    assert (form["state"], form["defaultVariant"]) == ("ENABLED", answer)


def test_a_constant_default_comes_after_null_so_that_engines_call_it_the_default() -> None:
    form = only(overrides={"on": ["ada"]}, default=OFF)
    assert form["targeting"] == {"if": [{"===": [{"var": "targetingKey"}, "ada"]}, "on", None]}
    assert form["defaultVariant"] == "off"


def test_every_share_names_its_salt_and_never_the_key_of_the_flag_it_stands_in() -> None:
    needy = flag(requires=[{"flag": "g", "variant": "on"}], default=rollout(10, salt="mine"))
    text = encode(made({"f": needy, "g": flag(default=rollout(50, salt="theirs"))}).document).decode()
    assert "mine:" in text
    assert text.count("theirs:") == 2
    assert "flagKey" not in text


PEOPLE = [f"user-{number}" for number in range(10_000)]


def test_many_listed_people_are_searched_as_one_text() -> None:
    text = encode(only(overrides={"on": PEOPLE})).decode()
    assert "|user-1|user-2|" in text
    assert len(text) < 1.02 * len("|".join(PEOPLE))
    assert '"user-1"' not in text


def test_people_with_every_separator_in_their_names_are_listed_one_by_one() -> None:
    assert '"user-1"' in encode(only(overrides={"on": [*PEOPLE, *"|;,~^#"]})).decode()
    assert ";user-1;user-2;" in encode(only(overrides={"on": [*PEOPLE, "a|b"]})).decode()


REGEX = condition("email", "not_matches", "^a")
FOREIGN = {"foreign_bucketing": {"algorithm": "launchdarkly-sha1", "salt": "s"}}
NEEDS_G = {"requires": [{"flag": "g", "variant": "on"}]}


def test_a_chain_of_requirements_names_the_flag_at_its_end() -> None:
    chain = [
        flag(**FOREIGN, default=rollout(5)),
        *(flag(requires=[{"flag": f"f{n}", "variant": "on"}]) for n in range(3)),
    ]
    found = made({f"f{n}": one for n, one in enumerate(chain)}).unsaid
    why = "flagd can't bucket by launchdarkly-sha1"
    assert [one.message for one in found] == [
        why,
        f"f0 can't be said in flagd: {why}",
        f"f1 can't be said in flagd, for f0 can't: {why}",
        f"f2 can't be said in flagd, for f0 can't: {why}",
    ]


@pytest.mark.parametrize(
    ("flags", "segments", "missing"),
    [
        ({"f": flag(rules=[rule("r", REGEX)])}, {}, [("flagd-regex", "f", "/rules/0/when/0/not_matches")]),
        (
            {"f": flag(rules=[rule("r"), rule("q", {"not": {"any": [condition("a", "exists", True), REGEX]}})])},
            {},
            [("flagd-regex", "f", "/rules/1/when/0/not/any/1/not_matches")],
        ),
        (
            {"f": flag(rules=[rule("r", {"all": [{"segment": "s"}]})])},
            {"s": [{"segment": "t"}], "t": [REGEX]},
            [("flagd-regex", "f", "/rules/0/when/0/all/0/segment")],
        ),
        ({"f": flag(**FOREIGN, default=rollout(5))}, {}, [("flagd-foreign-bucketing", "f", "/bucketing")]),
        ({"f": flag(**FOREIGN)}, {}, []),
        (
            {"f": flag(**NEEDS_G), "g": flag(**FOREIGN, default=rollout(5)), "h": flag()},
            {},
            [("flagd-requires", "f", "/requires/0/flag"), ("flagd-foreign-bucketing", "g", "/bucketing")],
        ),
        (
            {"f": flag(**NEEDS_G), "g": flag(requires=[{"flag": "f", "variant": "on"}])},
            {},
            [("flagd-requires", "f", "/requires/0/flag"), ("flagd-requires", "g", "/requires/0/flag")],
        ),
        ({"f": flag(rules=[rule("r", {"segment": "s"})])}, {"s": [{"segment": "s"}]}, []),
        ({"f": flag(rules=[rule("r", {"segment": "nowhere"})])}, {}, []),
    ],
)
def test_what_flagd_can_not_say_is_left_out_and_told_with_its_place(
    flags: dict[str, Any], segments: dict[str, list[Any]], missing: list[tuple[str, str, str]]
) -> None:
    assert unsaid(flags, segments) == missing
    assert set(made(flags, segments).document["flags"]) == set(flags) - {key for _, key, _ in missing}


def test_a_flag_that_explodes_is_named_and_takes_no_memory() -> None:
    segments: dict[str, list[Any]] = {"s0": [condition("country", "in", [f"C{n}" for n in range(40)])]}
    for number in range(1, 200):
        segments[f"s{number}"] = [{"any": [{"segment": f"s{number - 1}"}] * 2}]
    flags = {"ok": flag(rules=[rule("r", {"segment": "s5"})]), "huge": flag(rules=[rule("r", {"segment": "s40"})])}
    found = made(flags, segments)
    assert set(found.document["flags"]) == {"ok"}
    assert [(one.code, one.flag, one.pointer) for one in found.unsaid] == [("flagd-size", "huge", "")]
    assert "bytes" in found.unsaid[0].message


def test_so_is_one_that_is_too_deep_for_pythons_engine() -> None:
    flags = {"f0": flag(default=rollout(5))}
    for number in range(1, 2000):
        flags[f"f{number}"] = flag(requires=[{"flag": f"f{number - 1}", "variant": "on"}])
    found = made(flags)
    first = next(one for one in found.unsaid if one.code == "flagd-size")
    message = "written out for flagd it is 102 expressions deep, more than 100"
    assert first == Unsaid("flagd-size", "f48", "", message)
    assert len(found.document["flags"]) + len(found.unsaid) == len(flags)


def test_rules_are_as_many_as_javascripts_engine_reads() -> None:
    flags = {
        f"f{number}": flag(rules=[rule("r", condition("n", "gt", at)) for at in range(number)])
        for number in (1500, 1501)
    }
    assert unsaid(flags) == [("flagd-size", "f1501", "/rules")]


def test_the_size_that_is_measured_is_that_of_the_bytes() -> None:
    document = world(Random(5), flags=60, limits=Limits(flagd=True, json=True)).document
    for key, form in definition(document).document["flags"].items():
        targeting = form.get("targeting")
        assert measure(targeting, {})[0] == len(encode_value(targeting)), key


def test_shares_and_arms_are_ours() -> None:
    form = only(**arms(default=split("a", 25_000, "b", 25_000, "c", 100_000)))
    drawn = form["targeting"]["if"][1]["fractional"]
    assert drawn[1:] == [["a", 25_000], ["c", 75_000]]


def test_a_ramp_gives_each_person_a_time_to_join() -> None:
    ramp = {"ramp": [[100, 10_000], [200, 10_000], [300, 60_000]], "variant": "on", "rest": "off"}
    form = only(default={"bucket_by": "targetingKey", "salt": "s", **ramp})
    joins = form["targeting"]["if"][1]["if"][0]["<="]
    assert joins[0]["fractional"][1:] == [["100", 10_000], ["300", 50_000], ["100000000000", 40_000]]
    assert joins[1] == {"var": "$flagd.timestamp"}
