"""Random flags with everything a flag file can say, and contexts and moments that find their edges.

The same seed gives the same flags on every machine. They are valid: `flagctl check` has nothing against them but that
chance makes rules that nobody can match or that another shadows. A thousand flags or contexts take some 0.1 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Any

import msgspec

from flagctl.compile.snapshot import snapshot
from flagctl.model import times
from flagctl.model.condition import OPERATORS, TARGETING_KEY, AllOf, AnyOf, Condition, InSegment, Not, Test
from flagctl.model.flag import (
    WHOLE,
    Experiment,
    Flag,
    ForeignBucketing,
    Outcome,
    Owner,
    Ramp,
    Requirement,
    Rollout,
    Rule,
    ScheduleEntry,
    Segment,
    Serve,
    Split,
    Type,
    Value,
)
from flagctl.model.repository import Attribute, Environment, EnvironmentSettings, Generation, Settings

START = 1_800_000_000
"""Everything dated happens within some days of this second."""
_DAYS = 20 * 86_400
GENERATIONS: tuple[Generation, ...] = ("portable", "flagd-2", "flagd-3")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What to leave out.

    ascii_keys: targeting keys, other attributes to bucket by and salts are ASCII. flagd: nothing that a flagd
    document can't say (regular expressions, foreign bucketing, null in an object).
    json: contexts hold what JSON can carry (no NaN, tuple, lone surrogate, no integer beyond 2**53).
    overrides: the most people listed in a flag.
    """

    ascii_keys: bool = False
    flagd: bool = False
    json: bool = False
    generations: tuple[Generation, ...] = GENERATIONS
    overrides: int = 6


ATTRIBUTES = {
    attribute.name: attribute
    for attribute in (
        Attribute(name="country", type="string", values=("DE", "FR", "NL", "US", "GB")),
        Attribute(name="email", type="string", private=True),
        Attribute(name="page", type="string"),
        Attribute(name="größe", type="string"),
        Attribute(name="age", type="integer"),
        Attribute(name="score", type="number"),
        Attribute(name="paying", type="boolean"),
        Attribute(name="signed_up", type="datetime"),
        Attribute(name="app_version", type="semver"),
        Attribute(name="roles", type="array"),
        Attribute(name="levels", type="array", items="integer"),
        Attribute(name="account", type="object"),
        Attribute(name="account.id", type="integer"),
        Attribute(name="account.plan", type="string", values=("free", "pro", "enterprise")),
        Attribute(name="account.owner.name", type="string"),
    )
}
_BUCKETED_BY = [TARGETING_KEY] * 6 + ["page", "größe", "age", "account.id", "account.owner.name"]
_KINDS = {
    "string": ("scalar", "string"),
    "integer": ("scalar", "number"),
    "number": ("scalar", "number"),
    "boolean": ("scalar",),
    "datetime": ("scalar", "datetime"),
    "semver": ("scalar", "semver"),
    "array": ("array",),
    "object": (),
}
_TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "b",
    "pro",
    "pro ",
    "@example.com",
    "/cart",
    "/cart/2",
    "0",
    "5",
    "true",
    "null",
    "é",
    "日本",
]
_TEXTS += ["e\u0301", "\U0001f6d2", "İ", "ß", "a\nb", 'q"q', "\\d", "'", "%s{}", "x" * 130]
_PATTERNS = ["^a", "b$", "[0-9]+", "^$", "(?i)PRO", "é|日", "@example[.]com$", ".", r"\pL{2}", "(a+)+$"]
_VERSIONS = [
    "1",
    "1.0",
    "v2.3",
    "2.3.0",
    "2.3.1",
    "2.10.0",
    "2.10.0-rc.1",
    "2.10.0-rc.11",
    "2.10.0+build",
    "10.0.0-a.b-c",
]
_NO_VERSIONS = ["", "1.x", "01.0", "1.0-rc.1", "1.2.3.4", "latest", "v", "2.3.0-01", "1" * 300]
_SALTS = ["", "", "", "checkout", "s", "a:b", "salt-" + "9" * 130, "salt 2", "grün"]
_NAMES = ["control", "a", "b", "express", "one-page", "V2", "x.y_z", "0", "true", "None", "for"]
_NUMBERS = [0, 1, 2, 5, 18, 18.0, 17.5, -1, 0.1, 1e-7, 100, 2**31, 2**53, -(2**53)]
_BIG = [2**53 + 1, 2**63, -(2**63) - 1, 2**64 - 1, 2**64, 10**400, 1e300]
_WRONG: list[Any] = [
    "5",
    5,
    1,
    0,
    0.0,
    True,
    False,
    "",
    [],
    ["a"],
    {},
    {"id": 1},
    "2.3.0",
    "2026-01-01",
    [1],
    [[1]],
    [{}],
]
_OBJECTS = ["text", 1, 2.5, True, [1, "a", None], {"deep": {"deeper": []}}, None, ""]


