"""The blast radius against brute force: every bucket, 200,000 people, and contexts of chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from changed_snapshots import changed
from random_flags import contexts, world
from snapshots import NOW, arms, flag, rollout, rule, snapshot, split, test

from flagctl.evaluate.bucket import BUCKETS, bucket, key_text
from flagctl.evaluate.engine import Engine
from flagctl.evaluate.evaluator import Evaluator
from flagctl.evaluate.operators import lookup
from flagctl.plan.impact import Group, Impact, impact, timeline, without
from flagctl.plan.joint import Both, Snapshots, closure, place
from flagctl.plan.paths import in_force
from flagctl.plan.sentences import lines
from flagctl.plan.shares import cuts, shares

Document = Mapping[str, Any]
DE = test("country", "in", ["DE"])
EU = test("country", "in", ["DE", "FR"])
PRO = test("plan", "in", ["pro"])


def of(before: dict[str, Any] | None, after: dict[str, Any] | None, **more: Any) -> Impact:
    """The impact on the flag `f`; `more` are other flags, the same on both sides."""
    sides = [snapshot(({} if it is None else {"f": it}) | more) for it in (before, after)]
    return impact(sides[0], sides[1], "f", NOW)


def told(found: Impact) -> list[str]:
    """Each group in one line."""
    return [_line(group) for group in found.groups]


def _line(group: Group) -> str:
    ways = [place(group.before), place(group.after)]
    moves = ", ".join(f"{m.before}>{m.after} {float(m.share * 100):g}" for m in group.moves)
    marks = "".join(mark for mark, wanted in (("?", not group.whole), ("~", not group.exact)) if wanted)
    return f"{' > '.join(dict.fromkeys(ways))}{marks}: {moves}"


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (flag(default=rollout(25)), flag(default=rollout(50)), ["default: off>on 25"]),
        (flag(default=rollout(50)), flag(default=rollout(12.345)), ["default: on>off 37.655"]),
        (flag(default=rollout(50)), flag(default=rollout(50)), []),
        (flag(), flag(enabled=False), ["default > disabled: on>off 100"]),
        (flag(default=rollout(10), enabled=False), flag(default=rollout(10)), ["disabled > default: off>on 10"]),
        (None, flag(default=rollout(10)), ["no such flag > default: None>off 90, None>on 10"]),
        (flag(), None, ["default > no such flag: on>None 100"]),
        (flag(), flag(expires_at=NOW), ["default > expired: on>off 100"]),
        (
            flag(default=rollout(75, "a")),
            flag(default=rollout(75, "b")),
            ["default~: off>on 18.75, on>off 18.75"],
        ),
        (
            arms(default=split("a", 50_000, "b", 75_000, "c", 100_000, salt="one")),
            arms(default=split("a", 50_000, "b", 75_000, "c", 100_000, salt="two")),
            ["default~: a>b 12.5, a>c 12.5, b>a 12.5, c>a 12.5, b>c 6.25, c>b 6.25"],
        ),
        (
            arms(default=split("a", 50_000, "b", 100_000)),
            arms(default=split("b", 50_000, "a", 100_000)),
            ["default: a>b 50, b>a 50"],
        ),
        (
            arms(default=split("a", 50_000, "b", 100_000, experiment={"name": "e", "traffic": 20_000})),
            arms(default=split("a", 50_000, "b", 100_000, experiment={"name": "e", "traffic": 30_000})),
            ["default~: c>a 5, c>b 5"],
        ),
    ],
)
def test_shares_that_move(before: Any, after: Any, lines: list[str]) -> None:
    assert told(of(before, after)) == lines


def rules(*order: dict[str, Any]) -> dict[str, Any]:
    return flag(rules=list(order), default=rollout(0))


A, B = rule("a", DE, **rollout(50)), rule("b", PRO)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        # who is in both moves; who is in one of them stays where they were
        (rules(A, B), rules(B, A), ["rule a > rule b?: off>on 50"]),
        (rules(A), rules(A, B), ["default > rule b: off>on 100"]),
        (rules(A), rules(B, A), ["rule a > rule b?: off>on 50", "default > rule b?: off>on 100"]),
        (rules(A, B), rules(A), ["rule b > default: on>off 100"]),
        # wider: whoever was in it still is
        (rules(rule("a", DE)), rules(rule("a", EU)), ["default > rule a?: off>on 100"]),
        (rules(rule("a", DE)), rules(rule("a", DE, PRO)), ["rule a > default?: on>off 100"]),
        # other people altogether
        (
            rules(rule("a", DE)),
            rules(rule("a", test("country", "in", ["FR"]))),
            ["rule a > default: on>off 100", "default > rule a: off>on 100"],
        ),
        # another name is no other rule
        (rules(rule("a", DE)), rules(rule("z", DE)), []),
    ],
)
def test_people_who_change_their_way(before: Any, after: Any, lines: list[str]) -> None:
    assert told(of(before, after)) == lines


def test_a_segment_is_followed_to_its_flag() -> None:
    it = flag(rules=[rule("a", {"segment": "s"})], default={"serve": "off"})
    sides = [snapshot({"f": it}, {"s": [when]}) for when in (DE, EU)]
    assert told(impact(*sides, "f", NOW)) == ["default > rule a?: off>on 100"]


def test_a_required_flag_is_followed() -> None:
    core = flag(rules=[rule("staff", DE)], default=rollout(50, "core"))
    it = flag(requires=[{"flag": "core", "variant": "on"}], default=rollout(40, "f"))
    found = impact(
        snapshot({"core": core, "f": it}),
        snapshot({"core": core | {"default": rollout(75, "core")}, "f": it}),
        "f",
        NOW,
    )
    assert told(found) == ["default~: off>on 10"]
    assert found.groups[0].given == (("core", ("default",)),)


def test_two_variants_of_one_required_flag_are_never_met() -> None:
    """Not even where the last of the two is: the evaluator wants both."""
    both = [{"flag": "core", "variant": "off"}, {"flag": "core", "variant": "on"}]
    it = flag(requires=both[1:], default={"serve": "on"})
    found = of(it, it | {"requires": both}, core=flag())
    assert told(found) == ["default: on>off 100"]
    assert Evaluator(snapshot({"f": it | {"requires": both}, "core": flag()})).evaluate("f", {}, NOW).variant == "off"


def layered(count: int, salt: str) -> dict[str, Any]:
    """Rules with an experiment each, through all of which one person may pass."""
    drawn = [
        split("a", 50_000, "b", 100_000, salt=salt, experiment=LAYERED | {"name": f"{salt}{n}"}) for n in range(count)
    ]
    when = [test(f"attribute {n}", "in", ["x"]) for n in range(count)]
    return arms(rules=[rule(f"r{n}", when[n], **drawn[n]) for n in range(count)], default={"serve": "c"})


def test_too_many_ways_are_said_and_not_waited_for() -> None:
    few, many = (of(layered(count, "s"), layered(count, "t")) for count in (4, 30))
    assert (len(few.groups), few.unknown) == (15, False)
    assert many.unknown
    assert many.reach == 1
    assert lines(many)[0].startswith("too many ways lead through its experiments")
    assert not timeline(*(snapshot({"f": layered(30, salt)}) for salt in "st"), "f", NOW)[0]


def test_whoever_lacks_the_attribute_is_told_apart() -> None:
    found = of(flag(), flag(default=rollout(100, by="account.id")))
    (group,) = found.groups
    assert group.moves == ()
    (lacking,) = group.lacking
    assert lacking.attributes == ("account.id",)
    assert [(move.before, move.after, move.share) for move in lacking.moves] == [("on", "off", 1)]


def test_people_with_overrides_are_named_with_what_they_get() -> None:
    low = next(f"u{n}" for n in range(999) if bucket("portable", "salt", f"u{n}") < 50_000)
    high = next(f"u{n}" for n in range(999) if bucket("portable", "salt", f"u{n}") >= 50_000)
    before = flag(default=rollout(50), overrides={"on": [low, high, "ada"], "off": ["bob"]})
    after = flag(default=rollout(50), overrides={"off": ["ada", "bob", "cy"]})
    found = of(before, after)
    assert not found.groups
    moves = {user.user: user.moves for user in found.users}
    # cy and low: what they had, or have now, is known by their own buckets
    cy = "on" if bucket("portable", "salt", "cy") < 50_000 else "off"
    assert moves == {high: (("on", "off"),), "ada": (("on", "off"),)} | ({"cy": (("on", "off"),)} if cy == "on" else {})


def test_a_value_that_changes_under_its_name_counts() -> None:
    before = arms(default=split("a", 25_000, "b", 100_000))
    after = before | {"variants": {"a": "other", "b": "B", "c": "C"}}
    found = of(before, after)
    assert found.revalued == ("a",)
    assert told(found) == ["default: a>a 25"]


def test_a_timeline_says_what_will_be_different_when() -> None:
    before = flag(default=rollout(10))
    after = before | {
        "schedule": [{"at": NOW + 10, "default": rollout(20)}, {"at": NOW + 20, "enabled": False}],
        "expires_at": NOW + 30,
    }
    sides = snapshot({"f": before}), snapshot({"f": after})
    assert not impact(*sides, "f", NOW)
    moments, skipped = timeline(*sides, "f", NOW)
    assert [(found.at - NOW, told(found)) for found in moments] == [
        (10, ["default: off>on 10"]),
        (20, ["default > disabled: on>off 10"]),
        (30, ["default > expired: on>off 10"]),
    ]
    assert not skipped
    assert [found.at - NOW for found in timeline(*sides, "f", NOW, NOW + 20)[0]] == [10, 20]


def test_of_a_long_ramp_some_steps_are_looked_at() -> None:
    steps = [[NOW + number, number * 100] for number in range(1, 1001)]
    after = flag(default={"ramp": steps, "variant": "on", "rest": "off", "bucket_by": "targetingKey", "salt": "f"})
    moments, skipped = timeline(snapshot({"f": flag(default={"serve": "off"})}), snapshot({"f": after}), "f", NOW)
    assert told(moments[0]) == ["default: off>on 0.1"]
    assert told(moments[-1]) == ["default: off>on 100"]
    assert len(moments) + skipped == 1000
    assert len(moments) < 40


def cases(seed: int, count: int, requires: bool = True) -> Iterator[tuple[Random, Any, Document, Document, str, float]]:
    """(dice, the world, before, after, key, moment) of random flags and changes."""
    for number in range(count):
        dice = Random(seed + number)
        made = world(dice, flags=4)
        keys = [key for key, it in made.environment.flags.items() if requires or not it.requires]
        key = dice.choice(keys)
        after = changed(made.document, dice, key, dice.choice([1, 1, 2]))
        yield dice, made, made.document, after, key, dice.choice(made.moments(key))


def way(document: Document, key: str, context: Mapping[str, Any], now: float) -> tuple[str, str, tuple[str, ...]]:
    """The way a context takes, by asking the evaluator about each rule alone; overrides and requirements left aside."""
    it = document["flags"].get(key)
    if it is None:
        return "absent", "", ()
    if now >= it.get("expires_at", now + 1):
        return "expired", "", ()
    if not in_force(it, now)[0]:
        return "disabled", "", ()
    passed: tuple[str, ...] = ()
    for one in it.get("rules", ()):
        probe = flag(rules=[{"name": "r", "when": one["when"], "serve": "on"}], default={"serve": "off"})
        asked = Evaluator(dict(document) | {"flags": {key: probe}}).evaluate(key, context, now)
        if asked.variant == "on":
            if not {"slots", "traffic"} & one.get("experiment", {}).keys():
                return "rule", one["name"], passed
            passed += (one["name"],)
    return "default", "", passed


def taken(pairs: list[Both], before: Document, after: Document, key: str, context: Any, now: float) -> list[Both]:
    """The pairs of the ways a context takes: several where a required flag decides between them."""
    wanted = [way(document, key, context, now) for document in (before, after)]
    return [pair for pair in pairs if [(p.kind, p.name, p.passed) for p in (pair.before, pair.after)] == wanted]


def test_nobody_changes_who_is_not_counted() -> None:
    """Contexts of chance: whoever gets another answer is in a group, with that move, or is named."""
    seen: Counter[str] = Counter()
    for dice, made, before, after, key, now in cases(7_000, 500):
        found = impact(before, after, key, now)
        pairs = Snapshots(before, after, now).pairs(key)
        named = {user.user: user.moves for user in found.users}
        listed = {
            user
            for document in (before, after)
            for name in closure((before, after), key)
            for users in document["flags"].get(name, {}).get("overrides", {}).values()
            for user in users
        }
        for context, _ in contexts(made, dice, key, 25):
            answers = [Evaluator(document).evaluate(key, context, now) for document in (before, after)]
            move = (answers[0].variant, answers[1].variant)
            differs = move[0] != move[1] or move[0] in found.revalued
            user = key_text(lookup(context, "targetingKey"))
            if user in listed:
                assert not differs or move in named[user]
                seen["named"] += differs
                continue
            ways = taken(pairs, before, after, key, context, now)
            assert ways, (key, context)
            seen["differs" if differs else "same"] += 1
            possible = set()
            for pair in ways:
                by = {cut.draw.by for cut in cuts(pair.old, pair.new)}
                missing = [name for name in by if key_text(lookup(context, name)) is None]
                possible |= {m for m, share in shares(*without(pair.old, pair.new, missing)).items() if share}
            assert move in possible, (key, context)
            if differs:
                groups = [g for g in found.groups if (g.before, g.after) in {(p.before, p.after) for p in ways}]
                counted = {(m.before, m.after) for g in groups for m in g.moves}
                counted |= {(m.before, m.after) for g in groups for less in g.lacking for m in less.moves}
                assert move in counted
    assert min(seen["named"], seen["differs"], seen["same"]) > 20, seen


def column(document: Document, key: str, taken: Any, now: float) -> list[str | None] | None:
    """The answer for each of the 100,000 buckets, filled in arm by arm; None where more than one draw takes part."""
    it = document["flags"].get(key)
    if taken.kind in ("absent", "expired", "disabled"):
        return [it and it["off_variant"]] * BUCKETS
    outcome = (
        in_force(it, now)[1] if taken.kind == "default" else next(r for r in it["rules"] if r["name"] == taken.name)
    )
    if taken.passed or {"slots", "traffic"} & outcome.get("experiment", {}).keys():
        return None
    if "serve" in outcome:
        return [outcome["serve"]] * BUCKETS
    if "ramp" in outcome:
        share = max((s for at, s in outcome["ramp"] if at <= now), default=0)
        return [outcome["variant"]] * share + [outcome["rest"]] * (BUCKETS - share)
    filled: list[str | None] = []
    for variant, upper in outcome["split"]:
        filled += [variant] * (upper - len(filled))
    return filled


def test_exact_shares_are_what_all_buckets_say() -> None:
    compared = 0
    for _, _, before, after, key, now in cases(11_000, 120, requires=False):
        if any(document["flags"].get(key, {}).get("requires") for document in (before, after)):
            continue
        for pair in Snapshots(before, after, now).pairs(key):
            drawn = {cut.draw for cut in cuts(pair.old, pair.new) if len(cut.parts) > 1}
            columns = [column(before, key, pair.before, now), column(after, key, pair.after, now)]
            if len(drawn) > 1 or None in columns:
                continue
            counted = Counter(zip(*columns, strict=True))  # type: ignore[arg-type]
            assert shares(pair.old, pair.new) == {move: Fraction(n, BUCKETS) for move, n in counted.items()}
            compared += 1
    assert compared > 30


def test_the_evaluator_says_the_same_in_every_bucket() -> None:
    sides = [snapshot({"f": flag(rules=[rule("a", DE, **rollout(share))])}) for share in (33.333, 66.667)]
    context = {"targetingKey": "x", "country": "DE"}
    asked = [Evaluator(side) for side in sides]
    counted = Counter(
        tuple(one.evaluate("f", context, NOW, bucket=number).variant for one in asked) for number in range(BUCKETS)
    )
    (group,) = impact(*sides, "f", NOW).groups
    assert {(m.before, m.after): m.share * BUCKETS for m in group.moves} == {
        move: n for move, n in counted.items() if move[0] != move[1]
    }


KEYS = 200_000
LAYERED = {"name": "e", "layer": "l", "slots": [10_000, 60_000], "traffic": 50_000}
WIDER = LAYERED | {"slots": [5_000, 70_000], "traffic": 80_000}
CORE = flag(default=rollout(60, "core"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (flag(default=rollout(30, "f")), flag(default=rollout(45, "f"))),
        (flag(default=rollout(30, "f")), flag(default=rollout(30, "g"))),
        (
            arms(default=split("a", 30_000, "b", 100_000, experiment=LAYERED)),
            arms(default=split("a", 60_000, "b", 100_000, experiment=WIDER)),
        ),
        (
            arms(rules=[rule("x", **split("a", 50_000, "b", 100_000, experiment=LAYERED))], default={"serve": "b"}),
            arms(rules=[rule("x", **split("a", 50_000, "b", 100_000, experiment=WIDER))], default={"serve": "a"}),
        ),
        (
            flag(requires=[{"flag": "core", "variant": "on"}], default=rollout(50, "f")),
            flag(default=rollout(75, "f")),
        ),
    ],
)
def test_shares_agree_with_200_000_people(before: dict[str, Any], after: dict[str, Any]) -> None:
    """As far as chance lets them: five standard deviations of a binomial count."""
    found = of(before, after, core=CORE)
    (group,) = found.groups
    asked = [Engine.load(snapshot({"f": it, "core": CORE})) for it in (before, after)]
    counted: Counter[tuple[str | None, ...]] = Counter()
    for number in range(KEYS):
        context = {"targetingKey": f"user-{number}"}
        counted[tuple(one.variant("f", context, NOW) for one in asked)] += 1
    moves = {(m.before, m.after): m.share for m in group.moves}
    assert set(moves) == {move for move in counted if move[0] != move[1]}
    for move, share in moves.items():
        assert abs(counted[move] - KEYS * share) < 5 * (KEYS * share * (1 - share)) ** 0.5 + 1
