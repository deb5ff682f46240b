"""Contexts from a file, one at a time: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from flagctl.errors import OutsideError, UsageError
from flagctl.evaluate.context import from_arguments
from flagctl.model.condition import TARGETING_KEY
from flagctl.model.repository import Attribute

Context = Mapping[str, Any]
Report = Callable[[int, int], None]
"""Told of (bytes or rows read, of how many)."""

_REPORTED = 1000
_SLICE = 10_000


def contexts(
    path: Path, attributes: Mapping[str, Attribute], report: Report = lambda done, total: None
) -> Iterator[Context]:
    """The contexts of a file, by its ending; raises UsageError that names the line that makes no sense.

    CSV: a column for each attribute, typed as declared; an empty cell is a missing attribute. JSON lines: an object
    on each line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise UsageError(f"{path} is no file of contexts", hint=f"its name has to end in one of {known}")
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        yield from reader(path, attributes, report)
    except OSError as error:
        raise OutsideError(f"{path} can't be read: {error.strerror}") from error


def _lines(file: BinaryIO, size: int, report: Report) -> Iterator[bytes]:
    done = 0
    for number, line in enumerate(file):
        done += len(line)
        if not number % _REPORTED:
            report(done, size)
        yield line


def _csv(path: Path, attributes: Mapping[str, Attribute], report: Report) -> Iterator[Context]:
    with path.open("rb") as file:
        texts = (line.decode("utf-8-sig", "replace") for line in _lines(file, path.stat().st_size, report))
        rows = csv.reader(texts)
        names = next(rows, [])
        unknown = [name for name in names if name != TARGETING_KEY and name not in attributes]
        if not names or unknown:
            raise UsageError(
                f"{path}:1: {'no header line' if not names else f'column {unknown[0]!r} is no declared attribute'}",
                hint="the first line names attributes of flags/attributes.yaml, and targetingKey",
            )
        for row in rows:
            given = [f"{name}={text}" for name, text in zip(names, row, strict=False) if text != ""]
            try:
                yield from_arguments(given, attributes, {})[0]
            except UsageError as error:
                raise UsageError(f"{path}:{rows.line_num}: {error.message}") from error


def _json(path: Path, attributes: Mapping[str, Attribute], report: Report) -> Iterator[Context]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file, path.stat().st_size, report), 1):
            if line.strip():
                try:
                    yield decode(line)
                except msgspec.MsgspecError as error:
                    hint = 'write one JSON object a line: {"targetingKey": "ada", "plan": "pro"}'
                    raise UsageError(f"{path}:{number}: no context: {error}", hint=hint) from error


def _parquet(path: Path, attributes: Mapping[str, Attribute], report: Report) -> Iterator[Context]:
    try:
        import polars
    except ImportError as error:
        raise UsageError("Parquet needs polars", hint='pip install "flagctl[batch]"') from error
    try:
        table = polars.scan_parquet(path)
        total = table.select(polars.len()).collect().item()
        for start in range(0, total, _SLICE):
            report(start, total)
            for row in table.slice(start, _SLICE).collect().iter_rows(named=True):
                yield _nested(row)
    except polars.exceptions.PolarsError as error:
        raise UsageError(f"{path} can't be read as Parquet: {error}") from error


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose dotted names lead into objects, without what is empty."""
    context: dict[str, Any] = {}
    for name, value in row.items():
        *parents, last = name.split(".")
        place = context
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is not None:
            place[last] = value
    return context


_READERS: dict[str, Callable[[Path, Mapping[str, Attribute], Report], Iterator[Context]]] = {
    ".csv": _csv,
    ".jsonl": _json,
    ".ndjson": _json,
    ".parquet": _parquet,
}
