"""The generated evaluator: the same answers as the readable one, whatever is asked of whatever snapshot."""

from __future__ import annotations

import ast
import enum
import json
import linecache
import re
import threading
import traceback
from collections import ChainMap
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_flags import Limits, contexts, world
from snapshots import ADA, NOW, OFF, arms, flag, rollout, rule, snapshot, split, test
from test_evaluator_never_raises import BROKEN, EVERYTHING, NASTY, junk
from test_operators import CASES, WRONG_TYPE

from flagctl.compile.snapshot import encode
from flagctl.errors import OutsideError
from flagctl.evaluate import runtime
from flagctl.evaluate.bucket import BUCKETS, bits, bucket, threshold
from flagctl.evaluate.engine import Engine
from flagctl.evaluate.evaluator import Evaluator, Resolution
from flagctl.model.condition import OPERATORS

FLAGS, CONTEXTS = 625, 20
GROWS = {"variant": "on", "rest": "off"}


class _NoFallback:
    """Stands where the readable evaluator would answer for a function that fails."""

    def evaluate(self, key: str, context: Any, now: float, **more: Any) -> Any:
        raise AssertionError(f"the function of {key} failed at {now} with {context!r}")


def alone(engine: Engine) -> Engine:
    """The engine, all its functions made, with nobody to help it."""
    engine.prepare()
    engine.evaluator = _NoFallback()  # type: ignore[assignment]
    return engine


def engine(flags: Mapping[str, Any], segments: dict[str, list[Any]] | None = None, **settings: Any) -> Engine:
    return Engine.load(snapshot(dict(flags), segments, **settings))


def same(one: Resolution, other: Resolution) -> bool:
    return one == other and type(one.value) is type(other.value)


@pytest.mark.parametrize("seed", range(8))
def test_both_evaluators_agree_about_random_flags(seed: int) -> None:
    dice = Random(f"agree {seed}")
    asked = 0
    while asked < FLAGS * CONTEXTS:
        made = world(dice, flags=25)
        readable, generated = Evaluator(made.document), alone(Engine.load(encode(made.document)))
        for key in made.document["flags"]:
            for context, now in contexts(made, dice, key, CONTEXTS):
                expected, found = readable.evaluate(key, context, now), generated.evaluate(key, context, now)
                assert same(found, expected), (key, context, now, expected, found)
                asked += 1


@pytest.mark.parametrize("seed", range(4))
def test_what_clients_ask_answers_the_same_by_a_clock(seed: int) -> None:
    dice = Random(f"clock {seed}")
    for _ in range(20):
        made = world(dice, flags=25)
        answers = alone(Engine.load(encode(made.document)))
        for key, (ask, only, _) in answers.made().items():
            for context, now in contexts(made, dice, key, 5):
                clock = Ticking(now)
                found = only if ask is None else ask(context, clock)
                assert same(found, answers.evaluate(key, context, now)), (key, context, now)
                assert clock.asked <= 1, "all of an evaluation is for one time"
                assert ask is not None or only.reason in ("STATIC", "DEFAULT", "DISABLED")


