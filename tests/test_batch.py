"""Answers for a table of contexts are the readable evaluator's, row by row."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import mmh3
import msgspec
import polars as pl
import pytest
from random_flags import ATTRIBUTES, START, Limits, World, contexts, world
from snapshots import NOW, arms, flag, rule, snapshot, split
from snapshots import test as condition

from flagctl.errors import UsageError
from flagctl.evaluate.batch.columns import Constant, column
from flagctl.evaluate.batch.engine import Plan
from flagctl.evaluate.batch.hashing import hashes, limit
from flagctl.evaluate.batch.sources import LINE, ROW, Columns, JsonSource, ParquetSource
from flagctl.evaluate.batch.tables import Job, Summary, run
from flagctl.evaluate.bucket import BUCKETS, GENERATIONS
from flagctl.evaluate.context import from_arguments
from flagctl.evaluate.evaluator import Evaluator
from flagctl.evaluate.operators import matches
from flagctl.model.condition import OPERATORS

KEYS = [
    None,
    "",
    "a",
    "user-1",
    "x" * 23,
    "x" * 24,
    "x" * 119,
    "x" * 120,
    "x" * 121,
    "x" * 127,
    "x" * 128,
    "y" * 70_000,
]
KEYS += ["é", "grün-7", "日本", "\U0001f6d2" * 40, "é" * 63, "é" * 64, "a\0b", "\ufeff", "e\u0301", "5", "-5", " a "]
SALTS = ["", "s", "checkout", "a:b", "grün", "z" * 118, "z" * 119, "z" * 130, "é" * 119, "n\0"]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("salt", SALTS)
def test_columns_are_hashed_as_one_key_is(generation: str, salt: str) -> None:
    found = hashes(generation, salt, pl.Series(KEYS, dtype=pl.String))
    spell = GENERATIONS[generation]
    assert found.to_list() == [None if key is None else mmh3.hash(spell(salt, key), 0, False) for key in KEYS]


def test_a_hash_below_the_limit_is_a_bucket_below_the_bound() -> None:
    for upper in (0, 1, 33_333, 50_000, 99_999, BUCKETS):
        edge = limit(upper)
        for number in (edge - 1, edge, edge + 1):
            if 0 <= number < 2**32:
                assert (number < edge) is (number * BUCKETS >> 32 < upper)


def answered(made: Mapping[str, Any], key: str, now: float, attributes: Any, height: int) -> list[tuple[Any, ...]]:
    plan = Plan(made, key, now, {})
    assert plan.needs.trouble == ""
    return [tuple(plan.table[number]) for number in plan.answer(attributes(plan), height)]


def compare(made: World, key: str, rows: list[Any], now: float, attributes: Any) -> Counter[str]:
    """Assert that a chunk has the readable evaluator's answers; returns the reasons."""
    readable = Evaluator(made.document)
    found = answered(made.document, key, now, attributes, len(rows))
    for row, answer in zip(rows, found, strict=True):
        expected = readable.evaluate(key, row, now)
        assert answer == (expected.variant, expected.reason, expected.rule), (key, now, row, made.document["bucketing"])
    return Counter(reason for _, reason, _ in found)


def test_lines_of_json_have_the_readable_answers() -> None:
    """Every construct, all bucketings, every type in every place: 18,000 answers."""
    reasons: Counter[str] = Counter()
    for seed in range(30):
        dice = Random(seed)
        made = world(dice, flags=12, limits=Limits(json=True))
        for key in made.document["flags"]:
            asked = contexts(made, dice, key, 25)
            lines = [msgspec.json.encode(context) for context, _ in asked]
            frame = pl.DataFrame({ROW: range(1, 26), LINE: [line.decode() for line in lines]})
            rows = [msgspec.json.decode(line) for line in lines]

            def attributes(plan: Plan, frame: pl.DataFrame = frame) -> Any:
                return JsonSource(Path("x"), plan.needs.attributes, None, ["variant"]).attributes(frame)

            for now in dice.sample([now for _, now in asked], 2):
                reasons += compare(made, key, rows, now, attributes)
    assert sum(reasons.values()) == 18_000
    assert all(reasons[reason] > 400 for reason in ("STATIC", "DEFAULT", "DISABLED", "TARGETING_MATCH", "SPLIT"))


