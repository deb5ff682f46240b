"""Every rule finds what its bad example shows, where it shows it, and nothing in its good example."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flagtree import FLAG, NOW, flag, problems

from flagctl.check.catalogue import Rule, catalogue

RULES = catalogue()
WITH_EXAMPLES = [rule for rule in RULES.values() if rule.bad is not None]
BESIDE = {"allow-reason": {"non-ascii-salt"}}
"""What a bad example shows beside its own rule, where that can't be helped."""


def files(example: str | Mapping[str, str] | None) -> dict[str, str]:
    assert example is not None
    return {FLAG: example} if isinstance(example, str) else dict(example)


def marked(example: dict[str, str]) -> set[tuple[str, int]]:
    return {
        (path, number)
        for path, text in example.items()
        for number, line in enumerate(text.split("\n"), 1)
        if "# <-" in line
    }


@pytest.mark.parametrize("rule", WITH_EXAMPLES, ids=lambda rule: rule.id)
def test_the_bad_example_shows_the_problem_at_the_marked_line_and_no_other(rule: Rule) -> None:
    bad = files(rule.bad)
    found = problems(bad, flagd=rule.id.startswith("flagd-"))
    assert {(p.file, p.line) for p in found if p.rule == rule.id} == marked(bad), found
    assert {p.rule for p in found} - {rule.id} == BESIDE.get(rule.id, set()), found
    assert {p.severity for p in found if p.rule == rule.id} == {rule.severity}


@pytest.mark.parametrize("rule", WITH_EXAMPLES, ids=lambda rule: rule.id)
def test_the_good_example_has_no_problem_at_all(rule: Rule) -> None:
    assert problems(files(rule.good), flagd=rule.id.startswith("flagd-")) == []


def test_every_rule_says_why_and_what_is_found_while_reading_can_not_be_lowered() -> None:
    assert {rule.id for rule in RULES.values() if rule.bad is None} == {"file-access", "stale-codeowners"}
    for rule in RULES.values():
        title, _, why = rule.why.partition("\n\n")
        assert title.endswith((".", ":")), rule.id
        assert why, f"{rule.id} does not say why it matters"
        assert len(title) <= 120
        assert not (rule.firm and rule.finds)


def found(text: str | Mapping[str, str], now: float = NOW) -> list[tuple[str, str, str]]:
    return [(p.rule, p.severity, p.pointer) for p in problems(text, now)]


def when(*conditions: str) -> str:
    return flag(f"rules:\n  - {{name: one, when: [{', '.join(conditions)}], serve: on}}\n")


