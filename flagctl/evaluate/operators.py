"""The operators of conditions (docs/flags.md): a context's value and a flag's, to a tri-state.

True or False where the operator has something to say, None where it has not: the value is missing, null or
of another type. None matches no operator, a negative one included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import contains, eq, ge, gt, le, lt
from typing import Any, Literal

from flagctl.model import semver, times
from flagctl.model.condition import OPERATORS

_MICRO = 1_000_000


def lookup(context: object, name: str) -> Any:
    """The value of an attribute, None where there is none. Dots walk into objects: `account.plan`."""
    value = context
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def matches(operator: str, value: Any, wanted: Any) -> bool:
    """Whether a condition holds. `value` is the context's, None for missing; `wanted` stands in the flag."""
    return verdict(operator, value, wanted) is True


def verdict(operator: str, value: Any, wanted: Any) -> bool | None:
    """As `matches`, but None where the value's type gives the operator nothing to compare."""
    negated = OPERATORS[operator].negates
    found = _TESTS[negated or operator](value, wanted)
    return found if found is None else found is not bool(negated)


def is_number(value: object) -> bool:
    """An integer or a finite float; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not _is_endless(value)


def _is_endless(value: float) -> bool:
    # math.isfinite() raises for integers that no float can hold.
    return isinstance(value, float) and not math.isfinite(value)


def _kind(value: object) -> Literal["text", "number", "boolean"] | None:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    return "number" if is_number(value) else None


def _same(one: object, other: object) -> bool:
    return _kind(one) is not None and _kind(one) == _kind(other) and bool(one == other)


def _equals(value: Any, wanted: Any) -> bool | None:
    return _in(value, [wanted])


def _in(value: Any, wanted: list[Any]) -> bool | None:
    if _kind(value) is None or _kind(value) not in map(_kind, wanted):
        return None
    return any(_same(value, one) for one in wanted)


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool | None]:
    def any_of(value: Any, wanted: list[str]) -> bool | None:
        return any(test(value, one) for one in wanted) if isinstance(value, str) else None

    return any_of


def compile_pattern(text: str) -> Any:
    """RE2's own pattern. Raises re2.error, also for one that takes over a megabyte, and UnicodeEncodeError."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(text, options)


@lru_cache(maxsize=512)
def _pattern(text: str) -> Any:
    import re2

    try:
        return compile_pattern(text)
    except (re2.error, UnicodeEncodeError):
        return None


def _search(value: Any, wanted: str) -> bool | None:
    pattern = _pattern(wanted)
    if not isinstance(value, str) or pattern is None:
        return None
    try:
        return pattern.search(value) is not None
    except UnicodeEncodeError:  # a lone surrogate: RE2 reads UTF-8
        return None


def _number(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    return lambda value, wanted: test(value, wanted) if is_number(value) else None


def _time(test: Callable[[Any, int], bool]) -> Callable[[Any, Any], bool | None]:
    def compare(value: Any, wanted: int) -> bool | None:
        if isinstance(value, str):
            micro = times.microseconds(value)
            return None if micro is None else test(micro, wanted * _MICRO)
        return test(value, wanted) if is_number(value) else None

    return compare


_short_version = lru_cache(maxsize=4096)(semver.key)


def _version_key(text: str) -> semver.Key | None:
    # What is long is no usual version: were it kept, it would fill the memory.
    return _short_version(text) if len(text) < 64 else semver.key(text)


def _version(test: Callable[[semver.Key, semver.Key], bool]) -> Callable[[Any, Any], bool | None]:
    def compare(value: Any, wanted: str) -> bool | None:
        ours, theirs = _version_key(value) if isinstance(value, str) else None, _version_key(wanted)
        return None if ours is None or theirs is None else test(ours, theirs)

    return compare


def _includes(value: Any, wanted: Any) -> bool | None:
    return any(_same(member, wanted) for member in value) if isinstance(value, list | tuple) else None


def _includes_any(value: Any, wanted: list[Any]) -> bool | None:
    return any(_includes(value, one) for one in wanted) if isinstance(value, list | tuple) else None


def _includes_all(value: Any, wanted: list[Any]) -> bool | None:
    return all(_includes(value, one) for one in wanted) if isinstance(value, list | tuple) else None


_TESTS: dict[str, Callable[[Any, Any], bool | None]] = {
    "equals": _equals,
    "in": _in,
    "contains": _text(contains),
    "starts_with": _text(str.startswith),
    "ends_with": _text(str.endswith),
    "matches": _search,
    "gt": _number(gt),
    "gte": _number(ge),
    "lt": _number(lt),
    "lte": _number(le),
    "before": _time(lt),
    "after": _time(gt),
    "semver_eq": _version(eq),
    "semver_gt": _version(gt),
    "semver_gte": _version(ge),
    "semver_lt": _version(lt),
    "semver_lte": _version(le),
    "includes": _includes,
    "includes_any": _includes_any,
    "includes_all": _includes_all,
    "exists": lambda value, wanted: (value is not None) is wanted,
}
"""By name, without those that negate another: `verdict` turns the other's answer round."""
