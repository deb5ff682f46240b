"""Which values and operators fit which attribute, and which values fit which flag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flagctl.model import words
from flagctl.model.condition import OPERATORS, TARGETING_KEY, Scalar, Test
from flagctl.model.repository import Attribute, Repository

_TARGETING_KEY = Attribute(name=TARGETING_KEY, type="string")
_KINDS = {  # type of attribute: the kinds of operators that fit it, beside those for any
    "string": ("scalar", "string"),
    "integer": ("scalar", "number"),
    "number": ("scalar", "number"),
    "boolean": ("scalar",),
    "datetime": ("scalar", "datetime"),
    "semver": ("scalar", "semver"),
    "array": ("array",),
    "object": (),
}


def attribute(repository: Repository, name: str) -> Attribute | None:
    """What is declared of an attribute; the targeting key, a string, needs no declaration."""
    return repository.attributes.get(name) or (_TARGETING_KEY if name == TARGETING_KEY else None)


def operator_fits(operator: str, declared: Attribute) -> bool:
    """Whether an operator can ever match an attribute of this type."""
    on = OPERATORS[operator].on
    return on == "any" or on in _KINDS[declared.type]


def operators_for(declared: Attribute) -> list[str]:
    """The operators that fit an attribute's type."""
    return [name for name in OPERATORS if operator_fits(name, declared)]


def value_fits(kind: str, value: Any) -> bool:
    """Whether a value is one of an attribute's or a flag's type; an integer is a number too."""
    match kind:
        case "string" | "semver":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "datetime":
            return isinstance(value, (str, int, float)) and not isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case _:
            return False


def compared_values(test: Test, declared: Attribute, place: str) -> list[tuple[str, Scalar, str]]:
    """(type it should have, value, pointer) of what a test compares with, where any scalar may stand."""
    takes = OPERATORS[test.operator].takes
    if (takes != "scalar" and takes != "scalars") or not operator_fits(test.operator, declared):
        return []
    kind = declared.items if declared.type == "array" else declared.type
    where = f"{place}/{test.operator}"
    if isinstance(test.value, tuple):
        return [(kind, value, f"{where}/{i}") for i, value in enumerate(test.value)]
    return [(kind, test.value, where)]


def identity(value: Scalar) -> tuple[bool, Scalar]:
    """A key under which values are the same exactly when `equals` holds: 1 is 1.0 but not true."""
    return isinstance(value, bool), value


def named(value: Any) -> str:
    """The type of a value, for people."""
    match value:
        case bool():
            return "a boolean"
        case str():
            return "text"
        case int():
            return "an integer"
        case float():
            return "a number"
        case dict():
            return "an object"
        case _:
            return "a list"


NAMES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "datetime": "a time",
    "semver": "a version",
    "object": "an object",
}
"""What a value of a type is called."""


def one_of(known: Iterable[str], most: int = 8) -> str:
    """«there are a, b, c», for a hint; a long list is cut."""
    names = [words.value(name) for name in known]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"there {'are' if len(names) > 1 else 'is'} {', '.join(names[:most])}{more}" if names else ""
