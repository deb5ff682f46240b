"""Edits change one value: its data exactly, and no byte of the text around it."""

from __future__ import annotations

import difflib
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.errors import RefusedError, UsageError
from flagctl.files import edit
from flagctl.files.render import Writer

FLAG = """\
# yaml-language-server: $schema=../../schema/flag.schema.json
# header
---
description: Show the wishlist gallery page.            # required
owner: {team: growth, email: growth@example.com}         # team required
tags: [wishlist, web]   # t
kind: release

enabled: true                 # the kill switch
expires_at: 2027-03-01T00:00:00Z    # from then on
variants:
    'on':   true
    "off":  false
requires:                     # every one must hold
  - flag: wishlist-core       # c
    variant: on
overrides:
  on: [alice@example.com, user-42]  # people
rules:                        # first match wins
  - name: staff
    when:
      - {attribute: email, ends_with: "@example.com"}
    serve: on    # staff
  # - name: old
  #   serve: off

  - name: eu-beta
    when:
      - {segment: beta-testers}
      - any:
          - {attribute: country, in: [DE, FR]}   # eu
          - {attribute: app_version, semver_gte: 2.3.0}
    rollout: 25   # slowly
    salt: "s"

# the default
default:
  # nothing yet
  serve: off   # off
  # end of default
schedule:
  - {at: 2026-12-01T09:00:00Z, enabled: true, default: {rollout: 10}}
# the end
"""


