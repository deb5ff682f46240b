"""The rules there are: one file each in `rules/`, found by looking there."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from flagctl.check import rules
from flagctl.errors import UsageError
from flagctl.problems import Problem, Severity, did_you_mean

Files = str | Mapping[str, str]
"""An example: the text of one flag file, or of several files by path. A byte that is not UTF-8 is written as the
lone surrogate that Python's `surrogateescape` makes of it."""
Finder = Callable[..., Iterable[Problem]]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, as its file says it.

    title: its first sentence; why: all of it. bad, good: examples; None where a file's text can't show it.
    follows: it is a consequence, not worth telling where an error stands below its place.
    firm: a file with this problem can't be used, so it can be neither allowed nor lowered.
    finds: for whom each check function is: conditions, flag, segment, environment or repository. A rule without
        any is found while reading.
    """

    id: str
    severity: Severity
    why: str
    bad: Files | None
    good: Files | None
    firm: bool
    follows: bool
    finds: dict[str, Finder]

    @property
    def title(self) -> str:
        """The first sentence, without its full stop."""
        return self.why.split("\n", 1)[0].rstrip(".")


SCOPES = ("conditions", "flag", "segment", "environment", "repository")


def _rule(module: Any) -> Rule:
    finds = {scope: getattr(module, f"check_{scope}") for scope in SCOPES if hasattr(module, f"check_{scope}")}
    return Rule(
        id=module.ID,
        severity=module.SEVERITY,
        why=module.__doc__.strip(),
        bad=module.BAD,
        good=module.GOOD,
        firm=getattr(module, "FIRM", False),
        follows=getattr(module, "FOLLOWS", False),
        finds=finds,
    )


@cache
def catalogue() -> dict[str, Rule]:
    """All rules by id, in order of their ids."""
    names = sorted(module.name for module in pkgutil.iter_modules(rules.__path__))
    found = [_rule(import_module(f"{rules.__name__}.{name}")) for name in names]
    return {rule.id: rule for rule in sorted(found, key=lambda rule: rule.id)}


def named(rule: str) -> Rule:
    """The rule with this id; raises UsageError."""
    rules = catalogue()
    if rule not in rules:
        raise UsageError(f'no rule "{rule}"', hint=did_you_mean(rule, rules) or "flagctl rule list shows them all")
    return rules[rule]
