"""Which approvals a change needs, and who may give them."""

from __future__ import annotations

from typing import Any

import pytest
from flagtree import problems, reading

from flagctl.model import times
from flagctl.plan.approve import Review, Verdict, needed, people_of, verdicts
from flagctl.plan.plan import Approval, Sides, make

NOW = times.seconds("2027-01-01") or 0
TEAMS = """\
teams:
  growth: {members: ["@gina", gus@example.com]}
  sre: {handle: "@acme/sre", members: ["@sam"]}
"""


def settings(approvals: str, more: str = "") -> str:
    return f"environments:\n  production:\n    protected: true\n    approvals: {approvals}\n{more}{TEAMS}"


def flag(share: float, more: str = "", team: str = "growth") -> str:
    return f"description: A flag.\nowner: {{team: {team}}}\ndefault: {{rollout: {share}}}\n{more}"


def asked(before: dict[str, str], after: dict[str, str], policy: str, new_policy: str | None = None) -> list[Approval]:
    def side(flags: dict[str, str], said: str) -> Any:
        return reading({"flags/flagctl.yaml": said, **{f"flags/production/{k}.yaml": v for k, v in flags.items()}})

    sides = Sides(side(before, policy).repository, side(after, new_policy or policy).repository)
    made = make(sides, now=NOW, approve=lambda part, both: needed(part, both, NOW))
    return [need for part in made.environments for need in part.approvals]


ANY = settings("{required: 2, from: [sre]}")


@pytest.mark.parametrize(
    ("before", "after", "policy", "told"),
    [
        (flag(10), flag(20), ANY, ["needs 2 approvals by sre: f: changed"]),
        (flag(10), flag(10, "tags: [web]"), ANY, []),
        (flag(10), flag(20), settings("{}"), ["needs 1 approval: f: changed"]),
        (flag(10), flag(20), settings("{required: 0, owner: true}"), ["needs 1 approval by growth: growth owns f"]),
        # the owner before the change has to agree
        (
            flag(10),
            flag(20, team="sre"),
            settings("{required: 0, owner: true}"),
            ["needs 1 approval by growth: growth owns f"],
        ),
        (flag(10), flag(20), settings("{when: {rollout_over: 10}}"), []),
        (
            flag(10),
            flag(20.001),
            settings("{when: {rollout_over: 10}}"),
            ["needs 1 approval: f: over 10 % of a group get something else"],
        ),
        (flag(10), flag(20), settings("{when: {kinds: [ops]}}"), []),
        (
            flag(10, "kind: ops"),
            flag(20, "kind: ops"),
            settings("{when: {kinds: [ops]}}"),
            ["needs 1 approval: f: is of kind ops"],
        ),
        (flag(10), flag(20, "tags: [pay]"), settings("{when: {tags: [pay]}}"), ["needs 1 approval: f: is tagged pay"]),
        (
            flag(10),
            flag(5),
            settings("{when: {lints: [share-falls]}}"),
            ["needs 1 approval: f: points out share-falls"],
        ),
        (flag(10), None, settings("{when: {created: true}}"), ["needs 1 approval: f: removed"]),
        (
            flag(10),
            "a: [",
            settings("{when: {created: true}}"),
            ["needs 1 approval: flags/production/f.yaml can't be read"],
        ),
        ("a: [", flag(10), settings("{required: 2}"), ["needs 2 approvals: flags/production/f.yaml can't be read"]),
        ("a: [", "b: [", settings("{required: 2}"), []),
        (
            flag(10),
            flag(10, "schedule: [{at: 2027-02-01, default: {serve: on}}]"),
            settings("{when: {rollout_over: 50}}"),
            ["needs 1 approval: f: over 50 % of a group get something else"],
        ),
        (
            flag(10),
            flag(20),
            settings("{required: 0}", "    freeze: [{from: 2026-12-20, to: 2027-01-02, reason: holidays}]\n"),
            ["frozen until 2027-01-02T00:00:00Z: holidays"],
        ),
        (
            flag(10),
            flag(20),
            settings("{required: 0}", "    freeze: [{from: 2026-12-20, to: 2027-01-01, reason: holidays}]\n"),
            [],
        ),
    ],
)
def test_what_a_change_needs(before: str, after: str | None, policy: str, told: list[str]) -> None:
    assert [need.text for need in asked({"f": before}, {} if after is None else {"f": after}, policy)] == told


