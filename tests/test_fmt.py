"""The standard layout keeps every comment and all data, and laying out twice is laying out once."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.errors import RefusedError
from flagctl.files import edit
from flagctl.files.fmt import fmt

MESSY = """\
\ufeff# yaml-language-server: $schema=../../schema/flag.schema.json\r
# The default, until\r
# Friday.\r
default:   \r
  # halfway\r
  salt: s  # of the earth\r
  rollout: 25\r
\r
\r
\r
description: Show the wishlist gallery page.   # required\r
rules:\r
- serve: on\r
  # all of us\r
  when: [{ends_with: "@example.com", attribute: email}]\r
  name: staff\r
# - name: old\r
owner: {email: growth@example.com, team: growth}\r
mystery: 1\r
\r
# the end"""

TIDY = """\
# yaml-language-server: $schema=../../schema/flag.schema.json


description: Show the wishlist gallery page.   # required
# - name: old
owner: {team: growth, email: growth@example.com}
rules:
- name: staff
  # all of us
  when: [{attribute: email, ends_with: "@example.com"}]
  serve: on
# The default, until
# Friday.
default:
  rollout: 25
  # halfway
  salt: s  # of the earth
mystery: 1

# the end
"""


def test_a_messy_file_becomes_tidy_and_keeps_its_comments() -> None:
    assert fmt(MESSY) == TIDY.replace("\n\n\n", "\n\n")
    assert edit.read(fmt(MESSY)) == edit.read(MESSY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n\n# c\ndescription: x", "# c\ndescription: x\n"),
        ("kind: ops\n# about it\n\n# d\ndescription: x\n", "# about it\n\n# d\ndescription: x\nkind: ops\n"),
        ("# All rights reserved.\n\nkind: ops\ndescription: x\n",
            "# All rights reserved.\n\ndescription: x\nkind: ops\n"),
        ("# c\n---\nkind: ops\ndescription: x\n...\n", "# c\n---\ndescription: x\nkind: ops\n...\n"),
        ("kind: ops\ndescription: |\n  two blanks  \n\n\n  end\n",
            "description: |\n  two blanks  \n\n\n  end\nkind: ops\n"),
        ("description: |+\n  x\n\n\n", "description: |+\n  x\n\n\n"),
        ("kind: ops\ndescription: 'a  \n\n  b'\n", "description: 'a  \n\n  b'\nkind: ops\n"),
        ("owner: {email: &e a@b.example, team: t}\ndescription: *e\n",
            "owner: {team: t, email: &e a@b.example}\ndescription: *e\n"),
        ("default:\n  split: {b: 50, a: 50}\n", "default:\n  split: {b: 50, a: 50}\n"),
        ("variants: {type: 1, kind: 2, description: 3}\n", "variants: {type: 1, kind: 2, description: 3}\n"),
        ("rules:\n  - serve: on\n    # why\n    name: a\n", "rules:\n  - serve: on\n    # why\n    name: a\n"),
        ("{kind: ops, description: x}\n", "{description: x, kind: ops}\n"),
    ],
)  # fmt: skip
def test_every_layout(text: str, expected: str) -> None:
    assert fmt(text) == expected
    assert fmt(expected) == expected


def test_files_without_an_order_keep_theirs() -> None:
    text = "environments: {}  \nbucketing: portable\n"
    assert fmt(text, ordered=False) == "environments: {}\nbucketing: portable\n"


def test_what_does_not_parse_is_refused() -> None:
    with pytest.raises(RefusedError):
        fmt("a: [\n")


LINES = st.sampled_from(
    ["description: x", "description: |\n  x  \n\n  y", "owner: {email: e, team: t}  ", "kind: ops # k", "enabled: true",
     "rules:\n  - serve: on\n    name: r\n  # deep\n\n  - {name: q, serve: off}", "rules:\n- name: r",
     "default:\n    # why\n    salt: s\n    rollout: 1   # r", "tags: [\n  a, # one\n  b\n  ]", "extra: 'a\n\n  b'",
     "schedule:\n  - enabled: true\n    at: 2027-01-01"]
)  # fmt: skip
BETWEEN = st.lists(st.sampled_from(["", "# c", "  # indented", "   "]), max_size=3)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(BETWEEN, LINES), min_size=1, max_size=7, unique_by=lambda pair: pair[1].partition(":")[0]),
    BETWEEN,
)
def test_laying_out_twice_is_laying_out_once(entries: list[tuple[list[str], str]], end: list[str]) -> None:
    text = "\n".join(line for above, entry in entries for line in [*above, entry])
    text = "\n".join([text, *end])
    once = fmt(text)
    assert fmt(once) == once
    assert edit.read(once) == edit.read(text)
    assert sorted(w for w in once.split() if w[0] == "#") == sorted(w for w in text.split() if w[0] == "#")
    assert [key for key in edit.read(once) if key != "extra"] == [
        key for key in ("description", "owner", "tags", "kind", "enabled", "rules", "default", "schedule")
        if key in edit.read(text)
    ]  # fmt: skip