class World(msgspec.Struct, dict=True):
    """One environment and all around it, with its snapshot."""

    environment: Environment
    settings: Settings
    attributes: dict[str, Attribute]
    limits: Limits

    @cached_property
    def document(self) -> dict[str, Any]:
        """The snapshot of the environment."""
        return snapshot(self.environment, self.settings, self.attributes)

    def closure(self, key: str) -> list[Flag]:
        """A flag and those that it requires, one way or another."""
        found: dict[str, Flag] = {}
        waiting = [key]
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.environment.flags:
                found[name] = self.environment.flags[name]
                waiting += [need.flag for need in found[name].requires]
        return list(found.values())

    def moments(self, key: str) -> list[float]:
        """The moments around every edge of a flag and of those it requires, and one long before and after, in order."""
        edges = {START - 10 * _DAYS, START + 10 * _DAYS}
        for flag in self.closure(key):
            edges.update(edge for edge in (flag.expires_at, *(entry.at for entry in flag.schedule)) if edge is not None)
            for outcome in _outcomes(flag):
                if isinstance(outcome, Ramp):
                    steps = [at for at, _ in outcome.steps()]
                    edges.update([*steps[:3], steps[len(steps) // 2], *steps[-2:]])
        return sorted({edge + offset for edge in edges for offset in (-1, -0.5, 0, 0.25, 1)})

    def context(self, dice: Random, key: str) -> dict[str, Any]:
        """A context for a flag: mostly what its conditions ask for or something near it, now and then something odd."""
        asked = self._asked[key]
        context: dict[str, Any] = {}
        if dice.random() < 0.95:
            context[TARGETING_KEY] = self._key(dice, asked.get(TARGETING_KEY, ()))
        for name, attribute in self.attributes.items():
            wanted = asked.get(name)
            if dice.random() < (0.93 if wanted else 0.3):
                _put(dice, context, name, self._value(dice, attribute, wanted or ()))
        if not self.limits.json and dice.random() < 0.03:
            context[dice.choice(["account", "page", "extra"])] = _awkward(dice)
        return context

    @cached_property
    def _asked(self) -> dict[str, dict[str, list[Any]]]:
        """By flag, the values its conditions compare each attribute with."""
        found: dict[str, dict[str, list[Any]]] = {}
        for key in self.environment.flags:
            asked = found[key] = {}
            for flag in self.closure(key):
                asked.setdefault(TARGETING_KEY, []).extend(user for users in flag.overrides.values() for user in users)
                for outcome in _outcomes(flag):
                    if not isinstance(outcome, Serve):
                        asked.setdefault(outcome.bucket_by, [])
                for rule in flag.rules:
                    self._ask(rule.when, asked)
        return found

    def _ask(self, conditions: tuple[Condition, ...], asked: dict[str, list[Any]]) -> None:
        for condition in conditions:
            match condition:
                case Test(attribute, operator, value):
                    values = [value] if not isinstance(value, tuple) else list(value)
                    asked.setdefault(attribute, []).extend([] if operator == "exists" else values)
                case InSegment(segment):
                    self._ask(self.environment.segments[segment].when, asked)
                case Not(member):
                    self._ask((member,), asked)
                case AnyOf(members) | AllOf(members):
                    self._ask(members, asked)

    def _key(self, dice: Random, listed: tuple[Any, ...] | list[Any]) -> Any:
        kind = dice.random()
        if listed and kind < 0.2:
            text = dice.choice(list(listed))
            return (
                int(text) if isinstance(text, str) and text.isdecimal() and text.isascii() and len(text) < 4 else text
            )
        if kind < 0.8:
            return f"user-{dice.randrange(10**6)}"
        if kind < 0.86:
            return dice.choice([dice.randrange(10**9), -5, 0, 42])
        if kind < 0.94:
            return _text(dice, ascii_only=self.limits.ascii_keys)
        return self._odd(dice)

    def _value(self, dice: Random, attribute: Attribute, wanted: tuple[Any, ...] | list[Any]) -> Any:
        kind = dice.random()
        if kind < 0.08:
            return self._odd(dice)
        ascii_only = self.limits.ascii_keys and attribute.name in _BUCKETED_BY
        if attribute.type == "array":
            pool = [*wanted, *([1, 2, 5, 18.0] if attribute.items == "integer" else ["a", "pro", ""])]
            members = [
                self._odd(dice) if dice.random() < 0.05 else dice.choice(pool) for _ in range(dice.randint(0, 4))
            ]
            return tuple(members) if not self.limits.json and dice.random() < 0.1 else members
        if wanted and kind < 0.7:
            return _near(dice, attribute.type, dice.choice(list(wanted)), ascii_only)
        return _typed(dice, attribute, ascii_only, self.limits.flagd or self.limits.json)

    def _odd(self, dice: Random) -> Any:
        if self.limits.json or dice.random() < 0.5:
            return deepcopy(dice.choice([None, *_WRONG]))
        return _awkward(dice)


def world(dice: Random, *, flags: int = 10, limits: Limits = Limits()) -> World:  # noqa: B008
    """A random environment of that many flags."""
    return _Maker(dice, limits).world(flags)


def _awkward(dice: Random) -> Any:
    """What no JSON document holds, made anew: the caller may keep it."""
    makers: list[Callable[[], Any]] = [
        lambda: float(dice.choice(["nan", "inf", "-inf"])),
        lambda: dice.choice(_BIG) * dice.choice([1, -1]),
        lambda: dice.choice(["\ud800", "a\udfff", "\x00", "\ufeff", "１２"]),
        lambda: dice.choice([b"pro", 1j, object(), int, range(2)]),
        lambda: ("a", 1, None, float("nan")),
        lambda: MappingProxyType({"id": 7, "plan": "pro", "owner": MappingProxyType({"name": "a"})}),
        lambda: {1: 2, None: 3, "id": {"id": 1}},
        lambda: {"pro", "a"},
        lambda: _Text(dice.choice(_TEXTS)),
        lambda: _Whole(dice.choice([0, 1, 5, 18])),
    ]
    return dice.choice(makers)()


class _Text(str):
    __slots__ = ()


class _Whole(int):
    __slots__ = ()


def _outcomes(flag: Flag) -> list[Outcome]:
    found = [*(rule.outcome for rule in flag.rules), flag.default, *(entry.default for entry in flag.schedule)]
    return [outcome for outcome in found if outcome is not None]


def _put(dice: Random, context: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    place = context
    for part in parents:
        inner = place.get(part)
        if not isinstance(inner, dict):
            if part in place and dice.random() < 0.5:
                return
            inner = place[part] = {}
        place = inner
    place[last] = value


def _text(dice: Random, *, ascii_only: bool = False) -> str:
    text = dice.choice(_TEXTS)
    if dice.random() < 0.3:
        text += dice.choice(_TEXTS)
    return text.encode("ascii", "ignore").decode() if ascii_only else text


def _near(dice: Random, kind: str, value: Any, ascii_only: bool) -> Any:
    """The value itself, mostly, else one a step beside it."""
    if kind == "datetime":
        moment = value + dice.choice([0, 0, -1, 1, 3600, -0.5]) if not isinstance(value, str) else times.seconds(value)
        if moment is None or dice.random() < 0.5:
            return value if moment is None else moment
        text = times.text(moment)
        return dice.choice([text, text.replace("Z", ".5Z"), text.replace("Z", "+00:00"), text[:10], text.lower()])
    if dice.random() < 0.6:
        return value
    if isinstance(value, str):
        changed = [value + "x", "x" + value, value.upper(), value[:-1], f" {value}", value + ".0", value + "-rc.1"]
        text = dice.choice(changed)
        return text.encode("ascii", "ignore").decode() if ascii_only else text
    if isinstance(value, bool):
        return not value
    return value + dice.choice([1, -1]) if abs(value) < 2**53 else value


def _typed(dice: Random, attribute: Attribute, ascii_only: bool, small: bool) -> Any:
    if attribute.values and dice.random() < 0.9:
        return dice.choice(attribute.values)
    match attribute.type:
        case "string":
            return _text(dice, ascii_only=ascii_only)
        case "integer":
            return dice.choice([dice.randint(-3, 100), dice.choice([0, 18, 2**53]), 18.0])
        case "number":
            return dice.choice([dice.choice(_NUMBERS), dice.uniform(-5, 100)] + ([] if small else [dice.choice(_BIG)]))
        case "boolean":
            return dice.random() < 0.5
        case "datetime":
            return _near(dice, "datetime", START + dice.randint(-_DAYS, _DAYS), ascii_only)
        case "semver":
            return dice.choice(dice.choice([_VERSIONS, _VERSIONS, _NO_VERSIONS]))
        case _:
            return {"id": dice.randrange(100), "plan": dice.choice(["free", "pro"])}


class _Maker:
    """Makes one environment; `layers` is how much of each layer is given away."""

    def __init__(self, dice: Random, limits: Limits) -> None:
        self.dice = dice
        self.limits = limits
        self.layers = {"checkout": 0, "über": 0, "search": 0}
        self.experiments = 0
        if limits.ascii_keys:
            del self.layers["über"]
        self.segments: list[str] = []
        self.salts = [salt for salt in _SALTS if salt.isascii() or not limits.ascii_keys]
        self.operators = [
            (name, attribute)
            for name, operator in OPERATORS.items()
            for attribute in [*ATTRIBUTES.values(), Attribute(name=TARGETING_KEY, type="string")]
            if operator.on == "any" or operator.on in _KINDS[attribute.type]
            if not (limits.flagd and operator.takes == "pattern")
        ]
        self.names = sorted({name for name, _ in self.operators})

    def world(self, flags: int) -> World:
        environment = Environment(name="production")
        for number in range(self.dice.randint(1, 5)):
            name = f"segment-{number}"
            environment.segments[name] = Segment(name=name, when=self.conditions(2))
            self.segments.append(name)
        made: list[Flag] = []
        for number in range(flags):
            made.append(self.flag(f"flag-{number}", made))
        self.dice.shuffle(made)
        environment.flags.update((flag.key, flag) for flag in made)
        bucketing = self.dice.choice(self.limits.generations)
        settings = Settings(environments={"production": EnvironmentSettings(name="production")}, bucketing=bucketing)
        return World(environment, settings, ATTRIBUTES, self.limits)

    def flag(self, key: str, others: list[Flag]) -> Flag:
        dice = self.dice
        kind: Type = dice.choice(["boolean", "boolean", "boolean", "string", "integer", "number", "object"])
        variants: dict[str, Value] = {"on": True, "off": False}
        off = "off"
        if kind != "boolean":
            variants = {name: self.value(kind) for name in dice.sample(_NAMES, dice.randint(1, 4))}
            off = dice.choice(list(variants))
        names = list(variants)
        expires = START + dice.randint(0, _DAYS) if dice.random() < 0.12 else None
        latest = START + _DAYS if expires is None else expires - 1
        needed = [other for other in others if dice.random() < 0.5][:2] if dice.random() < 0.35 else []
        foreign = ForeignBucketing("launchdarkly-sha1", dice.choice(self.salts), dice.choice([None, None, 61]))
        return Flag(
            key=key,
            description="A flag of chance.",
            owner=Owner("dice"),
            variants=variants,
            off_variant=off,
            type=kind,
            enabled=dice.random() < 0.94,
            expires_at=expires,
            requires=tuple(Requirement(other.key, self.likely(other)) for other in needed),
            overrides=self.overrides(names) if dice.random() < 0.3 else {},
            rules=tuple(self.rule(f"rule {index}", names, off) for index in range(dice.choice([0, 0, 1, 1, 2, 3, 5]))),
            default=self.outcome(names, off) if dice.random() < 0.95 else None,
            schedule=self.schedule(names, off, latest) if dice.random() < 0.25 else (),
            bucketing=foreign if dice.random() < 0.07 and not self.limits.flagd else None,
        )

    def likely(self, flag: Flag) -> str:
        variants = list(flag.variants)
        return "on" if flag.type == "boolean" and self.dice.random() < 0.8 else self.dice.choice(variants)

    def value(self, kind: Type) -> Value:
        dice = self.dice
        match kind:
            case "string":
                return dice.choice([text for text in _TEXTS if len(text) < 20])
            case "integer":
                return dice.choice([0, 1, -7, 42, 2**53, -(2**53)])
            case "number":
                return dice.choice([0, 0.5, -1.25, 3, 1e-7, 1e20])
            case _:
                objects = [value for value in _OBJECTS if value is not None] if self.limits.flagd else _OBJECTS
                return {f"key {index}": dice.choice(objects) for index in range(dice.randint(0, 3))}

    def overrides(self, names: list[str]) -> dict[str, tuple[str, ...]]:
        dice = self.dice
        users = {f"user-{dice.randrange(10**6)}" for _ in range(dice.randint(1, self.limits.overrides))}
        users.update(dice.sample(["42", "0", "-5", "a", "é", "ab", "pro"], 2))
        if self.limits.ascii_keys:
            users.discard("é")
        listed: dict[str, list[str]] = {}
        for user in sorted(users):
            listed.setdefault(dice.choice(names), []).append(user)
        return {name: tuple(users) for name, users in listed.items()}

    def rule(self, name: str, names: list[str], off: str) -> Rule:
        return Rule(name=name, when=self.conditions(3), outcome=self.outcome(names, off))

    def schedule(self, names: list[str], off: str, latest: int) -> tuple[ScheduleEntry, ...]:
        dice = self.dice
        moments = sorted({latest - dice.randrange(_DAYS) for _ in range(dice.randint(1, 3))})
        entries = []
        for at in moments:
            enabled = dice.choice([None, True, False])
            default = self.outcome(names, off) if enabled is None or dice.random() < 0.5 else None
            entries.append(ScheduleEntry(at=at, enabled=enabled, default=default))
        return tuple(entries)

    def outcome(self, names: list[str], off: str) -> Outcome:
        dice = self.dice
        kind = dice.choice(["serve", "serve", "split", "split", "ramp", "rollout"])
        by, salt = dice.choice(_BUCKETED_BY), dice.choice(self.salts)
        if kind == "serve":
            return Serve(dice.choice(names))
        if kind == "rollout" and names == ["on", "off"]:
            return Rollout(dice.choice([0, WHOLE, 1, 12_500, dice.randint(0, WHOLE)]), by, salt)
        if kind == "ramp":
            low = dice.choice([0, 1000, dice.randrange(WHOLE)])
            high = dice.choice([WHOLE, dice.randint(low + 1, WHOLE)])
            step = max(dice.choice([1000, 5000, 33_333, WHOLE]), -(-(high - low) // 1000))
            start = START + dice.randint(-_DAYS // 2, _DAYS // 2)
            return Ramp(dice.choice(names), low, high, start, dice.choice([1, 7, 3600, 86_400]), step, by, salt)
        arms = dice.sample(names, dice.randint(1, len(names)))
        cuts = sorted(dice.choice([0, WHOLE, dice.randrange(WHOLE), 1000 * dice.randrange(100)]) for _ in arms[1:])
        weights = [upper - lower for lower, upper in zip([0, *cuts], [*cuts, WHOLE], strict=True)]
        experiment = self.experiment() if dice.random() < 0.5 else None
        return Split(tuple(zip(arms, weights, strict=True)), by, salt, experiment)

    def experiment(self) -> Experiment:
        dice = self.dice
        self.experiments += 1
        layer = dice.choice([*self.layers, "", ""])
        first = self.layers.get(layer, 0)
        slots = (0, WHOLE)
        if layer and first < WHOLE:
            slots = (first, min(WHOLE, first + dice.choice([10_000, 30_000, dice.randint(1, 40_000)])))
            self.layers[layer] = slots[1]
        elif layer:
            layer = ""
        traffic = dice.choice([WHOLE, WHOLE, 0, dice.randrange(WHOLE), 50_000])
        metadata = {"hypothesis": "chance"} if dice.random() < 0.2 else {}
        return Experiment(name=f"exp-{self.experiments}", layer=layer, slots=slots, traffic=traffic, metadata=metadata)

    def conditions(self, depth: int) -> tuple[Condition, ...]:
        return tuple(self.condition(depth) for _ in range(self.dice.choice([1, 1, 2, 3])))

    def condition(self, depth: int) -> Condition:
        dice = self.dice
        kind = dice.random()
        if self.segments and kind < 0.12:
            return InSegment(dice.choice(self.segments))
        if depth and kind < 0.3:
            members = self.conditions(depth - 1)
            return AnyOf(members) if kind < 0.22 else AllOf(members)
        if depth and kind < 0.36:
            return Not(self.condition(depth - 1))
        name = dice.choice(self.names)
        attribute = dice.choice([attribute for operator, attribute in self.operators if operator == name])
        return Test(attribute.name, name, self.operand(name, attribute))

    def operand(self, name: str, attribute: Attribute) -> Any:
        dice = self.dice
        match OPERATORS[name].takes:
            case "scalar":
                return self.scalar(attribute)
            case "scalars":
                count = dice.choice([1, 2, 3, 3, 12])
                return tuple(self.scalar(attribute) for _ in range(count))
            case "texts":
                return tuple(_text(dice) for _ in range(dice.choice([1, 1, 2, 3])))
            case "pattern":
                return dice.choice(_PATTERNS)
            case "number":
                return dice.choice(_NUMBERS)
            case "time":
                return START + dice.randint(-_DAYS, _DAYS)
            case "version":
                return dice.choice(_VERSIONS)
            case _:
                return dice.random() < 0.6

    def scalar(self, attribute: Attribute) -> Any:
        dice = self.dice
        match attribute.items if attribute.type == "array" else attribute.type:
            case _ if attribute.values:
                return dice.choice(attribute.values)
            case "string":
                return _text(dice)
            case "integer":
                return dice.choice([0, 1, 2, 5, 18, 18.0, -1, dice.randrange(100)])
            case "number":
                return dice.choice(_NUMBERS)
            case "boolean":
                return dice.random() < 0.5
            case "datetime":
                return dice.choice([times.text(START), START, START + dice.randrange(9)])
            case _:
                return dice.choice(_VERSIONS)


def contexts(made: World, dice: Random, key: str, count: int) -> list[tuple[Mapping[str, Any], float]]:
    """That many contexts for a flag, each with a moment near one of its edges."""
    moments = made.moments(key)
    return [(made.context(dice, key), dice.choice(moments)) for _ in range(count)]
