"""What state a flag is in, in words, and `flagctl list` and `show` that tell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagctl.files.parse import flag as parse_flag
from flagctl.files.read import load
from flagctl.model import times, words
from flagctl.model.condition import OPERATORS
from flagctl.model.flag import Flag
from flagctl.model.state import in_force, stale, state

NOW = times.seconds("2026-11-24T09:00:00Z") or 0
HEAD = "description: A flag.\nowner: {team: growth}\n"
STRING = "type: string\nvariants: {a: x, b: y, c: z}\noff_variant: a\n"


def read(text: str) -> Flag:
    data, problems = load((HEAD + text).encode(), "flags/e/f.yaml")
    assert data is not None, problems
    flag, problems = parse_flag(data, "f", "flags/e/f.yaml")
    assert flag is not None, problems
    return flag


RULE = "rules: [{name: r, when: [{attribute: a, equals: b}], serve: on}]\n"
RAMP = "default: {ramp: {variant: on, from: 10, to: 50, start: START, duration: 4d, step: 10}}\n"
STATES: list[tuple[str, str]] = [
    ("", "off"),
    ("default: {serve: on}\n", "on 100 %"),
    ("default: {serve: off}\n", "off"),
    ("default: {rollout: 25}\n", "on 25 %"),
    ("default: {rollout: 0.125}\n", "on 0.125 %"),
    ("default: {rollout: 0}\n", "off"),
    ("default: {rollout: 0}\noverrides: {on: [ada]}\n", "on rules"),
    ("default: {serve: off}\noverrides: {off: [ada]}\n", "off"),
    (RULE, "on rules"),
    (RULE.replace("serve: on", "serve: off"), "off"),
    (RULE + "default: {rollout: 25}\n", "on 25 % + rules"),
    ("enabled: false\ndefault: {serve: on}\n", "off"),
    ("enabled: false\n" + RULE, "off"),
    (STRING + "default: {serve: b}\n", "on b"),
    (STRING + "default: {serve: a}\n", "on a"),
    (STRING + "default: {split: {a: 50, b: 25, c: 25}}\n", "on 50/25/25"),
    (STRING + RULE.replace("serve: on", "serve: b"), "on a + rules"),
    ("default: {serve: on}\nexpires_at: 2026-11-24T09:00:00Z\n", "expired"),
    ("default: {serve: on}\nexpires_at: 2026-11-24T09:00:01Z\n", "on 100 %"),
    ("enabled: false\nexpires_at: 2026-01-01\n", "expired"),
    # the schedule
    ("schedule: [{at: 2026-11-24T09:00:00Z, default: {rollout: 10}}]\n", "on 10 %"),
    ("schedule: [{at: 2026-11-24T09:00:01Z, default: {rollout: 10}}]\n", "scheduled 2026-11-24"),
    ("enabled: false\nschedule: [{at: 2027-01-01, enabled: true}]\n", "off"),
    (
        "enabled: false\nschedule: [{at: 2027-01-01, default: {rollout: 5}}, {at: 2027-02-01, enabled: true}]\n",
        "scheduled 2027-02-01",
    ),
    ("expires_at: 2026-12-01\nschedule: [{at: 2027-01-01, default: {rollout: 10}}]\n", "off"),
    ("default: {serve: on}\nschedule: [{at: 2026-01-01, enabled: false}]\n", "off"),
    ("default: {serve: on}\nschedule: [{at: 2027-01-01, enabled: false}]\n", "on 100 %"),
    # a ramp
    (RAMP.replace("START", "2026-11-24T09:00:00Z"), "on 10 % → 50 %"),
    (RAMP.replace("START", "2026-11-24T09:00:01Z"), "scheduled 2026-11-24"),
    (RAMP.replace("START", "2026-11-22T09:00:00Z"), "on 30 % → 50 %"),
    (RAMP.replace("START", "2026-01-01"), "on 50 %"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), STATES)
def test_the_state_of_a_flag(text: str, said: str) -> None:
    assert state(read(text), NOW).text == said


def test_what_is_in_force_is_what_the_evaluator_answers() -> None:
    """`list` and services must agree on the schedule, entry by entry."""
    from flagctl.compile.snapshot import snapshot
    from flagctl.evaluate.evaluator import Evaluator
    from flagctl.model.repository import Environment, EnvironmentSettings, Settings

    flag = read(
        "enabled: false\nschedule: [{at: 2026-01-01, enabled: true}, {at: 2026-02-01, default: {serve: on}},"
        " {at: 2026-03-01, enabled: false}, {at: 2026-04-01, enabled: true, default: {serve: off}}]\n"
    )
    settings = Settings(environments={"e": EnvironmentSettings(name="e")})
    evaluator = Evaluator(snapshot(Environment(name="e", flags={"f": flag}), settings, {}))
    for month in ("2025-12", "2026-01", "2026-02", "2026-03", "2026-04"):
        for day in ("01T00:00:00Z", "15T00:00:00Z"):
            now = times.seconds(f"{month}-{day}") or 0
            enabled, default = in_force(flag, now)
            answer = evaluator.evaluate("f", {}, now)
            assert answer.variant == (words.outcome(default, "off") if enabled else "off"), month


ON, OFF, HALF = "default: {serve: on}\n", "default: {serve: off}\n", "default: {rollout: 50}\n"
TO_ALL = RAMP.replace("to: 50", "to: 100")
B = STRING + "default: {serve: b}\n"
STALE: list[tuple[dict[str, str], str]] = [
    ({}, ""),
    ({"dev": ON, "prod": HALF}, ""),
    ({"dev": ON, "prod": OFF}, ""),
    ({"dev": ON, "prod": ON}, "everybody gets on everywhere"),
    ({"dev": ON, "prod": "default: {rollout: 100}\n"}, "everybody gets on everywhere"),
    ({"dev": ON, "prod": TO_ALL.replace("START", "2026-01-01")}, "everybody gets on everywhere"),
    ({"dev": ON, "prod": TO_ALL.replace("START", "2026-11-24")}, ""),
    ({"dev": ON, "prod": ON + "requires: [{flag: other}]\n"}, ""),
    ({"dev": ON, "prod": ON + "overrides: {off: [ada]}\n"}, ""),
    ({"dev": ON, "prod": ON + RULE}, ""),
    ({"dev": ON, "prod": ON + "schedule: [{at: 2027-01-01, enabled: false}]\n"}, ""),
    ({"dev": OFF, "prod": "enabled: false\n" + RULE}, "off everywhere"),
    ({"dev": OFF, "prod": "enabled: false\n" + ON + "schedule: [{at: 2027-01-01, enabled: true}]\n"}, ""),
    ({"dev": ON + "kind: ops\n", "prod": ON + "kind: ops\n"}, ""),
    ({"dev": B, "prod": B}, "everybody gets b everywhere"),
    ({"dev": B, "prod": B.replace("serve: b", "serve: c")}, ""),
    ({"dev": ON, "prod": HALF + "expires_at: 2026-11-24T09:00:00Z\n"}, "expired in prod on 2026-11-24"),
    ({"dev": ON, "prod": HALF + "expires_at: 2026-12-24T09:00:00Z\n"}, "expires in prod on 2026-12-24"),
    ({"dev": ON, "prod": HALF + "expires_at: 2026-12-24T09:00:01Z\n"}, ""),
    ({"dev": ON, "prod": HALF + "kind: ops\nexpires_at: 2026-12-01\n"}, "expires in prod on 2026-12-01"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "why"), STALE)
def test_why_a_flag_can_go(texts: dict[str, str], why: str) -> None:
    assert stale({name: read(text) for name, text in texts.items()}, NOW) == why


def test_a_flag_that_has_not_come_to_every_environment_is_not_done() -> None:
    assert stale({"dev": read(ON)}, NOW, everywhere=False) == ""
    assert stale({"dev": read(ON + "expires_at: 2026-01-01\n")}, NOW, everywhere=False) != ""


CONDITIONS: list[tuple[str, str]] = [
    ("{attribute: country, equals: DE}", "country is DE"),
    ("{attribute: country, in: [DE]}", "country in [DE]"),
    ("{attribute: country, in: [DE, FR]}", "country in [DE, FR]"),
    ("{attribute: email, ends_with: '@example.com'}", "email ends with @example.com"),
    ("{attribute: email, exists: false}", "email is missing"),
    ("{attribute: age, equals: '18'}", 'age is "18"'),
    ("{attribute: age, gte: 18}", "age is at least 18"),
    ("{attribute: beta, equals: true}", "beta is true"),
    ("{attribute: beta, equals: 'true'}", 'beta is "true"'),
    ("{attribute: since, before: 2027-01-01}", "since is before 2027-01-01T00:00:00Z"),
    ("{attribute: app, semver_lt: 2.0.0}", "app is older than 2.0.0"),
    ("{segment: staff}", "in segment staff"),
    ("{not: {segment: staff}}", "not (in segment staff)"),
    ("{segment: x}, {any: [{segment: a}, {segment: b}]}", "in segment x and (in segment a or in segment b)"),
    ("{any: [{segment: a}, {all: [{segment: b}, {segment: c}]}]}", "in segment a or (in segment b and in segment c)"),
]


@pytest.mark.parametrize(("condition", "said"), CONDITIONS)
def test_conditions_in_words(condition: str, said: str) -> None:
    flag = read(f"rules: [{{name: r, when: [{condition}], serve: on}}]\n")
    assert words.conditions(flag.rules[0].when) == said


def test_every_operator_has_words() -> None:
    assert set(words.OPERATORS) == set(OPERATORS) - {"exists"}


OUTCOMES: list[tuple[str, str]] = [
    ("serve: on", "on"),
    ("rollout: 12.5", "12.5 % on, the rest off"),
    ("rollout: 30, bucket_by: account.id, salt: s", "30 % on, the rest off, by account.id, salt s"),
    ("split: {on: 33.333, off: 66.667}", "on 33.333 %, off 66.667 %"),
    (
        "split: {on: 50, off: 50}, experiment: {name: x, layer: l, slots: [0, 50], traffic: 20}",
        "on 50 %, off 50 % (experiment x, slots 0–50 % of layer l, 20 % of traffic)",
    ),
    (
        "ramp: {variant: on, from: 1, to: 100, start: 2026-12-01, duration: 24h, step: 5}",
        "on rises 1 % to 100 % from 2026-12-01T00:00:00Z to 2026-12-02T00:00:00Z in steps of 5 %, the rest off",
    ),
]


@pytest.mark.parametrize(("outcome", "said"), OUTCOMES)
def test_outcomes_in_words(outcome: str, said: str) -> None:
    flag = read(f"default: {{{outcome}}}\n")
    assert flag.default is not None
    assert words.outcome(flag.default, "off") == said


# The commands.


def rows(text: str) -> list[list[str]]:
    """The cells of a plain table."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def test_list_has_a_line_for_each_flag_and_a_column_for_each_environment(flagctl: Callable[..., Any]) -> None:
    done = flagctl("list")
    assert done.returncode == 0
    assert rows(done.stdout) == [
        ["FLAG", "DEVELOPMENT", "PRODUCTION", "OWNER", "EXPIRES"],
        ["wishlist-edit", "on 100 % v1", "on 100 % v1", "growth", "–"],
        ["wishlist-gallery", "on 25 % + rules v1", "on 25 % + rules v1", "growth", "–"],
    ]


