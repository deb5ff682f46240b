"""A file of contexts to a file with answers beside them, in chunks over all cores."""

from __future__ import annotations

import errno
import glob
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from flagctl.errors import FlagctlError, OutsideError, UsageError
from flagctl.evaluate.batch.columns import Constant
from flagctl.evaluate.batch.engine import Plan, Said
from flagctl.evaluate.batch.sources import (
    LINE,
    ROW,
    CsvSource,
    JsonSource,
    ParquetSource,
    Source,
    broken_line,
    broken_row,
    required,
    unlike_lines,
)
from flagctl.evaluate.operators import lookup
from flagctl.model.repository import Attribute

FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PARTS = ("variant", "value", "reason", "rule")
_ANSWER = "\0answer"
_TYPES = {"boolean": pl.Boolean, "string": pl.String, "integer": pl.Int64, "number": pl.Float64, "object": pl.String}
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_BEAT = 0.1
"""Seconds between two reports of progress."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer and how to write it.

    source and into: of the formats that their suffixes name. sink: the file to write; `into` is what it will be
    called. base: attributes that every row has, whatever its columns say. declared: how CSV text is typed.
    user: the column that is the targeting key. columns: what to write, None for all. prefix: of added columns.
    """

    source: Path
    sink: Path
    into: Path
    base: Mapping[str, Any] = {}
    declared: Mapping[str, Attribute] = {}
    user: str | None = None
    columns: Sequence[str] | None = None
    prefix: str = ""


class Summary(msgspec.Struct, frozen=True):
    """How many rows were answered, how many had which answer, and the attributes that nobody had."""

    rows: int
    answers: Mapping[Said, int]
    missing: Sequence[str]


