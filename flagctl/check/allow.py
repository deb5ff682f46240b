"""`# flagctl: allow RULE-ID — reason`: one problem, in one place, that somebody decided to live with.

The comment stands at the end of the problem's line, or on a line of its own above it. The reason is not optional.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from flagctl.check.catalogue import catalogue
from flagctl.files import marks
from flagctl.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from flagctl.check.catalogue import Rule

_ALLOW = re.compile(r"(?:^|(?<=\s))#[ \t]*flagctl: allow\b[ \t]*(\S*)(?:[ \t]+(?:—|–|--|-)(?:[ \t]+(\S.*))?)?")
_IDLE = re.compile(r"\s*(?:#|---\s|---$|$)")


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """One such comment. line, column: its own place, from 1; covers: the line whose problems it silences."""

    rule: str
    reason: str
    line: int
    column: int
    covers: int


class Lines:
    """The lines of a text, and which of them hold data."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")

    def effective(self, line: int) -> int:
        """The line itself, or where it is blank or a comment alone the next that is neither; from 1."""
        for number in range(line, len(self.lines) + 1):
            if not _IDLE.match(self.lines[number - 1]):
                return number
        return line

    def allows(self) -> Iterator[Allow]:
        """The comments, in order; text that only looks like one, inside a value, is passed over."""
        values: list[tuple[int, int]] | None = None
        start = 0
        for number, line in enumerate(self.lines, 1):
            found = _ALLOW.search(line)
            if found is not None:
                values = _scalars(self.text) if values is None else values
                place = start + found.start()
                if not any(low <= place < high for low, high in values):
                    yield Allow(
                        rule=found[1],
                        reason=(found[2] or "").strip(),
                        line=number,
                        column=found.start() + 1,
                        covers=self.effective(number),
                    )
            start += len(line) + 1


def _scalars(text: str) -> list[tuple[int, int]]:
    try:
        root = marks.tree(text)
    except Exception:  # the exact reader may refuse what the fast one took; then every comment counts
        return []
    return [] if root is None else [(node.start, node.end) for node in root.walk() if node.kind == "scalar"]


def apply(
    problems: Iterable[Problem],
    files: Iterable[str],
    lines_of: Callable[[str], Lines | None],
    *,
    judge_unused: bool,
) -> Iterator[Problem]:
    """The problems that nothing silences, and what is wrong with the comments themselves.

    problems: with their lines. files: those with such comments. judge_unused: whether everything was read, so that a
    comment which silences nothing has no use.
    """
    rules = catalogue()
    comments: dict[str, list[Allow]] = {}
    for file in files:
        lines = lines_of(file)
        if lines is not None:
            comments[file] = list(lines.allows())
    used = set[tuple[str, int, int]]()
    for problem in problems:
        silencing = _silencing(problem, comments.get(problem.file, ()), lines_of, rules)
        if silencing is None:
            yield problem
        else:
            used.add((problem.file, silencing.line, silencing.column))
    for file, allows in comments.items():
        for allow in allows:
            if (file, allow.line, allow.column) not in used:
                yield from _faults(file, allow, rules, judge_unused=judge_unused)


def can_be_silenced(problem: Problem, rules: Mapping[str, Rule]) -> bool:
    """Not where the problem is why its file can't be used."""
    rule = rules.get(problem.rule)
    return rule is None or not rule.firm or problem.severity == "warning"


def _silencing(
    problem: Problem,
    allows: Iterable[Allow],
    lines_of: Callable[[str], Lines | None],
    rules: Mapping[str, Rule],
) -> Allow | None:
    fitting = [allow for allow in allows if allow.rule == problem.rule and allow.reason]
    lines = lines_of(problem.file) if fitting else None
    if lines is None or not can_be_silenced(problem, rules):
        return None
    line = lines.effective(max(problem.line, 1))
    return next((allow for allow in fitting if allow.covers == line), None)


def _faults(file: str, allow: Allow, rules: Mapping[str, Rule], *, judge_unused: bool) -> Iterator[Problem]:
    def problem(rule: str, message: str, hint: str) -> Problem:
        return Problem(rule=rule, message=message, hint=hint, file=file, line=allow.line, column=allow.column)

    if allow.rule not in rules:
        message = f'no rule "{allow.rule}"' if allow.rule else "allow names no rule"
        hint = did_you_mean(allow.rule, rules) or "flagctl rule list shows them all"
        yield problem("unknown-rule", message, hint)
    elif not allow.reason:
        message = f"no reason is given to allow {allow.rule}"
        yield problem("allow-reason", message, f"write # flagctl: allow {allow.rule} — why it is right here")
    elif rules[allow.rule].firm:
        yield problem("firm-rule", f"{allow.rule} can't be allowed: the file can't be used with it", "mend the file")
    elif judge_unused:
        hint = "remove the comment, or put it at the end of the line or on the line above"
        yield problem("allow-unused", f"nothing here for {allow.rule} to allow", hint)
