"""One file's bytes to plain data: YAML 1.2, single-document, a mapping at the top, nothing dangerous inside.

yaml_rs does the bulk. Where a file holds something it reads otherwise than YAML's core schema says, or
something it would rather not be handed, `scrutiny` looks closely and says where.
"""

from __future__ import annotations

import re
from typing import Any

import re2
import yaml_rs

from flagctl.problems import Problem

LARGEST = 1_000_000
"""Bytes a file may have."""
DEEPEST = 32
"""Levels a file's data may have."""

_TOO_DEEP = f"nested too deeply: at most {DEEPEST} levels are read"
_BOM = b"\xef\xbb\xbf"
_ALIASES = yaml_rs.AliasLimits(max_total_replayed_events=20_000, max_replay_stack_depth=DEEPEST)
_FAILURE = r"YAML parse error at line (\d+), column (\d+)(?s:.*)\n(.*)"

# yaml_rs descends once per level without a limit of its own: thousands of «- » on one line crash the process
_STEEP = rb"(?m)^[ \t]*(?:[-?:][ \t]+){16}"
_STAIRS = re2.compile(_STEEP)
# control characters; numbers spelled in ways that readers take for different things, or too large for
# some; tags
_DOUBTFUL = (
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xef\xbf[\xbe\xbf]"
    rb"|(?:^|[\s\[{,])(?:[-+.0-9_][^\s,\[\]{}]*_|_[-+.0-9]|[-+]?0[0-9bBXO]|[-+]?\.[0-9]+[eE]|[-+]0)"
    rb"|[-+.](?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[0-9]{16}|0[xo][0-9a-fA-F]{13}|[eE][+-]?[0-9]{3}"
    rb"|[\s\[{,]![^\s]"
)
_SUSPECT = re2.compile(_DOUBTFUL)
_UNUSUAL = re2.compile(rb"\r|<<<<<<< |" + _DOUBTFUL + rb"|" + _STEEP)
_ALIAS = re2.compile(rb"(?:^|[\s\[{,])\*[^\s*]")

_WORDS: tuple[tuple[str, str, str], ...] = (
    ("tabs disallowed", "a tab stands where only spaces may indent", "indent with spaces"),
    ("found a tab", "a tab stands where only spaces may indent", "indent with spaces"),
    ("unclosed bracket", "this bracket is never closed", ""),
    ("mismatched bracket", "this bracket is closed by one of the other kind", ""),
    ("misplaced bracket", "a closing bracket without its opening one", "quote the text if it is meant as text"),
    ("unclosed quote", "this quoted text is never closed", ""),
    ("in multiline quoted", "a quoted text goes on in a line that is not indented", "is its closing quote missing?"),
    ("unknown anchor", "this alias names an anchor that is not there", "quote a text that begins with *"),
    ("unexpected character", "a text can't begin with this character", "quote the text"),
    ("surrogate", "half a character: a lone surrogate escape", "write the character itself"),
    ("unknown escape", "an unknown escape in double quotes", "write \\\\ for a backslash, or use single quotes"),
    ("invalid trailing content", "more text after the closing quote", "double a quote inside quotes: 'it''s'"),
    ("mapping values are not allowed", "a second «: », or a line indented too far", "quote a text that holds «: »"),
    ("illegal placement of ':'", "a «:» where no key can stand", "look for a bracket left open above"),
    ("did not find expected key", "expected a key here", "check the indentation"),
    ("did not find expected '-'", "expected «- » here, as this is a list", "check the indentation"),
    ("block sequence entries", "a list can't begin on the line of its key", "put «- » on the next line"),
    ("simple key expected", "expected «: » after the key on the line above", ""),
    ("expected <document start>", "text after the end of the data", "check the indentation"),
    ("must be followed by a valid YAML whitespace", "expected a space after «:»", "a tab is no space"),
)  # fmt: skip


