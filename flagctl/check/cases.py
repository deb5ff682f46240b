"""Expectations before they run: the cases a matrix makes, and names that nothing answers to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from flagctl.model import times
from flagctl.model.repository import Expectation, Repository
from flagctl.problems import Problem, did_you_mean, pointer

MOST_CASES = 10_000
"""As many cases one expectation's matrix may make; a typing slip must not run for a day."""
_SPECIAL = ("environment", "at", "bucket")


class Case(NamedTuple):
    """One question. at: epoch seconds, None for the command's time. bucket: 0..99,999."""

    name: str
    environment: str
    context: dict[str, Any]
    at: int | None
    bucket: int | None


def cases_of(expectation: Expectation, repository: Repository) -> Iterator[Case]:
    """The cases of an expectation without `faults`, in the order of the file, the matrix's last value fastest."""
    own = expectation.environments or _holders(expectation, repository)
    if not expectation.matrix:
        for environment in own:
            yield Case(expectation.name, environment, expectation.context, expectation.at, expectation.bucket)
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
            yield Case(
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


def faults(expectation: Expectation, repository: Repository) -> list[Problem]:
    """Why an expectation can't run: a name that nothing answers to, or a matrix beyond bounds."""
    if math.prod(len(values) for values in expectation.matrix.values()) > MOST_CASES:
        return [_fault(expectation, "schema", f"the matrix makes more than {MOST_CASES:,} cases", "", "matrix")]
    environments = repository.environments
    in_matrix = "environment" in expectation.matrix
    named = expectation.matrix["environment"] if in_matrix else expectation.environments
    place = ("matrix", "environment") if in_matrix else ("environment",)
    unknown = [
        _fault(expectation, "unknown-environment", f'no environment "{name}"', did_you_mean(name, environments), *place)
        for name in named
        if name not in environments
    ]
    return unknown or _absent(expectation, repository, named) or _variants(expectation, repository, named)


def _absent(expectation: Expectation, repository: Repository, named: Sequence[str]) -> list[Problem]:
    kind, key = ("flag", expectation.flag) if expectation.flag else ("segment", expectation.segment)
    files = {name: e.flag_files if kind == "flag" else e.segment_files for name, e in repository.environments.items()}
    holders = _holders(expectation, repository)
    if not holders and not any(key in held for held in files.values()):
        known = {other for held in files.values() for other in held}
        message = f'no {kind} "{key}" in any environment'
        return [_fault(expectation, f"unknown-{kind}", message, did_you_mean(key, known))]
    return [
        _fault(expectation, f"unknown-{kind}", f"{kind} {key} {why} in {name}", "")
        for name in named
        if name not in holders
        for why in ["can't be read" if key in files[name] else "is not"]
    ]


def _variants(expectation: Expectation, repository: Repository, named: Sequence[str]) -> list[Problem]:
    variant = expectation.expect.get("variant")
    found = []
    for name in named or _holders(expectation, repository):
        flag = repository.environments[name].flags.get(expectation.flag)
        if flag is not None and variant is not None and variant not in flag.variants:
            message = f'{flag.key} has no variant "{variant}" in {name}'
            hint = did_you_mean(variant, flag.variants) or f"it has {', '.join(flag.variants)}"
            found.append(_fault(expectation, "unknown-variant", message, hint, "expect", "variant"))
    return found


def _fault(expectation: Expectation, rule: str, message: str, hint: str, *parts: str) -> Problem:
    place = expectation.pointer + pointer(*parts)
    return Problem(rule=rule, message=message, hint=hint, file=expectation.file, pointer=place)
