"""Merging two changes of one file: what each side changed is there, what both changed is a conflict, comments stay."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from flagctl.files import edit
from flagctl.files.become import become
from flagctl.files.merge import Conflict, Merged, merge, same
from flagctl.files.render import Writer

BASE = """\
# about the whole file
description: Show the gallery.   # required
owner: {team: growth}
tags: [wishlist, web]
overrides:
  on: [ada, bob]   # testers
  off:
    - carl
rules:
  # everybody here
  - name: staff
    when:
      - {attribute: email, ends_with: "@example.com"}
    serve: on   # staff
  # the beta
  - name: eu-beta
    when:
      - {segment: beta}
      - {attribute: country, in: [DE, FR]}   # eu
    rollout: 25   # slowly
default:
  rollout: 10
"""


def merged(ours: str, theirs: str, base: str = BASE, **options: Any) -> tuple[str, Merged]:
    done = merge(edit.read(base), edit.read(ours), edit.read(theirs), **options)
    return become(ours, done.data, theirs), done


def swap(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


NEW_RULE = """\
  # people who pay
  # since March
  - name: paying
    when:
      - {attribute: plan, equals: pro}   # or better
    serve: on
    # end of paying
"""
WITH_NEW = swap(BASE, ("  # the beta\n", NEW_RULE + "  # the beta\n"))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        # each side another field of one rule
        ([("rollout: 25", "rollout: 50")], [("[DE, FR]", "[DE, FR, AT]")],
         [("rollout: 25", "rollout: 50"), ("[DE, FR]", "[DE, FR, AT]")]),
        # sets: one takes out, the other puts in
        ([("[wishlist, web]", "[web]")], [("[wishlist, web]", "[wishlist, web, x]")],
         [("[wishlist, web]", "[web, x]")]),
        # a user who moves, another who comes
        ([("[ada, bob]", "[ada]"), ("    - carl\n", "    - carl\n    - bob\n")], [("[ada, bob]", "[ada, bob, dora]")],
         [("[ada, bob]", "[ada, dora]"), ("    - carl\n", "    - carl\n    - bob\n")]),
        # the kind of an outcome is one field
        ([("rollout: 25   # slowly", "serve: on   # slowly")], [("rollout: 10", "rollout: 20")],
         [("rollout: 25   # slowly", "serve: on   # slowly"), ("rollout: 10", "rollout: 20")]),
        # the same change twice, spelled in two ways
        ([("serve: on", "serve: off")], [("serve: on", "serve: false")], [("serve: on", "serve: off")]),
        # what only one deleted is gone, and the comment with it
        ([], [("  off:\n    - carl\n", "")], [("  off:\n    - carl\n", "")]),
        # a new rule brings its comments to its place, also where ours changed the rules around it
        ([("serve: on   # staff", "serve: off   # staff")], [("  # the beta\n", NEW_RULE + "  # the beta\n")],
         [("serve: on   # staff", "serve: off   # staff"), ("  # the beta\n", NEW_RULE + "  # the beta\n")]),
    ],
)  # fmt: skip
def test_changes_of_different_fields_are_both_made(
    ours: list[tuple[str, str]], theirs: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    text, done = merged(swap(BASE, *ours), swap(BASE, *theirs))
    assert done.conflicts == ()
    assert text == swap(BASE, *expected)


_AT = [BASE.index(words) for words in ("  # everybody", "  # the beta", "default:")]
MOVED = BASE[: _AT[0]] + BASE[_AT[1] : _AT[2]] + BASE[_AT[0] : _AT[1]] + BASE[_AT[2] :]


def test_rules_that_theirs_moved_move_with_our_changes_and_comments() -> None:
    text, done = merged(swap(BASE, ("rollout: 25", "rollout: 50")), MOVED)
    assert done.conflicts == ()
    assert text == swap(MOVED, ("rollout: 25", "rollout: 50"))


def test_two_new_rules_at_one_place_stand_there_both_ours_first() -> None:
    mine = swap(WITH_NEW, ("paying", "mine"))
    text, done = merged(mine, WITH_NEW)
    assert done.conflicts == ()
    assert [rule["name"] for rule in edit.read(text)["rules"]] == ["staff", "mine", "paying", "eu-beta"]
    assert text.count("# people who pay") == 2


@pytest.mark.parametrize(
    ("ours", "theirs", "conflict"),
    [
        (("rollout: 25", "rollout: 50"), ("rollout: 25", "rollout: 5"),
         Conflict(path=("rules", "eu-beta", "rollout"), base=25, ours=50, theirs=5)),
        (("rollout: 10", "rollout: 20"), ("rollout: 10", "serve: on"),
         Conflict(path=("default",), base={"rollout": 10}, ours={"rollout": 20}, theirs={"serve": "on"})),
        (("default:\n  rollout: 10\n", ""), ("rollout: 10", "rollout: 20"),
         Conflict(path=("default",), base={"rollout": 10}, theirs={"rollout": 20})),
        (("[ada, bob]", "[ada, bob, eve]"), ("    - carl\n", "    - carl\n    - eve\n"),
         Conflict(path=("overrides", "eve"), ours="on", theirs="off")),
        (("ends_with: ", "contains: "), ("ends_with: ", "starts_with: "),
         Conflict(path=("rules", "staff", "when", "email"),
                  base={"attribute": "email", "ends_with": "@example.com"},
                  ours={"attribute": "email", "contains": "@example.com"},
                  theirs={"attribute": "email", "starts_with": "@example.com"})),
        (("rollout: 10", "split: {on: 50, off: 50}"), ("rollout: 10", "split: {off: 50, on: 50}"),
         Conflict(path=("default",), base={"rollout": 10}, ours={"split": {"on": 50, "off": 50}},
                  theirs={"split": {"off": 50, "on": 50}})),
    ],
)  # fmt: skip
def test_what_both_changed_is_a_conflict_that_somebody_settles(
    ours: tuple[str, str], theirs: tuple[str, str], conflict: Conflict
) -> None:
    mine, yours = swap(BASE, ours), swap(BASE, theirs)
    text, done = merged(mine, yours)
    assert done.conflicts == (conflict,)
    assert text == mine
    settled, done = merged(mine, yours, settle=lambda found: "theirs" if found == conflict else None)
    assert done.conflicts == ()
    assert same(edit.read(settled), edit.read(yours))
    assert merged(mine, yours, settle=lambda found: "ours")[0] == mine


def test_a_rule_that_both_added_has_one_audience_or_the_other() -> None:
    mine = swap(BASE, ("  # the beta\n", NEW_RULE + "  # the beta\n"))
    yours = swap(mine, ("{attribute: plan, equals: pro}", "{attribute: country, equals: DE}"))
    done = merged(mine, yours)[1]
    assert [conflict.spelled for conflict in done.conflicts] == ["rules/paying/when"]
    assert done.data == edit.read(mine)


def test_fields_that_are_kept_never_move_and_what_is_around_them_does() -> None:
    theirs = swap(WITH_NEW, ("ada, bob", "zoe"), ("rollout: 25", "rollout: 99"), ("rollout: 10", "serve: on"))
    text, done = merged(BASE, theirs, kept=["overrides", "rules/eu-beta", "default/rollout"])
    assert done.conflicts == ()
    assert text == WITH_NEW


def test_files_that_are_new_or_gone() -> None:
    data = edit.read(BASE)
    assert merge(UNSET, UNSET, data) == Merged(data)
    assert merge(data, data, UNSET) == Merged(UNSET)
    changed = data | {"kind": "ops"}
    assert merge(data, changed, UNSET).conflicts == (Conflict(path=(), base=data, ours=changed),)
    assert merge(UNSET, data, changed) == Merged(changed)


def test_a_file_that_one_side_removed_goes_unless_the_other_changed_more_than_what_is_kept() -> None:
    data = edit.read(BASE)
    kept = ["overrides", "rules/staff"]
    mine = data | {"overrides": {"on": ["zoe"]}, "rules": data["rules"][1:]}
    assert merge(data, mine, UNSET, kept=kept) == Merged(UNSET)
    assert merge(data, UNSET, mine, kept=kept) == Merged(UNSET)
    changed = mine | {"kind": "ops"}
    assert merge(data, changed, UNSET, kept=kept).conflicts == (Conflict(path=(), base=data, ours=changed),)
    assert merge(data, UNSET, changed, kept=kept).conflicts == (Conflict(path=(), base=data, theirs=changed),)


# ---- properties ----

_few = st.sampled_from(["a", "b", "c", "d"])
_outcome = st.one_of(
    st.builds(lambda v: {"serve": v}, st.sampled_from(["on", "off"])),
    st.builds(lambda v, salt: {"rollout": v, **salt}, st.integers(0, 3), st.sampled_from([{}, {"salt": "s"}])),
    st.builds(lambda v: {"split": v}, st.sampled_from([{"on": 50, "off": 50}, {"off": 50, "on": 50}])),
)
_condition = st.one_of(
    st.builds(lambda c: {"attribute": "country", "in": c}, st.lists(_few, min_size=1, max_size=3, unique=True)),
    st.builds(lambda n: {"attribute": "age", "gte": n}, st.integers(0, 3)),
    st.builds(lambda n: {"segment": n}, _few),
    st.builds(lambda n: {"any": [{"segment": n}, {"attribute": "age", "lt": 9}]}, _few),
)
_rule = st.builds(
    lambda n, w, o: {"name": n, "when": w, **o}, _few, st.lists(_condition, min_size=1, max_size=2), _outcome
)
_users = st.dictionaries(_few, st.sampled_from(["on", "off"]), max_size=4).map(
    lambda of: {v: sorted(u for u in of if of[u] == v) for v in ("on", "off") if v in of.values()}
)


def _named(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({rule["name"]: rule for rule in rules}.values())


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "description": _few,
    "tags": st.lists(_few, min_size=1, max_size=3, unique=True),
    "overrides": _users.filter(bool),
    "rules": st.lists(_rule, min_size=1, max_size=4).map(_named),
    "default": _outcome,
    "enabled": st.booleans(),
}
_data = st.fixed_dictionaries({"description": _few}, optional=dict(list(FIELDS.items())[1:]))


def text_of(data: dict[str, Any], mark: str) -> str:
    """The data as a file, with a comment above each field and each rule."""
    lines: list[str] = []
    for key, value in data.items():
        lines.append(f"# {mark} {key}")
        for line in Writer(boolean=True).entry(key, value, 0):
            lines += [f"  # {mark} rule"] if line.startswith("  - name:") else []
            lines.append(line)
    return "\n".join(lines) + "\n"


_runs = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(_data, _data)
@_runs
def test_a_text_becomes_any_data_and_keeps_the_comments_of_what_stays(old: dict[str, Any], new: dict[str, Any]) -> None:
    text = become(text_of(old, "old"), new, text_of(new, "new"))
    assert same(edit.read(text), new)
    for key, value in new.items():
        if key in old and same(old[key], value):
            assert f"# old {key}\n" in text
        elif key not in old:
            assert f"# new {key}\n" in text
    assert become(text, new) == text


@given(_data, _data)
@_runs
def test_where_only_one_side_changed_it_is_taken(base: dict[str, Any], other: dict[str, Any]) -> None:
    assert same(merge(base, base, other).data, other)
    assert same(merge(base, other, base).data, other)
    text = text_of(other, "ours")
    assert become(text, merge(base, other, base).data, text_of(base, "base")) == text


@given(_data, _data, _data)
@_runs
def test_conflicts_are_the_same_from_both_sides_and_the_result_is_a_file(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    mine, yours = merge(base, ours, theirs), merge(base, theirs, ours)
    turned = {(c.path, repr(c.base), repr(c.theirs), repr(c.ours)) for c in yours.conflicts}
    assert {(c.path, repr(c.base), repr(c.ours), repr(c.theirs)) for c in mine.conflicts} == turned
    text = become(text_of(ours, "ours"), mine.data, text_of(theirs, "theirs"))
    assert same(edit.read(text), mine.data)
    again = merge(theirs, mine.data, theirs)
    assert same(again.data, mine.data)


@given(_data, st.data())
@_runs
def test_changes_of_two_people_that_do_not_touch_are_both_there(base: dict[str, Any], draw: st.DataObject) -> None:
    ours, theirs, both = dict(base), dict(base), dict(base)
    for name, strategy in FIELDS.items():
        who = draw.draw(st.sampled_from(["nobody", "ours", "theirs"]))
        new = draw.draw(strategy)
        for side in {"ours": (ours, both), "theirs": (theirs, both), "nobody": ()}[who]:
            side[name] = new
    done = merge(base, ours, theirs)
    assert done.conflicts == ()
    assert same(done.data, both)


@given(_data, st.data())
@_runs
def test_rules_of_two_people_are_both_there_and_nobodys_is_lost(base: dict[str, Any], draw: st.DataObject) -> None:
    mine = draw.draw(_rule) | {"name": "mine"}
    yours = draw.draw(_rule) | {"name": "yours"}
    rules = base.get("rules", [])
    sides = []
    for rule in (mine, yours):
        at = draw.draw(st.integers(0, len(rules)))
        sides.append(base | {"rules": [*rules[:at], rule, *rules[at:]]})
    done = merge(base, *sides)
    assert done.conflicts == ()
    found = done.data["rules"]
    assert [rule for rule in found if rule["name"] not in ("mine", "yours")] == rules
    for side in sides:
        assert [rule for rule in found if rule in side["rules"]] == side["rules"]
    assert len(found) == len(rules) + 2
