"""The readable evaluator: a snapshot and a context to an answer, in the six steps of docs/flags.md.

It is written to be obviously right, and can say every step it took; speed is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import msgspec
from msgspec.structs import replace

from flagctl.evaluate import trace as words
from flagctl.evaluate.bucket import BUCKETS, FOREIGN, bucket, key_text
from flagctl.evaluate.operators import lookup, matches
from flagctl.evaluate.trace import Place, Trace
from flagctl.model import times
from flagctl.model.condition import TARGETING_KEY

PREVIEW = "preview"
"""The rule that a preview override answers by."""


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """An answer, in OpenFeature's words.

    variant: None only where `reason` is ERROR; `value` is then the caller's default. rule: the name of the
    rule that decided, if one did. error_code may stand beside a usable value (a circle of `requires`).
    experiment: the name of the one that the person was drawn in.
    """

    value: Any
    variant: str | None
    reason: str
    error_code: str | None = None
    error_message: str | None = None
    rule: str | None = None
    experiment: str | None = None


class Evaluator:
    """Answers from one snapshot, which nobody may change meanwhile."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self._snapshot = snapshot

    def keys(self) -> list[str]:
        """The keys of all flags, sorted."""
        return sorted(self._snapshot["flags"])

    def evaluate(
        self,
        key: str,
        context: Mapping[str, Any],
        now: float,
        *,
        default: Any = None,
        preview: Mapping[str, str] | None = None,
        bucket: int | None = None,
        trace: Trace | None = None,
    ) -> Resolution:
        """The answer for one context at one time. Never raises, whatever the context holds.

        now: seconds since the Unix epoch. preview: flag key to the variant this session wants to see.
        bucket: 0..99,999, stands in for every outcome's own draw, of required flags too; layers and
        traffic then admit. trace: where to note each step.
        """
        try:
            evaluation = Evaluation(self._snapshot, context, now, preview or {}, bucket, trace)
            answer = evaluation.answer(key, Place(key))
        except Exception as error:
            answer = _broken(f'the snapshot can\'t answer "{key}"', error)
        return answer if answer.reason != "ERROR" else replace(answer, value=default)

    def matches_segment(self, name: str, context: Mapping[str, Any], now: float, trace: Trace | None = None) -> bool:
        """Whether a context belongs to a segment; to one that the snapshot lacks, or breaks in, nobody does."""
        try:
            evaluation = Evaluation(self._snapshot, context, now, {}, None, trace)
            return evaluation.in_segment(name, Place("", name))
        except Exception:
            return False


def _broken(what: str, error: Exception) -> Resolution:
    # Only the error's name: its text may come from an object in the context, and may fail.
    return Resolution(None, None, "ERROR", "PARSE_ERROR", f"{what}: {type(error).__name__}")


_CIRCLE = Resolution(None, None, "ERROR", "GENERAL", "flags require each other in a circle")


