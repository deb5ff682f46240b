"""An environment to its snapshot: one self-contained canonical JSON document (schema/snapshot.schema.json).

The document keeps the shape of the flag file below `rules`, `default` and `schedule`, so that a place in one
is a place in the other.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from flagctl.model.condition import AllOf, AnyOf, Condition, InSegment, Not
from flagctl.model.flag import WHOLE, Experiment, Flag, Outcome, Ramp, Rollout, ScheduleEntry, Serve, Split
from flagctl.model.repository import Attribute, Environment, Settings
from flagctl.signing import FORMAT as FORMAT

T = TypeVar("T")
_ABOUT_THE_PUBLISH = ("version", "commit", "commit_time", "signature")


def snapshot(
    environment: Environment,
    settings: Settings,
    attributes: Mapping[str, Attribute],
    *,
    commit: str | None = None,
    commit_time: str | None = None,
    version: int = 0,
    only: Collection[str] | None = None,
    versions: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The snapshot document of an environment.

    commit, commit_time: of the commit it was read from, None for a work tree; the time as RFC 3339 UTC.
    version: 0 for one that is not published. only: these flags alone, None for all. versions: of each
    flag, where the history is known. Parts of the model stay
    part of the document: do not change it.
    """
    own = settings.environments.get(environment.name)
    collecting = gc.isenabled()
    gc.disable()  # looking for cycles among 100,000 new dicts takes twice as long as making them
    try:
        flags = {
            key: _flag(flag, settings.cache_ttl_seconds, (versions or {}).get(key))
            for key, flag in environment.flags.items()
            if only is None or key in only
        }
    finally:
        if collecting:
            gc.enable()
    protected = own is not None and own.protected
    document = {
        "format": FORMAT,
        "environment": environment.name,
        "version": version,
        "commit": commit,
        "commit_time": commit_time,
        "bucketing": settings.bucketing,
        "protected": protected,
        "attributes": {name: _attribute(attribute) for name, attribute in attributes.items()},
        "segments": {name: {"when": _conditions(segment.when)} for name, segment in environment.segments.items()},
        "flags": flags,
    }
    if protected and settings.preview is not None:
        wanted = settings.preview
        document["preview"] = {"claim": wanted.claim} | ({} if wanted.value is None else {"value": wanted.value})
    return document


def without_versions(document: dict[str, Any]) -> dict[str, Any]:
    """The same without the flags' own versions, which a shallow clone does not know and which change no answer."""
    flags = {}
    for key, flag in document["flags"].items():
        metadata = {name: value for name, value in flag["metadata"].items() if name != "version"}
        flags[key] = {**flag, "metadata": metadata}
    return {**document, "flags": flags}


def encode(document: Mapping[str, Any]) -> bytes:
    """The canonical bytes: sorted keys, no blanks, UTF-8, numbers as Python's own json spells them."""
    return encode_value(document)


def encode_value(value: Any) -> bytes:
    """The canonical bytes of a part of a document."""
    import json

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def join(parts: Mapping[str, bytes | memoryview]) -> bytes:
    """The canonical bytes of a document whose fields are canonical bytes already."""
    pieces: list[bytes | memoryview] = []
    for name in sorted(parts):
        pieces += (b",", encode_value(name), b":", parts[name])  # one copy in the end, of many megabytes
    return b"".join([b"{", *pieces[1:], b"}"])


def digest(data: bytes) -> str:
    """`sha256:` and the hexadecimal digest of canonical bytes."""
    import hashlib

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def content(document: Mapping[str, T]) -> dict[str, T]:
    """What a document says apart from when and by whom it was published: equal when nothing changed."""
    return {name: value for name, value in document.items() if name not in _ABOUT_THE_PUBLISH}


def _attribute(attribute: Attribute) -> dict[str, Any]:
    return {"type": attribute.type, "private": True} if attribute.private else {"type": attribute.type}


