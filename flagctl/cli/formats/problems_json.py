"""Problems for programs: `flagctl/check/1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flagctl.problems import Problem


def document(problems: Sequence[Problem], files: int) -> dict[str, Any]:
    """One JSON document. Line and column count from 1; 0 where there is none."""
    errors = sum(problem.severity == "error" for problem in problems)
    return {
        "format": "flagctl/check/1",
        "problems": [
            {
                "rule": problem.rule,
                "severity": problem.severity,
                "message": problem.message,
                "hint": problem.hint,
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "pointer": problem.pointer,
            }
            for problem in problems
        ],
        "counts": {"errors": errors, "warnings": len(problems) - errors, "files": files},
    }