MOMENTS = [datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2026, 12, 1), datetime(2026, 12, 1, 0, 0, 0, 1), None]
COLUMNS: list[tuple[list[Any], Any]] = [
    ([math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, 2.0**53, 1e300, None], pl.Float64),
    ([0.0, -0.0, 0.1, 2.0**53, 2.0**63, 1e300, None], pl.Float64),
    ([0.1, 0.5, 0.0, None], pl.Float32),
    ([0, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), None], pl.Int64),
    ([2**64 - 1, 5, None], pl.UInt64),
    ([2**100, 5, None], pl.Int128),
    ([True, False, None], pl.Boolean),
    (["", "a", "ab", "5", "true", "é", "2.3.0", "2026-12-01", "A\nB", None], pl.String),
    (["a", "b", None], pl.Categorical),
    ([[], ["a"], ["a", None], [None], ["b", "a"], None], pl.List(pl.String)),
    ([[1], [1, 2, None], [], None], pl.List(pl.Int64)),
    ([[True, False], None], pl.List(pl.Boolean)),
    ([{"a": 1}, {"a": None}, None], pl.Struct({"a": pl.Int64})),
    ([b"a", None], pl.Binary),
    (MOMENTS, pl.Datetime("us")),
    (MOMENTS, pl.Datetime("ns", "UTC")),
    ([date(2026, 12, 1), None], pl.Date),
    ([Decimal("0.10"), Decimal("5.00"), None], pl.Decimal(10, 2)),
    ([None, None], pl.Null),
]
OPERANDS: dict[str, list[Any]] = {
    "scalar": ["", "a", "5", 5, 0, 0.0, 0.1, 2**53, 2**53 + 1, 2.0**53, 10**400, True, "é", "2026-12-01T00:00:00Z"],
    "texts": [[], [""], ["a"], ["B", "5"], ["é"]],
    "pattern": ["^a", "B$", "", "(?i)AB", "["],
    "number": [0, -1, 0.5, 2**53, 2**53 + 1, 2.0**53, 2**63, -(2**63), -(2**63) - 1, 10**400, 1e300, -1e300],
    "time": [0, 1_796_083_200, -1, 2**60],
    "version": ["2.3", "2.3.1", "x"],
    "bool": [True, False],
}
OPERANDS["scalars"] = [[], *([one] for one in OPERANDS["scalar"]), OPERANDS["scalar"], [False, "b", -1], [5, 2**70]]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_says_of_a_column_what_it_says_of_each_value(operator: str) -> None:
    for values, dtype in COLUMNS:
        data = pl.Series("column", values, dtype=dtype)
        for wanted in OPERANDS[OPERATORS[operator].takes]:
            found = column(data).test(operator, wanted).to_list()
            expected = [matches(operator, as_context(value), wanted) for value in data.to_list()]
            assert found == expected, (dtype, values, wanted)


def test_a_person_listed_twice_gets_the_first_variant() -> None:
    flags = {"f": arms(overrides={"b": ["ada"], "a": ["bob", "ada"]})}
    made, rows = snapshot(flags), pl.DataFrame({"targetingKey": ["ada", "bob", "eve", None]})

    def attributes(plan: Plan) -> Any:
        return lambda name: column(rows[name])

    found = answered(made, "f", NOW, attributes, 4)
    assert [variant for variant, *_ in found] == ["a", "a", "a", "a"]
    flags["f"]["overrides"] = {"b": ["ada", "bob"], "c": ["ada"]}
    found = answered(made, "f", NOW, attributes, 4)
    assert [variant for variant, *_ in found] == ["b", "b", "a", "a"]


BERLIN = pl.Datetime("ms", "Europe/Berlin")
DTYPES: dict[str, list[Any]] = {
    "string": [pl.String, pl.String, pl.Categorical, pl.Binary, pl.Null, pl.Int32],
    "integer": [
        pl.Int64,
        pl.Int64,
        pl.Int8,
        pl.UInt64,
        pl.Int128,
        pl.Float64,
        pl.Decimal(20, 0),
        pl.String,
        pl.Boolean,
    ],
    "number": [pl.Float64, pl.Float64, pl.Float32, pl.Int64, pl.UInt16, pl.Decimal(20, 2), pl.String],
    "boolean": [pl.Boolean, pl.Boolean, pl.Int8, pl.String],
    "datetime": [
        pl.Datetime("us"),
        pl.Datetime("ns", "UTC"),
        BERLIN,
        pl.Date,
        pl.String,
        pl.Int64,
        pl.Float64,
        pl.Time,
    ],
    "semver": [pl.String, pl.String, pl.Categorical, pl.Float64],
    "array": [pl.List(pl.String), pl.List(pl.String), pl.List(pl.Int64), pl.List(pl.Float64), pl.List(pl.Boolean)],
}