def test_a_change_can_not_let_itself_through() -> None:
    (need,) = asked({"f": flag(10)}, {"f": flag(90)}, ANY, settings("{required: 0}"))
    assert need.text == "needs 2 approvals by sre: what settings say of production changes"
    (need,) = asked({}, {}, ANY, ANY.replace('"@sam"', '"@mallory"'))
    assert need.count == 2
    assert asked({}, {}, ANY, ANY.replace("environments:", "defaults: {cache_ttl_seconds: 9}\nenvironments:")) == []


def test_a_flag_that_is_touched_by_another_needs_approval_too() -> None:
    needs = "requires: [{flag: g}]\n"
    before = {"f": flag(100, needs), "g": flag(10, team="sre")}
    found = asked(before, before | {"g": flag(40, team="sre")}, settings("{required: 0, owner: true}"))
    assert [need.text for need in found] == [
        "needs 1 approval by growth: growth owns f",
        "needs 1 approval by sre: sre owns g",
    ]


GINA, GUS, SAM, EVE = (("@gina",), ("@gus", "gus@example.com"), ("@Sam",), ("@eve",))


def approved(people: tuple[str, ...], **more: Any) -> Review:
    return Review(people=people, state="approved", **more)


@pytest.mark.parametrize(
    ("need", "reviews", "given"),
    [
        (Approval(count=1, why=""), [], 0),
        (Approval(count=1, why=""), [approved(EVE)], 1),
        (Approval(count=1, why=""), [approved(EVE, stale=True)], 0),
        (Approval(count=1, why=""), [Review(people=EVE, state="refused")], 0),
        (Approval(count=1, why=""), [approved(("@author",))], 0),
        (Approval(count=1, why="", who=("growth",)), [approved(EVE)], 0),
        (Approval(count=2, why="", who=("growth",)), [approved(GINA), approved(GUS)], 2),
        (Approval(count=2, why="", who=("sre", "@Eve")), [approved(SAM), approved(EVE)], 2),
        # known at the forge alone
        (Approval(count=1, why="", who=("sre",)), [approved(("@rita",))], 1),
        (Approval(count=1, why="", who=("nobody",)), [approved(("@rita",))], 0),
    ],
)
def test_whose_approval_counts(need: Approval, reviews: list[Review], given: int) -> None:
    known = reading({"flags/flagctl.yaml": ANY}).repository.settings
    members = people_of(known, {"@acme/sre": ["@Rita"]}.__getitem__)
    (found,) = verdicts([("production", need)], known, reviews, ["@Author"], members)
    assert (len(found.given), found.missing) == (given, need.count - given)


def test_the_authors_own_counts_where_settings_say_so_and_a_freeze_can_be_overridden() -> None:
    known = reading({"flags/flagctl.yaml": settings("{not_author: false}")}).repository.settings
    needs = [("production", Approval(why="")), ("production", Approval(kind="freeze", why="frozen"))]
    reviews = [approved(("@author",))]

    def missing(**more: Any) -> list[int]:
        return [v.missing for v in verdicts(needs, known, reviews, ["@author"], people_of(known), **more)]

    assert missing() == [0, 1]
    assert missing(overridden=True) == [0, 0]
    assert verdicts([], known, [], [], people_of(known)) == list[Verdict]()


def test_settings_that_make_no_sense_are_problems() -> None:
    bad = settings("{requierd: 2}")
    assert [p.rule for p in problems({"flags/flagctl.yaml": bad})] == ["unknown-field"]
    soon = settings("{}", "    freeze: [{from: yesterday, to: 2027-01-01, reason: x}]\n")
    assert [p.rule for p in problems({"flags/flagctl.yaml": soon})] == ["time"]
    late = settings("{from: [sree]}", "    freeze: [{from: 2027-02-01, to: 2027-01-01, reason: x}]\n")
    found = [p for p in problems({"flags/flagctl.yaml": late}) if p.rule in ("unknown-team", "freeze-order")]
    end = "write an end after 2027-02-01T00:00:00Z; a date alone is when that day begins, in UTC"
    assert sorted((p.rule, p.pointer, p.hint) for p in found) == [
        ("freeze-order", "/environments/production/freeze/0/to", end),
        ("unknown-team", "/environments/production/approvals/from/0", "did you mean sre?"),
    ]
    owned = settings("{owner: true}")
    (one,) = [
        p
        for p in problems({"flags/flagctl.yaml": owned, "flags/production/f.yaml": flag(1, team="web")})
        if p.rule == "unknown-team"
    ]
    assert one.pointer == "/owner/team"
