"""The published test vectors: computed here by other code than ours, and asked of flagd's engines."""

from __future__ import annotations

import json
import runpy
from typing import Any

import pytest
from flagd_engines import Engine
from specs import ROOT

VECTORS = json.loads((ROOT / "schema/vectors/bucketing.json").read_text())
ROWS: list[list[Any]] = VECTORS["rows"]
COLUMNS: list[str] = VECTORS["columns"]
BUCKETINGS = COLUMNS[3:]


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0, written after its published description."""

    def turned(value: int, by: int) -> int:
        return (value << by | value >> (32 - by)) & 0xFFFFFFFF

    found, whole = 0, len(data) // 4 * 4
    for start in range(0, whole, 4):
        block = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 & 0xFFFFFFFF
        found ^= turned(block, 15) * 0x1B873593 & 0xFFFFFFFF
        found = (turned(found, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    rest = int.from_bytes(data[whole:], "little") * 0xCC9E2D51 & 0xFFFFFFFF
    found ^= turned(rest, 15) * 0x1B873593 & 0xFFFFFFFF
    found ^= len(data)
    found = (found ^ found >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    found = (found ^ found >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return found ^ found >> 16


def cbor(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    head = [0x60 + size] if size < 24 else [0x78, size] if size < 256 else [0x79, size >> 8, size & 255]
    return bytes(head) + data


HASHED = {
    "portable": lambda salt, value: cbor(f"{salt}:{value}{'.' * 120}"[:120]),
    "flagd-2": lambda salt, value: f"{salt}{value}".encode(),
    "flagd-3": lambda salt, value: cbor(f"{salt}{value}"),
}


def test_there_are_ten_thousand_and_odd_ones_are_marked() -> None:
    assert COLUMNS == ["salt", "value", "ascii", "portable", "flagd-2", "flagd-3"]
    assert len({(salt, value) for salt, value, *_ in ROWS}) == len(ROWS) == 10_000
    assert all(marked is f"{salt}{value}".isascii() for salt, value, marked, *_ in ROWS)
    assert sum(not row[2] for row in ROWS) > 150
    assert sum(isinstance(row[1], int) for row in ROWS) > 500


@pytest.mark.parametrize("bucketing", BUCKETINGS)
def test_each_bucket_is_what_the_formula_gives(bucketing: str) -> None:
    column = COLUMNS.index(bucketing)
    for salt, value, *found in ROWS:
        assert murmur3(HASHED[bucketing](salt, value)) * 100_000 >> 32 == found[column - 2], (salt, value)


def test_the_file_is_what_its_script_writes() -> None:
    script = runpy.run_path(str(ROOT / "docs/make_vectors.py"))
    assert script["text"]() == (ROOT / "schema/vectors/bucketing.json").read_text()


WHICH_ENGINE = {"fractional": [{"cat": ["wsr"]}, ["", 1], ["xx", 1], ["", 1]]}


def key(bucketing: str, salt: str) -> dict[str, Any]:
    value = {"var": "value"}
    if bucketing == "portable":
        return {"cat": [WHICH_ENGINE, {"substr": [{"cat": [f"{salt}:", value, "." * 120]}, 0, 120]}]}
    return {"cat": [salt, value]}


@pytest.mark.parametrize(
    ("engine", "bucketing"),
    [
        ("python-2", "flagd-2"),
        ("python-3", "flagd-3"),
        ("python-2", "portable"),
        ("python-3", "portable"),
        ("javascript-interpreted", "flagd-2"),
        ("javascript-interpreted", "portable"),
    ],
)
def test_flagds_engines_find_these_buckets(engine: str, bucketing: str) -> None:
    """Each row is a flag that says «here» only to whoever falls into exactly that bucket."""
    column = COLUMNS.index(bucketing)
    asked = [row for row in ROWS if row[2]][: 10_000 if engine.startswith("python") else 1_500]
    flags = {
        str(number): {
            "state": "ENABLED",
            "variants": {"here": True, "elsewhere": False},
            "defaultVariant": "elsewhere",
            "targeting": {
                "fractional": [
                    key(bucketing, row[0]),
                    ["elsewhere", row[column]],
                    ["here", 1],
                    ["elsewhere", 99_999 - row[column]],
                ]
            },
        }
        for number, row in enumerate(asked)
    }
    with Engine(engine) as running:
        running.load({"flags": flags})
        asks = [(str(number), "boolean", {"value": row[1]}, 0.0) for number, row in enumerate(asked)]
        answers = running.answers(asks)
    assert [asked[number][:2] for number, answer in enumerate(answers) if answer != [True, "here", None]] == []
