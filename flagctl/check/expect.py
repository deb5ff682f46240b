"""What `flagctl test` runs: each expectation, answered by the evaluator that services use."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from flagctl.check.cases import Case, cases_of, faults
from flagctl.check.coverage import Reached, reached_by
from flagctl.compile.snapshot import snapshot
from flagctl.errors import UsageError
from flagctl.evaluate.evaluator import Evaluator, Resolution
from flagctl.model.flag import Flag
from flagctl.model.overview import chosen
from flagctl.model.repository import Environment, Expectation, Repository
from flagctl.problems import Problem, did_you_mean


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One case that ran. `wrong` names the members of `expected` that `found` does not agree with.

    at: epoch seconds the case was answered for. bucket: as the file says it, in thousandths of a percent,
    or None. rule: the rule that answered, "" for none.
    """

    file: str
    pointer: str
    name: str
    environment: str
    flag: str
    segment: str
    context: dict[str, Any]
    at: float
    bucket: int | None
    expected: dict[str, Any]
    found: dict[str, Any]
    wrong: tuple[str, ...]
    rule: str = ""

    @property
    def passed(self) -> bool:
        """Everything that was expected was found."""
        return not self.wrong


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. An expectation with a problem did not run. `reached` is what `coverage` asks for."""

    results: list[Result]
    problems: list[Problem]
    reached: set[Reached]

    @property
    def failed(self) -> list[Result]:
        """The cases that found something else than they expected."""
        return [result for result in self.results if result.wrong]


def run_expectations(
    repository: Repository, now: float, *, keys: Collection[str] = (), environment: str | None = None
) -> Report:
    """Run the expectations of some flags or segments (default: all) in one environment (default: all).

    now: seconds since the epoch, for cases without `at`. Raises UsageError for an unknown key or environment.
    """
    _known(repository, keys, environment)
    asked = [e for e in repository.expectations if not keys or (e.flag or e.segment) in keys]
    evaluators = _Evaluators(repository, asked)
    results: list[Result] = []
    problems: list[Problem] = []
    reached: set[Reached] = set()
    for expectation in asked:
        found = faults(expectation, repository)
        problems += found
        if found:
            continue
        for case in cases_of(expectation, repository):
            if environment in (None, case.environment):
                results.append(_run(expectation, case, evaluators, reached, now))
    return Report(results=results, problems=problems, reached=reached)


def same(expected: Any, found: Any) -> bool:
    """Equal as JSON is: true is not 1, but 1 is 1.0; objects and lists member by member."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(same(value, found[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    return bool(expected == found)


class _Evaluators:
    """One evaluator per environment, made when a case first asks for it, of the tested flags and their needs."""

    def __init__(self, repository: Repository, expectations: list[Expectation]) -> None:
        self._repository = repository
        self._tested = {e.flag for e in expectations if e.flag}
        self._made: dict[str, Evaluator] = {}

    def flag(self, environment: str, key: str) -> Flag:
        return self._repository.environments[environment].flags[key]

    def of(self, environment: str) -> Evaluator:
        evaluator = self._made.get(environment)
        if evaluator is None:
            held = self._repository.environments[environment]
            only = _with_required(held, self._tested)
            document = snapshot(held, self._repository.settings, self._repository.attributes, only=only)
            evaluator = self._made[environment] = Evaluator(document)
        return evaluator


def _with_required(environment: Environment, keys: set[str]) -> set[str]:
    todo, found = [key for key in keys if key in environment.flags], set[str]()
    while todo:
        key = todo.pop()
        if key not in found and key in environment.flags:
            found.add(key)
            todo += [requirement.flag for requirement in environment.flags[key].requires]
    return found


def _run(expectation: Expectation, case: Case, evaluators: _Evaluators, reached: set[Reached], now: float) -> Result:
    at = now if case.at is None else case.at
    evaluator = evaluators.of(case.environment)
    rule = ""
    found: dict[str, Any]
    if expectation.segment:
        found = {"matches": evaluator.matches_segment(expectation.segment, case.context, at)}
        reached.add((case.environment, expectation.segment, "segment", expectation.segment))
    else:
        answer = evaluator.evaluate(expectation.flag, case.context, at, bucket=case.bucket)
        flag = evaluators.flag(case.environment, expectation.flag)
        reached |= reached_by(case.environment, flag, case.context, at, answer)
        found, rule = _found(answer), answer.rule or ""
    return Result(
        file=expectation.file,
        pointer=expectation.pointer,
        name=case.name,
        environment=case.environment,
        flag=expectation.flag,
        segment=expectation.segment,
        context=case.context,
        at=at,
        bucket=case.bucket,
        expected=expectation.expect,
        found=found,
        wrong=tuple(key for key, value in expectation.expect.items() if not same(value, found.get(key))),
        rule=rule,
    )


def _found(answer: Resolution) -> dict[str, Any]:
    found = {"variant": answer.variant, "value": answer.value, "reason": answer.reason}
    return found if answer.error_code is None else found | {"error": answer.error_code}


def _known(repository: Repository, keys: Collection[str], environment: str | None) -> None:
    if environment is not None:
        chosen(repository, environment)
    known = {
        name
        for e in repository.environments.values()
        for name in (*e.flag_files, *e.segment_files, *e.flags, *e.segments)
    }
    for key in keys:
        if key not in known:
            raise UsageError(
                f'no flag or segment "{key}"', hint=did_you_mean(key, known) or "flagctl list shows all flags"
            )
