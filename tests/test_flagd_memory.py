"""The flagd definition with a memory: the bytes that are made without one, and only what changed is compiled."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from random_flags import world
from snapshots import OFF, ON, flag, rule, snapshot, test

from flagctl.compile.flagd import definition
from flagctl.compile.snapshot import encode
from flagctl.publish import flagd
from flagctl.publish.flagd import FlagdMaker

Document = dict[str, Any]


def plain(document: Document) -> bytes:
    return encode(definition(document).document)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The flags of each call of the compiler."""
    calls: list[set[str]] = []

    def spy(document: Document) -> Any:
        calls.append(set(document["flags"]))
        return definition(document)

    monkeypatch.setattr(flagd, "definition", spy)
    return calls


def needs(name: str) -> list[dict[str, str]]:
    return [{"flag": name, "variant": "on"}]


BEFORE: Document = {
    **snapshot(
        {
            "alone": flag(),
            "base": flag(),
            "upon": flag(requires=needs("base")),
            "lost": flag(requires=needs("nowhere")),
            "staff": flag(default=OFF, rules=[rule("staff", {"segment": "staff"}, **ON)]),
            "regex": flag(default=OFF, rules=[rule("r", test("email", "matches", "a+"), **ON)]),
        },
        {"staff": [test("email", "ends_with", ["@example.com"])]},
    ),
    "attributes": {"email": {"type": "string"}},
    "commit": None,
    "commit_time": None,
}
ALL = set(BEFORE["flags"])


def with_flag(name: str, **parts: Any) -> Document:
    return {**BEFORE, "flags": {**BEFORE["flags"], name: flag(**parts)}}


CHANGES: list[tuple[str, Document, set[str]]] = [
    ("nothing", BEFORE, set()),
    ("version and commit", {**BEFORE, "version": 9, "commit": "b" * 40}, set()),
    ("a flag, as another is", with_flag("upon"), set()),
    ("a flag", with_flag("alone", ttl=10), {"alone"}),
    ("true for 1", with_flag("alone", variants={"on": 1, "off": False}), {"alone"}),
    ("what another requires", with_flag("base", enabled=False), {"base", "upon"}),
    ("what was missing", with_flag("nowhere", ttl=20), {"nowhere", "lost"}),
    ("what requires", with_flag("upon", ttl=21), {"upon"}),
    ("what flagd can't say", with_flag("regex", ttl=22), {"regex"}),
    ("a flag that is gone", {**BEFORE, "flags": {"alone": BEFORE["flags"]["alone"]}}, set()),
    ("a segment", {**BEFORE, "segments": {"staff": {"when": [test("email", "ends_with", ["@x"])]}}}, ALL),
    ("an attribute", {**BEFORE, "attributes": {"email": {"type": "integer"}}}, ALL),
    ("bucketing", {**BEFORE, "bucketing": "flagd-3"}, ALL),
    ("a circle", with_flag("base", requires=needs("upon")), ALL),
]


@pytest.mark.parametrize(("after", "again"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_only_what_changed_is_compiled_and_the_bytes_are_the_same(
    tmp_path: Path, asked: list[set[str]], after: Document, again: set[str]
) -> None:
    memory = tmp_path / "memory"
    assert FlagdMaker(memory)(BEFORE) == plain(BEFORE)
    asked.clear()
    assert FlagdMaker(memory)(after) == plain(after)
    assert set().union(*asked) == again | {need for name in again for need in needed(after, name)}


def needed(document: Document, name: str) -> set[str]:
    found = {need["flag"] for need in document["flags"][name].get("requires", ())}
    return found & document["flags"].keys()


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: b"", lambda data: data[:40] + b"x" + data[41:]])
def test_a_damaged_memory_is_none(tmp_path: Path, asked: list[set[str]], spoil: Any) -> None:
    memory = tmp_path / "memory"
    FlagdMaker(memory)(BEFORE)
    memory.write_bytes(spoil(memory.read_bytes()))
    asked.clear()
    assert FlagdMaker(memory)(BEFORE) == plain(BEFORE)
    assert asked[0] == ALL


def test_random_flags_are_the_same_with_a_memory_of_their_neighbours(tmp_path: Path) -> None:
    for seed in range(40):
        dice, memory = Random(seed), tmp_path / str(seed)
        made = world(dice, flags=8)
        document = made.document
        for _ in range(3):
            some = {name: value for name, value in document["flags"].items() if dice.random() < 0.7}
            changed = {name: {**value, "ttl": dice.randrange(2)} for name, value in some.items()}
            assert FlagdMaker(memory)({**document, "flags": changed}) == plain({**document, "flags": changed})
