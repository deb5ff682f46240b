"""Snapshots that somebody broke on purpose: loading raises nothing but OutsideError, and both evaluators answer alike.

    python tests/fuzz_snapshots.py [libFuzzer's options] [a folder to keep what was found]

atheris decides what to try next by what it reaches; without options it goes on until it is stopped. The mutator below
knows JSON, for bytes changed at random are seldom any.
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["flagctl.evaluate"]):
    from flagctl.evaluate.engine import Engine
    from flagctl.evaluate.evaluator import Evaluator

from random_flags import START, world

from flagctl.errors import OutsideError

LARGEST = 60_000
CONTEXTS: list[Any] = [
    {
        "targetingKey": "user-1",
        "country": "DE",
        "age": 18,
        "app_version": "2.3.0",
        "roles": ["a", "pro"],
        "paying": True,
    },
    {"targetingKey": 42, "account": {"id": 7, "plan": "pro", "owner": {"name": "a"}}, "page": "/cart", "score": 0.5},
    {"email": "a@example.com", "signed_up": "2026-12-01T00:00:00Z", "levels": [1, 2], "größe": "é", "age": "18"},
    None,
]
ODD: list[Any] = [None, True, False, 0, -1, 1, 10**30, 1.5, "", "on", "off", "a", "é", "\ud800", "x" * 300, [], {}]
ODD += [
    "targetingKey",
    "a.b.c",
    "(a+)+$",
    "[\\pL]{300}",
    "segment-0",
    "flag-0",
    [[]],
    [{}],
    {"not": {}},
    [["on", 100_000]],
]
SEEDS = [world(random.Random(seed), flags=4).document for seed in range(20)]


def test_one(data: bytes) -> None:
    """What must hold of any bytes."""
    try:
        engine = Engine.load(data)
    except OutsideError:
        return
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return  # broken in a flag alone: it has no readable twin
    readable = Evaluator(document)
    keys = [*engine.keys()[:8], "flag-0"]
    engine.prepare(keys)
    for key in keys:
        engine.flag(key)
        for context in CONTEXTS:
            found, expected = (one.evaluate(key, context, START + 0.5, default=1) for one in (engine, readable))
            if repr(found) != repr(expected) and found != expected:
                raise AssertionError(f"{key} is {found} here and {expected} there")


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """Other bytes, mostly a snapshot with a few places changed."""
    dice = random.Random(seed)
    if dice.random() < 0.1:
        return atheris.Mutate(data, size)  # type: ignore[no-any-return]
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or dice.random() < 0.1:
            raise ValueError
    except (ValueError, RecursionError):
        document = json.loads(json.dumps(dice.choice(SEEDS)))
    for _ in range(dice.choice((1, 1, 2, 4))):
        _change(document, dice)
    made = json.dumps(document).encode()
    return made if len(made) <= size else data[:size]


def _change(document: dict[str, Any], dice: random.Random) -> None:
    places = _places(document)
    parent, name = dice.choice(places)
    kind = dice.random()
    if kind < 0.45:
        parent[name] = _copied(dice.choice(ODD))
    elif kind < 0.8:
        other, its = dice.choice(places)
        if name in parent if isinstance(parent, dict) else name < len(parent):
            parent[name] = _copied(other[its])
    elif isinstance(parent, dict):
        del parent[name]
    else:
        parent.insert(name, _copied(parent[name]))


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(found) < 5000:
        value = waiting.pop()
        names = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for name in names:
            found.append((value, name))
            waiting.append(value[name])
    return found


if __name__ == "__main__":
    atheris.Setup([*sys.argv, f"-max_len={LARGEST}"], test_one, custom_mutator=mutate)
    atheris.Fuzz()