def _flag(flag: Flag, ttl: int, version: int | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": flag.type,
        "variants": flag.variants,
        "off_variant": flag.off_variant,
        "enabled": flag.enabled,
        "default": {"serve": flag.off_variant} if flag.default is None else _outcome(flag.default, flag),
        "ttl": ttl if flag.cache_ttl_seconds is None else flag.cache_ttl_seconds,
        "metadata": _metadata(flag) if version is None else _metadata(flag) | {"version": version},
    }
    if flag.expires_at is not None:
        document["expires_at"] = flag.expires_at
    if flag.requires:
        document["requires"] = [{"flag": need.flag, "variant": need.variant} for need in flag.requires]
    if flag.overrides:
        document["overrides"] = {variant: sorted(users) for variant, users in flag.overrides.items()}
    if flag.rules:
        document["rules"] = [
            {"name": rule.name, "when": _conditions(rule.when), **_outcome(rule.outcome, flag)} for rule in flag.rules
        ]
    if flag.schedule:
        document["schedule"] = [_entry(entry, flag) for entry in sorted(flag.schedule, key=lambda entry: entry.at)]
    if flag.bucketing is not None:
        document["foreign_bucketing"] = {"algorithm": flag.bucketing.algorithm, "salt": flag.bucketing.salt}
        if flag.bucketing.seed is not None:
            document["foreign_bucketing"]["seed"] = flag.bucketing.seed
    if flag.stale != "serve":
        document["stale"] = flag.stale
    if flag.max_stale_seconds is not None:
        document["max_stale"] = flag.max_stale_seconds
    return document


def _metadata(flag: Flag) -> dict[str, Any]:
    metadata: dict[str, Any] = {"owner": flag.owner.team, "kind": flag.kind, "description": flag.description}
    if flag.owner.email:
        metadata["owner_email"] = flag.owner.email
    if flag.documentation_url:
        metadata["documentation_url"] = flag.documentation_url
    if flag.tags:
        metadata["tags"] = list(flag.tags)
    return metadata


def _conditions(conditions: tuple[Condition, ...]) -> list[dict[str, Any]]:
    return [_condition(condition) for condition in conditions]


def _condition(condition: Condition) -> dict[str, Any]:
    match condition:
        case InSegment():
            return {"segment": condition.segment}
        case AnyOf():
            return {"any": _conditions(condition.members)}
        case AllOf():
            return {"all": _conditions(condition.members)}
        case Not():
            return {"not": _condition(condition.member)}
        case _:
            value = list(condition.value) if isinstance(condition.value, tuple) else condition.value
            return {"attribute": condition.attribute, "op": condition.operator, "value": value}


def _outcome(outcome: Outcome, flag: Flag) -> dict[str, Any]:
    if isinstance(outcome, Serve):
        return {"serve": outcome.variant}
    document: dict[str, Any] = {"bucket_by": outcome.bucket_by, "salt": outcome.salt or flag.key}
    match outcome:
        case Rollout():
            document["split"] = [["on", outcome.share], [flag.off_variant, WHOLE]]
        case Ramp():
            document["ramp"] = [[at, share] for at, share in outcome.steps()]
            document["variant"] = outcome.variant
            document["rest"] = flag.off_variant
        case Split():
            # `on` owns the low end, except where another product's order is kept.
            first_on = flag.type == "boolean" and flag.bucketing is None
            weights = sorted(outcome.weights, key=lambda of: of[0] != "on") if first_on else outcome.weights
            document["split"] = _cumulated(weights)
            if outcome.experiment is not None:
                document["experiment"] = _experiment(outcome.experiment)
    return document


def _cumulated(weights: Iterable[tuple[str, int]]) -> list[list[Any]]:
    """[variant, upper bound] of each; the bounds are exclusive, the last is the whole."""
    bounds, upper = [], 0
    for variant, weight in weights:
        upper += weight
        bounds.append([variant, upper])
    return bounds


def _experiment(experiment: Experiment) -> dict[str, Any]:
    document: dict[str, Any] = {"name": experiment.name}
    if experiment.layer:
        document["layer"] = experiment.layer
        if experiment.slots != (0, WHOLE):
            document["slots"] = list(experiment.slots)
    if experiment.traffic != WHOLE:
        document["traffic"] = experiment.traffic
    if experiment.metadata:
        document["metadata"] = experiment.metadata
    return document


def _entry(entry: ScheduleEntry, flag: Flag) -> dict[str, Any]:
    document: dict[str, Any] = {"at": entry.at}
    if entry.enabled is not None:
        document["enabled"] = entry.enabled
    if entry.default is not None:
        document["default"] = _outcome(entry.default, flag)
    return document