class Evaluation:
    """One question: a context and a time, for a flag and everything it requires."""

    def __init__(
        self,
        snapshot: Mapping[str, Any],
        context: Mapping[str, Any],
        now: float,
        preview: Mapping[str, str],
        bucket: int | None,
        trace: Trace | None,
    ) -> None:
        self.snapshot = snapshot
        self.context = context
        self.now = now
        self.preview = preview
        self.bucket = bucket
        self.trace = trace
        self.answers: dict[str, Resolution] = {}
        self.members: dict[str, bool] = {}

    def say(self, at: Place, outcome: bool | None, text: str | Callable[[], str], *, index: int | None = None) -> None:
        """Note a step, if anybody wants to know."""
        if self.trace is not None:
            self.trace.add(at, text if isinstance(text, str) else text(), outcome, index=index)

    def mark(self) -> int:
        """Where the next step would stand; for a step whose outcome comes from those below it."""
        return len(self.trace.steps) if self.trace is not None else 0

    def answer(self, key: str, at: Place) -> Resolution:
        """A flag's answer, worked out once per evaluation."""
        if key not in self.answers:
            self.answers[key] = _CIRCLE  # what a flag that it requires, and that requires it, will find
            try:
                self.answers[key] = self.six_steps(key, at)
            except RecursionError:
                raise
            except Exception as error:
                self.answers[key] = _broken(f'the snapshot is broken at flag "{key}"', error)
        return self.answers[key]

    def six_steps(self, key: str, at: Place) -> Resolution:
        """«The order of an answer» in docs/flags.md."""
        flag = self.snapshot["flags"].get(key)
        if flag is None:
            return Resolution(None, None, "ERROR", "FLAG_NOT_FOUND", f'no flag "{key}" in this snapshot')

        wanted = self.preview.get(key)
        if isinstance(wanted, str) and wanted in flag["variants"]:
            self.say(at, True, f"this session previews {wanted}")
            return _serve(flag, wanted, "TARGETING_MATCH", PREVIEW)

        if self.is_expired(flag, at):
            return _serve(flag, flag["off_variant"], "DISABLED")
        enabled, default, default_at = self.after_schedule(flag, at)
        if not enabled:
            return _serve(flag, flag["off_variant"], "DISABLED")
        unmet = self.unmet_requirement(flag, at)
        if unmet is not None:
            return unmet

        listed = self.override(flag, at)
        if listed is not None:
            return _serve(flag, listed, "TARGETING_MATCH")

        for index, rule in enumerate(flag.get("rules", ())):
            rule_at = at.at("rules", index)
            if self.rule_holds(rule, rule_at):
                chosen = self.choose(key, flag, rule, rule_at.below())
                if chosen is not None:
                    return _chosen(flag, rule, *chosen, "TARGETING_MATCH", rule["name"])

        self.say(default_at, None, "default")
        variant, drawn = self.choose(key, flag, default, default_at.below()) or (flag["off_variant"], False)
        return _chosen(flag, default, variant, drawn, "STATIC" if is_static(flag) else "DEFAULT")

    def is_expired(self, flag: dict[str, Any], at: Place) -> bool:
        """Step 3, `expires_at`."""
        if "expires_at" not in flag:
            return False
        expired = bool(self.now >= flag["expires_at"])
        then = words.off(flag) if expired else "not yet"
        self.say(at.at("expires_at"), expired, lambda: f"expires at {times.text(flag['expires_at'])} — {then}")
        return expired

    def after_schedule(self, flag: dict[str, Any], at: Place) -> tuple[bool, dict[str, Any], Place]:
        """Step 3, `enabled`; and `default`, both as they are now, with the place of that default."""
        enabled, enabled_at = flag["enabled"], at.at("enabled")
        default, default_at = flag["default"], at.at("default")
        for index, entry in enumerate(flag.get("schedule", ())):
            entry_at, due = at.at("schedule", index), bool(entry["at"] <= self.now)
            if self.trace is not None:
                self.say(entry_at, due, f"scheduled for {times.text(entry['at'])} — {'due' if due else 'not yet'}")
            if due and "enabled" in entry:
                enabled, enabled_at = entry["enabled"], entry_at.at("enabled")
            if due and "default" in entry:
                default, default_at = entry["default"], entry_at.at("default")
        self.say(enabled_at, enabled, lambda: "enabled" if enabled else f"not enabled — {words.off(flag)}")
        return enabled, default, default_at

    def unmet_requirement(self, flag: dict[str, Any], at: Place) -> Resolution | None:
        """Step 3, `requires`: the answer if one does not hold, None if all do."""
        for index, requirement in enumerate(flag.get("requires", ())):
            required, variant, mark = requirement["flag"], requirement["variant"], self.mark()
            answer = self.answer(required, Place(required, depth=at.depth + 1))
            met = answer.error_code is None and answer.variant == variant
            said = answer.error_message or f"it answers {answer.variant}"
            text = f"requires {required} to be {variant} — {words.yes(met)}: {said}"
            self.say(at.at("requires", index), met, text if met else f"{text}; {words.off(flag)}", index=mark)
            if not met:
                disabled = _serve(flag, flag["off_variant"], "DISABLED")
                if answer.error_code != _CIRCLE.error_code:
                    return disabled
                return replace(disabled, error_code=_CIRCLE.error_code, error_message=_CIRCLE.error_message)
        return None

    def override(self, flag: dict[str, Any], at: Place) -> str | None:
        """Step 4: the variant for which the targeting key is listed."""
        if not flag.get("overrides"):
            return None
        user = key_text(lookup(self.context, TARGETING_KEY))
        for variant in sorted(flag["overrides"]):
            if user in flag["overrides"][variant]:
                self.say(at.at("overrides", variant), True, f"{user} is listed for {variant}")
                return str(variant)
        self.say(at.at("overrides"), False, f"{user or 'nobody'} is listed for no variant")
        return None

    def rule_holds(self, rule: dict[str, Any], at: Place) -> bool:
        """Step 5: whether all members of `when` hold."""
        mark = self.mark()
        held = self.all_hold(rule["when"], at.below("when"))
        self.say(at, held, f"rule {rule['name']} — {words.yes(held)}", index=mark)
        return held

    def all_hold(self, conditions: Iterable[dict[str, Any]], at: Place) -> bool:
        """AND; looks no further than the first that does not hold."""
        return all(self.holds(condition, at.at(index)) for index, condition in enumerate(conditions))

    def holds(self, condition: dict[str, Any], at: Place) -> bool:
        """One condition, and those in it."""
        mark = self.mark()
        if "attribute" in condition:
            value = lookup(self.context, condition["attribute"])
            held = matches(condition["op"], value, condition["value"])
            self.say(at, held, lambda: words.test(condition, value, held))
            return held
        if "segment" in condition:
            what = f"in segment {condition['segment']}"
            held = self.in_segment(condition["segment"], at._replace(depth=at.depth + 1))
        elif "any" in condition:
            what = "any of these"
            members = enumerate(condition["any"])
            held = any(self.holds(member, at.below("any", index)) for index, member in members)
        elif "all" in condition:
            what = "all of these"
            held = self.all_hold(condition["all"], at.below("all"))
        else:
            what = "not this"
            held = not self.holds(condition["not"], at.below("not"))
        self.say(at, held, f"{what} — {words.yes(held)}", index=mark)
        return held

    def in_segment(self, name: str, at: Place) -> bool:
        """Whether all conditions of a segment hold; its steps point into its own file."""
        if self.trace is None and name in self.members:
            return self.members[name]
        inside = Place(at.flag, name, "/when", at.depth)
        held = self.members[name] = self.all_hold(self.snapshot["segments"][name]["when"], inside)
        return held

    def choose(self, key: str, flag: dict[str, Any], outcome: dict[str, Any], at: Place) -> tuple[str, bool] | None:
        """The variant of an outcome and whether it was drawn; None for who stands outside the experiment."""
        if "serve" in outcome:
            self.say(at.at("serve"), None, f"serves {outcome['serve']}")
            return outcome["serve"], False
        raw = lookup(self.context, outcome["bucket_by"])
        value = key_text(raw)
        if self.bucket is not None:
            number, how = self.bucket, "as asked"
        elif value is None:
            self.say(at, None, lambda: f"{words.no_key(outcome['bucket_by'], raw)} — {words.off(flag)}")
            return flag["off_variant"], False
        elif not self.admitted(outcome.get("experiment", {}), value, at.at("experiment")):
            return None
        else:
            number, how = self.draw(key, flag, outcome, value)
        if "ramp" in outcome:
            due = [share for start, share in outcome["ramp"] if start <= self.now]
            self.say(at.at("ramp"), None, lambda: words.ramp(outcome["ramp"], len(due)))
            split = [[outcome["variant"], due[-1] if due else 0], [outcome["rest"], BUCKETS]]
        else:
            split = outcome["split"]
        split_at = at.at("ramp" if "ramp" in outcome else "split")
        self.say(split_at, None, lambda: f"{words.bucket(number, how)}: {words.owner(split, number)}")
        return next(variant for variant, upper in split if number < upper), True

    def draw(self, key: str, flag: dict[str, Any], outcome: dict[str, Any], value: str) -> tuple[int, str]:
        """The bucket that decides an outcome, and how it came about."""
        foreign = flag.get("foreign_bucketing")
        if foreign is not None:
            return FOREIGN[foreign["algorithm"]](foreign, key, value), f"by {foreign['algorithm']}"
        return bucket(self.snapshot["bucketing"], outcome["salt"], value), words.under(outcome["salt"])

    def admitted(self, experiment: dict[str, Any], value: str, at: Place) -> bool:
        """Whether a person stands in the experiment's slots of its layer, and in its traffic."""
        if "slots" in experiment:
            salt, (first, end) = f"layer:{experiment['layer']}", experiment["slots"]
            if not self.lies_within(first, end, salt, value, at.at("slots")):
                return False
        if "traffic" in experiment:
            return self.lies_within(0, experiment["traffic"], f"traffic:{experiment['name']}", value, at.at("traffic"))
        return True

    def lies_within(self, first: int, end: int, salt: str, value: str, at: Place) -> bool:
        """Whether the bucket under a salt lies in first..end, end not included."""
        number = bucket(self.snapshot["bucketing"], salt, value)
        inside = first <= number < end
        self.say(at, inside, lambda: words.admission(number, salt, first, end))
        return inside


def _serve(
    flag: dict[str, Any], variant: str, reason: str, rule: str | None = None, experiment: str | None = None
) -> Resolution:
    value = flag["variants"][variant]
    if isinstance(value, dict):
        value = deepcopy(value)  # so that nobody who changes an answer changes the snapshot
    return Resolution(value, variant, reason, rule=rule, experiment=experiment)


def _chosen(
    flag: dict[str, Any], outcome: dict[str, Any], variant: str, drawn: bool, reason: str, rule: str | None = None
) -> Resolution:
    if not drawn:
        return _serve(flag, variant, reason, rule)
    return _serve(flag, variant, "SPLIT", rule, outcome["experiment"]["name"] if "experiment" in outcome else None)


def is_static(flag: Mapping[str, Any]) -> bool:
    """Whether a flag answers everybody and always the same, as one glance at its file shows."""
    moving = ("requires", "overrides", "rules", "schedule")
    return "serve" in flag["default"] and "expires_at" not in flag and not any(flag.get(part) for part in moving)
