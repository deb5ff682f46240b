"""Plain data to model, for data that its schema accepts (`schema.validate` found nothing).

What a schema can't say is checked here, with the place: percentages with too many decimals, dates that
don't exist, bare `true` as a variant of a flag that isn't boolean. Each function answers with the model,
None when there are problems, and the problems.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flagctl.files import policy
from flagctl.files.convert import Converter
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
    Value,
)
from flagctl.model.repository import (
    Attribute,
    Audience,
    EnvironmentSettings,
    Expectation,
    Key,
    KeySource,
    Preview,
    Settings,
    Target,
)
from flagctl.problems import Problem, did_you_mean, pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flagctl.files.pieces import Pieces

_ON_OFF: dict[str, Value] = {"on": True, "off": False}
_TAKES = {name: operator.takes for name, operator in OPERATORS.items()}
_DECIDING = ("name", "layer", "slots", "traffic")
_NOTES = ("hypothesis", "metrics")


def flag(data: dict[str, Any], key: str, path: str, pieces: Pieces | None = None) -> tuple[Flag | None, list[Problem]]:
    """A flag file's data. pieces: those of other versions of it."""
    kind = data.get("type", "boolean")
    boolean = kind == "boolean"
    convert = Converter(path, boolean=boolean, pieces=pieces)
    get, piece = data.get, convert.piece
    expires, bucketing, default = get("expires_at"), get("bucketing"), get("default")
    overrides, rules, schedule = get("overrides"), get("rules"), get("schedule")
    found = Flag(
        key=key,
        description=data["description"],
        owner=_owner(data["owner"]),
        variants=_ON_OFF if boolean else _variants(data["variants"], kind),
        off_variant="off" if boolean else convert.variant(data["off_variant"], "/off_variant"),
        type=kind,
        kind=get("kind", "release"),
        documentation_url=get("documentation_url", ""),
        tags=tuple(get("tags", ())),
        enabled=get("enabled", True),
        expires_at=None if expires is None else convert.time(expires, "/expires_at"),
        cache_ttl_seconds=_whole(get("cache_ttl_seconds")),
        stale=get("stale", "serve"),
        max_stale_seconds=_whole(get("max_stale_seconds")),
        requires=tuple(_requirement(item) for item in get("requires", ())),
        overrides=piece("overrides", overrides, lambda: _overrides(overrides, convert)) if overrides else {},
        rules=piece("rules", rules, lambda: _rules(rules, convert)) if rules else (),
        default=piece("default", default, lambda: _outcome(default, "/default", convert)) if default else None,
        schedule=piece("schedule", schedule, lambda: _schedule(schedule, convert)) if schedule else (),
        bucketing=None if bucketing is None else _foreign(bucketing),
    )
    return (None if _errors(convert.problems) else found), convert.problems


def segment(data: dict[str, Any], name: str, path: str) -> tuple[Segment | None, list[Problem]]:
    """A segment file's data."""
    convert = Converter(path, boolean=False)
    owner = data.get("owner")
    found = Segment(
        name=name,
        when=_conditions(data["when"], "/when", convert),
        description=data.get("description", ""),
        owner=None if owner is None else _owner(owner),
    )
    return (None if convert.problems else found), convert.problems


def settings(data: dict[str, Any], path: str) -> tuple[Settings | None, list[Problem]]:
    """The data of `flags/flagctl.yaml`."""
    convert = Converter(path, boolean=False)
    environments = {}
    for name, said in data["environments"].items():
        said, where = said or {}, pointer("environments", name)
        environments[name] = EnvironmentSettings(
            name=name,
            promotes_from=said.get("promotes_from", ""),
            protected=said.get("protected", False),
            owned=tuple(said.get("owned", ())),
            require_merge=said.get("require_merge", False),
            require_signed=said.get("require_signed", False),
            targets=tuple(map(_target, said.get("targets", ()))),
            break_glass=tuple(said.get("break_glass", ())),
            approvals=policy.approvals(said.get("approvals"), f"{where}/approvals", convert),
            freezes=policy.freezes(said.get("freeze", ()), f"{where}/freeze", convert),
        )
    check = data.get("check", {})
    found = Settings(
        environments=environments,
        bucketing=data.get("bucketing", "portable"),
        cache_ttl_seconds=int(data.get("defaults", {}).get("cache_ttl_seconds", 300)),
        expired_grace_days=int(check.get("expired_grace_days", 30)),
        severities=check.get("severity", {}),
        keys=_keys(data.get("keys", ()), convert),
        signing=KeySource(**data.get("signing", {})),
        audiences={
            name: Audience(name=name, tags=tuple(said["tags"]), strip=tuple(said.get("strip", ())))
            for name, said in data.get("audiences", {}).items()
        },
        teams=policy.teams(data.get("teams", {})),
        preview=Preview(**data["preview"]) if "preview" in data else None,
    )
    return None if convert.problems else found, convert.problems