class Ticking:
    """A clock that counts who looks at it."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.now + self.asked - 1


@pytest.mark.parametrize(
    ("parts", "asked"),
    [
        ({"overrides": {"on": ["ada"]}}, 0),
        ({"default": split("on", 50_000, "off", 100_000)}, 0),
        ({"expires_at": NOW}, 1),
        ({"schedule": [{"at": NOW, "enabled": False}]}, 1),
        ({"default": {"ramp": [[NOW, 50_000]], "bucket_by": "targetingKey", "salt": "s"} | GROWS}, 1),
        ({"requires": [{"flag": "soon", "variant": "on"}] * 2}, 1),
    ],
    ids=["listed", "split", "expires", "schedule", "ramp", "requires"],
)
def test_only_a_flag_that_depends_on_time_looks_at_the_clock(parts: Any, asked: int) -> None:
    answers = alone(engine({"f": flag(**parts), "soon": flag(expires_at=NOW + 1), "always": flag()}))
    clock = Ticking(NOW)
    ask, *_ = answers.made()["f"]
    assert ask is not None
    assert same(ask(ADA, clock), answers.evaluate("f", ADA, NOW))
    assert clock.asked == asked
    assert answers.made()["always"] == (None, Resolution(True, "on", "STATIC"), None)


@pytest.mark.parametrize("types", ["string", "number", "integer", "boolean", "array", ""])
def test_declared_types_never_change_an_answer(types: str) -> None:
    dice = Random(types)
    for _ in range(20):
        made = world(dice, flags=10)
        document = dict(made.document)
        document["attributes"] = {name: {"type": types} for name in document["attributes"]} if types else {}
        readable, generated = Evaluator(document), alone(Engine.load(document))
        for key in document["flags"]:
            for context, now in contexts(made, dice, key, 5):
                assert same(generated.evaluate(key, context, now), readable.evaluate(key, context, now))


@pytest.mark.parametrize("kind", ["", "number"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_says_the_same_of_every_value(operator: str, kind: str) -> None:
    values = [*NASTY.values(), None, *(value for cases in WRONG_TYPE.values() for value in cases)]
    values += [value for cases in CASES.values() for _, right, wrong in cases for value in [*right, *wrong]]
    for wanted, _, _ in CASES[operator]:
        condition = test("x", operator, wanted)
        rules = [rule("first", condition), rule("again", test("x", "exists", True), condition)]
        document = snapshot({"f": flag(rules=rules, default=OFF)})
        document["attributes"] = {"x": {"type": kind}} if kind else {}
        readable, generated = Evaluator(document), Engine.load(document)
        generated.prepare()
        for value in values:
            for context in ({"x": value}, {}):
                assert same(generated.evaluate("f", context, NOW), readable.evaluate("f", context, NOW)), (
                    wanted,
                    value,
                )


class Plan(str, enum.Enum):  # noqa: UP042 - its hash is not that of its text
    PRO = "pro"


class Level(enum.IntEnum):
    FIVE = 5


class Shouting(str):
    """Text with opinions of its own."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7

    def __contains__(self, other: object) -> bool:
        return True

    def __radd__(self, other: object) -> str:
        return "radd"


class Lenient:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("pro")


class Moody(dict[str, Any]):
    """Answers for some names and raises for others."""

    def get(self, name: str, default: Any = None) -> Any:
        if name == "bad":
            raise RuntimeError("boom")
        return f"{name}!"


ODD = [
    {"plan": Plan.PRO, "level": Level.FIVE, "targetingKey": Plan.PRO},
    {"plan": Shouting("pro"), "level": True, "targetingKey": Shouting("ada")},
    {"plan": Lenient(), "level": Lenient(), "targetingKey": Lenient()},
    {"plan": "pro", "level": 5.0, "targetingKey": Level.FIVE},
    {"plan": "pro", "targetingKey": "\ud800"},
    {"plan": "pro", "targetingKey": "x" * 500},
    {"plan": "pro", "targetingKey": ""},
    {"plan": "pro", "targetingKey": True},
    {"plan": "pro", "targetingKey": 2**64},
    {"plan": "pro", "targetingKey": -(2**63)},
    {"bad": 1, "plan": "pro", "account": {"plan": "pro"}},
    {"account": MappingProxyType({"plan": "pro"})},
    {"account": Moody()},
    Moody(),
    MappingProxyType({"plan": "pro", "targetingKey": "ada"}),
    ChainMap({"plan": "pro"}, {"targetingKey": "ada", "level": 5}),
    NASTY["a mapping that raises"],
    {"plan": NASTY["a mapping that raises"], "account": NASTY["a mapping that raises"]},
    {"plan": NASTY["a circle"], "targetingKey": NASTY["a circle"]},
    None,
    [],
    "plan",
    5,
    [("plan", "pro")],
    {1: 2, None: 3},
]


