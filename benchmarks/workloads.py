"""What `evaluate.py` asks: five workloads in no product's own form, and their snapshots."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

COUNTRIES = ("DE", "FR", "NL", "US", "GB", "JP", "BR", "IN", "ES", "IT")
PLANS = ("free", "pro", "enterprise")
DOMAINS = ("@example.com", "@example.org", "@beta.example.net", "@staff.example.com")
ARMS = {"control": 50, "one-page": 25, "express": 25}
HALF = {"on": 50, "off": 50}
LISTED = 10_000
MANY = 10_000

Condition = tuple[str, str, Any]
"""(attribute, operator, value); operators: in, equals, semver_gte, ends_with, gte."""


class Spec(NamedTuple):
    """A flag. An outcome is a variant's name, or percentages by variant; `users` get the variant `on`."""

    key: str
    rules: tuple[tuple[tuple[Condition, ...], str | dict[str, int]], ...] = ()
    default: str | dict[str, int] = "off"
    users: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("on", "off")

    @property
    def boolean(self) -> bool:
        """Its values are true and false, else the names of its variants."""
        return self.variants == ("on", "off")


class Person(NamedTuple):
    """Who asks."""

    key: str
    attributes: dict[str, Any]

    @property
    def context(self) -> dict[str, Any]:
        """As flagctl and OpenFeature write it."""
        return {"targetingKey": self.key, **self.attributes}


ADA = {"country": "DE", "plan": "pro", "app_version": "2.10.1", "email": "ada@example.com", "age": 34}
PEOPLE = [Person(f"user-{number}", ADA) for number in range(1000)]
FIVE_RULES = (
    ((("country", "in", ["DE", "FR", "NL"]), ("plan", "equals", "enterprise")), "express"),
    ((("app_version", "semver_gte", "2.0.0"), ("email", "ends_with", "@staff.example.com")), "express"),
    ((("age", "gte", 65), ("country", "in", ["DE", "GB"])), "one-page"),
    ((("plan", "equals", "free"), ("app_version", "semver_gte", "1.0.0")), "one-page"),
    ((("email", "ends_with", "@example.com"), ("age", "gte", 18)), ARMS),
)
WORKLOADS = {
    "W1": Spec("new-checkout", default="on"),
    "W2": Spec("new-checkout", default=HALF),
    "W3": Spec("checkout-page", FIVE_RULES, "control", variants=tuple(ARMS)),
    "W4": Spec("new-checkout", users=tuple(f"user-{number}" for number in range(0, 2 * LISTED, 2))),
}


def many(count: int = MANY) -> list[Spec]:
    """W5's flags: one to three rules of one or two conditions, then off, or half of all people."""
    dice = random.Random(5)
    return [_any(dice, f"flag-{number:05}") for number in range(count)]


def _any(dice: random.Random, key: str) -> Spec:
    rules = []
    for _ in range(dice.randint(1, 3)):
        choices: list[Condition] = [
            ("country", "in", dice.sample(COUNTRIES, 3)),
            ("plan", "equals", dice.choice(PLANS)),
            ("app_version", "semver_gte", f"{dice.randint(1, 4)}.{dice.randint(0, 12)}.0"),
            ("email", "ends_with", dice.choice(DOMAINS)),
            ("age", "gte", dice.randint(16, 80)),
        ]
        rules.append((tuple(dice.sample(choices, dice.randint(1, 2))), dice.choice(("on", "on", "off"))))
    return Spec(key, tuple(rules), dice.choice(("off", HALF)))


def snapshot(specs: list[Spec], bucketing: str = "portable") -> bytes:
    """The specs as a flagctl snapshot, with the metadata that flags have."""
    document = {
        "format": "flagctl/snapshot/1",
        "environment": "production",
        "version": 1,
        "commit": "0" * 40,
        "commit_time": "2026-11-24T09:00:00Z",
        "bucketing": bucketing,
        "protected": True,
        "attributes": {
            "age": {"type": "integer"},
            "app_version": {"type": "semver"},
            "country": {"type": "string"},
            "email": {"private": True, "type": "string"},
            "plan": {"type": "string"},
        },
        "segments": {},
        "flags": {spec.key: _flag(spec) for spec in specs},
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _flag(spec: Spec) -> dict[str, Any]:
    rules = [
        {"name": f"rule-{index}", "when": [_condition(*each) for each in when], **_outcome(outcome, spec.key)}
        for index, (when, outcome) in enumerate(spec.rules)
    ]
    return {
        "type": "boolean" if spec.boolean else "string",
        "variants": {"on": True, "off": False} if spec.boolean else {name: name for name in spec.variants},
        "off_variant": "off" if spec.boolean else spec.variants[0],
        "enabled": True,
        "default": _outcome(spec.default, spec.key),
        "ttl": 300,
        "metadata": {
            "owner": "growth",
            "owner_email": "growth@example.com",
            "kind": "release",
            "description": f"{spec.key}, described in one honest sentence.",
            "documentation_url": f"https://wiki.example.com/features/{spec.key}",
            "tags": ["growth", "web"],
        },
        **({"rules": rules} if rules else {}),
        **({"overrides": {"on": sorted(spec.users)}} if spec.users else {}),
    }


def _condition(attribute: str, operator: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "op": operator, "value": [value] if operator == "ends_with" else value}


def _outcome(outcome: str | dict[str, int], key: str) -> dict[str, Any]:
    if isinstance(outcome, str):
        return {"serve": outcome}
    upper, bounds = 0, []
    for name, percent in outcome.items():
        upper += percent * 1000
        bounds.append([name, upper])
    return {"split": bounds, "bucket_by": "targetingKey", "salt": key}