@pytest.mark.parametrize(
    ("condition", "rule", "where"),
    [
        ("{attribute: account.plan, equals: pro}", "unknown-attribute", "/attribute"),
        ("{attribute: paying, equals: on}", "value-type", "/equals"),
        ("{attribute: paying, equals: true}", "", ""),
        ("{attribute: paying, gt: 1}", "operator-type", "/gt"),
        ("{attribute: age, equals: 1.5}", "value-type", "/equals"),
        ("{attribute: age, equals: 18.0}", "", ""),
        ("{attribute: age, equals: true}", "value-type", "/equals"),
        ("{attribute: score, equals: 1}", "", ""),
        ("{attribute: score, gt: 1.5}", "", ""),
        ("{attribute: score, starts_with: a}", "operator-type", "/starts_with"),
        ("{attribute: signed_up, gt: 5}", "operator-type", "/gt"),
        ("{attribute: signed_up, before: 2027-01-01}", "", ""),
        ("{attribute: signed_up, equals: 2027-01-01}", "", ""),
        ("{attribute: signed_up, equals: true}", "value-type", "/equals"),
        ("{attribute: app_version, equals: '2.0'}", "", ""),
        ("{attribute: app_version, starts_with: '2'}", "operator-type", "/starts_with"),
        ("{attribute: roles, includes: admin}", "", ""),
        ("{attribute: roles, includes: 5}", "value-type", "/includes"),
        ("{attribute: roles, equals: admin}", "operator-type", "/equals"),
        ("{attribute: account, equals: x}", "operator-type", "/equals"),
        ("{attribute: account, exists: true}", "", ""),
        ("{attribute: country, exists: false}", "", ""),
        ("{attribute: country, includes: DE}", "operator-type", "/includes"),
        ("{attribute: targetingKey, starts_with: bot-}", "", ""),
        ("{attribute: targetingKey, gt: 5}", "operator-type", "/gt"),
        ("{attribute: plan, not_in: [free, gold]}", "unlisted-value", "/not_in/1"),
        ("{attribute: plan, contains: old}", "", ""),
        ("{attribute: email, not_matches: '(?=x)'}", "bad-pattern", "/not_matches"),
        ("{attribute: email, matches: '(a)\\1'}", "bad-pattern", "/matches"),
        ("{attribute: app_version, semver_lt: '01.2'}", "bad-version", "/semver_lt"),
        ("{attribute: app_version, semver_lt: 1.9007199254740992.0}", "bad-version", "/semver_lt"),
        ("{attribute: app_version, semver_lt: 1.0.0-9007199254740992}", "bad-version", "/semver_lt"),
        ("{attribute: app_version, semver_lt: v1.2.3-rc.1+x}", "", ""),
    ],
)
def test_conditions_fit_their_attributes(condition: str, rule: str, where: str) -> None:
    for text, place in (
        (when(condition), "/rules/0/when/0"),
        (when("{not: {any: [{all: [" + condition + "]}]}}"), "/rules/0/when/0/not/any/0/all/0"),
    ):
        assert found(text) == ([(rule, "error", place + where)] if rule else [])


def test_segments_are_checked_like_rules() -> None:
    files = {
        "flags/production/segments/s.yaml": "when: [{attribute: contry, equals: DE}, {segment: t}]\n",
        "flags/production/x.yaml": when("{segment: s}"),
    }
    assert [(p.file, p.rule, p.hint) for p in problems(files)] == [
        ("flags/production/segments/s.yaml", "unknown-attribute", "did you mean country?"),
        ("flags/production/segments/s.yaml", "unknown-segment", "there is s"),
    ]


RAMP = "{{variant: on, from: {0}, to: {1}, start: 2027-05-01, duration: {3}, step: {2}}}"


@pytest.mark.parametrize(
    ("numbers", "place"),
    [
        ((0, 100, 5, "1d"), ""),
        ((0, 100, 0.1, "1d"), ""),
        ((0, 100, 100, "1d"), ""),
        ((0, 100, 0.099, "1d"), "step"),
        ((10, 20, 0.001, "1d"), "step"),
        ((10, 10.5, 0.001, "1d"), ""),
        ((0, 100, 0, "1d"), "step"),
        ((20, 10, 1, "1d"), "from"),
        ((20, 20, 1, "1d"), "from"),
    ],
)
def test_ramps_rise_in_a_thousand_steps_at_most(numbers: tuple[object, ...], place: str) -> None:
    ramp = RAMP.format(*numbers)
    text = flag(f"default: {{ramp: {ramp}}}\nschedule:\n  - {{at: 2027-03-01, default: {{ramp: {ramp}}}}}\n")
    expected = [("ramp-range", "error", f"{base}/ramp/{place}") for base in ("/default", "/schedule/0/default")]
    assert found(text) == (expected if place else [])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("{on: 50, off: 50}", ""),
        ("{on: 33.333, off: 66.667}", ""),
        ("{true: 99.9, false: 0.1}", ""),
        ("{on: 50, off: 40}", "split adds up to 90, not 100"),
        ("{on: 50, off: 50.001}", "split adds up to 100.001, not 100"),
        ("{on: 0}", "split adds up to 0, not 100"),
    ],
)
def test_splits_add_up(split: str, message: str) -> None:
    assert [p.message for p in problems(flag(f"default: {{split: {split}}}\n"))] == ([message] if message else [])