def test_a_flag_of_one_environment(repo: Path, flagctl: Callable[..., Any]) -> None:
    (repo / "flags/development/new.yaml").write_text(HEAD + ON)
    done = flagctl("list", "new")
    assert rows(done.stdout)[1] == ["new", "on 100 %", "–", "growth", "–"]
    assert flagctl("list", "new", "-e", "production").stderr == "no such flag\n"
    assert flagctl("list", "new", "--stale").stderr == "no such flag\n"


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["EDIT"], ["wishlist-edit"]),
        (["wish*"], ["wishlist-edit", "wishlist-gallery"]),
        (["edit*"], []),
        (["--tag", "web"], ["wishlist-gallery"]),
        (["--owner", "growth", "gallery"], ["wishlist-gallery"]),
        (["--owner", "grow"], []),
        (["--stale"], []),
    ],
)
def test_filters(flagctl: Callable[..., Any], arguments: list[str], keys: list[str]) -> None:
    done = flagctl("list", "--json", *arguments)
    document = json.loads(done.stdout)
    assert document["format"] == "flagctl/list/1"
    assert [flag["key"] for flag in document["flags"]] == keys


def test_a_flag_that_can_not_be_read_is_listed_as_such(repo: Path, flagctl: Callable[..., Any]) -> None:
    (repo / "flags/production/wishlist-edit.yaml").write_text("description: [\n")
    done = flagctl("list", "edit", "-e", "production")
    assert done.returncode == 0
    assert rows(done.stdout)[1][:2] == ["wishlist-edit", "unreadable"]
    assert "flags/production/wishlist-edit.yaml" in done.stderr
    assert "unreadable" in flagctl("show", "wishlist-edit", "--json").stdout


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_flag_that_can_be_read_nowhere_is_not_shown(repo: Path, flagctl: Callable[..., Any], more: list[str]) -> None:
    (repo / "flags" / "production" / "broken.yaml").write_text("description: [\n")
    done = flagctl("show", "broken", *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert "flags/production/broken.yaml:1:" in done.stderr
    assert "error: broken can't be shown" in done.stderr


def test_show_puts_environments_side_by_side(repo: Path, flagctl: Callable[..., Any]) -> None:
    file = repo / "flags/development/wishlist-gallery.yaml"
    file.write_text(file.read_text().replace("rollout: 25", "rollout: 80").replace("rules:", "schedule: []\nrules:"))
    done = flagctl("show", "wishlist-gallery")
    assert done.returncode == 0
    table = rows(done.stdout)
    assert ["description", "Show the wishlist gallery page."] in table
    assert ["default", "80 % on, the rest off", "25 % on, the rest off"] in table
    assert ["rule staff", "email ends with @example.com: on", "email ends with @example.com: on"] in table
    assert table[-1] == ["file", "flags/development/wishlist-gallery.yaml", "flags/production/wishlist-gallery.yaml"]


def test_show_as_json_says_what_the_file_says(flagctl: Callable[..., Any]) -> None:
    document = json.loads(flagctl("show", "wishlist-gallery", "-e", "production", "--json").stdout)
    assert document["format"] == "flagctl/show/1"
    assert list(document["environments"]) == ["production"]
    shown = document["environments"]["production"]
    assert (shown["state"], shown["share"]) == ("on", "25 % + rules")
    assert shown["flag"]["default"] == {"rollout": 25}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["show", "wishlist-galery"], 'no flag "wishlist-galery"', "did you mean wishlist-gallery?"),
        (["show", "wishlist-gallery", "-e", "prodution"], 'no environment "prodution"', "did you mean production?"),
        (["list", "-e", "live"], 'no environment "live"', "there are development, production"),
        (["list", "--clock", "soon"], '"soon" is no time', "2026-12-01T09:00:00Z"),
    ],
)
def test_a_name_that_is_not_there(flagctl: Callable[..., Any], arguments: list[str], message: str, hint: str) -> None:
    done = flagctl(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert hint in done.stderr
