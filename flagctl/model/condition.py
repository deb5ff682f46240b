"""Conditions: what a rule or a segment asks of a context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

Scalar = str | int | float | bool
TARGETING_KEY = "targetingKey"
"""The attribute every context may have without declaring it, as OpenFeature names it; a string."""


class Operator(msgspec.Struct, frozen=True):
    """One operator of a condition.

    on: the kind of attribute it applies to: scalar, string, number, datetime, semver, array or any.
    takes: the shape of its value: scalar, scalars, texts (one text or several), pattern, number, time, version, bool.
    negates: the operator of which this is the opposite, "" for none.
    """

    on: Literal["scalar", "string", "number", "datetime", "semver", "array", "any"]
    takes: Literal["scalar", "scalars", "texts", "pattern", "number", "time", "version", "bool"]
    negates: str = ""


OPERATORS: dict[str, Operator] = {
    "equals": Operator("scalar", "scalar"),
    "not_equals": Operator("scalar", "scalar", "equals"),
    "in": Operator("scalar", "scalars"),
    "not_in": Operator("scalar", "scalars", "in"),
    "contains": Operator("string", "texts"),
    "not_contains": Operator("string", "texts", "contains"),
    "starts_with": Operator("string", "texts"),
    "not_starts_with": Operator("string", "texts", "starts_with"),
    "ends_with": Operator("string", "texts"),
    "not_ends_with": Operator("string", "texts", "ends_with"),
    "matches": Operator("string", "pattern"),
    "not_matches": Operator("string", "pattern", "matches"),
    "gt": Operator("number", "number"),
    "gte": Operator("number", "number"),
    "lt": Operator("number", "number"),
    "lte": Operator("number", "number"),
    "before": Operator("datetime", "time"),
    "after": Operator("datetime", "time"),
    "semver_eq": Operator("semver", "version"),
    "semver_gt": Operator("semver", "version"),
    "semver_gte": Operator("semver", "version"),
    "semver_lt": Operator("semver", "version"),
    "semver_lte": Operator("semver", "version"),
    "includes": Operator("array", "scalar"),
    "not_includes": Operator("array", "scalar", "includes"),
    "includes_any": Operator("array", "scalars"),
    "includes_all": Operator("array", "scalars"),
    "exists": Operator("any", "bool"),
}


class Test(msgspec.Struct, frozen=True, gc=False, tag="test"):
    """`{attribute: A, OP: VALUE}`. Values are normalised: texts are tuples, times epoch seconds."""

    __test__ = False  # pytest would collect it for its name

    attribute: str
    operator: str
    value: Scalar | tuple[Scalar, ...]


class InSegment(msgspec.Struct, frozen=True, gc=False, tag="segment"):
    """`{segment: NAME}`."""

    segment: str


class AnyOf(msgspec.Struct, frozen=True, gc=False, tag="any"):
    """`{any: [...]}`: at least one member holds."""

    members: tuple[Condition, ...]


class AllOf(msgspec.Struct, frozen=True, gc=False, tag="all"):
    """`{all: [...]}`: every member holds."""

    members: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True, gc=False, tag="not"):
    """`{not: CONDITION}`: the one place besides `exists: false` that sees a missing attribute."""

    member: Condition


Condition = Test | InSegment | AnyOf | AllOf | Not


def leaves(conditions: Iterable[Condition]) -> Iterator[Test | InSegment]:
    """Every condition that asks something itself, out of whatever it is nested in."""
    for condition in conditions:
        if isinstance(condition, AnyOf | AllOf):
            yield from leaves(condition.members)
        elif isinstance(condition, Not):
            yield from leaves((condition.member,))
        else:
            yield condition