@pytest.mark.parametrize("bucketing", ["portable", "flagd-2", "flagd-3"])
@pytest.mark.parametrize("operand", ["pro", ["pro", "x"], [True, "pro"]])
def test_both_agree_about_odd_contexts(bucketing: str, operand: Any) -> None:
    op = "equals" if operand == "pro" else "in"
    flags = {
        "a": arms(
            rules=[
                rule(
                    "plan", test("plan", op, operand), test("plan", "exists", True), **split("a", 40_000, "b", 100_000)
                ),
                rule("not", test("plan", f"not_{op}", operand), serve="b"),
                rule("level", test("level", "equals", 5), serve="b"),
                rule("dotted", test("account.plan", "equals", "pro"), serve="b"),
                rule("bad", {"not": test("bad", "exists", True)}, serve="b"),
            ],
            overrides={"b": ["ada", "5", "", "\ud800"]},
        ),
        "b": arms(default=split("a", 10_000, "b", 90_000, "c", 100_000, salt="grün")),
        "c": arms(default=split("a", 10_000, "b", 90_000, "c", 100_000, salt="s" * 200)),
        "d": arms(default=split("a", 10_000, "c", 100_000), foreign_bucketing={"algorithm": "launchdarkly-sha1"}),
        "e": arms(default=split("a", 10_000, "c", 100_000, salt="\udfff", by="account.plan")),
    }
    readable = Evaluator(snapshot(flags, bucketing=bucketing))
    generated = engine(flags, bucketing=bucketing)
    generated.prepare()
    for context in ODD:
        for key in flags:
            expected, found = (one.evaluate(key, context, NOW, default="mine") for one in (readable, generated))
            assert same(found, expected), (key, context)


@given(context=junk | st.fixed_dictionaries({"x": junk, "targetingKey": junk}), now=st.floats() | st.integers())
def test_both_agree_about_junk(context: Any, now: float) -> None:
    expected = READABLE.evaluate("f", context, now, default="mine")
    assert same(GENERATED.evaluate("f", context, now, default="mine"), expected)
    assert GENERATED.enabled("f", context, now) is (expected.value is True)
    assert GENERATED.variant("f", context, now) == expected.variant
    assert GENERATED.value("f", context, now, "mine") == expected.value


TIMED = flag(
    **(EVERYTHING | {"expires_at": 10**12}),
    schedule=[
        {"at": 1000, "default": {"ramp": [[1000, 10], [2000, 60_000]], "variant": "on", "rest": "off"} | split()}
    ],
)
TIMED["schedule"][0]["default"].pop("split")
READABLE = Evaluator(snapshot({"f": TIMED}))
GENERATED = engine({"f": TIMED})
GENERATED.prepare()


@pytest.mark.parametrize(
    "now", [float("nan"), float("inf"), -float("inf"), 10**400, "now", None, True, 999.9, 1000, 1999]
)
def test_both_agree_about_odd_times(now: Any) -> None:
    for key in ("ada", "bob", "eve", "", None):
        context = {"targetingKey": key, "x": "on"}
        assert same(GENERATED.evaluate("f", context, now), READABLE.evaluate("f", context, now))


@pytest.mark.parametrize("as_bytes", [True, False])
@pytest.mark.parametrize("broken", BROKEN)
def test_both_agree_about_broken_flags(broken: Any, as_bytes: bool) -> None:
    flags = {"f": broken, "g": flag(requires=[{"flag": "f", "variant": "on"}]), "h": flag()}
    document = snapshot(flags, {"itself": [{"segment": "itself"}]})
    generated = Engine.load(json.dumps(document).encode() if as_bytes else document)
    readable = Evaluator(document)
    for key in [*flags, "unknown"]:
        for _ in range(12):
            expected = readable.evaluate(key, {"targetingKey": "zoe"}, NOW, default="mine")
            assert same(generated.evaluate(key, {"targetingKey": "zoe"}, NOW, default="mine"), expected)


def _needs(*keys: str) -> dict[str, Any]:
    return flag(requires=[{"flag": key, "variant": "on"} for key in keys])


