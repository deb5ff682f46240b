"""`flagctl plan`: what it compares, what it says, and that programs can read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flagtree import reading

from flagctl.model import times
from flagctl.plan import document, markdown
from flagctl.plan.plan import Approval, FlagPlan, Plan, Sides, make

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "schema" / "plan.schema.json").read_text())
NOW = times.seconds("2027-01-01") or 0
SETTINGS = """\
environments:
  staging: {}
  production: {promotes_from: staging, protected: true}
"""


def flag(*lines: str) -> str:
    return "\n".join(("description: A flag.", "owner: {team: growth}", *lines, ""))


HALF = flag("default: {rollout: 50}")
EU = "description: People.\nwhen:\n  - {attribute: country, in: [%s]}\n"
SEGMENTED = flag("rules:", "  - {name: eu, when: [{segment: eu}], serve: on}", "default: {serve: off}")
EXPERIMENT = flag(
    "type: string",
    "variants: {a: A, b: B}",
    "off_variant: a",
    "default:",
    "  split: {a: %s, b: %s}",
    "  experiment: {name: e, layer: l, slots: [0, %s], traffic: %s}",
)


def planned(before: dict[str, str], after: dict[str, str], settings: str = SETTINGS, **more: Any) -> Plan:
    """The plan between two trees of production; a name alone is a flag there, a path is a path below flags/."""

    def tree(files: dict[str, str]) -> Any:
        paths = {(f"flags/{n}" if "/" in n else f"flags/production/{n}") + ".yaml": text for n, text in files.items()}
        return reading({"flags/flagctl.yaml": settings, **paths}).repository

    made = make(Sides(tree(before), tree(after)), now=NOW, **more)
    jsonschema.validate(document.document(made), SCHEMA)
    return made


def only(made: Plan) -> FlagPlan:
    (part,) = made.environments
    (one,) = part.flags
    return one


def test_nothing_changes_where_only_the_spelling_does() -> None:
    assert not planned({"f": HALF}, {"f": HALF.replace("50", "50.000")})
    assert "Nothing changes" in markdown.comment(planned({}, {}))


def test_a_segment_touches_the_flags_that_use_it_within_others_too() -> None:
    nested = {"production/segments/outer": "description: O.\nwhen: [{segment: eu}]\n"}
    flags = {"f": SEGMENTED.replace("segment: eu", "segment: outer"), "g": HALF}
    before = flags | nested | {"production/segments/eu": EU % "DE"}
    after = flags | nested | {"production/segments/eu": EU % "DE, FR"}
    found = only(planned(before, after))
    assert (found.key, found.status, found.because) == ("f", "touched", ("segment eu: country gained FR",))
    assert document.impact(found.impact)["text"] == ["people who now match eu and were in default: off → on 100.000 %"]


def test_requirements_are_followed_all_the_way() -> None:
    def needs(key: str) -> str:
        return flag(f"requires: [{{flag: {key}}}]", "default: {serve: on}")

    flags = {"b": needs("a"), "c": needs("b"), "d": HALF}
    made = planned(flags | {"a": HALF}, flags | {"a": HALF.replace("50", "80")})
    assert {one.key: one.status for one in made.environments[0].flags} == {
        "a": "changed",
        "b": "touched",
        "c": "touched",
    }
    assert all(float(one.impact.reach) == 0.3 for one in made.environments[0].flags)


def test_an_attribute_touches_the_flags_that_ask_for_it() -> None:
    used = flag("rules:", "  - {name: r, when: [{attribute: country, exists: true}], serve: on}")
    types = [{"attributes": f"attributes:\n  country: {{type: {kind}}}\n"} for kind in ("string", "semver")]
    trees = [
        reading(
            {"flags/flagctl.yaml": SETTINGS, "flags/attributes.yaml": t["attributes"], "flags/production/f.yaml": used}
        )
        for t in types
    ]
    made = make(Sides(trees[0].repository, trees[1].repository), now=NOW)
    assert only(made).because == ("attribute country: string → semver",)
    assert not only(made).impact


def test_another_generation_re_assigns_everybody_who_is_drawn() -> None:
    flags = {"f": HALF, "g": flag("default: {serve: on}")}
    made = planned(flags, flags, SETTINGS)
    assert not made
    trees = [reading({"flags/flagctl.yaml": f"bucketing: {of}\n{SETTINGS}", "flags/production/f.yaml": HALF,
                      "flags/production/g.yaml": flags["g"]}).repository for of in ("flagd-2", "flagd-3")]  # fmt: skip
    found = only(make(Sides(*trees), now=NOW))
    assert document.impact(found.impact)["text"] == [
        "everybody: re-assigns 50.000 % of them (off → on 25.000 %, on → off 25.000 %); expected, of independent hashes"
    ]
    assert [lint.id for lint in found.lints] == ["re-randomised"]


def test_the_worst_comes_first_and_the_unnoticed_last() -> None:
    before = {"quiet": HALF, "small": HALF, "big": HALF, "later": flag("default: {serve: off}")}
    after = {
        "quiet": HALF.replace("A flag", "The flag"),
        "small": HALF.replace("50", "51"),
        "big": HALF.replace("50", "100"),
        "later": flag("default: {serve: off}", "schedule: [{at: 2027-02-01, default: {serve: on}}]"),
    }
    made = planned(before, after)
    assert [one.key for one in made.environments[0].flags] == ["big", "small", "later", "quiet"]
    protected = planned(before | {"staging/x": HALF}, after | {"staging/x": HALF.replace("50", "60")})
    assert [part.name for part in protected.environments] == ["production", "staging"]
    assert [part.name for part in planned(before, after, environment="staging").environments] == []


def test_dated_changes_are_looked_at_until_the_time_asked_for() -> None:
    dated = flag("default: {serve: off}", "schedule:", "  - {at: 2027-02-01, default: {rollout: 10}}",
                 "  - {at: 2027-03-01, default: {rollout: 20}}")  # fmt: skip
    base = {"f": flag("default: {serve: off}")}
    assert [times.text(i.at)[:7] for i in only(planned(base, {"f": dated})).coming] == ["2027-02", "2027-03"]
    until = times.seconds("2027-02-15")
    assert [times.text(i.at)[:7] for i in only(planned(base, {"f": dated}, until=until)).coming] == ["2027-02"]


UP = {"staging/f": HALF}
TESTED = {"staging/f": EXPERIMENT % (50, 50, 50, 20)}


@pytest.mark.parametrize(
    ("before", "after", "lints"),
    [
        (UP | {"f": HALF}, UP | {"f": HALF.replace("50", "40")}, {"share-falls": "everybody: 10.000 % lose on"}),
        (UP | {"f": HALF}, UP | {"f": HALF.replace("50", "60")}, {}),
        (
            UP | {"f": HALF},
            UP | {"f": HALF.replace("50", "50, salt: other")},
            {"re-randomised": "everybody: the salt changed, 50.000 % are expected to switch"},
        ),
        (
            TESTED | {"f": EXPERIMENT % (50, 50, 50, 20)},
            TESTED | {"f": EXPERIMENT % (40, 60, 60, 30)},
            {
                "experiment-changed": "experiment e is running: arms a 50 %/b 50 % → a 40 %/b 60 %, "
                "traffic 20 % → 30 %, layer l 0 %–50 % → layer l 0 %–60 %"
            },
        ),
        (
            TESTED | {"f": EXPERIMENT % (50, 50, 50, 20)},
            TESTED | {"f": EXPERIMENT % (50, 50, 50, 20) + "expires_at: 2028-01-01\n"},
            {},
        ),
        ({}, {"f": HALF}, {"unseen-upstream": "staging never had this flag"}),
        (UP, UP | {"f": HALF}, {}),
        (
            UP | {"f": HALF},
            UP | {"f": HALF + "rules: [{name: r, when: [{attribute: country, in: [DE]}], serve: on}]\n"},
            {"unseen-upstream": "staging never had rule r with these conditions"},
        ),
        (
            UP | {"f": HALF},
            UP | {"f": HALF + "overrides: {on: [ada, bob@example.com]}\n"},
            {"override-email": "overrides name bob@example.com"},
        ),
    ],
)
def test_what_is_worth_a_second_look(before: dict[str, str], after: dict[str, str], lints: dict[str, str]) -> None:
    found = {lint.id: lint.text for lint in only(planned(before, after)).lints}
    assert found == lints


def test_a_rule_that_moves_across_another_is_told() -> None:
    rules = ["  - {name: a, when: [{attribute: country, in: [DE]}], serve: on}",
             "  - {name: b, when: [{attribute: plan, in: [pro]}], serve: off}"]  # fmt: skip
    sides = [{"f": flag("rules:", *order), "staging/f": flag("rules:", *rules)} for order in (rules, rules[::-1])]
    found = {lint.id: lint.text for lint in only(planned(*sides)).lints}
    assert found["rule-moved"] == "rule b now comes before rule a: who matches both switches from a to b"


def test_of_many_groups_the_first_are_told_and_all_are_in_the_document() -> None:
    rules = [f"  - {{name: r{n}, when: [{{attribute: roles, includes: r{n}}}], rollout: {n}}}" for n in range(1, 21)]
    made = planned(*({"f": flag("rules:", *order)} for order in (rules, rules[::-1])))
    found = document.document(made)["environments"][0]["flags"][0]
    assert len(found["impact"]["groups"]) == 190
    assert [lint["text"] for lint in found["lints"] if lint["id"] == "rule-moved"][-1] == "and 185 more like these"
    assert "171 groups more" in markdown.comment(made)


def test_problems_are_told_that_only_one_side_has() -> None:
    trees = [reading({"flags/flagctl.yaml": SETTINGS, "flags/production/f.yaml": text}) for text in (HALF, flag())]
    from flagctl.check.run import check

    bad = reading({"flags/flagctl.yaml": SETTINGS, "flags/production/f.yaml": HALF + "requires: [{flag: g}]\n"})
    problems = check(trees[0], NOW), check(bad, NOW)
    made = make(Sides(trees[0].repository, bad.repository, problems), now=NOW)
    assert [one.rule for one in made.new] == ["unknown-flag"]
    assert not made.fixed
    back = make(Sides(bad.repository, trees[0].repository, problems[::-1]), now=NOW)
    assert [one.rule for one in back.fixed] == ["unknown-flag"]
    assert not make(Sides(bad.repository, trees[0].repository, problems[::-1]), now=NOW, environment="staging").fixed


def test_a_flag_whose_file_has_problems_is_not_taken_for_removed() -> None:
    flags = {"f": HALF, "g": HALF}
    broken = {"f": "description: [\n", "g": HALF.replace("50", "60")}
    assert [one.key for one in planned(flags, broken).environments[0].flags] == ["g"]
    assert [one.key for one in planned(broken, flags).environments[0].flags] == ["g"]


def test_approvals_come_from_who_knows_them() -> None:
    made = planned(
        {"f": HALF}, {}, approve=lambda part, sides: [Approval(who=("sre",), why=f"{part.name} is protected")]
    )
    assert made.environments[0].approvals == (Approval(who=("sre",), why="production is protected"),)
    assert "needs 1 approval by sre: production is protected" in markdown.comment(made)


def test_a_comment_never_outgrows_githubs_limit_and_keeps_the_worst() -> None:
    many = {f"flag-{n:04}": HALF for n in range(600)}
    made = planned(many, {key: text.replace("50", str(60 + n % 40)) for n, (key, text) in enumerate(many.items())})
    whole = markdown.comment(made)
    assert len(whole) <= markdown.LIMIT
    assert "`flag-0039`" in whole  # one of those that reach most people
    for limit in (20_000, 4_000, 600):
        short = markdown.comment(made, limit)
        assert len(short) <= limit
        assert short.startswith(markdown.MARK)
        assert "flagctl plan" in short


def test_text_from_files_is_no_markdown() -> None:
    evil = HALF.replace("A flag.", "'| <script> @everyone `x` [a](b) ![i](j)'")
    said = markdown.comment(planned({}, {"f": evil}))
    assert markdown.text("@team <b> | `") == "@\u200bteam \\<b\\> \\| \\`"
    assert "<script>" not in said