def spread(dice: Random, kind: str, asked: list[Any], size: int) -> list[Any]:
    """Values for a column of an attribute of some kind: those that contexts have, some of them a step aside."""
    values = [dice.choice([*asked, None]) for _ in range(size)]
    if kind == "number":
        values = [dice.choice([value, math.nan, math.inf, -0.0]) if dice.random() < 0.05 else value for value in values]
    return values


def as_dtype(value: Any, dtype: Any) -> Any:
    """The value as a column of that type can hold it, None where it can't."""
    base = dtype.base_type() if not isinstance(dtype, type) else dtype
    if value is None or base is pl.Null:
        return None
    if base is pl.List:
        members = value if isinstance(value, list) else [value]
        return [as_dtype(member, dtype.inner) for member in members]
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if base in (pl.Float64, pl.Float32):
        return None if number is None or abs(number) > 1e308 else float(number)
    if base in (pl.String, pl.Categorical, pl.Binary):
        text = value if isinstance(value, str) else None
        return text.encode() if text is not None and base is pl.Binary else text
    if base is pl.Boolean:
        return value if isinstance(value, bool) else None
    if number is None or math.isnan(number) or math.isinf(number):
        return None
    if base is pl.Decimal:
        return (
            Decimal(round(number * 100)).scaleb(-2).quantize(Decimal(1).scaleb(-dtype.scale))
            if abs(number) < 1e15
            else None
        )
    if base is pl.Datetime:
        moment = (
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=round(number * 1000))
            if abs(number) < 1e10
            else None
        )
        return moment if moment is None or dtype.time_zone else moment.replace(tzinfo=None)
    if base is pl.Date:
        return date(1970, 1, 1) + timedelta(days=int(number) // 86_400) if abs(number) < 1e10 else None
    if base is pl.Time:
        return (datetime.min + timedelta(seconds=int(number) % 86_400)).time()
    bits = {"Int8": 8, "Int32": 32, "Int64": 64, "UInt16": 17, "UInt64": 64, "Int128": 65}[base.__name__]
    whole = int(number)
    lowest = 0 if base.__name__.startswith("U") else -(2 ** (bits - 1))
    return whole if lowest <= whole < 2 ** (bits - 1) else None


def as_context(value: Any) -> Any:
    """A cell, read back from its column, as a person would type it into a context."""
    match value:
        case datetime():
            moment = value if value.tzinfo is None else value.astimezone(UTC)
            return (
                f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"
                if moment.microsecond
                else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
            )
        case date():
            return f"{value:%Y-%m-%d}"
        case Decimal():
            return int(value) if value % 1 == 0 else float(value)
        case list():
            return [as_context(member) for member in value]
        case dict():
            return {name: as_context(member) for name, member in value.items()}
    return value


def put(context: dict[str, Any], name: str, value: Any) -> None:
    """Set a dotted attribute of a context."""
    *parents, last = name.split(".")
    for parent in parents:
        context = context.setdefault(parent, {})
    context[last] = value


def table(made: World, dice: Random, key: str, size: int) -> pl.DataFrame:
    """Columns of chance for a flag; `account` is a struct or columns with dotted names."""
    asked = [made.context(dice, key) for _ in range(size)]
    data: dict[str, pl.Series] = {}
    for name, attribute in [("targetingKey", None), *made.attributes.items()]:
        kind = attribute.type if attribute else dice.choice(["string"] * 4 + ["integer"])
        if dice.random() < 0.1 or kind == "object":
            continue
        found = [looked_up(context, name) for context in asked]
        dtype = dice.choice(DTYPES[kind]) if attribute else {"string": pl.String, "integer": pl.Int64}[kind]
        values = [as_dtype(value, dtype) for value in spread(dice, kind, found, size)]
        data[name] = pl.Series(name, values, dtype=dtype, strict=False)
    if dice.random() < 0.5:
        members = [
            data.pop(name).alias(name.removeprefix("account.")) for name in list(data) if name.startswith("account.")
        ]
        if members:
            inner = pl.DataFrame(members)
            owner = [name for name in inner.columns if name.startswith("owner.")]
            inner = (
                inner.with_columns(
                    pl.struct(pl.col(owner).name.map(lambda name: name.partition(".")[2])).alias("owner")
                ).drop(owner)
                if owner
                else inner
            )
            whole = inner.to_struct("account")
            absent = pl.Series([dice.random() < 0.1 for _ in range(size)])
            data["account"] = pl.select(pl.when(~absent).then(whole)).to_series().alias("account")
    return pl.DataFrame(data)


def looked_up(context: Any, name: str) -> Any:
    """What a context says of a dotted attribute."""
    for part in name.split("."):
        context = context.get(part) if isinstance(context, dict) else None
    return context


def test_typed_columns_have_the_readable_answers(tmp_path: Path) -> None:
    """What Parquet holds: every width of number, categories, times with and without zones, structs: 18,000 answers."""
    reasons: Counter[str] = Counter()
    for seed in range(60):
        dice = Random(1000 + seed)
        made = world(dice, flags=6, limits=Limits(json=True))
        for key in made.document["flags"]:
            frame = table(made, dice, key, 25)
            rows = []
            for cells in frame.iter_rows(named=True):
                rows.append(context := {})
                for name, cell in cells.items():
                    if cell is not None:
                        put(context, name, as_context(cell))
            path = tmp_path / "table.parquet"
            frame.write_parquet(path)

            def attributes(plan: Plan, frame: pl.DataFrame = frame, path: Path = path) -> Any:
                return ParquetSource(path, plan.needs.attributes, [], None).attributes(frame)

            for now in dice.sample(made.moments(key), 2):
                reasons += compare(made, key, rows, now, attributes)
    assert sum(reasons.values()) == 18_000
    assert all(reasons[reason] > 400 for reason in ("STATIC", "DEFAULT", "DISABLED", "TARGETING_MATCH", "SPLIT"))


FLAG = {"f": arms(rules=[rule("adults", condition("age", "gte", 18), **split("a", 30_000, "b", 100_000))])}
ROWS = [{"targetingKey": f"user-{number}", "age": number % 40 or None} for number in range(400)]


def batch(source: Path, into: Path, flags: Any = None, **more: Any) -> Summary:
    """A run on a small snapshot, straight into the file that it is for."""
    plan = Plan(snapshot(flags or FLAG), "f", NOW, {})
    return run(plan, Job(source=source, sink=into, into=into, declared=ATTRIBUTES, **more), lambda done, total: None)


def expected(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    readable = Evaluator(snapshot(FLAG))
    answers = [readable.evaluate("f", row, NOW) for row in rows]
    return [(answer.variant, answer.value, answer.reason, answer.rule) for answer in answers]


def stored(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path, frame = folder / f"users.{kind}", pl.DataFrame(rows)
    {"parquet": frame.write_parquet, "csv": frame.write_csv, "jsonl": frame.write_ndjson}[kind](path)
    return path


def loaded(path: Path) -> pl.DataFrame:
    return {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}[path.suffix](path)


@pytest.mark.parametrize("into", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("source", ["parquet", "csv", "jsonl"])
def test_any_format_goes_into_any(tmp_path: Path, source: str, into: str) -> None:
    done = batch(stored(tmp_path, source, ROWS), tmp_path / f"answers.{into}")
    found = loaded(tmp_path / f"answers.{into}")
    assert found.columns == ["targetingKey", "age", "variant", "value", "reason", "rule"]
    assert [tuple(row) for row in found.select("variant", "value", "reason", "rule").iter_rows()] == expected(ROWS)
    assert found["targetingKey"].to_list() == [row["targetingKey"] for row in ROWS]
    assert done.rows == 400
    assert {(said.variant, count) for said, count in done.answers.items()} >= {
        (variant, count) for variant, count in Counter(found.filter(reason="SPLIT")["variant"].to_list()).items()
    }


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_columns_are_chosen_and_named(tmp_path: Path, kind: str) -> None:
    rows = [{"id": row["targetingKey"], "variant": "mine", "age": row["age"]} for row in ROWS]
    into = tmp_path / f"answers.{kind}"
    batch(stored(tmp_path, kind, rows), into, user="id", columns=["flag_variant", "id", "variant"], prefix="flag_")
    found = loaded(into)
    assert found.columns == ["flag_variant", "id", "variant"]
    assert found["flag_variant"].to_list() == [variant for variant, *_ in expected(ROWS)]
    assert set(found["variant"]) == {"mine"}


@pytest.mark.parametrize("text", ["", "\n \n"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_lines_that_are_not_there_are_an_empty_table(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "in.jsonl").write_text(text)
    assert batch(tmp_path / "in.jsonl", tmp_path / f"out.{kind}").rows == 0
    assert loaded(tmp_path / f"out.{kind}").columns == ["variant", "value", "reason", "rule"]


def test_lines_that_are_no_columns_need_be_none_for_our_own(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"x": [1]}\n{"x": {"y": 1}}\n')
    batch(tmp_path / "in.jsonl", tmp_path / "out.parquet", columns=["variant"])
    assert loaded(tmp_path / "out.parquet").rows() == [("a",), ("a",)]


@pytest.mark.parametrize("depth", [700, 3_000])  # too deep to answer, too deep even to go through
def test_too_many_flags_behind_one_are_no_crash(depth: int) -> None:
    chain = {f"f{n}": flag(requires=[{"flag": f"f{n - 1}", "variant": "on"}] if n else []) for n in range(depth)}
    plan = Plan(snapshot(chain), f"f{depth - 1}", NOW, {})
    said = plan.needs.trouble
    if not said:
        with pytest.raises(UsageError) as error:
            plan.answer(lambda name: Constant(None, 1), 1)
        said = error.value.message
    assert said.endswith("what it requires goes too deep")


BYTES = pl.Series("x", [b"\xff"])


@pytest.mark.parametrize(
    ("data", "into", "said"),
    [
        (pl.DataFrame([BYTES]), "out.jsonl", 'column "x" holds bytes, which .jsonl files'),
        (pl.DataFrame([BYTES]), "out.csv", 'column "x" holds bytes, which .csv files'),
        (pl.DataFrame([pl.DataFrame([BYTES]).to_struct("s").implode()]), "out.jsonl", 'column "s" holds bytes'),
        (pl.DataFrame({"x": [[1]]}), "out.csv", 'column "x" holds lists or objects, which .csv files'),
        (pl.DataFrame(), "out.csv", "has no columns"),
    ],
)
def test_what_a_format_can_not_carry_is_named(tmp_path: Path, data: pl.DataFrame, into: str, said: str) -> None:
    data.write_parquet(tmp_path / "in.parquet")
    with pytest.raises(UsageError, match=said):
        batch(tmp_path / "in.parquet", tmp_path / into, base={"targetingKey": "ada"})


def test_a_line_stays_as_it_was(tmp_path: Path) -> None:
    lines = ['{"age": 18446744073709551616, "x":[1, 2.50] }', "", " {}\r", '{"targetingKey":5,"age":20,"é":"\\u00e9"}']
    (tmp_path / "in.jsonl").write_bytes("\n".join(lines).encode())
    batch(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    written = (tmp_path / "out.jsonl").read_text().splitlines()
    assert written[0].startswith('{"age": 18446744073709551616, "x":[1, 2.50],"variant":"c","value":"C"')
    assert written[1] == ' {"variant":"a","value":"A","reason":"DEFAULT","rule":null}'
    assert written[2].startswith('{"targetingKey":5,"age":20,"é":"\\u00e9","variant":')
    assert len(written) == 3


@pytest.mark.parametrize(
    ("variants", "texts"),
    [
        ({"a": 1, "c": -(2**63)}, ["1", "-9223372036854775808"]),
        ({"a": 0.5, "c": 2}, ["0.5", "2.0"]),
        ({"a": {"x": [1, "é"]}, "c": {}}, ['{"x":[1,"é"]}', "{}"]),
    ],
)
def test_values_have_the_type_of_the_flag(tmp_path: Path, variants: dict[str, Any], texts: list[str]) -> None:
    kind = {int: "integer", float: "number", dict: "object"}[type(variants["a"])]
    flags = {"f": flag(type=kind, variants=variants, off_variant="c", default=split("a", 50_000, "c", 100_000))}
    batch(stored(tmp_path, "parquet", ROWS), tmp_path / "out.parquet", flags)
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert dict(found.select("variant", pl.col("value").cast(pl.String)).iter_rows()) == dict(
        zip("ac", texts, strict=True)
    )


def test_attributes_for_everybody_win_over_columns(tmp_path: Path) -> None:
    batch(stored(tmp_path, "csv", ROWS), tmp_path / "out.csv", base={"age": 3})
    assert set(loaded(tmp_path / "out.csv")["reason"]) == {"DEFAULT"}


CSV_ATTRIBUTES = [
    ("age", "gte", 5, ["5", "4", "-0", "123456789012345678901", "", " 7 "]),
    ("score", "gt", 0.5, ["0.5", "0.6", "1e400", "-3", "9007199254740993", "5e-1", ""]),
    ("score", "equals", 9007199254740992, ["9007199254740993", "9007199254740992", "9007199254740992.0"]),
    ("paying", "equals", True, ["true", "false", "", " true"]),
    ("signed_up", "after", START, ["2027-01-15T08:00:00.5Z", "1800000001", "1800000000", "1.8e9", "2027-01-16", ""]),
    ("app_version", "semver_gte", "2.3.0", ["2.3", "v2.10.0", "2.3.0-rc.1", ""]),
    ("roles", "includes", "a", ["a,b", "b", " a ", "", "c,"]),
    ("levels", "includes", 2, ["1,2", "2.0,x", "3"]),
    ("account", "exists", True, ['{"plan":"pro"}', "{}", ""]),
    ("account.plan", "equals", "pro", ['{"plan":"pro"}', '{"plan":1}', "{}", ""]),
    ("country", "not_in", ["DE"], ["DE", "FR", "", "1"]),
    ("unknown", "equals", "5", ["5", "6"]),
]


@pytest.mark.parametrize(("name", "operator", "wanted", "texts"), CSV_ATTRIBUTES)
def test_text_is_typed_as_eval_types_it(
    tmp_path: Path, name: str, operator: str, wanted: Any, texts: list[str]
) -> None:
    flags = {"f": flag(default={"serve": "off"}, rules=[rule("r", condition(name, operator, wanted))])}
    column = name if name != "account.plan" else "account"
    for text in texts:
        pl.DataFrame({column: [text or None, None]}).write_csv(tmp_path / "in.csv")
        context, refused = read_by_eval(column, text)
        if refused:
            with pytest.raises(UsageError) as caught:
                batch(tmp_path / "in.csv", tmp_path / "out.csv", flags)
            assert caught.value.message == f"{tmp_path / 'in.csv'}, row 1, column {column}: {refused}"
        else:
            batch(tmp_path / "in.csv", tmp_path / "out.csv", flags)
            first, _ = loaded(tmp_path / "out.csv")["variant"].to_list()
            assert first == Evaluator(snapshot(flags)).evaluate("f", context, NOW).variant, text


def read_by_eval(name: str, text: str) -> tuple[dict[str, Any], str]:
    """The context that `eval -a NAME=TEXT` makes of a cell, or why it refuses it."""
    try:
        return from_arguments([f"{name}={text}"] if text else [], ATTRIBUTES, {})[0], ""
    except UsageError as error:
        return {}, error.message


def test_a_thread_that_is_told_to_stop_does(tmp_path: Path) -> None:
    """Whatever the caller's report raises, Ctrl-C above all, ends the work and comes out as it is."""
    source = tmp_path / "in.csv"
    source.write_text("targetingKey,age\n" + "ada,20\n" * 3_000_000)

    def interrupt(done: int, total: int) -> None:
        assert 0 <= done <= total
        raise KeyboardInterrupt

    job = Job(source=source, sink=tmp_path / "out.csv", into=tmp_path / "out.csv", declared=ATTRIBUTES)
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(Plan(snapshot(FLAG), "f", NOW, {}), job, interrupt)
    assert threading.active_count() == threads
    assert (tmp_path / "out.csv").stat().st_size < source.stat().st_size


def test_columns_that_stand_for_the_same_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the columns account and account\.plan both stand for account\.plan"):
        Columns("x.csv", ["account", "account.plan"], ["account.plan"], [], None)
