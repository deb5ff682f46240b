"""Random flags, and how a flag file would say them: what `parse` undoes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

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
    Serve,
    Split,
)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff"), min_size=1, max_size=20
)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False, width=32)
scalars = texts | st.booleans() | numbers
shares = st.integers(0, WHOLE)
moments = st.integers(0, 4_000_000_000)
variants = {
    "boolean": st.just({"on": True, "off": False}),
    "string": st.dictionaries(names, texts, min_size=1, max_size=3),
    "integer": st.dictionaries(names, st.integers(-(2**53), 2**53), min_size=1, max_size=3),
    "number": st.dictionaries(names, numbers, min_size=1, max_size=3),
    "object": st.dictionaries(names, st.dictionaries(texts, scalars | st.lists(scalars), max_size=2), min_size=1),
}
_OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "scalar": scalars,
    "scalars": st.lists(scalars, min_size=1, max_size=3).map(tuple),
    "texts": st.lists(texts, min_size=1, max_size=3).map(tuple),
    "pattern": texts,
    "number": numbers,
    "time": moments,
    "version": texts,
    "bool": st.booleans(),
}


@st.composite
def tests_of_attributes(draw: st.DrawFn) -> Test:
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    return Test(draw(texts), operator, draw(_OPERANDS[OPERATORS[operator].takes]))


def _groups(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    members = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.builds(AnyOf, members) | st.builds(AllOf, members) | st.builds(Not, inner)


conditions: st.SearchStrategy[Condition] = st.recursive(
    tests_of_attributes() | st.builds(InSegment, names), _groups, max_leaves=4
)
experiments = st.builds(
    Experiment,
    name=texts,
    layer=st.just("") | texts,
    slots=st.tuples(shares, shares),
    traffic=shares,
    metadata=st.just({}) | st.fixed_dictionaries({"hypothesis": texts, "metrics": st.lists(texts)}),
)


@st.composite
def outcomes(draw: st.DrawFn, of: list[str], boolean: bool) -> Outcome:
    variant = st.sampled_from(of)
    by: dict[str, Any] = {"bucket_by": st.just(TARGETING_KEY) | texts, "salt": st.just("") | texts}
    weights = st.dictionaries(variant, shares, min_size=1).map(lambda found: tuple(found.items()))
    ramp = {"from_share": shares, "to_share": shares, "start": moments, "step": shares}
    kinds = [
        st.builds(Serve, variant),
        st.builds(Split, weights, experiment=st.none() | experiments, **by),
        st.builds(Ramp, variant, duration=st.integers(1, 10**6), **ramp, **by),
    ]
    return draw(st.one_of(*kinds, *([st.builds(Rollout, shares, **by)] if boolean else [])))


@st.composite
def flags(draw: st.DrawFn) -> Flag:
    kind = draw(st.sampled_from(sorted(variants)))
    values = draw(variants[kind])
    boolean, known = kind == "boolean", list(values)
    outcome = outcomes(known, boolean)
    entry = st.builds(ScheduleEntry, at=moments, enabled=st.booleans(), default=st.none() | outcome)
    rule = st.builds(
        Rule,
        name=names,
        when=st.lists(conditions, min_size=1, max_size=2).map(tuple),
        outcome=outcome,
        description=st.just("") | texts,
        promote=st.booleans(),
    )
    return draw(
        st.builds(
            Flag,
            key=names,
            description=texts,
            owner=st.builds(Owner, texts, st.sampled_from(["", "team@example.com"])),
            variants=st.just(values),
            off_variant=st.just("off") if boolean else st.sampled_from(known),
            type=st.just(kind),
            kind=st.sampled_from(["release", "experiment", "ops", "permission", "permanent"]),
            documentation_url=st.sampled_from(["", "https://wiki.example.com/x?y=1#z"]),
            tags=st.lists(texts, max_size=2).map(tuple),
            enabled=st.booleans(),
            expires_at=st.none() | moments,
            cache_ttl_seconds=st.none() | st.integers(0, 10**6),
            stale=st.sampled_from(["serve", "default", "error"]),
            max_stale_seconds=st.none() | st.integers(0, 10**6),
            requires=st.lists(st.builds(Requirement, names, names), max_size=2).map(tuple),
            overrides=st.dictionaries(st.sampled_from(known), st.lists(texts, max_size=2).map(tuple), max_size=2),
            rules=st.lists(rule, max_size=2).map(tuple),
            default=st.none() | outcome,
            schedule=st.lists(entry, max_size=2).map(tuple),
            bucketing=st.none() | st.builds(ForeignBucketing, st.just("launchdarkly-sha1"), texts, st.none()),
        )
    )


def _percent(share: int) -> float:
    return share // 1000 if share % 1000 == 0 else share / 1000


def _said(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value not in (None, "", (), [], {})}


def _condition(condition: Condition) -> dict[str, Any]:
    match condition:
        case Test(attribute, operator, value):
            takes = OPERATORS[operator].takes
            if takes == "time":
                value = times.text(float(str(value)))
            elif takes == "texts" and isinstance(value, tuple) and len(value) == 1:
                value = value[0]
            return {"attribute": attribute, operator: list(value) if isinstance(value, tuple) else value}
        case InSegment(segment):
            return {"segment": segment}
        case Not(member):
            return {"not": _condition(member)}
        case AnyOf(members):
            return {"any": [_condition(member) for member in members]}
        case AllOf(members):
            return {"all": [_condition(member) for member in members]}


def when(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """The data of a `when` that says these conditions."""
    return [_condition(condition) for condition in conditions]


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Serve):
        return {"serve": outcome.variant}
    beside = {"salt": outcome.salt, "bucket_by": outcome.bucket_by}
    match outcome:
        case Rollout(share):
            beside["rollout"] = _percent(share)  # type: ignore[assignment]
        case Split(weights, experiment=experiment):
            said: dict[str, Any] = {"split": {name: _percent(share) for name, share in weights}}
            if experiment is not None:
                numbers = {
                    "slots": [_percent(share) for share in experiment.slots],
                    "traffic": _percent(experiment.traffic),
                }
                names = _said({"name": experiment.name, "layer": experiment.layer})
                said["experiment"] = {**names, **numbers, **experiment.metadata}
            return _said(beside) | said
        case Ramp():
            return _said(beside) | {
                "ramp": {
                    "variant": outcome.variant,
                    "from": _percent(outcome.from_share),
                    "to": _percent(outcome.to_share),
                    "start": times.text(outcome.start),
                    "duration": f"{outcome.duration}s",
                    "step": _percent(outcome.step),
                }
            }
    return {name: value for name, value in beside.items() if value != ""}


def _entry(entry: ScheduleEntry) -> dict[str, Any]:
    enabled = {} if entry.enabled is None else {"enabled": entry.enabled}
    default = {} if entry.default is None else {"default": _outcome(entry.default)}
    return {"at": times.text(entry.at), **enabled, **default}


def said(flag: Flag) -> dict[str, Any]:
    """The data of a file that says this flag."""
    rules = [
        _said({"name": rule.name, "description": rule.description})
        | {"when": when(rule.when), "promote": rule.promote}
        | _outcome(rule.outcome)
        for rule in flag.rules
    ]
    optional = {
        "documentation_url": flag.documentation_url,
        "tags": list(flag.tags),
        "expires_at": None if flag.expires_at is None else times.text(flag.expires_at),
        "requires": [{"flag": needed.flag, "variant": needed.variant} for needed in flag.requires],
        "overrides": {name: list(users) for name, users in flag.overrides.items()},
        "rules": rules,
        "default": None if flag.default is None else _outcome(flag.default),
        "schedule": [_entry(entry) for entry in flag.schedule],
        "bucketing": flag.bucketing and {"algorithm": flag.bucketing.algorithm, "salt": flag.bucketing.salt},
    }
    ages = {"cache_ttl_seconds": flag.cache_ttl_seconds, "max_stale_seconds": flag.max_stale_seconds}
    return {
        "description": flag.description,
        "owner": _said({"team": flag.owner.team, "email": flag.owner.email}),
        "type": flag.type,
        "kind": flag.kind,
        "variants": flag.variants,
        "off_variant": flag.off_variant,
        "enabled": flag.enabled,
        "stale": flag.stale,
        **{name: age for name, age in ages.items() if age is not None},
        **_said(optional),
    }
