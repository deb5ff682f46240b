"""Conditions on how a text begins, ends, and what it contains."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flagctl.model.condition import Test

Relation = Callable[[str, str], bool]


def _begins(text: str, part: str) -> bool:
    return text.startswith(part)


def _ends(text: str, part: str) -> bool:
    return text.endswith(part)


def _holds(text: str, part: str) -> bool:
    return part in text


_PARTS: dict[str, Relation] = {"starts_with": _begins, "ends_with": _ends, "contains": _holds}
OPERATORS = {*_PARTS, *(f"not_{name}" for name in _PARTS)}
"""The operators that this knows about."""


def _parts(test: Test) -> tuple[str, ...]:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return tuple(map(str, values))


def clash(tests: Iterable[Test]) -> bool:
    """Whether two lists of beginnings, or of ends, have none in common."""
    known = list(tests)
    for operator in ("starts_with", "ends_with"):
        lists = [_parts(test) for test in known if test.operator == operator]
        for i, one in enumerate(lists):
            if any(_apart(operator, one, other) for other in lists[:i]):
                return True
    return False


def follows(tests: Iterable[Test], wanted: Test) -> bool:
    """Whether every text that passes some of the conditions passes another."""
    parts = _parts(wanted)
    if not wanted.operator.startswith("not_"):
        fits = _PARTS[wanted.operator]
        # «begins with abc» holds for every text that begins with abcd, and so does «contains bc»
        sources = _PARTS if wanted.operator == "contains" else (wanted.operator,)
        return any(
            all(any(fits(text, part) for part in parts) for text in _parts(test))
            for test in tests
            if test.operator in sources
        )
    operator = wanted.operator.removeprefix("not_")
    return any(_excluded(test, operator, parts) for test in tests)


def _excluded(test: Test, operator: str, parts: tuple[str, ...]) -> bool:
    if test.operator == operator:
        return operator != "contains" and _apart(operator, _parts(test), parts)
    if test.operator in (f"not_{operator}", "not_contains"):
        # a text that begins with abc begins with ab, too: where none of the latter is, none of the former is
        covers = _PARTS[test.operator.removeprefix("not_")]
        return all(any(covers(part, known) for known in _parts(test)) for part in parts)
    return False


def _apart(operator: str, some: Iterable[str], others: tuple[str, ...]) -> bool:
    fits = _PARTS[operator]
    return not any(fits(one, other) or fits(other, one) for one in some for other in others)
