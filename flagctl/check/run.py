"""All that is wrong in a flag repository, in one pass."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from flagctl.check import allow
from flagctl.check.cases import faults
from flagctl.check.catalogue import catalogue
from flagctl.check.view import EnvironmentView
from flagctl.errors import OutsideError
from flagctl.files.locate import locate
from flagctl.files.walk import SETTINGS
from flagctl.model.repository import Expectation, Repository
from flagctl.problems import Problem, Severity, did_you_mean, pointer

if TYPE_CHECKING:
    from flagctl.check.catalogue import Finder
    from flagctl.files.repository import Reading


def check(reading: Reading, now: float, *, placed: bool = True, others: Iterable[Problem] = ()) -> list[Problem]:
    """What reading found and what the rules find, without what is allowed; by file, line and column.

    now: seconds since the epoch, for expiries. Only files with problems or with comments that allow one are looked at
    again, for the lines. placed: False leaves the lines of warnings to `located`, for whoever may not show them:
    finding one takes longer than all else that is done for a file. others: found by somebody else, with their lines;
    settings say how heavy these are, too.
    """
    was_on = gc.isenabled()
    gc.disable()  # views make no cycles, and each search for some goes through all that was read
    try:
        return _check(reading, now, placed, others)
    finally:
        if was_on:
            gc.enable()


def located(problems: Iterable[Problem], reading: Reading) -> list[Problem]:
    """The problems with their lines and columns."""
    texts = _Texts(reading)
    return [texts.located(problem) for problem in problems]


def _check(reading: Reading, now: float, placed: bool, others: Iterable[Problem]) -> list[Problem]:
    repository = reading.repository
    by_rules = _without_consequences(list(found_by_rules(repository, now)), repository)
    found = [*reading.problems, *others, *by_rules, *_severity_faults(repository)]
    return sorted(_weighed(_without_allowed(found, reading, placed), repository), key=_order)


def found_by_rules(repository: Repository, now: float) -> Iterator[Problem]:
    """What the rules find in what could be read."""
    severities = repository.settings.severities
    finders: dict[str, list[Finder]] = {}
    for rule in catalogue().values():
        if severities.get(rule.id) != "off":
            for scope, finder in rule.finds.items():
                finders.setdefault(scope, []).append(finder)
    for finder in finders["repository"]:
        yield from finder(repository)
    for expectation in repository.expectations:
        if not _unread(expectation, repository):
            yield from faults(expectation, repository)
    for environment in repository.environments.values():
        view = EnvironmentView(environment, repository, now)
        of_flags = [*finders["flag"], *finders["conditions"]]
        for flag in view.flags:
            for finder in of_flags if flag.tests or flag.segments else finders["flag"]:
                yield from finder(flag)
        of_segments = [*finders["segment"], *finders["conditions"]]
        for segment in view.segments:
            for finder in of_segments:
                yield from finder(segment)
        for finder in finders["environment"]:
            yield from finder(view)


def _unread(expectation: Expectation, repository: Repository) -> bool:
    """Whether what is tested has a file that could not be read, which is a problem of its own."""
    flag, segment = expectation.flag, expectation.segment
    return any(
        (flag in held.flag_files and flag not in held.flags)
        or (segment in held.segment_files and segment not in held.segments)
        for held in repository.environments.values()
    )


def _without_consequences(problems: list[Problem], repository: Repository) -> list[Problem]:
    rules = catalogue()
    after = [problem for problem in problems if problem.rule in rules and rules[problem.rule].follows]
    if not after:
        return problems
    places = {(problem.file, problem.pointer) for problem in after}
    causes = {
        (problem.file, above)
        for problem in problems
        for above in accumulate(problem.pointer.split("/"), lambda one, other: f"{one}/{other}")
        if above != problem.pointer and (problem.file, above) in places and _severity(problem, repository) == "error"
    }
    return [p for p in problems if not (rules[p.rule].follows and (p.file, p.pointer) in causes)]


def _weighed(problems: Iterable[Problem], repository: Repository) -> Iterator[Problem]:
    """The problems with the severities that rules and settings give them."""
    for problem in problems:
        severity = _severity(problem, repository)
        if severity == problem.severity:
            yield problem
        elif severity != "off":
            yield msgspec.structs.replace(problem, severity=severity)


def _severity(problem: Problem, repository: Repository) -> Severity:
    rules, severities = catalogue(), repository.settings.severities
    rule = rules.get(problem.rule)
    if problem.rule in severities and allow.can_be_silenced(problem, rules):
        return severities[problem.rule]
    return rule.severity if rule is not None and problem.severity == "error" else problem.severity


def _severity_faults(repository: Repository) -> Iterator[Problem]:
    rules = catalogue()
    for name, severity in repository.settings.severities.items():
        place = pointer("check", "severity", name)
        if name not in rules:
            hint = did_you_mean(name, rules) or "flagctl rule list shows them all"
            yield Problem(rule="unknown-rule", message=f'no rule "{name}"', hint=hint, file=SETTINGS, pointer=place,
                          at_key=True)  # fmt: skip
        elif rules[name].firm and severity != "error":
            message = f"{name} is always an error: a file with it can't be used"
            yield Problem(rule="firm-rule", message=message, file=SETTINGS, pointer=place, hint="take this line away")


def _without_allowed(problems: Iterable[Problem], reading: Reading, placed: bool) -> Iterator[Problem]:
    rules = catalogue()
    texts = _Texts(reading)
    found = [
        texts.located(problem)
        if placed or problem.file in reading.allows or _severity(problem, reading.repository) == "error"
        else problem
        for problem in problems
    ]
    unreadable = {p.file for p in found if p.rule.startswith("yaml-") and not allow.can_be_silenced(p, rules)}
    whole = all(allow.can_be_silenced(problem, rules) for problem in reading.problems)
    yield from allow.apply(
        found,
        sorted(reading.allows - unreadable),
        texts.lines,
        judge_unused=whole,
    )


class _Texts:
    """The texts of the few files that are looked at again, each read once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._lines: dict[str, allow.Lines | None] = {}

    def lines(self, file: str) -> allow.Lines | None:
        """The lines of a file, None when it can't be read."""
        if file not in self._lines:
            self._lines[file] = None
            # a refused link may lead to somebody's secrets, which must not be shown as the line of a problem
            if file not in self._reading.tree.refused:
                with suppress(OutsideError):
                    self._lines[file] = allow.Lines(self._reading.text(file))
        return self._lines[file]

    def located(self, problem: Problem) -> Problem:
        """The problem with line and column; a problem of the whole file stands at its first line of data."""
        lines = None if problem.line else self.lines(problem.file)
        if lines is None:
            return problem
        if problem.pointer:
            line, column, _ = locate(lines.text, problem.pointer, problem.at_key)
        else:  # not through the parser: the file may be one that it must not be handed
            line, column = lines.effective(1), 1
        return msgspec.structs.replace(problem, line=line, column=column)


def _order(problem: Problem) -> tuple[str, int, int, str, str]:
    return problem.file, problem.line, problem.column, problem.rule, problem.message
