"""Problems for code scanning: SARIF 2.1.0 (OASIS), with every rule's help in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flagctl import __version__
from flagctl.cli.formats import rules as shown
from flagctl.cli.output import clean

if TYPE_CHECKING:
    from flagctl.check.catalogue import Rule
    from flagctl.problems import Problem


def document(problems: Sequence[Problem], rules: dict[str, Rule], folder: str = "") -> dict[str, Any]:
    """One run; `folder` holds `flags/` and is relative to the Git repository."""
    order = list(rules)
    driver = {
        "name": "flagctl",
        "version": __version__,
        "rules": [_rule(rule) for rule in rules.values()],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, order, folder) for problem in problems],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": shown.page(rule), "markdown": shown.markdown(rule)},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(problem: Problem, order: Sequence[str], folder: str) -> dict[str, Any]:
    file = f"{folder}/{problem.file}" if folder else problem.file
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(file, errors="surrogateescape")}}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": max(problem.column, 1)}
    message = f"{problem.message} (hint: {problem.hint})" if problem.hint else problem.message
    result: dict[str, Any] = {
        "ruleId": problem.rule,
        "level": problem.severity,
        "message": {"text": clean(message)},
        "locations": [{"physicalLocation": place}],
    }
    return result | {"ruleIndex": order.index(problem.rule)} if problem.rule in order else result
