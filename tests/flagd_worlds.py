"""Random flags as flagd's engines can hold them, asked of ours and of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, NamedTuple

from flagd_engines import Ask, Engine
from random_flags import Limits, world

from flagctl.compile.flagd import definition
from flagctl.evaluate.evaluator import Evaluator
from flagctl.model import semver
from flagctl.model.repository import Generation

_BUCKETED_TEXTS = ("targetingKey", "page", "größe", "name")
_LIKE_A_VERSION = re.compile(r"\s*[vV]?[0-9]")


class Exam(NamedTuple):
    """A flag definition with questions and our answers to them."""

    document: dict[str, Any]
    asks: list[Ask]
    ours: list[list[Any]]

    def differences(self, engines: Iterable[str]) -> list[str]:
        """Where one of these engines answers otherwise, in words; they run side by side."""
        with ThreadPoolExecutor() as pool:
            return [line for lines in pool.map(self._differences, engines) for line in lines]

    def _differences(self, engine: str) -> list[str]:
        with Engine(engine) as running:
            running.load(self.document)
            theirs = running.answers(self.asks)
        assert len(theirs) == len(self.ours)
        return [
            f"{ask[0]} at {ask[3]:.0f} for {ask[2]}: ours {ours}, {engine} {their}"
            for ask, ours, their in zip(self.asks, self.ours, theirs, strict=True)
            if not _same(ours, their)
        ]


def exam(seed: int, bucketing: Generation, *, flags: int, contexts: int) -> Exam:
    """Random flags, and for each of them contexts at moments around its edges."""
    dice = Random(seed)
    made = world(dice, flags=flags, limits=Limits(ascii_keys=True, flagd=True, json=True, generations=(bucketing,)))
    found = definition(made.document)
    assert found.unsaid == []
    evaluator = Evaluator(made.document)
    asks: list[Ask] = []
    ours: list[list[Any]] = []
    for key, flag in made.document["flags"].items():
        moments = made.moments(key)
        for _ in range(contexts):
            context = told(made.context(dice, key))
            now = float(dice.choice(moments) // 1)
            answer = evaluator.evaluate(key, context, now)
            asks.append((key, flag["type"], context, now))
            ours.append([answer.value, answer.variant, answer.error_code])
    return Exam(found.document, asks, ours)


def told(value: Any, name: str = "") -> Any:
    """A context with nothing of which flagd's engines give different accounts.

    To JavaScript 18.0 is 18; a targeting key is text in OpenFeature; only ASCII is hashed alike everywhere; each
    engine takes some texts for versions that are none; and times are written as RFC 3339's examples are.
    """
    if isinstance(value, dict):
        found = {key: told(inner, key) for key, inner in value.items()}
        return found if isinstance(found.get("targetingKey", ""), str) else found | {"targetingKey": None}
    if isinstance(value, list):
        return [told(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    if name in _BUCKETED_TEXTS:
        return value.encode("ascii", "ignore").decode()
    if name == "app_version" and semver.key(value) is None and _LIKE_A_VERSION.match(value):
        return "latest"
    return value.upper() if name == "signed_up" else value


def _same(ours: list[Any], theirs: list[Any]) -> bool:
    return ours == theirs and isinstance(ours[0], bool) is isinstance(theirs[0], bool)
