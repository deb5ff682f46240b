"""Files of contexts: Parquet, CSV and JSON lines, as frames whose columns are the attributes that a flag reads."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import polars as pl

from flagctl.errors import UsageError
from flagctl.evaluate.batch.columns import Column, Constant, column, one_of
from flagctl.evaluate.context import typed
from flagctl.evaluate.operators import lookup
from flagctl.model.condition import TARGETING_KEY
from flagctl.model.repository import Attribute
from flagctl.problems import did_you_mean

ROW = "\0row"
LINE = "\0line"
_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,17})?$"


class Source(Protocol):
    """A file of contexts.

    reads: the columns of `scan()` that `attributes` needs.
    """

    reads: list[str]

    def scan(self) -> pl.LazyFrame:
        """The rows, with whatever columns go to the output."""

    def attributes(self, frame: pl.DataFrame) -> Callable[[str], Column | Constant]:
        """How a chunk of `scan()` answers for an attribute. Raises UsageError that names the row."""

    def missing(self) -> list[str]:
        """Which of the wanted attributes nobody has; known when all rows were read."""


class Columns:
    """Which column, and what in it, stands for an attribute: the column of its name, or a field of an object."""

    def __init__(
        self, file: str, names: Collection[str], wanted: Collection[str], keys: Collection[str], user: str | None
    ) -> None:
        self.places: dict[str, tuple[str, list[str]]] = {}
        self.members: dict[str, list[str]] = {}
        for attribute in wanted:
            parts = attribute.split(".")
            heads = [".".join(parts[:size]) for size in range(1, len(parts) + 1)]
            found = [head for head in heads if head in names]
            if attribute == TARGETING_KEY and user is not None:
                found = [user]
            if len(found) > 1:
                raise UsageError(
                    f"{file}: the columns {' and '.join(found)} both stand for {attribute}",
                    hint="leave one of them out or give it another name",
                )
            if found:
                self.places[attribute] = found[0], [] if found[0] == user else parts[found[0].count(".") + 1 :]
            elif members := [name for name in names if name.startswith(f"{attribute}.")]:
                self.members[attribute] = members
        self.missing = [name for name in wanted if name not in self.places and name not in self.members]
        within = [name for members in self.members.values() for name in members]
        if TARGETING_KEY in self.missing and TARGETING_KEY in keys:
            raise UsageError(
                f"{file} has no column {TARGETING_KEY}, and the answer depends on who asks",
                hint=f"say which column that is, --user-column NAME; it has {', '.join(names)}",
            )
        self.reads = sorted({name for name, _ in self.places.values()} | set(within))


def required(file: str, name: str, names: Collection[str]) -> str:
    """A column that was asked for by name. Raises UsageError."""
    if name not in names:
        hint = did_you_mean(name, names) or f"it has {', '.join(names) or 'no column'}"
        raise UsageError(f'{file} has no column "{name}"', hint=hint)
    return name


class ParquetSource:
    """Typed columns; objects are structs."""

    def __init__(self, path: Path, wanted: Collection[str], keys: Collection[str], user: str | None) -> None:
        self._path = path
        names = self.scan().collect_schema().names()
        if not names:
            raise UsageError(f"{path} has no columns")
        self._columns = Columns(str(path), names, wanted, keys, user and required(str(path), user, names))
        self.reads = self._columns.reads

    def scan(self) -> pl.LazyFrame:
        """The rows."""
        return pl.scan_parquet(self._path, glob=False, hive_partitioning=False)

    def attributes(self, frame: pl.DataFrame) -> Callable[[str], Column | Constant]:
        """A chunk's attributes."""
        return lambda name: _of_frame(self._columns, frame, name, str(self._path))

    def missing(self) -> list[str]:
        """Attributes without a column."""
        return self._columns.missing


def _of_frame(columns: Columns, frame: pl.DataFrame, name: str, file: str) -> Column | Constant:
    if name in columns.members:
        return _object(frame.select(columns.members[name]))
    if name not in columns.places:
        return Constant(None, frame.height)
    head, rest = columns.places[name]
    data = frame[head]
    for field in rest:
        if not isinstance(data.dtype, pl.Struct) or field not in data.struct.fields:
            return Constant(None, frame.height)
        data = data.struct.field(field)
    years = data.dt.year() if isinstance(data.dtype, pl.Datetime | pl.Date) else None
    if years is not None and not years.is_between(1, 9999).fill_null(True).all():
        raise UsageError(f"{file}, column {head}: a time lies outside the years 1 to 9999")
    return column(data)


