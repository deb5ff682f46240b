"""Who gets what, in flagd's JSONLogic: buckets, experiments, ramps and schedules with weights that never change."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flagctl.compile.flagd_logic import (
    NOW,
    Logic,
    both,
    choose,
    either,
    is_given,
    is_number,
    is_text,
    negate,
    var,
    walked,
)
from flagctl.model.condition import TARGETING_KEY
from flagctl.model.flag import WHOLE

_PADDED = 120
_WHICH_ENGINE: Logic = {"fractional": [{"cat": ["wsr"]}, ["", 1], ["xx", 1], ["", 1]]}
"""`xx` where an engine hashes bare text, nothing where it hashes CBOR, whose head for 120 bytes is `xx`."""
_NEVER = str(10**11)


def draw(bucketing: str, salt: str, attribute: str, widths: list[tuple[str, int]]) -> Logic:
    """The name under which a person's bucket lies; the widths, in order, add up to the whole."""
    some = [[name, width] for name, width in widths if width > 0]
    return some[0][0] if len(some) == 1 else {"fractional": [_hashed(bucketing, salt, var(attribute)), *some]}


def _hashed(bucketing: str, salt: str, value: Logic) -> Logic:
    """What is hashed (schema/vectors); the salt stands in the document, for an inlined flag has no key of its own."""
    if bucketing != "portable":
        return {"cat": [salt, value]}
    prefix = f"{salt}:"
    # A person's value has at least one letter.
    dots = "." * max(_PADDED - len(prefix) - 1, 0)
    return {"cat": [_WHICH_ENGINE, {"substr": [{"cat": [prefix, value, dots]}, 0, _PADDED]}]}


@lru_cache(maxsize=1000)
def has_bucket(name: str, declared: str) -> Logic:
    """A person has a value that can be bucketed: text that is not empty, or an integer.

    declared: the attribute's type; what services should send is asked for first.
    """
    value = var(name)
    if name == TARGETING_KEY:
        # In OpenFeature it is text; SDKs send the empty text for none.
        return both(is_given(value), {"!==": [value, ""]})
    text = both(is_text(value), {"!==": [value, ""]})
    integer = both(is_number(value), {"===": [{"%": [value, 1]}, 0]})
    return both(either(text, integer) if declared == "string" else either(integer, text), walked(name))


def outcome(found: Mapping[str, Any], off: str, bucketing: str, declared: str, *, last: bool) -> tuple[Logic, Logic]:
    """Who takes part in an outcome, and their variant: everybody but those outside an experiment.

    last: nothing comes after it, so that whoever is outside gets `off`.
    """
    if "serve" in found:
        return True, found["serve"]
    name, salt = found["bucket_by"], found["salt"]
    bucketed = has_bucket(name, declared)
    admitted = _admitted(found.get("experiment", {}), name, bucketing)
    if "ramp" in found:
        chosen = _ramp(found, bucketing)
    else:
        bounds = [0, *(bound for _, bound in found["split"])]
        widths = [(variant, bound - bounds[index]) for index, (variant, bound) in enumerate(found["split"])]
        chosen = draw(bucketing, salt, name, widths)
    if last:
        return True, choose([(both(bucketed, admitted), chosen)], off)
    if admitted is True:
        return True, choose([(bucketed, chosen)], off)
    return either(negate(bucketed), admitted), choose([(bucketed, chosen)], off)


def _ramp(found: Mapping[str, Any], bucketing: str) -> Logic:
    """Each person joins at a time of their own, that of the first step whose share holds their bucket."""
    joins: list[tuple[str, int]] = []
    reached = 0
    for at, share in found["ramp"]:
        if share > reached:
            joins.append((str(at), share - reached))
            reached = share
    joins.append((_NEVER, WHOLE - reached))
    # Text, for that is what older engines take from `fractional`; beside a number it is compared as one.
    joined = {"<=": [draw(bucketing, found["salt"], found["bucket_by"], joins), NOW]}
    return choose([(joined, found["variant"])], found["rest"])


def _admitted(experiment: Mapping[str, Any], name: str, bucketing: str) -> Logic:
    """A person stands in the experiment's slots of its layer, and in its traffic."""
    admitted: Logic = True
    if "slots" in experiment:
        first, end = experiment["slots"]
        admitted = _lies_within(first, end, f"layer:{experiment['layer']}", name, bucketing)
    if "traffic" in experiment:
        salt = f"traffic:{experiment['name']}"
        admitted = both(admitted, _lies_within(0, experiment["traffic"], salt, name, bucketing))
    return admitted


def _lies_within(first: int, end: int, salt: str, name: str, bucketing: str) -> Logic:
    widths = [("before", first), ("in", end - first), ("after", WHOLE - end)]
    drawn = draw(bucketing, salt, name, widths)
    return drawn == "in" if isinstance(drawn, str) else {"===": [drawn, "in"]} if end > first else False


def since(at: int) -> Logic:
    """From that second on."""
    return {">=": [NOW, at]}


def disabled(flag: Mapping[str, Any]) -> Logic:
    """Expired, or not enabled once the schedule's due entries have changed that."""
    off: Logic = not flag["enabled"]
    for entry in flag.get("schedule", ()):
        if "enabled" in entry:
            at = entry["at"]
            off = both(off, {"<": [NOW, at]}) if entry["enabled"] else either(since(at), off)
    return either(since(flag["expires_at"]), off) if "expires_at" in flag else off
