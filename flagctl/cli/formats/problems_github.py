"""Problems as annotations of a pull request: GitHub Actions' workflow commands.

Their escapes: `%`, line ends, and in properties also `:` and `,` (toolkit, packages/core/src/command.ts).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagctl.problems import Problem

_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def lines(problems: Iterable[Problem], folder: str = "") -> list[str]:
    """One `::error …::` or `::warning …::` each; `folder` holds `flags/` and is relative to the Git repository."""
    return [_line(problem, folder) for problem in problems]


def _line(problem: Problem, folder: str) -> str:
    properties = {"file": f"{folder}/{problem.file}" if folder else problem.file}
    if problem.line:
        properties |= {"line": str(problem.line), "col": str(problem.column)}
    properties["title"] = f"flagctl {problem.rule}"
    said = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    message = f"{problem.message}\nhint: {problem.hint}" if problem.hint else problem.message
    return f"::{problem.severity} {said}::{message.translate(_MESSAGE)}"
