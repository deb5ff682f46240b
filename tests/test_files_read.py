"""Bytes to data: what is no YAML, or too much of it, or read in different ways, is said with its place."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from flagctl.files import read
from flagctl.problems import Problem

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
DEEP = "nested too deeply: at most 32 levels are read"
MANY_WAYS = "is read in different ways by different YAML readers"

# what is wrong: rule, line, column, words, hint
BAD: dict[bytes, tuple[str, int, int, str, str]] = {
    b"": ("schema", 0, 0, "the file is empty", ""),
    b"# nothing\n": ("schema", 0, 0, "the file is empty", ""),
    b"- a\n- b\n": ("schema", 0, 0, "expected fields at the top, such as «description: ...», found a list", ""),
    b"text\n": ("schema", 0, 0, "expected fields at the top, such as «description: ...», found a bare value", ""),
    b"a: 1\n---\nb: 2\n": (
        "schema", 2, 1, "the file holds several documents; one is expected",
        "put each into a file of its own, without «---» between them"),
    b"a: 1\nb: \xff\n": (
        "yaml-encoding", 2, 4, "the file is not UTF-8: byte 0xFF does not belong here", "save the file as UTF-8"),
    "a: grüße".encode("latin-1"): (
        "yaml-encoding", 1, 6, "the file is not UTF-8: byte 0xFC does not belong here", "save the file as UTF-8"),
    "a: 1".encode("utf-16"): (
        "yaml-encoding", 1, 1, "the file is not UTF-8: byte 0xFF does not belong here", "save the file as UTF-8"),
    "ü: 1\nä: \x07".encode(): (
        "yaml-syntax", 2, 4, "the control character U+0007 can't stand in YAML",
        'write it as an escape in double quotes, such as "\\u0007", or take it out'),
    b"a: x\x00": (
        "yaml-syntax", 1, 5, "the control character U+0000 can't stand in YAML",
        'write it as an escape in double quotes, such as "\\u0007", or take it out'),
    b"a:\n\t- b\n": (
        "yaml-syntax", 2, 2, "this is not YAML: a tab stands where only spaces may indent", "indent with spaces"),
    b"a: b\n\tc: d\n": (
        "yaml-syntax", 1, 4, "this is not YAML: a tab stands where only spaces may indent", "indent with spaces"),
    b"a: [1, 2\n": ("yaml-syntax", 1, 4, "this is not YAML: this bracket is never closed", ""),
    b"a: {b: [1}\n": ("yaml-syntax", 1, 8, "this is not YAML: this bracket is closed by one of the other kind", ""),
    b"a: 'x": ("yaml-syntax", 1, 4, "this is not YAML: this quoted text is never closed", ""),
    b"a: 'x\nb: c'\n": (
        "yaml-syntax", 2, 1, "this is not YAML: a quoted text goes on in a line that is not indented",
        "is its closing quote missing?"),
    b"a: 1_0\nb:\n  -\tx\n": (
        "yaml-syntax", 3, 4,
        "not every YAML reader takes this: found character '\\t' that cannot start any token", ""),
    b"a: 'it's'\n": (
        "yaml-syntax", 1, 8, "this is not YAML: more text after the closing quote",
        "double a quote inside quotes: 'it''s'"),
    b"a: @x\n": ("yaml-syntax", 1, 4, "this is not YAML: a text can't begin with this character", "quote the text"),
    b"a: *x\n": (
        "yaml-syntax", 1, 4, "this is not YAML: this alias names an anchor that is not there",
        "quote a text that begins with *"),
    b"a: b: c\n": (
        "yaml-syntax", 1, 5, "this is not YAML: a second «: », or a line indented too far",
        "quote a text that holds «: »"),
    b"a:\n  b: 1\n c: 2\n": (
        "yaml-syntax", 3, 2, "this is not YAML: expected a key here", "check the indentation"),
    b'a: "\\ud800"\n': (
        "yaml-syntax", 1, 4, "this is not YAML: half a character: a lone surrogate escape",
        "write the character itself"),
    b'a: "\\q"\n': (
        "yaml-syntax", 1, 4, "this is not YAML: an unknown escape in double quotes",
        "write \\\\ for a backslash, or use single quotes"),
    b"a: !secret x\n": (
        "yaml-syntax", 1, 4, "the tag !secret means nothing in a flag file", "quote a text that begins with !"),
    b"a: !!binary aGk=\n": (
        "yaml-syntax", 1, 4, "the tag !!binary means nothing in a flag file", "quote a text that begins with !"),
    b"a: 1\nb: {c: 1, c: 2}\n": (
        "duplicate-key", 2, 11, 'the key "c" stands here a second time; the first is on line 2', ""),
    b"a: 1\n'a': 2\n": ("duplicate-key", 2, 1, 'the key "a" stands here a second time; the first is on line 1', ""),
    b"a: {true: 1, 'true': 2}\n": ("duplicate-key", 0, 0, 'the key "true" stands here twice, once in quotes', ""),
    b"a: {1: x}\n": ("quote-it", 0, 0, "expected text as a key, found the number 1", 'quote it: "1"'),
    b"a: {null: x}\n": ("quote-it", 0, 0, "expected text as a key", ""),
    b"a: {[b]: x}\n": ("quote-it", 0, 0, "expected text as a key", ""),
    b"a: .nan\n": ("yaml-number", 1, 4, ".nan is no number that can be served or compared", ""),
    b"a: [1, -.INF]\n": ("yaml-number", 1, 8, "-.INF is no number that can be served or compared", ""),
    b"a: 1e999\n": ("yaml-number", 1, 4, "1e999 is no number that can be served or compared", ""),
    b"a: 9007199254740993\n": (
        "yaml-number", 1, 4, "9007199254740993 is beyond 2^53, where numbers are no longer exact everywhere",
        'quote it: "9007199254740993"'),
    b"a: 0xfffffffffffffff\n": (
        "yaml-number", 1, 4, "0xfffffffffffffff is beyond 2^53, where numbers are no longer exact everywhere",
        'quote it: "0xfffffffffffffff"'),
    b"a: 1_000\n": ("yaml-number", 1, 4, f"1_000 {MANY_WAYS}", 'write 1000, or quote it: "1_000"'),
    b"a: [x, 0042]\n": ("yaml-number", 1, 8, f"0042 {MANY_WAYS}", 'write 42, or quote it: "0042"'),
    b"a: _7\n": ("yaml-number", 1, 4, f"_7 {MANY_WAYS}", 'write 7, or quote it: "_7"'),
    b"a: 0b11\n": ("yaml-number", 1, 4, f"0b11 {MANY_WAYS}", 'quote it: "0b11"'),
    b"a: -0x1F\n": ("yaml-number", 1, 4, f"-0x1F {MANY_WAYS}", 'quote it: "-0x1F"'),
    b"a: .5e3\n": ("yaml-number", 1, 4, f".5e3 {MANY_WAYS}", 'quote it: ".5e3"'),
    BOMB.encode(): (
        "yaml-limits", 0, 0, "aliases expand to too much",
        "at most 20,000 values are read, and aliases of aliases at most 32 deep"),
    b"a: &a\n  b: *a\n": ("yaml-limits", 2, 6, "the alias *a stands inside the value it repeats", ""),
    b"a: " + b"[" * 100 + b"]" * 100: ("yaml-limits", 0, 0, DEEP, ""),
    b"a: " + b"[" * 9000 + b"]" * 9000: ("yaml-limits", 1, 259, DEEP, ""),
    b"a:\n" + b"".join(b" " * n + b"a:\n" for n in range(1, 100)): ("yaml-limits", 0, 0, DEEP, ""),
    b"a:\n  " + b"- " * 100 + b"x\n": ("yaml-limits", 2, 1, DEEP, ""),
    b"a: x\n" * 200_001: ("yaml-limits", 0, 0, "expected at most 1 MB, found 1 MB", ""),
    b"#" * 10_000_000: ("yaml-limits", 0, 0, "expected at most 1 MB, found 10 MB", ""),
}  # fmt: skip


def _told(problem: Problem) -> tuple[str, int, int, str, str]:
    return problem.rule, problem.line, problem.column, problem.message, problem.hint


@pytest.mark.parametrize("raw", BAD, ids=lambda raw: repr(raw[:30]))
def test_a_bad_file_is_described_exactly_and_once(raw: bytes) -> None:
    data, problems = read.load(raw, "x.yaml")
    assert [_told(problem) for problem in problems] == [BAD[raw]]
    assert {(problem.file, problem.severity) for problem in problems} == {("x.yaml", "error")}
    if BAD[raw][0] not in ("duplicate-key", "quote-it"):
        assert data is None


def test_a_byte_order_mark_is_a_problem_and_the_rest_is_read() -> None:
    data, problems = read.load(b"\xef\xbb\xbfa: 1\n", "x.yaml")
    assert data == {"a": 1}
    assert [_told(problem) for problem in problems] == [
        ("yaml-encoding", 1, 1, "the file begins with a byte-order mark",
         "save the file as UTF-8 without a byte-order mark")]  # fmt: skip


def test_windows_line_ends_are_a_warning() -> None:
    data, problems = read.load(b"a: 1\r\nb: 2\r\n", "x.yaml")
    assert data == {"a": 1, "b": 2}
    assert [(p.rule, p.severity, p.line, p.column) for p in problems] == [("line-ends", "warning", 1, 5)]


GOOD: dict[str, Any] = {
    "a: no": "no",
    "a: off": "off",
    "a: True": True,
    "a: ~": None,
    "a: 2027-01-01": "2027-01-01",
    "a: 2027-01-01T00:00:00Z": "2027-01-01T00:00:00Z",
    "a: 12:30:45": "12:30:45",
    "a: 0x1F": 31,
    "a: 0o17": 15,
    "a: 9007199254740992": 2**53,
    'a: "9007199254740993"': "9007199254740993",
    "a: 1e3": 1000.0,
    "a: '1_000'": "1_000",
    "a: !!str 42": "42",
    "a: user_1": "user_1",
    "a: wow !important *bold* - - - x": "wow !important *bold* - - - x",
    "a: [&x 1, *x]": [1, 1],
    "a: 😀": "😀",
    "# - - - - - - - - - - - - - - - - - - -\na: 1": 1,
    'a: "\\u0007"': "\x07",
    "a:\n" + "".join(" " * n + f"{'a' * n}:\n" for n in range(1, 20)): ...,
}


@pytest.mark.parametrize("text", GOOD, ids=lambda text: repr(text[:30]))
def test_good_text_is_read_by_yaml_1_2(text: str) -> None:
    data, problems = read.load(text.encode(), "x.yaml")
    assert problems == []
    assert data is not None
    if GOOD[text] is not ...:
        assert (data["a"], type(data["a"])) == (GOOD[text], type(GOOD[text]))


def test_odd_keys_are_text() -> None:
    data, problems = read.load('true: 1\n"☃": 2\nFalse: [{true: 3}]\n'.encode(), "x.yaml")
    assert data == {"true": 1, "☃": 2, "false": [{"true": 3}]}
    assert problems == []


def test_the_steepest_text_that_is_let_through_does_not_hurt_the_reader() -> None:
    # yaml_rs crashes the process, not the call: try it in another
    code = (
        "from flagctl.files import read\n"
        "lines, column = ['a:'], 1\n"
        "while sum(map(len, lines)) + 2 * column + 64 < 900_000:\n"
        "    lines.append(' ' * column + '- ' * 14 + '-'); column += 29\n"
        "print(read.load('\\n'.join(lines).encode(), 'x')[1][0].rule)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "yaml-limits\n"), done.stderr


plain_words = st.text("0123456789_.+-eExXoObBaAfFinINFN:~T", min_size=1, max_size=8)


@settings(max_examples=1000)
@given(plain_words)
def test_a_bare_word_that_is_let_through_is_what_the_other_reader_says(word: str) -> None:
    raw = f"a: {word}\n".encode()
    data, problems = read.load(raw, "x.yaml")
    if problems:
        return
    yaml = YAML(typ="safe", pure=True)
    # dates stay text with us
    yaml.constructor.yaml_constructors["tag:yaml.org,2002:timestamp"] = lambda loader, node: node.value
    try:
        other = yaml.load(raw)
    except ValueError:
        return  # ruamel takes `-_` for a number and then chokes on it
    assert data == other


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_the_bytes_the_answer_is_data_or_problems(raw: bytes) -> None:
    data, problems = read.load(raw, "x.yaml")
    assert data is not None or problems


@given(st.text("ab:-[]{}&*!|>'\"#? \n\t,1\\", max_size=30))
def test_whatever_looks_like_yaml_the_answer_is_data_or_problems(text: str) -> None:
    data, problems = read.load(text.encode(), "x.yaml")
    assert data is not None or problems