@pytest.mark.parametrize(
    ("times_", "places"),
    [
        (("2027-02-01", "2027-03-01"), []),
        (("2027-03-01", "2027-02-01"), [1]),
        (("2027-03-01", "2027-02-01", "2027-02-15"), [1, 2]),
        (("2027-02-01T00:00:00Z", "2027-02-01T01:00:00+01:00"), [1]),
        (("2027-02-01", "2027-06-01"), [1]),
        (("2027-02-01", "2027-05-31T23:59:59Z"), []),
    ],
)
def test_a_schedule_goes_forward_and_ends_before_the_flag_does(times_: tuple[str, ...], places: list[int]) -> None:
    entries = "".join(f"  - {{at: {at}, enabled: true}}\n" for at in times_)
    text = flag(f"schedule:\n{entries}", expires_at="2027-06-01")
    assert found(text) == [("schedule-order", "error", f"/schedule/{i}/at") for i in places]


DAY = 86400


@pytest.mark.parametrize(
    ("days", "kind", "rule", "severity"),
    [
        (-31, "release", "", ""),
        (-30.1, "release", "", ""),
        (-30, "release", "expires-soon", "warning"),
        (-0.001, "release", "expires-soon", "warning"),
        (-5, "permanent", "", ""),
        (0, "release", "expired", "warning"),
        (6.9, "release", "expired", "warning"),
        (7, "release", "expired", "error"),
        (700, "permanent", "expired", "error"),
    ],
)
def test_expiry_is_told_before_then_tolerated_then_an_error(days: float, kind: str, rule: str, severity: str) -> None:
    files = {
        FLAG: flag(expires_at="2027-01-01", kind=kind),
        "flags/flagctl.yaml": "environments: {production: {}}\ncheck: {expired_grace_days: 7}\n",
    }
    assert found(files, NOW + days * DAY) == ([(rule, severity, "/expires_at")] if rule else [])


def experiment(name: str, layer: str, slots: str = "") -> str:
    field = f", slots: {slots}" if slots else ""
    return f"split: {{on: 50, off: 50}}\n  experiment: {{name: {name}, layer: {layer}{field}}}\n"


@pytest.mark.parametrize(
    ("one", "other", "rules"),
    [
        (("a", "l", "[0, 50]"), ("b", "l", "[50, 100]"), []),
        (("a", "l", "[0, 50.001]"), ("b", "l", "[50, 100]"), ["slot-overlap"]),
        (("a", "l", "[20, 30]"), ("b", "l", "[0, 100]"), ["slot-overlap"]),
        (("a", "l", ""), ("b", "l", "[50, 100]"), ["slot-overlap"]),
        (("a", "l", "[0, 50]"), ("b", "other", "[0, 50]"), []),
        (("a", "l", "[0, 50]"), ("a", "l", "[0, 50]"), []),  # one experiment in two flags
        (("a", "l", "[60, 50]"), ("b", "l", "[50, 60]"), ["slot-range"]),
        (("a", "checkout", "[0, 50]"), ("b", "chekcout", "[0, 50]"), ["unknown-layer"]),
        (("a", "checkout-1", "[0, 50]"), ("b", "checkout-2", "[0, 50]"), []),
        (("a", "basket", "[0, 50]"), ("b", "payment", "[0, 50]"), []),
    ],
)
def test_layers_keep_experiments_apart(
    one: tuple[str, str, str], other: tuple[str, str, str], rules: list[str]
) -> None:
    files = {
        "flags/production/one.yaml": flag(f"default:\n  {experiment(*one)}"),
        "flags/production/other.yaml": flag(f"default:\n  {experiment(*other)}"),
    }
    assert [p.rule for p in problems(files)] == rules


def test_slots_are_an_environments_own() -> None:
    text = flag(f"default:\n  {experiment('a', 'l')}")
    other = text.replace("name: a", "name: b")
    settings = {"flags/flagctl.yaml": "environments: {staging: {}, production: {}}\n"}
    assert found(settings | {"flags/staging/a.yaml": text, "flags/production/b.yaml": other}) == []