def _target(said: str | dict[str, Any]) -> Target:
    if isinstance(said, str):
        return Target(url=said)
    return Target(url=said["url"], options={name: value for name, value in said.items() if name != "url"})


def _keys(data: Sequence[dict[str, str]], convert: Converter) -> tuple[Key, ...]:
    def time(said: dict[str, str], i: int, field: str) -> int | None:
        return convert.time(said[field], f"/keys/{i}/{field}") if field in said else None

    return tuple(
        Key(name=said["name"], public=said["public"], since=time(said, i, "from"), until=time(said, i, "until"))
        for i, said in enumerate(data)
    )


def attributes(data: dict[str, Any], path: str) -> tuple[dict[str, Attribute] | None, list[Problem]]:
    """The data of `flags/attributes.yaml`."""
    found = {}
    for name, said in data["attributes"].items():
        found[name] = Attribute(
            name=name,
            type=said["type"],
            description=said.get("description", ""),
            values=tuple(said.get("values", ())),
            items=said.get("items", "string"),
            private=said.get("private", False),
        )
    return found, []


def expectations(data: dict[str, Any], name: str, path: str) -> tuple[list[Expectation] | None, list[Problem]]:
    """The data of a file in `flags/tests/`; in a matrix, `at` and `bucket` are converted too."""
    convert = Converter(path, boolean=False)
    tested = data.get("segment", "")
    key = "" if tested else data.get("flag", name)
    found = []
    for i, case in enumerate(data["tests"]):
        where = f"/tests/{i}"
        environment = case.get("environment", ())
        at, bucket = case.get("at"), case.get("bucket")
        expect = case["expect"]
        if isinstance(expect.get("variant"), bool):
            expect = {**expect, "variant": "on" if expect["variant"] else "off"}
        one = Expectation(
            file=path,
            pointer=where,
            name=case.get("name", ""),
            flag=key,
            segment=tested,
            environments=(environment,) if isinstance(environment, str) else tuple(environment),
            context=case.get("context", {}),
            at=None if at is None else convert.time(at, f"{where}/at"),
            bucket=None if bucket is None else _bucket(bucket, f"{where}/bucket", convert),
            matrix=_matrix(case.get("matrix", {}), f"{where}/matrix", convert),
            expect=expect,
        )
        found.append(one)
    return (None if convert.problems else found), convert.problems


