"""What `flagctl test` runs: each expectation, answered by the evaluator that services use."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from itertools import product
from typing import Any, NamedTuple

import msgspec

from flagctl.check.coverage import Reached, reached_by
from flagctl.compile.snapshot import snapshot
from flagctl.errors import UsageError
from flagctl.evaluate.evaluator import Evaluator, Resolution
from flagctl.model import times
from flagctl.model.flag import Flag
from flagctl.model.overview import chosen
from flagctl.model.repository import Environment, Expectation, Repository
from flagctl.problems import Problem, did_you_mean, pointer

MOST_CASES = 10_000
"""As many cases one expectation's matrix may make; a typing slip must not run for a day."""
_SPECIAL = ("environment", "at", "bucket")


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


class _Case(NamedTuple):
    name: str
    environment: str
    context: dict[str, Any]
    at: int | None
    bucket: int | None


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
        found = list(_problems(expectation, repository))
        problems += found
        if found:
            continue
        for case in _cases(expectation, repository):
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


def _run(expectation: Expectation, case: _Case, evaluators: _Evaluators, reached: set[Reached], now: float) -> Result:
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


def _cases(expectation: Expectation, repository: Repository) -> Iterator[_Case]:
    own = expectation.environments or _holders(expectation, repository)
    if not expectation.matrix:
        for environment in own:
            yield _Case(expectation.name, environment, expectation.context, expectation.at, expectation.bucket)
        return
    names = list(expectation.matrix)
    for values in product(*expectation.matrix.values()):
        chosen = dict(zip(names, values, strict=True))
        context = expectation.context
        for name, value in chosen.items():
            if name not in _SPECIAL:
                context = _placed(context, name.split("."), value)
        shown = ", ".join(f"{name}={_shown(name, value)}" for name, value in chosen.items() if name != "environment")
        for environment in [chosen["environment"]] if "environment" in chosen else own:
            yield _Case(
                f"{expectation.name} [{shown}]" if shown else expectation.name,
                environment,
                context,
                chosen.get("at", expectation.at),
                chosen.get("bucket", expectation.bucket),
            )


def _placed(context: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """The context with a value at a dotted name; the given one is left as it is."""
    head, *rest = path
    if rest:
        inner = context.get(head)
        value = _placed(inner if isinstance(inner, dict) else {}, rest, value)
    return {**context, head: value}


def _shown(name: str, value: Any) -> str:
    if name == "at":
        return times.text(value)
    return f"{value / 1000:g}" if name == "bucket" else str(value)


def _holders(expectation: Expectation, repository: Repository) -> tuple[str, ...]:
    return tuple(
        name
        for name, held in repository.environments.items()
        if (expectation.flag in held.flags if expectation.flag else expectation.segment in held.segments)
    )


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
            raise UsageError(f'no flag or segment "{key}"', hint=did_you_mean(key, known))


def _problems(expectation: Expectation, repository: Repository) -> Iterator[Problem]:
    def problem(rule: str, message: str, hint: str, *parts: str | int) -> Problem:
        place = expectation.pointer + pointer(*parts)
        return Problem(rule=rule, message=message, hint=hint, file=expectation.file, pointer=place)

    count = math.prod(len(values) for values in expectation.matrix.values())
    if count > MOST_CASES:
        yield problem("matrix-size", f"the matrix makes {count:,} cases, more than {MOST_CASES:,}", "", "matrix")
        return
    kind, key = ("flag", expectation.flag) if expectation.flag else ("segment", expectation.segment)
    named = tuple(map(str, expectation.matrix.get("environment", ()))) or expectation.environments
    unknown = [name for name in named if name not in repository.environments]
    for name in unknown:
        place = ("matrix", "environment") if "environment" in expectation.matrix else ("environment",)
        yield problem(
            "unknown-environment", f'no environment "{name}"', did_you_mean(name, repository.environments), *place
        )
    if unknown:
        return
    files = {name: e.flag_files if kind == "flag" else e.segment_files for name, e in repository.environments.items()}
    holders = _holders(expectation, repository)
    unread = {name for name, held in files.items() if key in held} - set(holders)
    if not holders and not unread:
        known = {
            other for e in repository.environments.values() for other in (e.flags if kind == "flag" else e.segments)
        }
        yield problem(f"unknown-{kind}", f'no {kind} "{key}" in any environment', did_you_mean(key, known))
        return
    for name in named:
        if name not in holders:
            why = f"can't be read in {name}" if name in unread else f"is not in {name}"
            yield problem(f"unknown-{kind}", f"{kind} {key} {why}", "")
    if kind == "flag" and isinstance(variant := expectation.expect.get("variant"), str):
        for name in named or holders:
            flag: Flag | None = repository.environments[name].flags.get(key)
            if flag is not None and variant not in flag.variants:
                hint = did_you_mean(variant, flag.variants) or f"it has: {', '.join(flag.variants)}"
                yield problem(
                    "unknown-variant", f'{key} has no variant "{variant}" in {name}', hint, "expect", "variant"
                )
