"""Columns as conditions see them: a column and an operator to a mask, equal to `operators.matches` row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, reduce
from operator import or_
from typing import Any, Literal

import polars as pl

from flagctl.evaluate.bucket import key_text
from flagctl.evaluate.operators import is_number, matches
from flagctl.model.condition import OPERATORS

Kind = Literal["text", "integer", "float", "boolean", "time", "texts", "any"]
_MICRO = 1_000_000
_FEW = 8
"""Up to how many values it is quicker to compare with each than to look them up."""
_SAME: dict[str, Callable[[Any], bool]] = {
    "text": lambda one: isinstance(one, str),
    "boolean": lambda one: isinstance(one, bool),
    "integer": is_number,
    "float": is_number,
}
"""Which of a condition's values an `equals` compares with a column at all."""


def plain(value: Any) -> Any:
    """A cell as a context holds it: times are RFC 3339 text (UTC where they name no zone), decimals numbers."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return value


class Constant:
    """An attribute that is the same in every row; None: one that no row has."""

    def __init__(self, value: Any, height: int) -> None:
        self.value = value
        self.height = height

    def test(self, operator: str, wanted: Any) -> pl.Series:
        """Where `attribute operator wanted` holds."""
        return full(matches(operator, self.value, wanted), self.height)

    @cached_property
    def keys(self) -> pl.Series:
        """What is hashed for each row; null where nothing can be."""
        return pl.repeat(key_text(self.value), self.height, dtype=pl.String, eager=True)


class Column:
    """An attribute that has a column, of which a null says that it is missing.

    data: the stored values. kind: how they are compared; "any" goes value by value. read: a stored value as
    a context holds it.
    """

    def __init__(self, data: pl.Series, kind: Kind, read: Callable[[Any], Any] = plain) -> None:
        self.data = data
        self.kind = kind
        self.read = read

    def test(self, operator: str, wanted: Any) -> pl.Series:
        """Where `attribute operator wanted` holds."""
        if operator == "exists":
            return self.data.is_not_null() if wanted else self.data.is_null()
        negated = OPERATORS[operator].negates
        found = self._found(negated or operator, wanted)
        if found is None:
            return self._by_value(lambda value: matches(operator, value, wanted))
        return (~found if negated else found).fill_null(False)

    @cached_property
    def keys(self) -> pl.Series:
        """What is hashed for each row; null where nothing can be."""
        if self.kind == "text":
            return self.data.set(self.data == "", None)
        if self.kind == "integer":
            return self.data.cast(pl.String)
        if self.kind in ("float", "boolean", "texts"):
            return pl.repeat(None, len(self.data), dtype=pl.String, eager=True)
        return self.map(lambda value: key_text(self.read(value)), pl.String)

    def map(self, function: Callable[[Any], Any], dtype: Any) -> pl.Series:
        """A function of each stored value but null, called once for each that occurs."""
        if self.data.dtype.is_nested():
            answers = [None if value is None else function(value) for value in self.data.to_list()]
            return pl.Series(answers, dtype=dtype)
        values = self.data.drop_nulls().unique()
        if not len(values):
            return pl.repeat(None, len(self.data), dtype=dtype, eager=True)
        found = pl.Series([function(value) for value in values.to_list()], dtype=dtype)
        return self.data.replace_strict(values, found, default=None, return_dtype=dtype)

    def _by_value(self, holds: Callable[[Any], bool]) -> pl.Series:
        if self.data.dtype.is_nested():
            return self.map(lambda value: holds(self.read(value)), pl.Boolean).fill_null(False)
        values = self.data.drop_nulls().unique()
        wanted = values.filter(pl.Series([holds(self.read(value)) for value in values.to_list()], dtype=pl.Boolean))
        return one_of(self.data, wanted).fill_null(False)

    def _found(self, operator: str, wanted: Any) -> pl.Series | None:
        """The operator's answer, null where it has none; None when it has to go value by value."""
        match self.kind, operator:
            case (("text" | "integer" | "float" | "boolean"), ("equals" | "in")):
                return self._one_of([wanted] if operator == "equals" else wanted)
            case "text", ("contains" | "starts_with" | "ends_with"):
                return self._text(operator, wanted)
            case "integer", ("gt" | "gte" | "lt" | "lte"):
                return self._whole(operator, wanted)
            case "float", ("gt" | "gte" | "lt" | "lte"):
                return self._compared(operator, wanted) if _is_float(wanted) else None
            case (("integer" | "float"), ("before" | "after")):
                return self._found("lt" if operator == "before" else "gt", wanted)
            case "time", ("before" | "after"):
                micro = Column(self.data.dt.epoch("us"), "integer")
                return micro._whole("lt" if operator == "before" else "gt", wanted * _MICRO)
            case "texts", ("includes" | "includes_any" | "includes_all"):
                return self._includes(operator, [wanted] if operator == "includes" else wanted)
        return None

    def _one_of(self, wanted: list[Any]) -> pl.Series | None:
        same = [one for one in wanted if _SAME[self.kind](one)]
        if not same:
            return pl.repeat(None, len(self.data), dtype=pl.Boolean, eager=True)
        if self.kind == "float" and not all(map(_is_float, same)):
            return None
        if self.kind == "integer":
            same = [int(one) for one in same if one == int(one) and _fits(int(one))]
        return one_of(self.data, same)

    def _text(self, operator: str, wanted: list[str]) -> pl.Series | None:
        if not wanted:
            return None
        frame, text = self.data.alias("text").to_frame(), pl.col("text").str
        test: Callable[[str], pl.Expr]
        match operator:
            case "contains":
                test = lambda one: text.contains(one, literal=True)  # noqa: E731
            case "starts_with":
                test = text.starts_with
            case _:
                test = text.ends_with
        return frame.select(pl.any_horizontal(*map(test, wanted)).alias("found"))["found"]

    def _whole(self, operator: str, wanted: float) -> pl.Series:
        bound = math.floor(wanted) if operator in ("gt", "lte") else math.ceil(wanted)
        if _fits(bound):
            return self._compared(operator, bound)
        above = bound > 0
        return (self.data == self.data) == (above is operator.startswith("l"))

    def _compared(self, operator: str, bound: float) -> pl.Series:
        match operator:
            case "gt":
                return self.data > bound
            case "gte":
                return self.data >= bound
            case "lt":
                return self.data < bound
            case _:
                return self.data <= bound

    def _includes(self, operator: str, wanted: list[Any]) -> pl.Series | None:
        if not wanted:
            return None
        frame, texts = self.data.alias("texts").to_frame(), pl.col("texts")
        never = texts.is_null() & texts.is_not_null()
        tests = [texts.list.contains(one) if isinstance(one, str) else never for one in wanted]
        joined = pl.all_horizontal(*tests) if operator == "includes_all" else pl.any_horizontal(*tests)
        return frame.select(pl.when(texts.is_not_null()).then(joined).alias("found"))["found"]