def _object(members: pl.DataFrame) -> Column:
    # No operator but `exists` asks anything of an object.
    there = members.select(pl.any_horizontal(pl.all().is_not_null()).alias("there"))["there"]
    return Column(there.set(~there, None), "any", lambda value: {})


class CsvSource:
    """Text columns, typed as `eval -a` types what it is given; an empty cell is missing."""

    def __init__(
        self,
        path: Path,
        wanted: Collection[str],
        keys: Collection[str],
        user: str | None,
        declared: Mapping[str, Attribute],
    ) -> None:
        self._path = path
        names = _header(path)
        self._columns = Columns(str(path), names, wanted, keys, user and required(str(path), user, names))
        self._declared = declared
        self._keys = keys
        self.reads = [ROW, *self._columns.reads]

    def scan(self) -> pl.LazyFrame:
        """The rows, numbered from 1."""
        return pl.scan_csv(
            self._path, glob=False, infer_schema=False, row_index_name=ROW, row_index_offset=1, raise_if_empty=False
        )

    def attributes(self, frame: pl.DataFrame) -> Callable[[str], Column | Constant]:
        """A chunk's attributes."""
        return lambda name: self._attribute(frame, name)

    def missing(self) -> list[str]:
        """Attributes without a column."""
        return self._columns.missing

    def _attribute(self, frame: pl.DataFrame, name: str) -> Column | Constant:
        if name in self._columns.members:
            return _object(frame.select(self._columns.members[name]))
        if name not in self._columns.places:
            return Constant(None, frame.height)
        head, rest = self._columns.places[name]
        data, declared = frame[head], self._declared.get(name if not rest else head)
        kind = "string" if declared is None or name == TARGETING_KEY else declared.type
        if kind == "string" and not rest:
            return Column(data, "text")
        if kind == "integer" and data.str.contains(_INTEGER).fill_null(True).all():
            return Column(data.cast(pl.Int64), "integer")
        if kind == "number" and name not in self._keys and data.str.contains(_NUMBER).fill_null(True).all():
            return Column(data.cast(pl.Float64), "float")
        if kind == "boolean" and data.is_in(["true", "false"]).fill_null(True).all():
            return Column(data == "true", "boolean")
        if kind == "string" or declared is None:
            return Constant(None, frame.height)  # a field of what is no object

        values: dict[str, Any] = {}
        for text in data.drop_nulls().unique().to_list():
            try:
                values[text] = lookup({"": typed(text, declared)}, ".".join(["", *rest]))
            except UsageError as error:
                row = frame.filter(data == text)[ROW][0]
                raise UsageError(f"{self._path}, row {row}, column {head}: {error.message}", hint=error.hint) from None
        if kind == "semver":
            return Column(data, "text")
        gone = [text for text, value in values.items() if value is None]
        return Column(data.set(one_of(data, gone), None) if gone else data, "any", values.__getitem__)


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason}", hint="save it as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path}, header: {error}") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f'{path} has two columns "{twice[0]}"', hint="give each column a name of its own")
    if not any(names):
        raise UsageError(f"{path} has no header", hint="the first line names the columns: targetingKey,country,plan")
    return names


def broken_row(path: Path) -> str:
    """What is wrong with a CSV file that could not be read, and in which row; "" when nothing is found."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            width = len(next(rows, []))
            for number, row in enumerate(rows, 1):
                if len(row) > width:
                    return f"row {number} has {len(row)} cells, the header {width}"
    except UnicodeDecodeError as error:
        return f"after row {number} is text that is not UTF-8 ({error.reason})"
    except csv.Error as error:
        return f"row {number + 1}: {error}"
    return ""


def broken_line(path: Path) -> str:
    """As `broken_row`, of a file of JSON lines."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.strip():
                    msgspec.json.decode(line.decode(), type=dict[str, Any])
            except (ValueError, RecursionError) as error:
                return f"line {number}: {error}"
    return ""


