"""JSONLogic on which flagd's engines agree: connectives, and guards that ask for a value's type.

No engine may ever raise, for that takes the whole flag down; and none may mistake one type for another. The surprises
that the guards answer, engine by engine, stand in docs/decisions/0013.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

Logic = Any
"""A JSONLogic expression, plain JSON, never changed once made: parts are shared. `True` and `False` are conditions
known beforehand."""
Guard = Callable[[Logic], Logic]

NOW: Logic = {"var": "$flagd.timestamp"}
"""Whole seconds since the Unix epoch, as each engine injects them."""

_ONE_IS_NOT_TRUE: Logic = {"!==": [1, True]}
"""Said by every engine but Python's, where `1 == True`: what stands behind it under `or` is for that engine alone."""

_FLAT = 8
"""Members up to which one `and` or `or` within another is dissolved: what is inlined again and again must be shared."""
_TOO_MANY = range(_FLAT + 1)
_LONGEST = 500
"""Members of one `and` or `or`: JavaScript's engine can't compile one of 2,600, whatever they are."""


def shared(make: Guard) -> Guard:
    """The guard, made once for each attribute: the same few are asked in thousands of flags."""
    known = lru_cache(maxsize=1000)(lambda name: make(var(name)))

    def guard(value: Logic) -> Logic:
        return known(value["var"])

    guard.__doc__ = make.__doc__
    return guard


@lru_cache(maxsize=1000)
def var(name: str) -> Logic:
    """An attribute's value, null where there is none; dots walk into objects."""
    return {"var": name}


def both(*members: Logic) -> Logic:
    """All hold, from the left until one does not."""
    return _joined("and", False, members)


def either(*members: Logic) -> Logic:
    """At least one holds, from the left until one does."""
    return _joined("or", True, members)


def _joined(word: str, decided: bool, members: tuple[Logic, ...]) -> Logic:
    found: list[Logic] = []
    for member in members:
        if member is decided:
            return decided
        if isinstance(member, dict) and len(member.get(word, _TOO_MANY)) <= _FLAT:
            found += member[word]
        elif not isinstance(member, bool):
            found.append(member)
    while len(found) > _LONGEST:
        found = [{word: found[at : at + _LONGEST]} for at in range(0, len(found), _LONGEST)]
    return {word: found} if len(found) > 1 else found[0] if found else not decided


def negate(member: Logic) -> Logic:
    """It does not hold."""
    return not member if isinstance(member, bool) else {"!": [member]}


def choose(cases: list[tuple[Logic, Logic]], otherwise: Logic) -> Logic:
    """The value of the first case whose condition holds. Every value is a variant's name in the end.

    Go evaluates all branches of `if`, but it is the one operator that gives the same value everywhere:
    its `and` answers true, not the last member.
    """
    found: list[Logic] = []
    for condition, value in cases:
        if condition is True:
            otherwise = value
            break
        if condition is not False:
            found += [condition, value]
    if isinstance(otherwise, dict) and "if" in otherwise:
        found += otherwise["if"]
    else:
        found.append(otherwise)
    return {"if": found} if len(found) > 1 else found[0]


@lru_cache(maxsize=1000)
def walked(name: str) -> Logic:
    """Holds where the parents of a dotted name are no empty text, zero or false.

    The JavaScript interpreter gives such a parent itself for what should be inside it.
    """
    parts = name.split(".")
    parents = [var(".".join(parts[:count])) for count in range(1, len(parts))]
    return both(*({"!==": [parent, empty]} for parent in parents for empty in ("", 0, False)))


@shared
def is_given(value: Logic) -> Logic:
    """It is not null."""
    return {"!==": [value, None]}


@shared
def is_text(value: Logic) -> Logic:
    """It is text. Every engine's `ends_with` wants text and answers false or null for anything else."""
    return both(is_given(value), {"ends_with": [value, ""]})


@shared
def is_number(value: Logic) -> Logic:
    """It is a number: written out it begins with a digit or a minus, and it is neither text nor a list of such."""
    written = {"cat": [value]}
    return both(is_given(value), {"<": [written, ":"]}, {"!==": [value, written]}, {"in": [value, {"merge": [value]}]})


@shared
def is_boolean(value: Logic) -> Logic:
    """It is true or false."""
    return both(
        either({"===": [value, True]}, {"===": [value, False]}),
        _written(value, ["true", "True", "false", "False"]),
    )


@shared
def is_list(value: Logic) -> Logic:
    """It is a list. `merge` makes a list of anything else, which then holds it; no list holds itself."""
    return both(is_given(value), negate({"in": [value, {"merge": [value]}]}))


def is_scalar_equal(value: Logic, wanted: str | float | bool) -> Logic:
    """Equal and of the same type."""
    same = {"===": [value, wanted]}
    if isinstance(wanted, bool):
        return both(same, _written(value, [str(wanted), str(wanted).lower()]))
    if wanted in (0, 1):
        return both(same, _written(value, ["1"] if wanted else ["0", "-0"]))
    return same


def _written(value: Logic, spellings: list[str]) -> Logic:
    """Tells 1 from true in Python, where it is needed and every value can be written out."""
    return either(_ONE_IS_NOT_TRUE, {"in": [{"cat": [value]}, spellings]})