def changed(before: str, after: str) -> list[str]:
    """Lines taken away (-) and added (+), their line ends with them."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line[0] + line[2:] for line in lines if line[0] in "-+"]


def at(path: str) -> list[str]:
    return path.split("/")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("rules/eu-beta/rollout", 50, ["-    rollout: 25   # slowly\n", "+    rollout: 50   # slowly\n"]),
        ("rules/0/serve", "off", ["-    serve: on    # staff\n", "+    serve: off    # staff\n"]),
        ("owner/team", "web: core", [
            "-owner: {team: growth, email: growth@example.com}         # team required\n",
            '+owner: {team: "web: core", email: growth@example.com}         # team required\n']),
        ("tags/0", "no", ["-tags: [wishlist, web]   # t\n", '+tags: ["no", web]   # t\n']),
        ("tags/-", "12", ["-tags: [wishlist, web]   # t\n", '+tags: [wishlist, web, "12"]   # t\n']),
        ("overrides/off", ["on", "bob"], ['+  off: ["on", bob]\n']),
        ("cache_ttl_seconds", 5, ["+cache_ttl_seconds: 5\n"]),
        ("documentation_url", "https://x.example/a#b", ["+documentation_url: https://x.example/a#b\n"]),
        ("rules/staff/description", "All of us", ["+    description: All of us\n"]),
        ("rules/eu-beta/salt", "t", ['-    salt: "s"\n', '+    salt: "t"\n']),
        ("expires_at", "2028-01-01", [
            "-expires_at: 2027-03-01T00:00:00Z    # from then on\n", "+expires_at: 2028-01-01    # from then on\n"]),
        ("schedule/2026-12-01T09:00:00Z/enabled", False, [
            "-  - {at: 2026-12-01T09:00:00Z, enabled: true, default: {rollout: 10}}\n",
            "+  - {at: 2026-12-01T09:00:00Z, enabled: false, default: {rollout: 10}}\n"]),
        ("requires", [{"flag": "a", "variant": "on"}], [
            "-  - flag: wishlist-core       # c\n", "+  - flag: a\n"]),
        ("rules/-", {"name": "new", "when": [{"attribute": "country", "equals": "NO"}], "rollout": 5}, [
            "+  - name: new\n", "+    when:\n", '+      - {attribute: country, equals: "NO"}\n', "+    rollout: 5\n"]),
        ("bucketing/algorithm", "launchdarkly-sha1", ["+bucketing: {algorithm: launchdarkly-sha1}\n"]),
    ],
)  # fmt: skip
def test_setting_changes_only_the_lines_of_the_value(path: str, value: Any, expected: list[str]) -> None:
    assert sorted(changed(FLAG, edit.set_value(FLAG, at(path), value))) == sorted(expected)


@pytest.mark.parametrize(
    ("path", "outcome", "expected"),
    [
        ("default", {"rollout": 25}, ["-  serve: off   # off\n", "+  rollout: 25   # off\n"]),
        ("default", {"split": {"on": 20, "off": 80}}, [
            "-  serve: off   # off\n", "+  split: {on: 20, off: 80}   # off\n"]),
        ("default", {"serve": "on"}, ["-  serve: off   # off\n", "+  serve: on   # off\n"]),
        ("rules/eu-beta", {"serve": "on"}, [
            "-    rollout: 25   # slowly\n", '-    salt: "s"\n', "+    serve: on   # slowly\n"]),
        ("rules/eu-beta", {"split": {"on": 1, "off": 99}}, [
            "-    rollout: 25   # slowly\n", "+    split: {on: 1, off: 99}   # slowly\n"]),
        ("schedule/0/default", {"serve": "off"}, [
            "-  - {at: 2026-12-01T09:00:00Z, enabled: true, default: {rollout: 10}}\n",
            "+  - {at: 2026-12-01T09:00:00Z, enabled: true, default: {serve: off}}\n"]),
    ],
)  # fmt: skip
def test_an_outcome_takes_the_place_of_the_old_one(path: str, outcome: dict[str, Any], expected: list[str]) -> None:
    assert sorted(changed(FLAG, edit.set_outcome(FLAG, at(path), outcome))) == sorted(expected)


def test_an_outcome_is_created_where_there_is_none() -> None:
    assert edit.set_outcome("description: x\n", ["default"], {"rollout": 5}) == (
        "description: x\ndefault:\n  rollout: 5\n"
    )


def test_a_split_keeps_its_order_and_comments_when_its_weights_change() -> None:
    text = "default:\n  split:\n    b: 50  # calm\n    a: 50  # bold\n"
    after = edit.set_outcome(text, ["default"], {"split": {"a": 40, "b": 60}})
    assert after == "default:\n  split:\n    b: 60  # calm\n    a: 40  # bold\n"


@pytest.mark.parametrize(
    ("path", "prune", "expected"),
    [
        ("rules/staff", True, ["-  - name: staff\n", "-    when:\n",
            '-      - {attribute: email, ends_with: "@example.com"}\n', "-    serve: on    # staff\n"]),
        ("rules/staff/name", True, ["-  - name: staff\n", "-    when:\n", "+  - when:\n"]),
        ("tags/0", True, ["-tags: [wishlist, web]   # t\n", "+tags: [web]   # t\n"]),
        ("tags/1", True, ["-tags: [wishlist, web]   # t\n", "+tags: [wishlist]   # t\n"]),
        ("overrides/on", True, ["-overrides:\n", "-  on: [alice@example.com, user-42]  # people\n"]),
        ("overrides/on", False, [
            "-overrides:\n", "-  on: [alice@example.com, user-42]  # people\n", "+overrides: {}  # people\n"]),
        ("requires/wishlist-core", True, ["-requires:                     # every one must hold\n",
            "-  - flag: wishlist-core       # c\n", "-    variant: on\n"]),
        ("description", True, ["-description: Show the wishlist gallery page.            # required\n"]),
        ("schedule/0/default", True, [
            "-  - {at: 2026-12-01T09:00:00Z, enabled: true, default: {rollout: 10}}\n",
            "+  - {at: 2026-12-01T09:00:00Z, enabled: true}\n"]),
    ],
)  # fmt: skip
def test_deleting_takes_the_value_and_nothing_else(path: str, prune: bool, expected: list[str]) -> None:
    assert sorted(changed(FLAG, edit.delete(FLAG, at(path), prune=prune))) == sorted(expected)


def test_removing_the_last_member_of_a_list_removes_its_key() -> None:
    text = "overrides:\n  on: [a, b]\n  off:\n  - c\n"
    text = edit.remove_item(text, ["overrides", "off"], "c")
    assert text == "overrides:\n  on: [a, b]\n"
    text = edit.remove_item(text, ["overrides", "on"], "a")
    assert text == "overrides:\n  on: [b]\n"


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a: 1\r\nb:\r\n  c: 2  # x\r\n", "b/d", 3, "a: 1\r\nb:\r\n  c: 2  # x\r\n  d: 3\r\n"),
        ("a: 1\r\nb: 2", "b", 3, "a: 1\r\nb: 3"),
        ("a: 1\nb: 2", "c", 3, "a: 1\nb: 2\nc: 3"),
        ("\ufeffa: 1\n", "b", 2, "\ufeffa: 1\nb: 2\n"),
        ("{a: 1}", "b", [1], "{a: 1, b: [1]}"),
        ("a:\nb: 1\n", "a", 2, "a: 2\nb: 1\n"),
        ("a:   # why\nb: 1\n", "a", 2, "a: 2   # why\nb: 1\n"),
        ("a:   # why\nb: 1\n", "a/x", [{"z": 1}], "a:   # why\n  x:\n    - z: 1\nb: 1\n"),
        ("a: []  # none\nb: 1\n", "a/-", {"x": 1}, "a:  # none\n  - x: 1\nb: 1\n"),
        ("a: >-  # folded\n  one\n  two\n\n# end\n", "a", "x", "a: x  # folded\n\n# end\n"),
        ("a: |+\n  one\n\n", "b", 1, "a: |+\n  one\n\nb: 1\n"),
        ("a: |\n  one\n\n# end\n", "b", 1, "a: |\n  one\nb: 1\n\n# end\n"),
        ("a: 'it''s'\n", "a", "I'm", "a: 'I''m'\n"),
        ("a: \"x\"\n", "a", "y", 'a: "y"\n'),
        ("a: x\n", "a", "grün: 日本", 'a: "grün: 日本"\n'),
        ("a: x\n", "a", "\u2028\x85\x7f", 'a: "\\u2028\\u0085\\u007f"\n'),
        ("a: [\n  1,  # one\n  2  # two\n]\n", "a/-", 3, "a: [\n  1,  # one\n  2,  # two\n  3\n]\n"),
        ("a: [\n  1,  # one\n  2,  # two\n]\n", "a/-", 3, "a: [\n  1,  # one\n  2,  # two\n  3,\n]\n"),
        ("a:\n- 1\n- 2\nb: 1\n", "a/-", 3, "a:\n- 1\n- 2\n- 3\nb: 1\n"),
        ("a:\n- x: 1\nb: 1\n", "c", [{"z": 1}], "a:\n- x: 1\nb: 1\nc:\n- z: 1\n"),
        ("a:\n    b:\n        c: 1\n", "a/d", {"e": [[1]]},
            "a:\n    b:\n        c: 1\n    d:\n        e:\n          - [1]\n"),
        ("? a\n: 1\n", "a", 2, "? a\n: 2\n"),
        ("a: 1\n...\n# behind\n", "b", 2, "a: 1\nb: 2\n...\n# behind\n"),
        ("a: !!str 12  # t\n", "a", "13", 'a: "13"  # t\n'),
        ("a: &x 1\n", "a", 2, "a: 2\n"),
        ("a: &x 1\nb: *x\n", "c", 2, "a: &x 1\nb: *x\nc: 2\n"),
    ],
)  # fmt: skip
def test_every_layout(text: str, path: str, value: Any, expected: str) -> None:
    assert edit.set_value(text, at(path), value) == expected


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("a: &x {b: 1}\nc: *x\n", "a", "anchor &x"),
        ("a: &x {b: 1}\nc: *x\n", "a/b", "anchor &x"),
        ("a: {b: &x 1}\nc: *x\n", "a", "anchor &x"),
        ("a: &x {b: 1}\nc: *x\n", "c", "alias *x"),
        ("a: &x {b: 1}\nc: *x\n", "c/b", "alias *x"),
        ("[1, 2]\n", "0", "can't be edited"),
        ("", "a", "can't be edited"),
        ("{}\n", "a", "no mapping"),
    ],
)
def test_what_is_shared_or_no_mapping_is_refused(text: str, path: str, words: str) -> None:
    with pytest.raises(RefusedError) as raised:
        edit.set_value(text, at(path), 5)
    assert words in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("path", "words", "hint"),
    [
        ("rules/eu-bta/rollout", 'rules has no member "eu-bta"', "did you mean eu-beta?"),
        ("rules/7/rollout", 'rules has no member "7"', "there are staff, eu-beta"),
        ("enabled/x", "enabled is a single value", ""),
    ],
)
def test_a_place_that_is_not_there_is_named(path: str, words: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        edit.set_value(FLAG, at(path), 5)
    assert words in raised.value.message
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    "word",
    ["no", "on", "Off", "y", "true", "null", "~", "", " x", "x ", "1", "-1", "1_000", "0o14", "0x1f", "1e5", ".5",
     ".inf", "12:30", "12:30:45", "2027-01-01", "2.10", "a: b", "a #b", "a:", "- a", "-", "[a", "{a", "*a", "&a", "!a",
     "|", ">", "%a", "@a", "`a", "'a", '"a', "#a", "?", "? a", "=", "<<", "a\nb", "a\tb", "...", "---", ",a"],
)  # fmt: skip
def test_text_that_a_reader_might_take_for_something_else_is_quoted(word: str) -> None:
    written = Writer(boolean=True).scalar(word, "description")
    assert written[0] in "\"'"
    assert edit.read(f"a: {written}\n") == {"a": word}


@pytest.mark.parametrize("word", ["a,b", "a[0]", "a}", "a:b"])
def test_flow_indicators_are_quoted_in_flow(word: str) -> None:
    assert Writer().scalar(word) == word
    assert Writer().scalar(word, flow=True) == f'"{word}"'


# ---- random edits on random layouts ----

KEYS = st.sampled_from(["a", "b", "c", "on", "no", "ключ", "k-1", "x y"])
SCALARS = st.one_of(
    st.integers(-5, 5), st.booleans(), st.floats(-10, 10), st.text(max_size=6), st.sampled_from(["on", "1", "x # y"])
).filter(lambda value: not isinstance(value, str) or value.isprintable())
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


class Printer:
    """Writes data as YAML in a style that is drawn anew at every node, with numbered comments."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.comments = 0

    def coin(self) -> bool:
        return bool(self.draw(st.booleans()))

    def comment(self) -> str:
        if not self.coin():
            return ""
        self.comments += 1
        return f"# c{self.comments}."

    def scalar(self, value: Any) -> str:
        quotes = self.draw(st.sampled_from(["", "'", '"']))
        return Writer().scalar(value, flow=True, like=quotes)

    def flow(self, value: Any) -> str:
        blank = self.draw(st.sampled_from(["", " "]))
        if isinstance(value, dict):
            return "{" + blank + ", ".join(f"{self.scalar(k)}: {self.flow(v)}" for k, v in value.items()) + blank + "}"
        if isinstance(value, list):
            return "[" + blank + ", ".join(map(self.flow, value)) + blank + "]"
        return self.scalar(value)

    def block(self, value: Any, indent: int) -> list[str]:
        step = self.draw(st.sampled_from([2, 4]))
        lines = []
        for key, member in value.items() if isinstance(value, dict) else ((None, m) for m in value):
            if self.coin() and (comment := self.comment()):
                lines.append(" " * indent + comment)
            head = "- " if key is None else self.scalar(key) + ": "
            if not isinstance(member, (dict, list)) or self.coin():
                lines.append(" " * indent + head + self.flow(member) + f"  {self.comment()}".rstrip())
            elif key is None and isinstance(member, dict):
                below = self.block(member, indent + 2)
                first = next(i for i, line in enumerate(below) if not line.lstrip().startswith("#"))
                lines += [*below[:first], " " * indent + "- " + below[first].lstrip(), *below[first + 1 :]]
            else:
                lines.append(" " * indent + head.rstrip() + f"  {self.comment()}".rstrip())
                lines += self.block(member, indent + step)
            if self.draw(st.integers(0, 5)) == 0:
                lines.append("")
        return lines


