"""Whatever stands in a context or went wrong in a snapshot: an evaluation answers, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import ADA, NOW, ON, ask, evaluator, flag, rollout, rule, said, snapshot, split, test
from test_operators import CASES

from flagctl.evaluate.evaluator import Evaluator
from flagctl.evaluate.trace import Trace

BROKEN: list[Any] = [
    None,
    {},
    "flag",
    flag(default={}),
    flag(default={"serve": "purple"}),
    flag(default=split("on", 10, "off", 20)),
    flag(default=ON, rules=[{"name": "no when"}]),
    flag(rules=[rule("r", {"attribute": "x", "op": "resembles", "value": 1})]),
    flag(rules=[rule("r", {"segment": "gone"})]),
    flag(rules=[rule("r", {"segment": "itself"})]),
    flag(off_variant="purple", enabled=False),
    flag(expires_at="tomorrow"),
    flag(foreign_bucketing={"algorithm": "dice"}, default=rollout(50)),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_flag_is_an_answer_and_breaks_no_other(broken: Any) -> None:
    flags = {"f": broken, "g": flag(requires=[{"flag": "f", "variant": "on"}]), "h": flag()}
    segments = {"itself": [{"segment": "itself"}]}
    if broken is not None:
        answer = ask(flags, {"targetingKey": "zoe"}, default="mine", segments=segments)
        assert (answer.value, answer.variant, answer.reason, answer.error_code) == (
            "mine",
            None,
            "ERROR",
            "PARSE_ERROR",
        )
    assert said(ask(flags, key="h", segments=segments)) == ("on", "STATIC")


@pytest.mark.parametrize("document", [{}, {"flags": None}, {"flags": []}])
def test_a_broken_snapshot_is_an_answer(document: dict[str, Any]) -> None:
    assert Evaluator(document).evaluate("f", ADA, 0, default=7).value == 7
    assert not Evaluator(document).matches_segment("people", ADA, 0)


class Nasty(Mapping[str, Any]):
    """Raises at every touch."""

    def __getitem__(self, key: object) -> Any:
        raise RuntimeError("boom")

    __iter__ = __len__ = __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __getitem__  # type: ignore[assignment]


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


NASTY = {
    "an integer no float holds": 10**400,
    "an integer Python won't print": -(10**5000),
    "a lone surrogate": "\ud800",
    "a mapping that raises": Nasty(),
    "a circle": _circle(),
    "an object": object(),
    "a class": int,
}
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.complex_numbers(),
    st.sampled_from(sorted(NASTY)).map(lambda name: NASTY[name]),
)


def hashable(value: object) -> bool:
    try:
        hash(value)
    except Exception:
        return False
    return True


junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["x", "id", "targetingKey"]) | leaves.filter(hashable), inner)
    ),
    max_leaves=8,
)


EVERYTHING = flag(
    default=rollout(50, by="x"),
    overrides={"on": ["ada"]},
    rules=[
        rule(f"{operator}-{index}", test("x", operator, wanted), {"not": test("x.id", operator, wanted)})
        for operator, cases in CASES.items()
        for index, (wanted, _, _) in enumerate(cases)
    ],
)


@given(context=junk | st.fixed_dictionaries({"x": junk, "targetingKey": junk}), now=st.floats(-1e15, 1e15))
def test_no_context_makes_an_evaluation_raise(context: Any, now: float) -> None:
    answers = evaluator({"f": EVERYTHING}, {"s": EVERYTHING["rules"][0]["when"]})
    trace = Trace()
    answer = answers.evaluate("f", context, now, default="mine")
    assert answer.variant in ("on", "off") or (answer.reason == "ERROR" and answer.value == "mine")
    assert answers.evaluate("f", context, now, default="mine", trace=trace) == answer
    assert answers.matches_segment("s", context, now) in (True, False)


def test_an_answer_is_the_callers_to_change() -> None:
    big = flag(type="object", variants={"on": {"limits": [1, 2]}, "off": {}})
    answers = evaluator({"f": big})
    answers.evaluate("f", ADA, 0).value["limits"].clear()
    assert answers.evaluate("f", ADA, 0).value == {"limits": [1, 2]}


def test_an_evaluation_changes_neither_snapshot_nor_context() -> None:
    document = snapshot({"f": EVERYTHING, "g": flag(requires=[{"flag": "f", "variant": "on"}])})
    context = {"targetingKey": "ada", "x": {"id": [1]}}
    before = json.dumps([document, context])
    Evaluator(document).evaluate("g", context, NOW, preview={"f": "on"}, trace=Trace())
    assert json.dumps([document, context]) == before


def test_keys_are_sorted() -> None:
    assert evaluator({"b": flag(), "a": flag()}).keys() == ["a", "b"]
