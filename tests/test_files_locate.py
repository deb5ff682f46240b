"""Pointers to lines and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagctl.files.locate import locate

TEXT = """\
# über
description: "ü: x"   # why
overrides:
  on:
    - ada
    - bob
  TRUE: [eve]
rules:
  - name: one
    when:
      - {attribute: a, in: [1, 2]}
      - any: [{segment: s}]
  -
    name: two
"a/b~c": |
  many
  lines
shared: &x {k: [deep]}
again: *x
empty:
"""


@pytest.mark.parametrize(
    ("pointer", "at_key", "place"),
    [
        ("", False, (2, 1, 28)),
        ("/description", False, (2, 14, 20)),
        ("/description", True, (2, 1, 12)),
        ("/overrides/on/1", False, (6, 7, 10)),
        ("/overrides/true/0", False, (7, 10, 13)),
        ("/overrides/true", True, (7, 3, 7)),
        ("/rules/0", False, (9, 5, 14)),
        ("/rules/0/when/0/in/1", False, (11, 32, 33)),
        ("/rules/0/when/0/in", True, (11, 24, 26)),
        ("/rules/0/when/1/any/0/segment", False, (12, 25, 26)),
        ("/rules/1/name", False, (14, 11, 14)),
        ("/a~1b~0c", True, (15, 1, 8)),
        ("/a~1b~0c", False, (15, 10, 11)),
        ("/again", False, (19, 8, 10)),
        ("/again/k/0", False, (18, 17, 21)),
        ("/empty", True, (20, 1, 6)),
    ],
)
def test_a_pointer_leads_to_its_place(pointer: str, at_key: bool, place: tuple[int, int, int]) -> None:
    assert locate(TEXT, pointer, at_key) == place


@pytest.mark.parametrize(
    ("pointer", "parent"),
    [
        ("/overrides/off/3", "/overrides"),
        ("/rules/0/serve", "/rules/0"),
        ("/rules/9/name", "/rules"),
        ("/rules/x", "/rules"),
        ("/description/x", "/description"),
        ("/nothing", ""),
    ],
)
def test_a_pointer_that_leads_nowhere_ends_at_the_nearest_parent(pointer: str, parent: str) -> None:
    assert locate(TEXT, pointer) == locate(TEXT, parent)


def test_an_alias_means_the_nearest_anchor_above_it() -> None:
    text = "a: &x {k: 1}\nb: *x\nc: &x {k: 2}\nd: *x\ne: &x {k: 3}\n"
    assert [locate(text, f"/{key}/k")[0] for key in "bd"] == [1, 3]


@pytest.mark.parametrize("text", ["", "a: [1", "a:\n\t- b", "a: *x", "\x00", "- " * 3000 + "x"])
def test_text_that_cannot_be_parsed_answers_with_a_place(text: str) -> None:
    assert locate(text, "/a/0")[0] == 1


@given(st.text("ab:-[]{}&*!|>'\"#? \n\t,1\\é\ufeff", max_size=30), st.sampled_from(["", "/a", "/a/b/0", "/0/a"]))
def test_whatever_the_text_there_is_a_place_in_it(text: str, pointer: str) -> None:
    line, column, end = locate(text, pointer)
    assert 1 <= line <= text.count("\n") + 1
    assert 1 <= column < max(end, 2)


def test_a_boolean_flag_s_variants_are_found_however_the_file_spells_them() -> None:
    text = "overrides:\n  true: [ada]\n  'false': [bob]\ndefault: {split: {on: 1, off: 2}}\n"
    assert locate(text, "/overrides/on/0")[:2] == (2, 10)
    assert locate(text, "/overrides/off", True)[:2] == (3, 3)
    assert locate(text, "/default/split/off")[:2] == (4, 31)


def test_of_a_key_that_stands_twice_the_first_is_meant() -> None:
    assert locate("a: 1\na: 2\n", "/a")[:2] == (1, 4)
