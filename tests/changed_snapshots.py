"""Random changes of a snapshot, as people make them: a share, a salt, a rule moved, a segment, a requirement."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

Document = dict[str, Any]
Flag = dict[str, Any]


def changed(document: Document, dice: Random, key: str, count: int) -> Document:
    """The document after that many random changes at a flag or what it needs."""
    after = deepcopy(document)
    for _ in range(count):
        dice.choice(_CHANGES)(after, after["flags"][key], dice)
    return after


def _outcomes(flag: Flag) -> list[dict[str, Any]]:
    return [
        *flag.get("rules", ()),
        flag["default"],
        *(e["default"] for e in flag.get("schedule", ()) if "default" in e),
    ]


def _share(after: Document, flag: Flag, dice: Random) -> None:
    for outcome in _outcomes(flag):
        if "split" in outcome and dice.random() < 0.7:
            bounds = sorted(dice.choice([0, 25_000, dice.randint(0, 100_000)]) for _ in outcome["split"][1:])
            for arm, bound in zip(outcome["split"], bounds, strict=False):
                arm[1] = bound


def _arms(after: Document, flag: Flag, dice: Random) -> None:
    for outcome in _outcomes(flag):
        if "split" in outcome and dice.random() < 0.7:
            names = [arm[0] for arm in outcome["split"]]
            dice.shuffle(names)
            for arm, name in zip(outcome["split"], names, strict=True):
                arm[0] = name


def _draw(after: Document, flag: Flag, dice: Random) -> None:
    for outcome in _outcomes(flag):
        if "salt" in outcome and dice.random() < 0.7:
            outcome["salt" if dice.random() < 0.7 else "bucket_by"] = dice.choice(["age", "page"])


def _serve(after: Document, flag: Flag, dice: Random) -> None:
    for outcome in _outcomes(flag):
        if "serve" in outcome:
            outcome["serve"] = dice.choice(list(flag["variants"]))


def _traffic(after: Document, flag: Flag, dice: Random) -> None:
    for outcome in _outcomes(flag):
        if "experiment" in outcome:
            outcome["experiment"]["traffic"] = dice.randint(0, 100_000)
        elif "split" in outcome and dice.random() < 0.3:
            outcome["experiment"] = {"name": "x", "layer": "l", "slots": [10_000, 60_000]}


def _order(after: Document, flag: Flag, dice: Random) -> None:
    dice.shuffle(flag.get("rules", []))


def _rule(after: Document, flag: Flag, dice: Random) -> None:
    rules = flag.setdefault("rules", [])
    if rules and dice.random() < 0.4:
        rules.remove(dice.choice(rules))
        return
    when = [{"attribute": "country", "op": "in", "value": dice.sample(["DE", "FR", "NL", "US"], 2)}]
    rules.insert(
        dice.randint(0, len(rules)),
        {"name": f"new {len(rules)}", "when": when, "serve": dice.choice(list(flag["variants"]))},
    )


def _when(after: Document, flag: Flag, dice: Random) -> None:
    for rule in flag.get("rules", ()):
        if dice.random() < 0.5 and len(rule["when"]) > 1:
            rule["when"].pop(dice.randrange(len(rule["when"])))
        elif dice.random() < 0.5:
            rule["when"].append({"attribute": "age", "op": dice.choice(["gt", "gte", "lt"]), "value": 18})


def _segment(after: Document, flag: Flag, dice: Random) -> None:
    segment = dice.choice(list(after["segments"].values()))
    segment["when"] = [{"attribute": "country", "op": "in", "value": dice.sample(["DE", "FR", "NL", "US"], 2)}]


def _requires(after: Document, flag: Flag, dice: Random) -> None:
    for need in flag.get("requires", ()):
        _CHANGES[0](after, after["flags"][need["flag"]], dice)
        _CHANGES[dice.randrange(5)](after, after["flags"][need["flag"]], dice)
    if dice.random() < 0.3:
        flag.pop("requires", None)


def _override(after: Document, flag: Flag, dice: Random) -> None:
    overrides = flag.setdefault("overrides", {})
    for users in overrides.values():
        if users and dice.random() < 0.5:
            users.pop()
    overrides[dice.choice(list(flag["variants"]))] = ["42", "user-1"]


def _switch(after: Document, flag: Flag, dice: Random) -> None:
    flag["enabled"] = dice.random() < 0.5


def _generation(after: Document, flag: Flag, dice: Random) -> None:
    after["bucketing"] = dice.choice(["portable", "flagd-2", "flagd-3"])


def _gone(after: Document, flag: Flag, dice: Random) -> None:
    flag["variants"] = flag["variants"] | {"brand-new": "x"}
    flag["off_variant"] = "brand-new"


_CHANGES: list[Callable[[Document, Flag, Random], None]] = [
    _share,
    _arms,
    _draw,
    _serve,
    _traffic,
    _order,
    _rule,
    _when,
    _segment,
    _requires,
    _override,
    _switch,
    _generation,
    _gone,
    _share,
    _order,
    _rule,
]
