"""Flags in words: conditions, outcomes and times as people say them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from flagctl.model import times
from flagctl.model.condition import TARGETING_KEY, AllOf, AnyOf, Condition, InSegment, Not
from flagctl.model.flag import WHOLE, Experiment, Outcome, Ramp, Rollout, Serve, Split

OPERATORS: dict[str, str] = {
    "equals": "is",
    "not_equals": "is not",
    "in": "in",
    "not_in": "not in",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "not_starts_with": "does not start with",
    "ends_with": "ends with",
    "not_ends_with": "does not end with",
    "matches": "matches",
    "not_matches": "does not match",
    "gt": "is over",
    "gte": "is at least",
    "lt": "is under",
    "lte": "is at most",
    "before": "is before",
    "after": "is after",
    "semver_eq": "is version",
    "semver_gt": "is newer than",
    "semver_gte": "is at least version",
    "semver_lt": "is older than",
    "semver_lte": "is at most version",
    "includes": "includes",
    "not_includes": "does not include",
    "includes_any": "includes any of",
    "includes_all": "includes all of",
}
"""What stands between attribute and value. `exists` is said by `test`, for it has two endings."""
_PLAIN = re.compile(r"[\w.@+/:-]+(?: [\w.@+/:-]+)*")
_WORDS_OF_JSON = {"true", "false", "null"}


def percent(share: int) -> str:
    """Thousandths of a percent as «25 %», «0.125 %»."""
    whole, rest = divmod(share, WHOLE // 100)
    return f"{whole}{f'.{rest:03}'.rstrip('0') if rest else ''} %"


def value(of: Any) -> str:
    """A value of a flag or a context: text bare where nobody can mistake it, everything else as JSON."""
    if isinstance(of, str) and _PLAIN.fullmatch(of) and of not in _WORDS_OF_JSON and not _is_number(of):
        return of
    if isinstance(of, (list, tuple)):
        return f"[{', '.join(map(value, of))}]"
    return json.dumps(of, ensure_ascii=False, default=str)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test(attribute: str, operator: str, wanted: Any) -> str:
    """A single condition: «country in [DE, FR]»."""
    if operator == "exists":
        return f"{attribute} is {'given' if wanted else 'missing'}"
    if operator in ("before", "after"):
        return f"{attribute} {OPERATORS[operator]} {times.text(wanted)}"
    if isinstance(wanted, (list, tuple)) and len(wanted) == 1 and operator not in ("in", "not_in"):
        wanted = wanted[0]
    return f"{attribute} {OPERATORS[operator]} {value(wanted)}"


def condition(of: Condition) -> str:
    """A condition; what is nested stands in brackets."""
    match of:
        case InSegment(name):
            return f"in segment {name}"
        case AnyOf(members):
            return _joined(members, " or ")
        case AllOf(members):
            return _joined(members, " and ")
        case Not(member):
            return f"not ({condition(member)})"
        case _:
            return test(of.attribute, of.operator, of.value)


def _joined(members: Sequence[Condition], word: str) -> str:
    if len(members) == 1:
        return condition(members[0])
    texts = [f"({condition(m)})" if isinstance(m, (AnyOf, AllOf)) else condition(m) for m in members]
    return word.join(texts)


def conditions(when: Sequence[Condition]) -> str:
    """A `when` list: «email ends with @example.com and in segment beta-testers»; «everybody» when it is empty."""
    return _joined(when, " and ") or "everybody"


def outcome(of: Outcome, off_variant: str) -> str:
    """Who gets what: «on», «25 % on, the rest off», «control 50 %, express 50 %»."""
    match of:
        case Serve(variant):
            return variant
        case Rollout(share):
            said = f"{percent(share)} on, the rest {off_variant}"
        case Split(weights):
            said = ", ".join(f"{variant} {percent(weight)}" for variant, weight in weights)
        case Ramp(variant, from_share, to_share, start, duration):
            rise = f"{percent(from_share)} to {percent(to_share)}"
            over = f"from {times.text(start)} to {times.text(start + duration)}"
            said = f"{variant} rises {rise} {over} in steps of {percent(of.step)}, the rest {off_variant}"
    if of.bucket_by != TARGETING_KEY:
        said += f", by {of.bucket_by}"
    if of.salt:
        said += f", salt {value(of.salt)}"
    if isinstance(of, Split) and of.experiment:
        said += f" ({experiment(of.experiment)})"
    return said


def experiment(of: Experiment) -> str:
    """«experiment checkout-2027, slots 0–50 % of layer checkout, 20 % of traffic»."""
    said = f"experiment {of.name}"
    if of.layer:
        said += f", slots {percent(of.slots[0]).removesuffix(' %')}–{percent(of.slots[1])} of layer {of.layer}"
    if of.traffic < WHOLE:
        said += f", {percent(of.traffic)} of traffic"
    return said
