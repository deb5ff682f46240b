"""Single conditions in flagd's JSONLogic: a value of the wrong type matches none, and breaks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flagctl.compile.flagd_logic import (
    Logic,
    both,
    either,
    is_boolean,
    is_given,
    is_list,
    is_number,
    is_scalar_equal,
    is_text,
    negate,
    var,
    walked,
)
from flagctl.model import semver, times
from flagctl.model.condition import OPERATORS, Scalar

_FEW, _MANY = 3, 32
_SEPARATORS = "|;,~^#"
_SECOND = len("2026-12-01T09:00:00")
_MIDNIGHT = "T00:00:00Z"
_NO_FRACTION = ["Z"] + [
    fraction + zone + _MIDNIGHT
    for zone in ("Z", "+00:00")
    for fraction in ("", *("." + "0" * digits for digits in (1, 2, 3, 6, 9)))
]
"""What follows the seconds of `<time>T00:00:00Z` when they are whole: a date alone ends with the second."""

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_VERSIONS = {"semver_eq": "=", "semver_gt": ">", "semver_gte": ">=", "semver_lt": "<", "semver_lte": "<="}


class UnsayableError(Exception):
    """Something for which flagd has no words. Never leaves this room.

    code: the check rule it belongs to. place: where in the flag, once that is known. root: the required flag at
    the end of the chain that can't be said, and why.
    """

    def __init__(self, code: str, message: str, place: str = "", root: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.place = place
        self.root = root


def test(name: str, operator: str, wanted: Any) -> Logic:
    """One operator on an attribute. Raises UnsayableError."""
    value, reached = var(name), walked(name)
    if OPERATORS[operator].takes == "pattern":
        raise UnsayableError("flagd-regex", "flagd has no regular expressions")
    if operator == "exists":
        given = both(is_given(value), reached)
        return given if wanted else negate(given)
    opposite = OPERATORS[operator].negates
    kind, holds = _two_questions(value, opposite or operator, wanted)
    return both(kind, reached, negate(holds)) if opposite else both(_once(kind, opposite or operator), holds, reached)


def among(value: Logic, wanted: Sequence[Scalar]) -> Logic:
    """Equal to one of these, types included."""
    texts = [one for one in wanted if isinstance(one, str)]
    others = [one for one in wanted if not isinstance(one, str)]
    rare = [one for one in others if isinstance(one, bool) or one in (0, 1)]
    numbers = [one for one in others if one not in (0, 1)]
    exact = [is_scalar_equal(value, one) for one in rare]
    if len(numbers) > _FEW:
        exact.append({"in": [value, numbers]})
    else:
        exact += [is_scalar_equal(value, one) for one in numbers]
    return either(listed(value, texts), *exact)


def listed(value: Logic, texts: list[str]) -> Logic:
    """Is one of these texts: in the form that costs readers least.

    A long list is searched as one text, forty times faster than an `in`, which engines copy item by item.
    """
    if len(texts) <= _FEW:
        return either(*({"===": [value, text]} for text in texts))
    mark = next((mark for mark in _SEPARATORS if not any(mark in text for text in texts)), "")
    if len(texts) <= _MANY or not mark:
        # In Go the number 0 is in any list of texts.
        return both({"in": [value, texts]}, is_text(value))
    search = {"in": [{"cat": [mark, value, mark]}, f"{mark}{mark.join(texts)}{mark}"]}
    return both(is_text(value), negate({"in": [mark, value]}), search)


def _once(kind: Logic, operator: str) -> Logic:
    """The guard of an operator that is not negated: strict equality needs none."""
    return True if operator in ("equals", "in") else kind


def _two_questions(value: Logic, operator: str, wanted: Any) -> tuple[Logic, Logic]:
    """Whether an operator has something to say of a value, and what, should it have."""
    match OPERATORS[operator].on:
        case "scalar":
            values = wanted if operator == "in" else [wanted]
            return _kinds(value, values), among(value, values)
        case "string":
            return is_text(value), either(*(_has(value, operator, text) for text in wanted))
        case "number":
            return is_number(value), {_COMPARISONS[operator]: [value, wanted]}
        case "datetime":
            return True, _time(value, operator, wanted)
        case "semver":
            return is_text(value), _version(value, operator, wanted)
        case _:
            return is_list(value), _includes(value, operator, wanted)


def _kinds(value: Logic, wanted: Sequence[Scalar]) -> Logic:
    """It has the type of one of these."""
    kinds = {bool if isinstance(one, bool) else str if isinstance(one, str) else float for one in wanted}
    asked = ((str, is_text), (float, is_number), (bool, is_boolean))
    return either(*(is_of(value) for kind, is_of in asked if kind in kinds))


def _has(value: Logic, operator: str, text: str) -> Logic:
    if operator == "contains":
        # In JavaScript nothing is in an empty text, not even the empty text.
        return {"in": [text, value]} if text else True
    return {operator: [value, text]}


def _time(value: Logic, operator: str, wanted: int) -> Logic:
    """A number of seconds, or RFC 3339 text in UTC, which compares as text once its fraction is cut off."""
    moment = times.text(wanted)[:_SECOND]
    whole = {"cat": [value, _MIDNIGHT]}
    second = {"substr": [whole, 0, _SECOND]}
    written = both(
        is_text(value),
        {"===": [{"substr": [value, 4, 1]}, "-"]},
        {"===": [{"substr": [whole, 10, 1]}, "T"]},
        {"<": [value, ":"]},
        either({"ends_with": [value, "Z"]}, {"ends_with": [value, "+00:00"]}, negate({"in": ["T", value]})),
    )
    if operator == "before":
        compared: Logic = {"<": [second, moment]}
        counted: Logic = {"<": [value, wanted]}
    else:
        fraction = negate({"in": [{"substr": [whole, _SECOND]}, _NO_FRACTION]})
        compared = either({">": [second, moment]}, both({"===": [second, moment]}, fraction))
        counted = {">": [value, wanted]}
    return either(both(written, compared), both(is_number(value), counted))


def _version(value: Logic, operator: str, wanted: str) -> Logic:
    if semver.key(wanted) is None:
        return False
    full = wanted.removeprefix("v")
    if "-" not in full and "+" not in full:
        full += ".0" * (2 - full.count("."))
    return {"sem_ver": [value, _VERSIONS[operator], full]}


def _includes(value: Logic, operator: str, wanted: Any) -> Logic:
    if operator == "includes":
        return _member(value, wanted)
    members = [_member(value, one) for one in wanted]
    return both(*members) if operator == "includes_all" else either(*members)


def _member(value: Logic, wanted: Scalar) -> Logic:
    if isinstance(wanted, str):
        return {"in": [wanted, value]}
    return {"some": [value, is_scalar_equal(var(""), wanted)]}