def load(raw: bytes, path: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The mapping a file holds, and what is wrong with its spelling.

    Keys are text: bare `true` and `false` are spelled so, any other bare key is a problem. Dates stay
    text. None stands for a file that could not be read; there is a problem then.
    """
    if len(raw) > LARGEST:
        size = f"{len(raw) / LARGEST:.1f}".rstrip("0").rstrip(".")
        return None, [Problem(rule="yaml-limits", message=f"expected at most 1 MB, found {size} MB", file=path)]
    text, problems = _decode(raw, path)
    if text is None:
        return None, problems
    if stairs := _STAIRS.search(raw):
        line = raw.count(b"\n", 0, stairs.end()) + 1
        return None, [*problems, Problem(rule="yaml-limits", message=_TOO_DEEP, file=path, line=line, column=1)]
    if b"<<<<<<< " in raw and (unsettled := _unsettled(text, path)):
        return None, [*problems, unsettled]
    suspect = _SUSPECT.search(raw) is not None
    if suspect and (found := _control_character(text, path)):
        return None, [*problems, found]
    data, failure, doubled = _parse(text, path)
    if failure is not None:
        return None, [*problems, failure]
    if not isinstance(data, dict):
        return None, [*problems, _no_mapping(data, text, path)]
    odd_keys = _odd_keys(data)
    if odd_keys is None:
        return None, [*problems, Problem(rule="yaml-limits", message=_TOO_DEEP, file=path)]
    if doubled:
        from flagctl.files.scrutiny import duplicates

        problems += duplicates(text, path)
    if odd_keys:
        from flagctl.files.scrutiny import respell

        data = respell(data, path, problems)
    # an alias inside its own anchor is read as null
    if suspect or (_ALIAS.search(raw) and _holds_null(data)):
        from flagctl.files.scrutiny import scrutinise

        if found_odd := scrutinise(text, path):
            return None, problems + found_odd
    return data, problems


def is_plain(raw: bytes) -> bool:
    """Whether `load` looks at nothing in a file but its YAML: no character, number or tag is worth a closer look."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return len(raw) <= LARGEST and not _UNUSUAL.search(raw)


def plain(raw: bytes) -> dict[str, Any] | None:
    """The mapping in a text that `is_plain`, None where `load` would find something wrong with it."""
    try:
        data = yaml_rs.loads(raw.decode(), parse_datetime=False, alias_limits=_ALIASES)
    except yaml_rs.YAMLDecodeError:
        return None
    return data if isinstance(data, dict) and _odd_keys(data) is False else None


_NESTED = frozenset((dict, list))


def _odd_keys(data: Any) -> bool | None:
    """Whether a mapping has a key that isn't text; None when the data is nested too deeply."""
    odd = False
    level = [data]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                try:
                    "".join(node)
                except TypeError:
                    odd = True
                node = node.values()
            below += [value for value in node if type(value) in _NESTED]
        if not below:
            return odd
        level = below
    return None


def _holds_null(data: Any) -> bool:
    if isinstance(data, dict):
        return any(_holds_null(value) for value in data.values())
    return data is None or (isinstance(data, list) and any(_holds_null(value) for value in data))


def _decode(raw: bytes, path: str) -> tuple[str | None, list[Problem]]:
    problems = []
    if raw.startswith(_BOM):
        raw = raw[3:]
        hint = "save the file as UTF-8 without a byte-order mark"
        message = "the file begins with a byte-order mark"
        problems.append(Problem(rule="yaml-encoding", message=message, file=path, hint=hint, line=1, column=1))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        column = len(before[start:].decode(errors="replace")) + 1
        message = f"the file is not UTF-8: byte 0x{raw[error.start]:02X} does not belong here"
        hint = "save the file as UTF-8"
        return None, [Problem(rule="yaml-encoding", message=message, file=path, hint=hint, line=line, column=column)]
    if "\r" in text:
        place = text.index("\r")
        problems.append(
            Problem(
                rule="line-ends",
                message="lines end in CR LF, as on Windows",
                file=path,
                severity="warning",
                hint="let Git keep LF: put «* text=auto eol=lf» into .gitattributes",
                line=text.count("\n", 0, place) + 1,
                column=place - text.rfind("\n", 0, place),
            )
        )
    return text, problems


def _unsettled(text: str, path: str) -> Problem | None:
    """What Git or `flagctl merge-driver` left to be decided."""
    found = re.search(r"^<<<<<<< (?:ours: )?(.*?)(?:\s+#.*)?\s*$", text, re.MULTILINE)
    if found is None:
        return None
    named = found[0].startswith("<<<<<<< ours: ")
    about = f" about {found[1]}" if named else ""
    return Problem(
        rule="merge-conflict",
        message=f"a merge conflict{about} is not settled",
        file=path,
        hint="keep one of the two sides, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>",
        line=text.count("\n", 0, found.start()) + 1,
        column=1,
    )


def _control_character(text: str, path: str) -> Problem | None:
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]", text)
    if found is None:
        return None
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    message = f"the control character U+{ord(found[0]):04X} can't stand in YAML"
    hint = 'write it as an escape in double quotes, such as "\\u0007", or take it out'
    return Problem(rule="yaml-syntax", message=message, file=path, hint=hint, line=line, column=column)


def _parse(text: str, path: str) -> tuple[Any, Problem | None, bool]:
    """The data, what hinders it, and whether a key stands twice (the first one counts then)."""
    try:
        return yaml_rs.loads(text, parse_datetime=False, alias_limits=_ALIASES), None, False
    except yaml_rs.YAMLDecodeError as error:
        reason = str(error)
    if not reason.startswith("duplicate mapping key"):
        return None, _failure(reason, path), False
    first = yaml_rs.DuplicateKeyPolicy.FirstWins
    try:
        data = yaml_rs.loads(text, parse_datetime=False, alias_limits=_ALIASES, duplicate_key_policy=first)
    except yaml_rs.YAMLDecodeError as error:
        return None, _failure(str(error), path), False
    return data, None, True


def _failure(reason: str, path: str) -> Problem:
    if reason.startswith("alias replay"):
        message = "aliases expand to too much"
        hint = "at most 20,000 values are read, and aliases of aliases at most 32 deep"
        return Problem(rule="yaml-limits", message=message, file=path, hint=hint)
    found = re.fullmatch(_FAILURE, reason)
    line, column, said = (int(found[1]), int(found[2]), found[3]) if found else (0, 0, reason)
    if said == "recursion limit exceeded":
        return Problem(rule="yaml-limits", message=_TOO_DEEP, file=path, line=line, column=column)
    message, hint = next(((words, hint) for needle, words, hint in _WORDS if needle in said), (said, ""))
    return Problem(
        rule="yaml-syntax", message=f"this is not YAML: {message}", file=path, hint=hint, line=line, column=column
    )


def _no_mapping(data: Any, text: str, path: str) -> Problem:
    """What is wrong with a file that holds no mapping; yaml_rs gives several documents as a list."""
    if data is None:
        return Problem(rule="schema", message="the file is empty", file=path)
    if isinstance(data, list):
        from flagctl.files.scrutiny import documents

        lines = documents(text)
    else:
        lines = []
    if len(lines) > 1:
        message = "the file holds several documents; one is expected"
        hint = "put each into a file of its own, without «---» between them"
        return Problem(rule="schema", message=message, file=path, hint=hint, line=lines[1], column=1)
    found = "a list" if isinstance(data, list) else "a bare value"
    message = f"expected fields at the top, such as «description: ...», found {found}"
    return Problem(rule="schema", message=message, file=path)