def full(value: bool, height: int) -> pl.Series:
    """A mask that is the same in every row."""
    return pl.repeat(value, height, dtype=pl.Boolean, eager=True)


def one_of(data: pl.Series, wanted: Collection[Any]) -> pl.Series:
    """Where a value is one of those wanted; null where it is null."""
    values = pl.Series(wanted, dtype=data.dtype)
    if not 0 < len(values) <= _FEW:
        return data.is_in(values.implode())
    found: pl.Series = reduce(or_, (data == value for value in values))
    return found


def column(data: pl.Series) -> Column:
    """A typed series as an attribute."""
    kind = data.dtype
    if kind in (pl.Categorical, pl.Enum):
        return Column(data.cast(pl.String), "text")
    if kind == pl.String:
        return Column(data, "text")
    if kind == pl.Boolean:
        return Column(data, "boolean")
    if kind.is_integer():
        narrow = data.cast(pl.Int64, strict=False)
        return Column(narrow, "integer") if narrow.null_count() == data.null_count() else Column(data, "any")
    if kind.is_float():
        wide = data.cast(pl.Float64)
        # Neither NaN nor infinity is a number to any operator, but both are there: `exists` sees them.
        return Column(wide, "float") if wide.is_finite().fill_null(True).all() else Column(data.cast(pl.Float64), "any")
    if isinstance(kind, pl.Datetime):
        naive = data.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else data
        return Column(naive, "time")
    if kind == pl.List(pl.String):
        return Column(data, "texts")
    return Column(data, "any")


def _is_float(number: Any) -> bool:
    """Whether a float says exactly this number."""
    try:
        return bool(float(number) == number)
    except OverflowError:
        return False


def _fits(number: int) -> bool:
    return -(2**63) <= number < 2**63
