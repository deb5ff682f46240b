"""Write schema/vectors/bucketing.json: salts and values with their buckets under each bucketing."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from flagctl.evaluate.bucket import GENERATIONS, bucket, key_text

FILE = Path(__file__).parent.parent / "schema" / "vectors" / "bucketing.json"
FORMAT = "flagctl/bucketing-vectors/1"
ROWS = 10_000
_ODD = [
    "é", "e\u0301", "ß", "İ", "日本語", "\U0001f6d2", "👩\u200d👩\u200d👧", "\ufeffbom", "\u202eright to left",
    "ｆｕｌｌ", "Ω", "Ω", "à la carte", "naïve@example.com", "новый", "क्षि", "\u00a0", "x" * 119 + "é", "é" * 130,
]  # fmt: skip
_ASCII = ["a", "0", " ", "a b", '"', "\\", "\n", "a:b", "user|1", "x" * 119, "x" * 120, "x" * 121, "x" * 300, "."]
_SALTS = [
    "checkout",
    "wishlist-gallery",
    "s",
    "a:b",
    "layer:checkout",
    "traffic:exp-1",
    "9" * 118,
    "9" * 119,
    "9" * 140,
]


def rows() -> list[list[str | int | bool]]:
    """[salt, value, ASCII?, bucket under each bucketing]; the odd ones first."""
    dice = Random(120)
    pairs: list[tuple[str, str | int]] = [(salt, value) for salt in _SALTS for value in (*_ASCII, *_ODD)]
    pairs += [("wünsche", value) for value in (*_ASCII, *_ODD)]
    pairs += [("checkout", number) for number in (0, 1, -1, 42, -42, 2**31, 2**32, 2**53, -(2**53))]
    found = dict.fromkeys(pairs)
    while len(found) < ROWS:
        name = dice.choice(
            [
                f"user-{dice.randrange(10**6)}",
                f"{dice.randrange(16**8):08x}-{dice.randrange(16**4):04x}-4{dice.randrange(16**3):03x}",
                f"{dice.choice(['anna', 'ben', 'chloe'])}.{dice.randrange(1000)}@example.com",
                str(dice.randrange(10**9)),
            ]
        )
        found[dice.choice(_SALTS[:6]), dice.randrange(10**9) if dice.random() < 0.1 else name] = None
    return [
        [salt, value, f"{salt}{value}".isascii(), *(bucket(kind, salt, key_text(value) or "") for kind in GENERATIONS)]
        for salt, value in found
    ]


def text() -> str:
    """The file: JSON in ASCII, a row a line."""
    head = {"format": FORMAT, "columns": ["salt", "value", "ascii", *GENERATIONS]}
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows())
    return f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    FILE.write_text(text())