def places(data: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the data, the whole excepted."""
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [p for k, v in members for p in ((*where, k), *places(v, (*where, k)))]


def with_change(data: Any, where: tuple[Any, ...], change: Any) -> Any:
    """A copy in which the container of the last part of `where` was handed to change(copy, part)."""
    copy = dict(data) if isinstance(data, dict) else list(data)
    if len(where) == 1:
        change(copy, where[0])
    else:
        copy[where[0]] = with_change(copy[where[0]], where[1:], change)
    return copy


def assigned(value: Any) -> Any:
    def change(container: Any, part: Any) -> None:
        if isinstance(container, list) and part == len(container):
            container.append(value)
        else:
            container[part] = value

    return change


def comments(text: str) -> list[str]:
    return re.findall(r"# c[0-9]+\.", text)


def find(data: Any, where: tuple[Any, ...]) -> Any:
    for part in where:
        data = data[part]
    return data


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_random_edits_of_random_files(data: st.DataObject) -> None:
    before = data.draw(DATA)
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = newline.join(Printer(data.draw).block(before, 0)) + data.draw(st.sampled_from(["", newline]))
    where = data.draw(st.sampled_from(places(before)))
    verb = data.draw(st.sampled_from(["set", "delete", "insert"]))
    if verb == "delete":
        expected = with_change(before, where, lambda container, part: container.__delitem__(part))
        after = edit.delete(text, where)
    else:
        value = data.draw(SCALARS)
        if verb == "insert":
            container = find(before, where[:-1])
            where = (*where[:-1], len(container) if isinstance(container, list) else "new key")
        expected = with_change(before, where, assigned(value))
        after = edit.set_value(
            text, [*where[:-1], "-"] if verb == "insert" and isinstance(where[-1], int) else where, value
        )
    assert edit.read(after) == expected
    lines = changed(text + newline, after + newline)
    gone, added = [line for line in lines if line[0] == "-"], [line for line in lines if line[0] == "+"]
    if verb == "insert":
        assert comments(after) == comments(text)
        assert len(added) == len(gone) + 1 or len(added) == len(gone) == 1
    elif verb == "set":
        assert len(added) <= 1
        if not isinstance(find(before, where), (dict, list)):
            assert comments(after) == comments(text)
    else:
        assert len(added) <= min(1, len(gone))
        assert set(comments(text)) - set(comments(after)) <= set(comments("".join(gone)))