def test_each_circle_is_told_once_and_only_who_is_in_it() -> None:
    needs = {"a": "bx", "b": "c", "c": "a", "d": "a", "self": ["self"], "x": ""}
    files = {
        f"flags/production/{key}.yaml": flag("requires:\n" + "".join(f"  - flag: {r}\n" for r in required))
        if required
        else flag()
        for key, required in needs.items()
    }
    assert [(p.file, p.message, p.pointer) for p in problems(files)] == [
        ("flags/production/a.yaml", "flags require each other: a → b → c → a", "/requires/0/flag"),
        ("flags/production/self.yaml", "flags require each other: self → self", "/requires/0/flag"),
    ]


def test_a_chain_of_requirements_may_be_long() -> None:
    files = {f"flags/production/f{i}.yaml": flag(f"requires: [{{flag: f{i + 1}}}]\n") for i in range(3000)}
    assert found(files | {"flags/production/f3000.yaml": flag()}) == []


def test_a_file_that_can_not_be_read_makes_no_noise_elsewhere() -> None:
    files = {
        "flags/flagctl.yaml": "environments: {staging: {}, production: {promotes_from: staging}}\n",
        "flags/staging/broken.yaml": "description: [",
        "flags/production/broken.yaml": flag("enabled: sometimes\n"),
        "flags/production/needs.yaml": flag("requires: [{flag: broken, variant: x}]\n"),
        "flags/staging/needs.yaml": flag(),
        "flags/production/segments/unused.yaml": "when: [{attribute: country, equals: DE}]\n",
        "flags/tests/broken.yaml": "tests:\n  - {environment: production, expect: {variant: nope}}\n",
    }
    assert [(p.file, p.rule) for p in problems(files)] == [
        ("flags/production/broken.yaml", "schema"),
        ("flags/staging/broken.yaml", "yaml-syntax"),
    ]


def test_expectations_name_what_there_is() -> None:
    files = {
        FLAG: flag(),
        "flags/tests/example.yaml": """\
tests:
  - {environment: prodution, expect: {variant: on}}
  - {context: {contry: DE, account: {plan: pro}}, matrix: {agee: [1], at: [2027-01-01]}, expect: {variant: on}}
  - {expect: {variant: onn}}
""",
        "flags/tests/exampel.yaml": "tests:\n  - {expect: {variant: on}}\n",
    }
    assert [(p.rule, p.line, p.hint) for p in problems(files)] == [
        ("unknown-flag", 2, "did you mean example?"),
        ("unknown-environment", 2, "did you mean production?"),
        ("unknown-attribute", 3, "did you mean country?"),
        ("unknown-attribute", 3, "did you mean age?"),
        ("unknown-variant", 4, "did you mean on?"),
    ]


def test_a_folder_that_settings_do_not_list_is_told_once() -> None:
    files = {"flags/prodution/a.yaml": flag(), "flags/prodution/b.yaml": flag()}
    assert [(p.file, p.rule, p.hint) for p in problems(files)] == [
        ("flags/prodution/a.yaml", "unknown-environment", "did you mean production?")
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (when("{attribute: contry, equals: DE}"), "did you mean country?"),
        (when("{segment: staf}"), "write flags/production/segments/staf.yaml"),
        (flag("requires: [{flag: other}]\n"), "promote or add that flag first"),
        (flag("default: {serve: onn}\n"), "did you mean on?"),
        (flag("overrides: {enabled: [me]}\n"), "there are on, off"),
        (flag("default: {split: {on: 50, off: 40}}\n"), "10 % are missing"),
        (when("{attribute: age, in: ['1']}"), "take the quotes away"),
        (when("{attribute: country, in: [1]}"), 'quote it: "1"'),
        (when("{attribute: plan, equals: premum}"), "did you mean premium?"),
        (
            when("{attribute: email, matches: '(?!x)'}"),
            "RE2 has no look-around; use two conditions, one of them under not:",
        ),
    ],
)
def test_hints_say_what_to_type(text: str, hint: str) -> None:
    assert [p.hint for p in problems(text)] == [hint]
