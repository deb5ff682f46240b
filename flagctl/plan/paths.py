"""The ways through a flag at one time: which conditions lead there, and what who comes there gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

import msgspec

from flagctl.evaluate.bucket import FOREIGN, bucket
from flagctl.model.flag import WHOLE
from flagctl.plan.conditions import Atoms, atoms, possible
from flagctl.plan.shares import Draw, TooManyWaysError, Tree, cut

_MOST = 2_000
_MOST_PASSED = 7
"""Each experiment that people pass on their way doubles the ways, and more than that the answers at their ends."""
Kind = Literal["absent", "expired", "disabled", "requires", "override", "rule", "default"]


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """One way through a flag.

    name: of the rule, or the flag whose requirement is not met. passed: rules whose experiment did not take the
    person, on the way here. trues, falses: conditions that hold here, and that do not. tree: what it answers.
    own: the draw that decides between variants, where one does.
    """

    kind: Kind
    name: str = ""
    passed: tuple[str, ...] = ()
    trues: frozenset[Atoms] = frozenset()
    falses: frozenset[Atoms] = frozenset()
    tree: Tree
    own: Draw | None = None


def paths(document: Mapping[str, Any], key: str, now: float, user: str | None = None) -> list[Path]:
    """The ways through a flag of a snapshot at a time, its requirements left aside.

    user: the targeting key of somebody whom overrides may name; None for everybody they do not name.
    Raises TooManyWaysError.
    """
    flag = document["flags"].get(key)
    if flag is None:
        return [Path(kind="absent", tree=None)]
    if "expires_at" in flag and now >= flag["expires_at"]:
        return [Path(kind="expired", tree=flag["off_variant"])]
    enabled, default = in_force(flag, now)
    if not enabled:
        return [Path(kind="disabled", tree=flag["off_variant"])]
    if user is not None and (variant := listed(flag, user)) is not None:
        return [Path(kind="override", name=user, tree=variant)]
    found = list(islice(_Walk(document, key, now, default).down(0, frozenset(), frozenset(), ()), _MOST + 1))
    if len(found) > _MOST:
        raise TooManyWaysError
    return found


def in_force(flag: Mapping[str, Any], now: float) -> tuple[bool, dict[str, Any]]:
    """`enabled` and `default` after the schedule's entries that are due."""
    enabled, default = flag["enabled"], flag["default"]
    for entry in flag.get("schedule", ()):
        if entry["at"] <= now:
            enabled, default = entry.get("enabled", enabled), entry.get("default", default)
    return enabled, default


def listed(flag: Mapping[str, Any], user: str) -> str | None:
    """The variant for which a targeting key is listed; of several the one that the evaluator takes."""
    overrides = flag.get("overrides", {})
    return next((str(variant) for variant in sorted(overrides) if user in overrides[variant]), None)


class _Walk:
    def __init__(self, document: Mapping[str, Any], key: str, now: float, default: dict[str, Any]) -> None:
        self.document = document
        self.key = key
        self.now = now
        self.flag = document["flags"][key]
        self.rules = self.flag.get("rules", [])
        self.default = default
        self.when = [atoms(rule["when"], document["segments"]) for rule in self.rules]

    def down(
        self, number: int, trues: frozenset[Atoms], falses: frozenset[Atoms], passed: tuple[int, ...]
    ) -> Iterator[Path]:
        """The ways from a rule on, for whom the conditions so far hold or do not."""
        if not possible(trues, falses):
            return
        if len(passed) > _MOST_PASSED:
            raise TooManyWaysError
        if number == len(self.rules):
            yield self.path("default", "", self.default, self.flag["off_variant"], trues, falses, passed)
            return
        rule, when = self.rules[number], self.when[number]
        if when not in falses:
            held = trues | {when}
            if _passes(rule):
                yield from self.down(number + 1, held, falses, (*passed, number))
            elif possible(held, falses):
                yield self.path("rule", rule["name"], rule, None, held, falses, passed)
        if when not in trues:
            yield from self.down(number + 1, trues, falses | {when}, passed)

    def path(
        self,
        kind: Kind,
        name: str,
        outcome: Mapping[str, Any],
        outside: Tree,
        trues: frozenset[Atoms],
        falses: frozenset[Atoms],
        passed: tuple[int, ...],
    ) -> Path:
        tree, own = self.tree(outcome, outside), self.draw(outcome) if "serve" not in outcome else None
        for index in reversed(passed):
            tree = self.tree(self.rules[index], tree)
            own = self.draw(self.rules[index])
        names = tuple(self.rules[index]["name"] for index in passed)
        return Path(kind=kind, name=name, passed=names, trues=trues, falses=falses, tree=tree, own=own)

    def draw(self, outcome: Mapping[str, Any]) -> Draw:
        """The draw that decides an outcome."""
        foreign = self.flag.get("foreign_bucketing")
        if foreign is None:
            return self.hashed(outcome, outcome["salt"])
        seed = foreign.get("seed")
        mixed = f"{self.key}.{foreign['salt']}" if seed is None else str(seed)
        return Draw(foreign["algorithm"], outcome["bucket_by"], mixed)

    def hashed(self, outcome: Mapping[str, Any], salt: str) -> Draw:
        return Draw(self.document["bucketing"], outcome["bucket_by"], salt)

    def tree(self, outcome: Mapping[str, Any], outside: Tree) -> Tree:
        """What an outcome answers; `outside`: what who is not in its experiment gets."""
        if "serve" in outcome:
            return str(outcome["serve"])
        off = self.flag["off_variant"]
        if "ramp" in outcome:
            due = [share for at, share in outcome["ramp"] if at <= self.now]
            split = [(due[-1] if due else 0, outcome["variant"]), (WHOLE, outcome["rest"])]
        else:
            split = [(upper, variant) for variant, upper in outcome["split"]]
        tree = cut(self.draw(outcome), split, off)
        experiment = outcome.get("experiment", {})
        if "traffic" in experiment:
            draw = self.hashed(outcome, f"traffic:{experiment['name']}")
            tree = cut(draw, [(experiment["traffic"], tree), (WHOLE, outside)], off)
        if "slots" in experiment:
            draw = self.hashed(outcome, f"layer:{experiment['layer']}")
            first, end = experiment["slots"]
            tree = cut(draw, [(first, outside), (end, tree), (WHOLE, outside)], off)
        return tree


def _passes(rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets people on to the next: those outside its experiment."""
    experiment = rule.get("experiment", {})
    return "slots" in experiment or "traffic" in experiment


def bucket_of(draw: Draw, value: str) -> int:
    """Somebody's bucket in a draw."""
    if draw.algorithm in FOREIGN:
        return FOREIGN[draw.algorithm]({"seed": draw.salt}, "", value)
    return bucket(draw.algorithm, draw.salt, value)