def unlike_lines(path: Path) -> str:
    """Which field of JSON lines can't be a column, being of another shape in two of them; "" when there is none."""
    seen: dict[str, tuple[str, int]] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            fields = list(msgspec.json.decode(line).items()) if line.strip() else []
            for name, value in fields:
                if value is None:
                    continue
                shape = (
                    "an object"
                    if isinstance(value, dict)
                    else "a list"
                    if isinstance(value, list)
                    else "a single value"
                )
                first, where = seen.setdefault(name, (shape, number))
                if first != shape:
                    return f'"{name}" is {first} in line {where} and {shape} in line {number}'
                if isinstance(value, dict):
                    fields += [(f"{name}.{inner}", within) for inner, within in value.items()]
    return ""


class JsonSource:
    """One JSON object on each line: the context, as `eval --context` reads it. Blank lines are passed over."""

    def __init__(self, path: Path, wanted: Collection[str], user: str | None, added: Collection[str]) -> None:
        self._path = path
        self._user = user
        self._wanted = wanted
        self._added = added
        self._seen: set[str] = set()
        self.reads = [ROW, LINE]
        tops = {name.split(".")[0] for name in wanted} | ({user} if user is not None else set()) | set(added)
        self._fields = {name: f"f{number}" for number, name in enumerate(sorted(tops))}
        row = msgspec.defstruct(
            "Row",
            [(field, Any, msgspec.UNSET) for field in self._fields.values()],
            rename={field: name for name, field in self._fields.items()},
            gc=False,
        )
        self._decode = msgspec.json.Decoder(row).decode

    def scan(self) -> pl.LazyFrame:
        """The lines, numbered from 1, without the blank ones."""
        lines = pl.scan_lines(self._path, name=LINE, row_index_name=ROW, row_index_offset=1, glob=False)
        return lines.filter(pl.col(LINE).str.strip_chars(" \t\r") != "")

    def attributes(self, frame: pl.DataFrame) -> Callable[[str], Column | Constant]:
        """A chunk's attributes."""
        rows = self._rows(frame)
        for name in self._added:
            field = self._fields[name]
            for number, row in zip(frame[ROW], rows, strict=True):
                if getattr(row, field) is not msgspec.UNSET:
                    raise UsageError(
                        f'{self._path}, line {number} has a "{name}" already',
                        hint="--prefix flag_ names ours flag_variant",
                    )
        self._seen.update(
            name
            for name in self._wanted
            if name not in self._seen and any(value is not None for value in self._values(rows, name))
        )
        return lambda name: self._attribute(rows, name)

    def missing(self) -> list[str]:
        """Attributes that no row had."""
        return [name for name in self._wanted if name not in self._seen]

    def _rows(self, frame: pl.DataFrame) -> list[Any]:
        decode, rows = self._decode, []
        try:
            for line in frame[LINE]:
                rows.append(decode(line))
        except (ValueError, RecursionError) as error:
            number = frame[ROW][len(rows)]
            what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise UsageError(
                f"{self._path}, line {number}: {what}", hint='each line is a JSON object: {"targetingKey": "ada"}'
            ) from None
        return rows

    def _values(self, rows: list[Any], name: str) -> list[Any]:
        if name == TARGETING_KEY and self._user is not None:
            top, rest = self._user, ""
        else:
            top, _, rest = name.partition(".")
        field = self._fields[top]
        values = [getattr(row, field) for row in rows]
        if rest:
            values = [lookup(value, rest) for value in values]
        return [None if value is msgspec.UNSET else value for value in values]

    def _attribute(self, rows: list[Any], name: str) -> Column | Constant:
        values = self._values(rows, name)
        kinds = {type(value) for value in values} - {type(None)}
        if not kinds:
            return Constant(None, len(rows))
        try:
            match kinds.pop() if len(kinds) == 1 else None:
                case builtin if builtin is str:
                    return Column(pl.Series(values, dtype=pl.String), "text")
                case builtin if builtin is bool:
                    return Column(pl.Series(values, dtype=pl.Boolean), "boolean")
                case builtin if builtin is int:
                    return Column(pl.Series(values, dtype=pl.Int64), "integer")
                case builtin if builtin is float:
                    return column(pl.Series(values, dtype=pl.Float64))
        except (OverflowError, TypeError):
            pass
        places = [None if value is None else place for place, value in enumerate(values)]
        return Column(pl.Series(places, dtype=pl.UInt32), "any", values.__getitem__)
