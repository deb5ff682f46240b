"""The flags that chance makes are valid, say everything a flag can, and get every kind of answer."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest
from flag_files import said
from flag_files import when as conditions_said
from flagtree import reading
from random_flags import ATTRIBUTES, START, Limits, contexts, world

from flagctl.check.run import check
from flagctl.evaluate.evaluator import Evaluator
from flagctl.model.condition import OPERATORS

# Chance asks for contradictions and lists what no one can be; `check` may say so.
OF_CHANCE = {"long-salt", "contradiction", "shadowed-rule", "non-ascii-salt", "unknown-layer", "unused-segment"}
LONG_BEFORE = START - 100 * 86_400
FLAGD = Limits(flagd=True, ascii_keys=True, json=True)


def files(made: Any) -> dict[str, str]:
    declared = {
        name: {"type": one.type, "private": one.private}
        | ({"values": list(one.values)} if one.values else {})
        | ({"items": one.items} if one.type == "array" else {})
        for name, one in ATTRIBUTES.items()
    }
    found = {"flags/attributes.yaml": {"attributes": declared}}
    for name, segment in made.environment.segments.items():
        found[f"flags/production/segments/{name}.yaml"] = {
            "description": "Chance.",
            "when": conditions_said(segment.when),
        }
    for key, flag in made.environment.flags.items():
        found[f"flags/production/{key}.yaml"] = said(flag)
    return {path: json.dumps(data) for path, data in found.items()}


@pytest.mark.parametrize("limits", [Limits(), FLAGD])
def test_check_finds_nothing_against_them(limits: Limits) -> None:
    for seed in range(25):
        made = world(Random(seed), flags=12, limits=limits)
        read = reading(files(made))
        found = [problem for problem in check(read, LONG_BEFORE) if problem.rule not in OF_CHANCE]
        wrong = [problem for problem in found if limits.flagd or not problem.rule.startswith("flagd-")]
        assert not wrong, (seed, wrong[0])
        assert read.repository.environments["production"].flags.keys() == made.environment.flags.keys()


def test_the_same_seed_gives_the_same_flags_and_contexts() -> None:
    def shown() -> str:
        dice = Random(7)
        made = world(dice, limits=FLAGD)
        asked = [contexts(made, dice, key, 5) for key in made.document["flags"]]
        return json.dumps([made.document, asked])

    assert shown() == shown()


def test_everything_occurs_and_is_answered_in_every_way() -> None:
    dice = Random(1)
    answers: Counter[str] = Counter()
    text = ""
    for _ in range(60):
        made = world(dice)
        text += json.dumps(made.document)
        evaluator = Evaluator(made.document)
        for key in made.document["flags"]:
            for context, now in contexts(made, dice, key, 10):
                answer = evaluator.evaluate(key, context, now)
                answers[answer.reason] += 1
                answers["in a rule"] += answer.rule is not None
                assert answer.reason != "ERROR"
    parts = [
        "split",
        "ramp",
        "slots",
        "traffic",
        "schedule",
        "expires_at",
        "requires",
        "overrides",
        "foreign_bucketing",
    ]
    for part in [*OPERATORS, *parts, "segment", "any", "all", "not", "launchdarkly-sha1", "seed", "flagd-2", "flagd-3"]:
        assert f'"{part}"' in text, part
    total = sum(answers[reason] for reason in ("STATIC", "DEFAULT", "DISABLED", "TARGETING_MATCH", "SPLIT"))
    assert total == 6000
    for kind in ("STATIC", "DEFAULT", "DISABLED", "TARGETING_MATCH", "SPLIT", "in a rule"):
        assert answers[kind] > total / 40, answers