def _errors(problems: list[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _whole(value: float | None) -> int | None:
    # JSON Schema counts 60.0 as an integer
    return None if value is None else int(value)


def _owner(data: dict[str, Any]) -> Owner:
    return Owner(data["team"], data.get("email", ""))


def _variants(data: dict[str, Any], kind: str) -> dict[str, Value]:
    return {name: int(value) for name, value in data.items()} if kind == "integer" else data


def _requirement(data: dict[str, Any]) -> Requirement:
    # whether the other flag is boolean is not known here: only a bare true or false is surely on or off
    variant = data.get("variant", True)
    if isinstance(variant, bool):
        variant = "on" if variant else "off"
    return Requirement(data["flag"], variant)


def _overrides(data: dict[str, Any], convert: Converter) -> dict[str, tuple[str, ...]]:
    return {name: tuple(users) for name, users in convert.by_variant(data, "/overrides").items()}


def _foreign(data: dict[str, Any]) -> ForeignBucketing:
    return ForeignBucketing(data["algorithm"], data.get("salt", ""), _whole(data.get("seed")))


def _rules(data: list[Any], convert: Converter) -> tuple[Rule, ...]:
    places = ((f"/rules/{i}", rule) for i, rule in enumerate(data))
    return tuple(convert.piece(where, rule, partial(_rule, rule, where, convert)) for where, rule in places)


def _schedule(data: list[Any], convert: Converter) -> tuple[ScheduleEntry, ...]:
    return tuple(_entry(entry, f"/schedule/{i}", convert) for i, entry in enumerate(data))


def _rule(data: dict[str, Any], where: str, convert: Converter) -> Rule:
    return Rule(
        name=data["name"],
        when=_conditions(data["when"], where + "/when", convert),
        outcome=_outcome(data, where, convert),
        description=data.get("description", ""),
        promote=data.get("promote", True),
    )


def _entry(data: dict[str, Any], where: str, convert: Converter) -> ScheduleEntry:
    default = data.get("default")
    return ScheduleEntry(
        at=convert.time(data["at"], where + "/at"),
        enabled=data.get("enabled"),
        default=None if default is None else _outcome(default, where + "/default", convert),
    )


def _outcome(data: dict[str, Any], where: str, convert: Converter) -> Outcome:
    if "serve" in data:
        return Serve(convert.variant(data["serve"], where + "/serve"))
    by, salt = data.get("bucket_by", TARGETING_KEY), data.get("salt", "")
    if "rollout" in data:
        if not convert.boolean:
            hint = "use split, or ramp"
            convert.problem("schema", "rollout is for boolean flags only", where + "/rollout", hint, at_key=True)
        return Rollout(convert.percent(data["rollout"], where + "/rollout"), by, salt)
    if "split" in data:
        return Split(_weights(data["split"], where + "/split", convert), by, salt, _experiment(data, where, convert))
    ramp, where = data["ramp"], where + "/ramp"
    return Ramp(
        variant=convert.variant(ramp["variant"], where + "/variant"),
        from_share=convert.percent(ramp["from"], where + "/from"),
        to_share=convert.percent(ramp["to"], where + "/to"),
        start=convert.time(ramp["start"], where + "/start"),
        duration=convert.duration(ramp["duration"], where + "/duration"),
        step=convert.percent(ramp["step"], where + "/step"),
        bucket_by=by,
        salt=salt,
    )


def _weights(data: dict[str, Any], where: str, convert: Converter) -> tuple[tuple[str, int], ...]:
    shares = convert.by_variant(data, where).items()
    return tuple((name, convert.percent(share, where + pointer(name))) for name, share in shares)


def _experiment(outcome: dict[str, Any], where: str, convert: Converter) -> Experiment | None:
    data = outcome.get("experiment")
    if data is None:
        return None
    where += "/experiment"
    notes = {name: value for name, value in data.items() if name not in _DECIDING}
    for name in notes:
        if name not in _NOTES and (hint := did_you_mean(name, _DECIDING)):
            message = f'"{name}" is kept as a note and decides nothing'
            found = Problem(rule="unknown-field", message=message, file=convert.path, pointer=where + pointer(name),
                            at_key=True, severity="warning", hint=hint)  # fmt: skip
            convert.problems.append(found)
    low, high = data.get("slots", (0, 100))
    return Experiment(
        name=data["name"],
        layer=data.get("layer", ""),
        slots=(convert.percent(low, where + "/slots/0"), convert.percent(high, where + "/slots/1")),
        traffic=convert.percent(data["traffic"], where + "/traffic") if "traffic" in data else WHOLE,
        metadata=notes,
    )


def _conditions(data: list[dict[str, Any]], where: str, convert: Converter) -> tuple[Condition, ...]:
    return tuple(_condition(item, where, i, convert) for i, item in enumerate(data))


def _condition(data: dict[str, Any], where: str, index: int | str, convert: Converter) -> Condition:
    if "attribute" in data:
        operator, value = next(pair for pair in data.items() if pair[0] != "attribute")
        takes = _TAKES[operator]
        if takes == "scalars":
            value = tuple(value)
        elif takes == "texts":
            value = (value,) if isinstance(value, str) else tuple(value)
        elif takes == "time":
            value = convert.second(value, f"{where}/{index}/{operator}")
        return Test(data["attribute"], operator, value)
    if "segment" in data:
        return InSegment(data["segment"])
    if "any" in data:
        return AnyOf(_conditions(data["any"], f"{where}/{index}/any", convert))
    if "all" in data:
        return AllOf(_conditions(data["all"], f"{where}/{index}/all", convert))
    return Not(_condition(data["not"], f"{where}/{index}", "not", convert))


def _bucket(value: float, where: str, convert: Converter) -> int:
    # the range ends before 100 %
    return min(convert.percent(value, where), WHOLE - 1)


def _matrix(data: dict[str, list[Any]], where: str, convert: Converter) -> dict[str, tuple[Any, ...]]:
    special: dict[str, Callable[[Any, str], int]] = {
        "at": convert.time,
        "bucket": lambda value, place: _bucket(value, place, convert),
    }
    found = {name: tuple(values) for name, values in data.items()}
    for name in special.keys() & data.keys():
        found[name] = tuple(special[name](value, f"{where}/{name}/{i}") for i, value in enumerate(data[name]))
    return found
