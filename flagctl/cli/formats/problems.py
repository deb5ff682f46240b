"""Problems for people: `file:line:column: severity: message [rule]`, the line, a caret, and a hint."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from flagctl.cli.output import clean
from flagctl.errors import OutsideError

if TYPE_CHECKING:
    from pathlib import Path

    from flagctl.cli.output import Output
    from flagctl.files.repository import Reading
    from flagctl.problems import Problem

TextOf = Callable[[str], str | None]
"""A file's text by its path; None when it can't be had."""
_WIDEST = 120
_BEFORE = 60
_STYLES = {"error": "red bold", "warning": "yellow bold"}


def text(out: Output, problems: Iterable[Problem], text_of: TextOf) -> None:
    """The problems on stdout, with their lines."""
    for problem in problems:
        out.data("\n".join(_block(out, problem, text_of, err=False)), styled=True)


def show_on_stderr(out: Output, problems: Iterable[Problem]) -> None:
    """The problems as narration, without their lines: the text they stand in may never have reached the disk."""
    for problem in sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column)):
        out.say("\n".join(_block(out, problem, lambda _: None, err=True)), styled=True)


def texts_of(reading: Reading) -> TextOf:
    """The texts of a reading's files, each read once."""

    @cache
    def text_of(file: str) -> str | None:
        try:
            return reading.text(file)
        except OutsideError:
            return None

    return text_of


def folder_in_git(root: Path) -> str:
    """Where `root` stands in its Git repository, "" at its top: machines that show problems count paths from there."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return "" if folder == root else root.relative_to(folder).as_posix()
    return ""


def summary(problems: Sequence[Problem], files: int) -> str:
    """«3 errors, 1 warning in 210 files»."""
    errors = sum(problem.severity == "error" for problem in problems)
    counts = [_count(errors, "error"), _count(len(problems) - errors, "warning")]
    found = ", ".join(count for count in counts if count) or "no problems"
    return f"{found} in {_count(files, 'file') or '0 files'}"


def place(problem: Problem) -> str:
    """`file:line:column`, as far as they are known."""
    known = [str(number) for number in (problem.line, problem.column) if number]
    return ":".join([problem.file, *known])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number > 1 else ''}" if number else ""


def _block(out: Output, problem: Problem, text_of: TextOf, *, err: bool) -> list[str]:
    severity = out.style(problem.severity, _STYLES[problem.severity], err=err)
    where = out.style(place(problem), "bold", err=err)
    lines = [f"{where}: {severity}: {clean(problem.message)} [{clean(problem.rule)}]"]
    lines += _excerpt(problem, text_of)
    if problem.hint:
        lines.append(f"  {out.style('hint', 'cyan', err=err)}: {clean(problem.hint)}")
    return lines


def _excerpt(problem: Problem, text_of: TextOf) -> list[str]:
    source = text_of(problem.file) if problem.line else None
    lines = source.split("\n") if source else []
    if not 0 < problem.line <= len(lines):
        return []
    line = lines[problem.line - 1].rstrip("\r")
    column = min(max(problem.column, 1), len(line) + 1)
    before, after = line[: column - 1], line[column - 1 :]
    if len(line) > _WIDEST and len(before) > _BEFORE:
        before = "…" + before[-_BEFORE:]
    if len(before) + len(after) > _WIDEST:
        after = after[: _WIDEST - len(before)] + "…"
    before, after = (clean(part.replace("\t", "    ")) for part in (before, after))
    return [f"  {before}{after}".rstrip(), f"  {' ' * _width(before)}^"] if line.strip() else []


def _width(text: str) -> int:
    """Columns a terminal gives a text (Unicode TR 11: wide and full-width characters take two)."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