def format_of(path: Path) -> str:
    """parquet, csv or jsonl. Raises UsageError."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise UsageError(f'the name of "{path}" says no format', hint=f"end it in {', '.join(FORMATS)}")
    return found


def run(plan: Plan, job: Job, report: Callable[[int, int], None]) -> Summary:
    """Answer every row of a file and write it, with the answers, to `job.sink`.

    Raises UsageError for input that can't be read, naming file, row and column, and OutsideError for a
    failing disk; what stands in the sink then is worth nothing.
    """
    try:
        work = _Work(plan, job)
        query = work.query()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _explained(error, job) from error
    # In a thread of its own, so that Ctrl-C reaches us here.
    pool = ThreadPoolExecutor(1)
    done = pool.submit(work.sink, query)
    try:
        while not wait([done], _BEAT).done:
            report(work.rows, max(work.rows, work.total))
    finally:
        work.stopped.set()
        _finish(pool)
    try:
        done.result()
    except (OSError, pl.exceptions.PolarsError, FlagctlError, _Stopped, KeyboardInterrupt) as error:
        raise (work.failures or [_explained(error, job)])[0] from None
    if work.unknown:
        raise UsageError(f'no row of {job.source} has a "{min(work.unknown)}"', hint="--columns names what to write")
    return Summary(work.rows, {plan.table[number]: count for number, count in work.counts.items()}, work.missing())


def _finish(pool: ThreadPoolExecutor) -> None:
    """Wait for the work to end, however often Ctrl-C is pressed: whoever is told of it removes the sink."""
    while True:
        try:
            return pool.shutdown()
        except KeyboardInterrupt:
            continue


_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Stopped(Exception):  # noqa: N818 - nobody's mistake
    pass


class _Work:
    def __init__(self, plan: Plan, job: Job) -> None:
        self.plan = plan
        self.job = job
        self.added = {part: job.prefix + part for part in PARTS}
        self.source = self.open()
        self.lines = isinstance(self.source, JsonSource) and format_of(job.into) == "jsonl"
        self.total = _estimate(job.source)
        self.unknown = set(job.columns or ()) if self.lines else set()
        self.rows = 0
        self.counts: Counter[int] = Counter()
        self.failures: list[BaseException] = []
        self.stopped = threading.Event()
        self.lock = threading.Lock()

    def open(self) -> Source:
        """The source, of which every wanted column is known to exist where that can be known."""
        job = self.job
        wanted = sorted(name for name in self.plan.needs.attributes if lookup(job.base, name) is None)
        keys = self.plan.needs.keys.intersection(wanted)
        match format_of(job.source):
            case "parquet":
                return ParquetSource(job.source, wanted, keys, job.user)
            case "csv":
                return CsvSource(job.source, wanted, keys, job.user, job.declared)
            case _:
                return JsonSource(job.source, wanted, job.user, list(self.added.values()))

    def missing(self) -> list[str]:
        """Attributes that nobody had."""
        return self.source.missing()

    def query(self) -> pl.LazyFrame:
        """The whole work, not begun yet."""
        frame = self.source.scan()
        if self.lines:
            asked = pl.struct(self.source.reads).map_batches(
                self.answered_lines, return_dtype=pl.String, is_elementwise=True
            )
            return frame.select(asked.alias(LINE))
        own = set(self.added.values())
        if isinstance(self.source, JsonSource) and not (self.job.columns and own.issuperset(self.job.columns)):
            frame = _parsed(frame, self.job.source)
        schema = frame.collect_schema()
        names = [name for name in schema.names() if name not in (ROW, LINE)]
        self.refuse_clash(names)
        wanted = [*names, *self.added.values()] if self.job.columns is None else self.job.columns
        for name in wanted:
            required(str(self.job.source), name, [*names, *self.added.values()])
        for name in wanted:
            if name in names and (held := _unsaid(schema[name], format_of(self.job.into))):
                others = "-o answers.parquet" if held == "bytes" else "-o answers.parquet or answers.jsonl"
                raise UsageError(
                    f'column "{name}" holds {held}, which {self.job.into.suffix} files can\'t carry',
                    hint=f"write {others}, or choose --columns",
                )
        parts = [part for part, name in self.added.items() if name in wanted]
        types = {self.added[part]: self.dtype(part) for part in parts}
        reads = self.source.reads or names[:1]  # something that has as many rows
        asked = pl.struct(reads).map_batches(
            lambda rows: self.answered(rows, parts), return_dtype=pl.Struct(types), is_elementwise=True
        )
        kept = [pl.col(name) for name in names if name in wanted]
        return frame.select(*kept, asked.alias(_ANSWER)).unnest(_ANSWER).select(wanted)

    def refuse_clash(self, names: Collection[str]) -> None:
        """Nothing of the input may be overwritten."""
        for name in self.added.values():
            if name in names and (self.job.columns is None or name in self.job.columns):
                raise UsageError(
                    f'{self.job.source} has a column "{name}" already', hint="--prefix flag_ names ours flag_variant"
                )

    def dtype(self, part: str) -> Any:
        """The type of an added column."""
        return _TYPES[self.plan.flag["type"]] if part == "value" else pl.String

    def sink(self, query: pl.LazyFrame) -> None:
        """Do the work."""
        if self.stopped.is_set():
            raise _Stopped
        path = self.job.sink
        match format_of(self.job.into):
            case "parquet":
                query.sink_parquet(path, compression_level=1)
            case "csv":
                query.sink_csv(path, check_extension=False)
            case _ if self.lines:
                query.sink_csv(path, include_header=False, quote_style="never", check_extension=False)
            case _:
                query.sink_ndjson(path, check_extension=False)

    def numbers(self, rows: pl.Series) -> pl.Series:
        """A chunk's answers; the first failure is kept as it is, for polars would make text of it."""
        if self.stopped.is_set() or self.failures:
            raise _Stopped
        try:
            frame = rows.struct.unnest()
            found = self.source.attributes(frame)

            def attribute(name: str) -> Any:
                fixed = lookup(self.job.base, name)
                return found(name) if fixed is None else Constant(fixed, frame.height)

            numbers = self.plan.answer(attribute, frame.height)
        except Exception as error:
            self.failures.append(error)
            raise
        counts = dict(numbers.value_counts().iter_rows())
        with self.lock:
            self.rows += len(numbers)
            self.counts.update(counts)
        return numbers

    def answered(self, rows: pl.Series, parts: Sequence[str]) -> pl.Series:
        """The added columns of a chunk, as a struct."""
        numbers = self.numbers(rows)
        columns = [
            pl.Series(self.added[part], [self.cell(said, part) for said in self.plan.table], dtype=self.dtype(part))
            for part in parts
        ]
        return pl.DataFrame([cells.gather(numbers) for cells in columns], height=len(numbers)).to_struct("")

    def cell(self, said: Said, part: str) -> Any:
        """What one answer writes into an added column; objects are JSON text."""
        if part != "value":
            return getattr(said, part)
        value = self.plan.flag["variants"].get(said.variant)
        return msgspec.json.encode(value).decode() if self.plan.flag["type"] == "object" else value

    def answered_lines(self, rows: pl.Series) -> pl.Series:
        """The lines of a chunk, each as it was with the answer before its closing brace."""
        numbers = self.numbers(rows)
        flag, tails = self.plan.flag, []
        for said in self.plan.table:
            cells = said._asdict() | {"value": flag["variants"].get(said.variant)}
            tails.append(msgspec.json.encode({self.added[part]: cells[part] for part in PARTS}).decode()[1:])
        heads = rows.struct.field(LINE).str.strip_chars_end(" \t\r").str.strip_suffix("}").str.strip_chars_end(" \t\r")
        frame = pl.DataFrame({"head": heads, "tail": pl.Series(tails).gather(numbers)})
        comma = pl.when(pl.col("head").str.ends_with("{")).then(pl.lit("")).otherwise(pl.lit(","))
        lines = frame.select(pl.concat_str("head", comma, "tail")).to_series()
        return lines if self.job.columns is None else pl.Series([self.chosen(line) for line in lines], dtype=pl.String)

    def chosen(self, line: str) -> str:
        """A line with the wanted columns alone, each as it is spelled there."""
        cells = _RAW.decode(line)
        found = {name: cells[name] for name in self.job.columns or () if name in cells}
        self.unknown -= found.keys()
        return msgspec.json.encode(found).decode()