@pytest.mark.parametrize(
    "flags",
    [
        {"f": _needs("f")},
        {"f": _needs("g"), "g": _needs("h"), "h": _needs("f")},
        {"f": _needs("g"), "g": _needs("h", "i"), "h": _needs("g"), "i": flag()},
        {"f": _needs("gone")},
        {"f": _needs("g"), "g": _needs("gone")},
        {"f": _needs("g"), "g": flag(enabled=False)},
        {f"f{number}": _needs(f"f{number + 1}") for number in range(120)} | {"f120": flag()},
        {f"f{number}": _needs(f"f{number + 1}") for number in range(2000)} | {"f2000": flag()},
    ],
    ids=["itself", "circle", "circle behind", "missing", "missing behind", "off", "long", "too long"],
)
def test_both_agree_about_what_is_required(flags: dict[str, Any]) -> None:
    readable, generated = Evaluator(snapshot(flags)), engine(flags)
    for key in [*flags][:5]:
        for preview in (None, {"g": "off"}, {"f": "on", "g": "nothing"}, {"h": "on"}):
            expected = readable.evaluate(key, ADA, NOW, preview=preview)
            for _ in range(12):
                assert same(generated.evaluate(key, ADA, NOW, preview=preview), expected)


class Counted(dict[str, Any]):
    """Counts how often it is asked for each name."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.asked: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.append(name)
        return super().get(name, default)


@pytest.mark.parametrize("generated", [True, False])
def test_segments_and_required_flags_are_evaluated_once(generated: bool) -> None:
    # Each asks the next twice: without a memory the last is asked 2**40 times.
    segments = {f"s{n}": [{"segment": f"s{n + 1}"}, {"segment": f"s{n + 1}"}] for n in range(20)}
    flags = {f"f{n}": _needs(f"f{n + 1}", f"f{n + 1}") for n in range(20)}
    flags["f20"] = flag(rules=[rule("in", {"segment": "s0"}, {"segment": "s0"})], default=OFF)
    document = snapshot(flags, segments | {"s20": [test("x", "equals", 1)]})
    answers: Any = alone(Engine.load(document)) if generated else Evaluator(document)
    context = Counted(x=1)
    assert answers.evaluate("f0", context, NOW).variant == "on"
    assert context.asked == ["x"]


def test_attributes_are_read_only_when_they_are_needed_and_once() -> None:
    rules = [
        rule("one", test("a", "equals", "x"), test("b", "equals", "x")),
        rule("two", test("a", "equals", "y"), test("a.c", "equals", "x")),
    ]
    answers = alone(engine({"f": flag(rules=rules, default=OFF)}))
    context = Counted(a="z", b="x")
    answers.evaluate("f", context, NOW)
    assert context.asked == ["a"]


def test_thresholds_say_what_buckets_say() -> None:
    for share in range(BUCKETS + 1):
        least = threshold(share)
        assert (least - 1) * BUCKETS >> 32 < share <= least * BUCKETS >> 32 or share == 0 == least
    assert threshold(BUCKETS) == 2**32
    for name in ("ada", "bob", "日本"):
        assert bits("portable", "salt", name) * BUCKETS >> 32 == bucket("portable", "salt", name)


def test_an_unknown_flag_is_the_callers_default_and_leaves_nothing_behind() -> None:
    answers = engine({"f": flag()})
    for number in range(100):
        found = answers.evaluate(f"nope {number}", ADA, NOW, default=number)
        assert (found.value, found.variant, found.error_code) == (number, None, "FLAG_NOT_FOUND")
    assert not answers.enabled("nope", ADA, NOW)
    assert answers.variant("nope", ADA, NOW) is None
    assert answers.value("nope", ADA, NOW, 5) == 5
    assert answers.flag("nope") is None
    assert not answers._entries
    assert not answers._infos


def test_an_answer_is_the_callers_to_change() -> None:
    document = snapshot({"f": flag(type="object", variants={"on": {"limits": [{"a": 1}, 2]}, "off": {}})})
    for answers in (Engine.load(document), Engine.load(encode(document))):
        for _ in range(15):
            found = answers.evaluate("f", ADA, NOW)
            assert found.value == {"limits": [{"a": 1}, 2]}
            found.value["limits"][0].clear()
            answers.value("f", ADA, NOW)["limits"].clear()


def test_many_flags_for_many_contexts() -> None:
    answers = engine({"f": flag(default=rollout(50)), "g": flag(enabled=False)})
    people = [{"targetingKey": str(number)} for number in range(30)]
    found = answers.evaluate_many(["g", "f", "nope"], people, NOW)
    assert found == [[answers.evaluate(key, person, NOW) for key in ("g", "f", "nope")] for person in people]
    assert {row[1].variant for row in found} == {"on", "off"}


def test_what_clients_ask_besides() -> None:
    document = snapshot({"b": flag(stale="error", max_stale=900, ttl=5), "a": flag(ttl="soon")})
    document |= {"attributes": {"email": {"type": "string", "private": True}}, "version": 7, "commit": "c" * 40}
    for answers in (Engine.load(document), Engine.load(json.dumps(document).encode())):
        assert answers.keys() == ["a", "b"]
        info = answers.flag("b")
        assert info is not None
        assert (info.type, info.ttl, info.stale, info.max_stale) == ("boolean", 5, "error", 900)
        assert info.metadata["owner"] == "growth"
        assert answers.flag("b") is info
        assert answers.flag("a") is None
        assert (answers.environment, answers.version, answers.commit) == ("production", 7, "c" * 40)
        assert answers.attributes["email"].private


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'"\xff"',
        b"[" * 100_000,
        json.dumps(snapshot({})).encode()[:-1],
        json.dumps(snapshot({}) | {"format": "flagctl/snapshot/2"}).encode(),
        json.dumps(snapshot({}) | {"bucketing": "dice"}).encode(),
        json.dumps(snapshot({}) | {"flags": []}).encode(),
        json.dumps({name: value for name, value in snapshot({}).items() if name != "segments"}).encode(),
        {},
        snapshot({}) | {"flags": None},
        snapshot({}) | {"format": "flagctl/snapshot/2"},
        snapshot({}) | {"attributes": {"a": 5}},
    ],
)
def test_what_is_no_snapshot_is_refused(data: Any) -> None:
    with pytest.raises(OutsideError, match="snapshot"):
        Engine.load(data)


def test_a_flag_that_is_no_utf8_is_broken_alone() -> None:
    data = json.dumps(snapshot({"f": flag(off_variant="OFF"), "g": flag()})).encode().replace(b"OFF", b"\xff\xfe\xfd")
    answers = Engine.load(data)
    for _ in range(15):
        assert answers.evaluate("f", ADA, NOW, default=1).error_code == "PARSE_ERROR"
        assert answers.enabled("g", ADA, NOW)


def _sources(document: dict[str, Any]) -> list[str]:
    answers = Engine.load(document)
    answers.prepare()
    functions = [answers._functions["flag"][key] for key in sorted(document["flags"])]
    return ["".join(linecache.getlines(function.__code__.co_filename)) for function in functions]  # type: ignore[attr-defined]


def test_the_same_snapshot_gives_the_same_source_in_which_nothing_of_it_stands() -> None:
    document = world(Random(3), flags=30, limits=Limits()).document
    sources = _sources(document)
    runtime._codes.clear()
    assert _sources(json.loads(encode(document))) == sources
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant):
                assert node.value in (None, ".", 122) or node.value in range(30)
            elif isinstance(node, ast.Name):
                assert (
                    re.fullmatch(r"[a-z]\d*|ctx|now|memo|answers|odd", node.id) or node.id in runtime._NAMES | BUILTINS
                )
            elif isinstance(node, ast.Attribute):
                names = "get setdefault variant isascii ljust startswith endswith __contains__"
                assert node.attr in names.split()


BUILTINS = runtime._NAMES["__builtins__"]
HOSTILE = "\"+__import__('os').system('true')+\"\n    return 1 #{x}"


def test_no_text_of_a_flag_becomes_code() -> None:
    evil = flag(
        variants={HOSTILE: True, "off": False},
        default=split(HOSTILE, 50_000, "off", 100_000, salt=HOSTILE, by=HOSTILE, experiment={"name": HOSTILE}),
        rules=[rule(HOSTILE, test(HOSTILE, "equals", HOSTILE), {"segment": HOSTILE}, serve=HOSTILE)],
        overrides={HOSTILE: [HOSTILE]},
        requires=[{"flag": HOSTILE + "2", "variant": HOSTILE}],
    )
    other = flag(variants={HOSTILE: True, "off": False}, default={"serve": HOSTILE})
    document = snapshot({HOSTILE: evil, HOSTILE + "2": other}, {HOSTILE: [test(HOSTILE, "contains", [HOSTILE])]})
    assert all(source and "import" not in source for source in _sources(document))
    answers, readable = alone(Engine.load(document)), Evaluator(document)
    for context in ({}, ADA, {HOSTILE: HOSTILE}, {"targetingKey": HOSTILE}, {HOSTILE: "ada"}):
        assert same(answers.evaluate(HOSTILE, context, NOW), readable.evaluate(HOSTILE, context, NOW))


def test_a_traceback_shows_the_line() -> None:
    answers = engine({"f": flag(rules=[rule("r", test("x", "equals", "a"))])})
    answers.prepare()
    linecache.checkcache()
    with pytest.raises(RuntimeError) as caught:
        answers._entries["f"](NASTY["a mapping that raises"], NOW)
    shown = "".join(traceback.format_exception(caught.value))
    assert "in answer\n    if ((type(v0 := ctx.get(k1)) is str" in shown


def test_codes_of_long_gone_snapshots_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_MOST_CODES", 10)
    runtime._codes.clear()
    before = {name for name in linecache.cache if name.startswith("flagctl-")}
    for count in range(1, 40):
        answers = engine({"f": flag(rules=[rule("r", *[test("x", "equals", "a")] * count)])})
        answers.prepare()
        assert answers.enabled("f", {"x": "a"}, NOW)
        assert len(runtime._codes) <= 10
        assert len({name for name in linecache.cache if name.startswith("flagctl-")} - before) <= 10


def test_flags_of_one_shape_share_their_code_and_are_made_at_once() -> None:
    flags = {f"f{n}": flag(rules=[rule("r", test(f"x{n}", "equals", f"a{n}"))], default=OFF) for n in range(50)}
    answers = engine(flags)
    answers.prepare(["f0"])
    codes = {"f0": answers._functions["flag"]["f0"].__code__}  # type: ignore[attr-defined]
    for key in flags:
        answers.evaluate(key, ADA, NOW)
        codes[key] = answers._functions["flag"][key].__code__  # type: ignore[attr-defined]
    assert len(set(codes.values())) == 1


def test_a_new_shape_becomes_a_function_once_it_was_asked_for_a_few_times() -> None:
    runtime._codes.clear()
    answers = engine({"f": flag(rules=[rule("r", *[test("x", "gte", 5)] * 7)], default=OFF)})
    found = [answers.evaluate("f", {"x": number}, NOW).variant for number in range(20)]
    assert found == ["off"] * 5 + ["on"] * 15
    assert "f" in answers._functions["flag"]


def test_any_number_of_threads_may_ask_at_once() -> None:
    made = world(Random(9), flags=40)
    asked = [(key, *each) for key in made.document["flags"] for each in contexts(made, Random(1), key, 30)]
    expected = [Evaluator(made.document).evaluate(*each) for each in asked]
    answers, wrong = Engine.load(encode(made.document)), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found = [answers.evaluate(*each) for each in asked]
        wrong.extend(each for each, one, other in zip(asked, found, expected, strict=True) if not same(one, other))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
