"""Flags as plain data, in the shape that a flag file gives them: the way back from `files/parse.py`."""

from __future__ import annotations

from typing import Any

from flagctl.model import times
from flagctl.model.condition import OPERATORS, TARGETING_KEY, AllOf, AnyOf, Condition, InSegment, Not
from flagctl.model.flag import (
    WHOLE,
    Experiment,
    Flag,
    ForeignBucketing,
    Outcome,
    Owner,
    Ramp,
    Rollout,
    Rule,
    ScheduleEntry,
    Serve,
    Split,
)


def percentage(share: int) -> int | float:
    """Thousandths of a percent as a file's number: 25, 0.125."""
    return share * 100 // WHOLE if share * 100 % WHOLE == 0 else share * 100 / WHOLE


def owner(of: Owner) -> dict[str, str]:
    """Team, and e-mail where there is one."""
    return {"team": of.team, "email": of.email} if of.email else {"team": of.team}


def operand(operator: str, value: Any) -> Any:
    """What stands behind an operator: times as text, a lone text bare."""
    takes = OPERATORS[operator].takes
    if takes == "time":
        return times.text(value)
    if takes == "texts" and len(value) == 1:
        return value[0]
    return list(value) if isinstance(value, tuple) else value


def condition(of: Condition) -> dict[str, Any]:
    """A member of a `when` list."""
    match of:
        case InSegment(segment):
            return {"segment": segment}
        case AnyOf(members):
            return {"any": [condition(member) for member in members]}
        case AllOf(members):
            return {"all": [condition(member) for member in members]}
        case Not(member):
            return {"not": condition(member)}
        case _:
            return {"attribute": of.attribute, of.operator: operand(of.operator, of.value)}


def outcome(of: Outcome) -> dict[str, Any]:
    """What stands in `default`, and in a rule beside its name and conditions."""
    if isinstance(of, Serve):
        return {"serve": of.variant}
    said: dict[str, Any] = {}
    match of:
        case Rollout(share):
            said["rollout"] = percentage(share)
        case Split(weights):
            said["split"] = {variant: percentage(weight) for variant, weight in weights}
        case Ramp():
            said["ramp"] = ramp(of)
    if of.bucket_by != TARGETING_KEY:
        said["bucket_by"] = of.bucket_by
    if of.salt:
        said["salt"] = of.salt
    if isinstance(of, Split) and of.experiment is not None:
        said["experiment"] = experiment(of.experiment)
    return said


def ramp(of: Ramp) -> dict[str, Any]:
    """The fields of a `ramp`."""
    shares = {"from": of.from_share, "to": of.to_share, "step": of.step}
    numbers = {name: percentage(share) for name, share in shares.items()}
    return {"variant": of.variant, **numbers, "start": times.text(of.start), "duration": f"{of.duration}s"}


def experiment(of: Experiment) -> dict[str, Any]:
    """The fields of an `experiment`; those that say what is so anyway are left out."""
    said: dict[str, Any] = {"name": of.name}
    if of.layer:
        said["layer"] = of.layer
    if of.slots != (0, WHOLE):
        said["slots"] = [percentage(share) for share in of.slots]
    if of.traffic != WHOLE:
        said["traffic"] = percentage(of.traffic)
    return said | of.metadata


def rule(of: Rule) -> dict[str, Any]:
    """A member of `rules`."""
    said: dict[str, Any] = {"name": of.name}
    if of.description:
        said["description"] = of.description
    said["when"] = [condition(member) for member in of.when]
    return said | outcome(of.outcome) | ({} if of.promote else {"promote": False})


def entry(of: ScheduleEntry) -> dict[str, Any]:
    """A member of `schedule`."""
    said: dict[str, Any] = {"at": times.text(of.at)}
    if of.enabled is not None:
        said["enabled"] = of.enabled
    return said if of.default is None else said | {"default": outcome(of.default)}


def bucketing(of: ForeignBucketing) -> dict[str, Any]:
    """The fields of a flag's `bucketing`."""
    said: dict[str, Any] = {"algorithm": of.algorithm, "salt": of.salt}
    return said if of.seed is None else said | {"seed": of.seed}


def flag(of: Flag) -> dict[str, Any]:
    """A whole flag file, without what is so anyway."""
    said: dict[str, Any] = {"description": of.description, "owner": owner(of.owner)}
    if of.documentation_url:
        said["documentation_url"] = of.documentation_url
    if of.tags:
        said["tags"] = list(of.tags)
    if of.kind != "release":
        said["kind"] = of.kind
    if of.type != "boolean":
        said |= {"type": of.type, "variants": dict(of.variants), "off_variant": of.off_variant}
    if not of.enabled:
        said["enabled"] = False
    if of.expires_at is not None:
        said["expires_at"] = times.text(of.expires_at)
    for name in ("cache_ttl_seconds", "max_stale_seconds"):
        if getattr(of, name) is not None:
            said[name] = getattr(of, name)
    if of.stale != "serve":
        said["stale"] = of.stale
    if of.requires:
        said["requires"] = [{"flag": need.flag, "variant": need.variant} for need in of.requires]
    if of.overrides:
        said["overrides"] = {variant: list(users) for variant, users in of.overrides.items()}
    if of.rules:
        said["rules"] = [rule(member) for member in of.rules]
    if of.default is not None:
        said["default"] = outcome(of.default)
    if of.schedule:
        said["schedule"] = [entry(member) for member in of.schedule]
    if of.bucketing is not None:
        said["bucketing"] = bucketing(of.bucketing)
    return said