def _unsaid(dtype: Any, into: str) -> str:
    """What a column holds that a format can't write; "" for nothing."""
    if into == "csv" and dtype.is_nested():
        return "lists or objects"
    members = [field.dtype for field in getattr(dtype, "fields", [])] or [getattr(dtype, "inner", None)]
    if dtype == pl.Binary or any(member is not None and _unsaid(member, "jsonl") for member in members):
        return "" if into == "parquet" else "bytes"
    return ""


def _parsed(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """JSON lines as columns, typed by what all lines hold."""
    if not frame.head(1).collect().height:
        return frame
    schema = pl.scan_ndjson(glob.escape(str(path)), infer_schema_length=None).collect_schema()
    return frame.with_columns(pl.col(LINE).str.json_decode(pl.Struct(schema)).alias(_ANSWER)).unnest(_ANSWER)


def _estimate(path: Path) -> int:
    """About how many rows a file has; 0 for no idea."""
    if format_of(path) == "parquet":
        return int(pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item())
    with path.open("rb") as file:
        sample = file.read(1 << 18)
    return path.stat().st_size * sample.count(b"\n") // max(len(sample), 1)


def _explained(error: BaseException, job: Job) -> BaseException:
    """What polars or the system says, in words for whoever gave us the file."""
    if isinstance(error, FlagctlError | KeyboardInterrupt):
        return error
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return OutsideError(f"{job.source} is not there")
    if isinstance(error, OSError) and error.filename == str(job.source):
        return OutsideError(f"{job.source} can't be read: {error.strerror}")
    for number in _DISK:
        if f"os error {number})" in str(error):
            return OutsideError(
                f"{job.into} can't be written: {os.strerror(number)}", hint="free some space; nothing was written"
            )
    kind = format_of(job.source)
    broken = broken_row(job.source) if kind == "csv" else broken_line(job.source) if kind == "jsonl" else ""
    if kind != "jsonl" or broken:
        return UsageError(f"{job.source} can't be read: {broken or text}")
    return UsageError(
        f"{job.source} can't be made columns: {unlike_lines(job.source) or text}",
        hint="write -o answers.jsonl, which keeps lines as they are, or --columns variant,rule alone",
    )
