"""The flagd definition tried out before it leaves: flagd's own Python engine must answer as our evaluator does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.snapshot import encode_value, join
from flagctl.errors import RefusedError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.files.repository import collector_off
from flagctl.model import times
from flagctl.model.condition import OPERATORS, TARGETING_KEY
from flagctl.publish.flagd import around, with_required
from flagctl.publish.passed import Passed, engine, stretch

if TYPE_CHECKING:
    from pathlib import Path

    from openfeature.contrib.tools.flagd.core import FlagdCore

    from flagctl.publish.flagd import FlagdMaker

_IN_ALL = 20_000
_MOST, _FEWEST = 30, 3
_SHOWN = 3


def installed() -> bool:
    """Whether flagd's Python engine is there."""
    from importlib.util import find_spec

    try:
        return find_spec("openfeature.contrib.tools.flagd.core") is not None
    except ModuleNotFoundError:
        return False


class Tried(msgspec.Struct, frozen=True):
    """flags: all in the definition. asked: those that had not passed before. answers: how many were compared."""

    flags: int
    asked: int
    answers: int


def try_out(
    snapshot: dict[str, Any],
    maker: FlagdMaker,
    memory: Path | None = None,
    *,
    seed: int,
    clock: Callable[[], float],
    report: Callable[[int, int], object] = lambda done, total: None,
) -> Tried:
    """Ask both about contexts made from what the flags mention, as of now.

    maker: of the snapshot's flagd definition; what is left out of it is not asked. memory: where flags that passed are
    remembered, so that they are not asked again while nothing changed. report: is told how many flags of how many are
    done. Raises RefusedError where the engine can't load the definition or answers otherwise.
    """
    parts, sources = maker.parts(snapshot), maker.sources(snapshot)
    passed = Passed(memory, engine() if memory and sources else "")
    digests = {key: passed.digest(key, sources.get(key, b""), part) for key, part in parts.items()}
    now = clock()
    asked = {key: part for key, part in parts.items() if not passed.knows(digests[key], now)}
    if not asked:
        return Tried(len(parts), 0, 0)
    needed = with_required(snapshot["flags"], asked)
    small = {**snapshot, "flags": {key: flag for key, flag in snapshot["flags"].items() if key in needed}}
    core, evaluator = _engine(small, asked), Evaluator(small)
    rounds = min(_MOST, max(_FEWEST, _IN_ALL // len(asked)))
    wrong: list[str] = []
    try:
        for done, (key, part) in enumerate(asked.items()):
            report(done, len(asked))
            first = int(clock())
            found = _difference(
                core, evaluator, small, key, contexts(small, key, Random(f"{seed}:{key}"), rounds), clock
            )
            if found:
                wrong.append(f"{key} for {found}")
                continue
            definitions = [encode_value(small["flags"][name]) for name in with_required(small["flags"], [key])]
            start, end = stretch([part, *definitions], first)
            if clock() < end:
                passed.add(digests[key], (start, end))
    finally:
        passed.save(digests.values())
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more flags" if len(wrong) > _SHOWN else ""
        raise RefusedError(
            f"flagd's engine answers otherwise than flagctl in {snapshot['environment']}: "
            f"{'; '.join(wrong[:_SHOWN])}{more}",
            hint=_hint(snapshot["bucketing"]),
        )
    return Tried(len(parts), len(asked), rounds * len(asked))


def _hint(bucketing: str) -> str:
    rest = "--no-self-test publishes all the same"
    if bucketing == "portable":
        return f"nothing was published; please report it. {rest}"
    return (
        f"nothing was published. Settings say bucketing: {bucketing}; is {engine().partition(',')[0]} of that "
        f"generation (1.x of flagd-2, 2.x of flagd-3)? bucketing: portable suits both. {rest}"
    )


def _engine(snapshot: dict[str, Any], parts: Mapping[str, msgspec.Raw]) -> FlagdCore:
    """The engine with these flags of the definition."""
    from openfeature.contrib.tools.flagd.core import FlagdCore

    core = FlagdCore()
    document = around(snapshot, join({key: bytes(part) for key, part in parts.items()}))
    try:
        with collector_off():
            core.set_flags(document.decode())
    except Exception as error:
        raise RefusedError(
            f"flagd's engine can't load the definition of {snapshot['environment']}: {error!r}",
            hint="nothing was published; please report it. --no-self-test publishes all the same",
        ) from error
    return core


def _difference(
    core: FlagdCore,
    evaluator: Evaluator,
    snapshot: Mapping[str, Any],
    key: str,
    asked: Iterable[dict[str, Any]],
    clock: Callable[[], float],
) -> str:
    """The first context about which they differ, and what they say of it; "" for none."""
    kind = snapshot["flags"][key]["type"]
    for context in asked:
        found = _compared(core, evaluator, key, kind, context, clock)
        if found:
            return f"{context}: {found}"
    return ""


def _compared(
    core: FlagdCore, evaluator: Evaluator, key: str, kind: str, context: dict[str, Any], clock: Callable[[], float]
) -> str:
    """What differs, "" for nothing. The engine reads its own clock: asked again when a second passed meanwhile."""
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import OpenFeatureError

    resolve = getattr(core, f"resolve_{'float' if kind == 'number' else kind}_value")
    attributes = {name: value for name, value in context.items() if name != TARGETING_KEY}
    while True:
        before = clock() // 1
        try:
            found = resolve(key, None, EvaluationContext(context.get(TARGETING_KEY), attributes))
            theirs = (found.variant, found.value)
        except OpenFeatureError as error:
            theirs = (None, error.error_code.value)
        if clock() // 1 == before:
            break
    answer = evaluator.evaluate(key, context, before)
    ours = (answer.variant, answer.value)
    return "" if ours == theirs else f"flagctl {ours[0]} ({ours[1]!r}), flagd {theirs[0]} ({theirs[1]!r})"


def contexts(snapshot: Mapping[str, Any], key: str, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    """Contexts that reach a flag's paths: each fits one rule mostly, with a listed person now and then."""
    flags = snapshot["flags"]
    around = [flags[key]] + [flags[need["flag"]] for need in flags[key].get("requires", ()) if need["flag"] in flags]
    rules = [rule["when"] for flag in around for rule in flag.get("rules", ())]
    people = [user for flag in around for users in flag.get("overrides", {}).values() for user in users]
    outcomes = [
        outcome
        for flag in around
        for outcome in (flag["default"], *flag.get("rules", ()), *flag.get("schedule", ()))
        if "bucket_by" in outcome
    ]
    for number in range(count):
        context: dict[str, Any] = {}
        for outcome in outcomes:
            _put(context, outcome["bucket_by"], f"user-{dice.randrange(10**6)}")
        if rules:
            for test, wanted in _tests(snapshot, rules[number % len(rules)], set()):
                if dice.random() < 0.9:
                    unlike = wanted is bool(OPERATORS[test["op"]].negates)
                    _put(context, test["attribute"], _unlike(test) if unlike else _fitting(test, dice))
        if people and dice.random() < 0.2:
            context[TARGETING_KEY] = dice.choice(people)
        elif not isinstance(context.get(TARGETING_KEY, ""), str) or dice.random() < 0.7:
            context[TARGETING_KEY] = f"user-{dice.randrange(10**6)}"
        yield context


def _tests(
    snapshot: Mapping[str, Any], conditions: Iterable[Mapping[str, Any]], seen: set[str], wanted: bool = True
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The single conditions, those of segments included, and whether each should hold."""
    for condition in conditions:
        if "attribute" in condition:
            yield condition, wanted
        elif "segment" in condition:
            if condition["segment"] not in seen:
                seen.add(condition["segment"])
                yield from _tests(snapshot, snapshot["segments"][condition["segment"]]["when"], seen, wanted)
        elif "not" in condition:
            yield from _tests(snapshot, [condition["not"]], seen, not wanted)
        else:
            yield from _tests(snapshot, condition.get("any", condition.get("all", ())), seen, wanted)


def _unlike(test: Mapping[str, Any]) -> Any:
    """A value of the right type that a condition does not mention."""
    wanted = test["value"]
    one = wanted[0] if isinstance(wanted, list) and wanted else wanted
    if OPERATORS[test["op"]].on == "array":
        return ["something else"]
    return not one if isinstance(one, bool) else "something else" if isinstance(one, str) else 0


def _fitting(test: Mapping[str, Any], dice: Random) -> Any:
    """A value that a condition asks for, or nearly: of the right type in any case."""
    wanted, operator = test["value"], OPERATORS[test["op"]]
    match operator.on:
        case "datetime":
            moment = wanted + dice.choice([-86_400, -1, 0, 1, 86_400])
            return dice.choice([moment, times.text(moment)])
        case "number":
            return wanted + dice.choice([-1, 0, 1])
        case "array":
            listed = wanted if isinstance(wanted, list) else [wanted]
            return dice.choice([listed, listed[:1], [*listed, "more"], []])
        case "any":
            return dice.choice(["given", None])
    one = dice.choice(wanted) if isinstance(wanted, list) and wanted else wanted
    if operator.on == "string" and isinstance(one, str):
        return dice.choice([one, f"x{one}", f"{one}x"])
    return "" if isinstance(one, list) else one


def _put(context: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for part in parents:
        inner = context.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        context = inner
    context[last] = value
