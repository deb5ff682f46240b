"""Small snapshots for tests of what reads them."""

from __future__ import annotations

from typing import Any

from flagctl.evaluate.bucket import bucket
from flagctl.evaluate.evaluator import Evaluator, Resolution
from flagctl.evaluate.trace import Trace

NOW = 1_000_000
ADA = {"targetingKey": "ada"}
OFF = {"serve": "off"}
ON = {"serve": "on"}


def flag(**parts: Any) -> dict[str, Any]:
    """A boolean flag that serves `on`, but for the given parts of its snapshot."""
    return {
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "off_variant": "off",
        "enabled": True,
        "default": ON,
        "ttl": 300,
        "metadata": {"owner": "growth", "kind": "release", "description": "A flag."},
        **parts,
    }


def arms(**parts: Any) -> dict[str, Any]:
    """A string flag with the variants a, b and c, of which c is the off variant; serves a."""
    names = {"type": "string", "variants": {"a": "A", "b": "B", "c": "C"}, "off_variant": "c"}
    return flag(**(names | {"default": {"serve": "a"}} | parts))


def split(*bounds: Any, salt: str = "salt", by: str = "targetingKey", **parts: Any) -> dict[str, Any]:
    """A split outcome: split("a", 25_000, "b", 100_000)."""
    pairs = [list(pair) for pair in zip(bounds[::2], bounds[1::2], strict=True)]
    return {"split": pairs, "bucket_by": by, "salt": salt, **parts}


def rollout(percent: float, salt: str = "salt", by: str = "targetingKey") -> dict[str, Any]:
    """A rollout outcome."""
    return split("on", round(percent * 1000), "off", 100_000, salt=salt, by=by)


def test(attribute: str, op: str, value: Any) -> dict[str, Any]:
    """A condition on an attribute."""
    return {"attribute": attribute, "op": op, "value": value}


test.__test__ = False  # type: ignore[attr-defined]


def rule(name: str, *when: dict[str, Any], **outcome: Any) -> dict[str, Any]:
    """A rule that serves `on`, or what is said."""
    return {"name": name, "when": list(when), **(outcome or ON)}


def snapshot(
    flags: dict[str, Any], segments: dict[str, list[Any]] | None = None, bucketing: str = "portable"
) -> dict[str, Any]:
    """A snapshot document of these flags and segments."""
    return {
        "format": "flagctl/snapshot/1",
        "environment": "production",
        "version": 1,
        "commit": None,
        "commit_time": None,
        "bucketing": bucketing,
        "protected": False,
        "attributes": {},
        "segments": {name: {"when": when} for name, when in (segments or {}).items()},
        "flags": flags,
    }


def evaluator(flags: dict[str, Any], segments: dict[str, list[Any]] | None = None, **settings: Any) -> Evaluator:
    """An evaluator of these flags and segments."""
    return Evaluator(snapshot(flags, segments, **settings))


def ask(flags: dict[str, Any], context: Any = ADA, now: float = NOW, key: str = "f", **more: Any) -> Resolution:
    """The answer of the flag `f`; explaining must not change it."""
    segments = more.pop("segments", None)
    answers = evaluator(flags, segments, bucketing=more.pop("bucketing", "portable"))
    answer = answers.evaluate(key, context, now, **more)
    assert answers.evaluate(key, context, now, **more, trace=Trace()) == answer
    return answer


def said(answer: Resolution) -> tuple[str | None, str]:
    """Variant and reason."""
    return answer.variant, answer.reason


def person(salt: str, low: float, high: float) -> dict[str, Any]:
    """Somebody whose bucket under a salt lies between two percentages."""
    names = (f"user-{number}" for number in range(100_000))
    return {"targetingKey": next(name for name in names if low * 1000 <= bucket("portable", salt, name) < high * 1000)}
