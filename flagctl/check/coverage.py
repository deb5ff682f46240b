"""Which rules, variants, overrides, schedule entries and segments no expectation reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal

import msgspec

from flagctl.evaluate.bucket import key_text
from flagctl.evaluate.evaluator import Resolution
from flagctl.model import times
from flagctl.model.condition import TARGETING_KEY, AllOf, AnyOf, Condition, InSegment, Not
from flagctl.model.flag import WHOLE, Flag, Outcome, Ramp, Rollout, Serve, Split
from flagctl.model.repository import Environment, Repository
from flagctl.problems import pointer

Kind = Literal["rule", "variant", "override", "schedule", "segment"]
Reached = tuple[str, str, Kind, str]
"""(environment, flag or segment, kind, name): a rule's name, a variant, an override's variant, an entry's time."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something an expectation can reach, and where it stands."""

    environment: str
    flag: str
    kind: Kind
    name: str
    file: str
    pointer: str

    @property
    def reached(self) -> Reached:
        """As `reached_by` names it."""
        return self.environment, self.flag, self.kind, self.name


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts there are, and the ones that nothing reached."""

    total: int
    unreached: tuple[Part, ...]

    @property
    def percent(self) -> float:
        """The share that was reached, rounded down to a tenth so that 100 means all of it."""
        return 100.0 if not self.unreached else (self.total - len(self.unreached)) * 1000 // self.total / 10


def reached_by(environment: str, flag: Flag, context: dict[str, Any], at: float, answer: Resolution) -> set[Reached]:
    """What one answer reached. A schedule entry is reached while it is the newest one in force."""
    found: set[Reached] = {(environment, flag.key, "variant", answer.variant or "")}
    if answer.rule is not None:
        found.add((environment, flag.key, "rule", answer.rule))
    elif answer.reason == "TARGETING_MATCH" and key_text(context.get(TARGETING_KEY)) is not None:
        found.add((environment, flag.key, "override", answer.variant or ""))
    due = [entry.at for entry in flag.schedule if entry.at <= at]
    if due:
        found.add((environment, flag.key, "schedule", times.text(max(due))))
    return found


def coverage(
    repository: Repository, reached: Iterable[Reached], *, keys: Collection[str] = (), environment: str | None = None
) -> Coverage:
    """Compare what was reached with all there is, of some flags and segments (default: all).

    What can't be reached does not count: the rules of a flag that stays switched off, a variant that no
    outcome serves. A segment is reached by an expectation of its own, or by the answer of a rule that asks for it.
    """
    done = set(reached)
    parts: list[Part] = []
    for held in repository.environments.values():
        if environment not in (None, held.name):
            continue
        done |= {(held.name, name, "segment", name) for name in _segments_of_rules(held, done)}
        parts += [part for part in _parts(held) if not keys or part.flag in keys]
    return Coverage(total=len(parts), unreached=tuple(part for part in parts if part.reached not in done))


def _parts(environment: Environment) -> Iterator[Part]:
    for key, flag in environment.flags.items():
        for kind, name, place in _parts_of(flag):
            yield Part(
                environment=environment.name,
                flag=key,
                kind=kind,
                name=name,
                file=environment.flag_files.get(key, ""),
                pointer=place,
            )
    for name in environment.segments:
        file = environment.segment_files.get(name, "")
        yield Part(environment=environment.name, flag=name, kind="segment", name=name, file=file, pointer="")


def _parts_of(flag: Flag) -> Iterator[tuple[Kind, str, str]]:
    alive = flag.enabled or any(entry.enabled for entry in flag.schedule)
    if alive:
        for index, rule in enumerate(flag.rules):
            yield "rule", rule.name, pointer("rules", index)
        for variant in flag.overrides:
            yield "override", variant, pointer("overrides", variant)
    for index, entry in enumerate(flag.schedule):
        yield "schedule", times.text(entry.at), pointer("schedule", index)
    served = _served(flag) if alive else {flag.off_variant}
    for variant in flag.variants:
        if variant in served:
            yield "variant", variant, pointer("variants", variant)


def _served(flag: Flag) -> set[str]:
    found = set(flag.overrides)
    switched_off = not flag.enabled or any(entry.enabled is False for entry in flag.schedule)
    if switched_off or flag.requires or flag.expires_at is not None:
        found.add(flag.off_variant)
    defaults = [flag.default or Serve(flag.off_variant), *(entry.default for entry in flag.schedule if entry.default)]
    for outcome in defaults:
        found |= _outcome(outcome, flag.off_variant)
        experiment = outcome.experiment if isinstance(outcome, Split) else None
        if experiment and (experiment.slots != (0, WHOLE) or experiment.traffic < WHOLE):
            found.add(flag.off_variant)
    for rule in flag.rules:
        found |= _outcome(rule.outcome, flag.off_variant)
    return found


def _outcome(outcome: Outcome, off_variant: str) -> set[str]:
    match outcome:
        case Serve(variant):
            return {variant}
        case Rollout(share):
            return {variant for variant, part in (("on", share), (off_variant, WHOLE - share)) if part}
        case Ramp(variant):
            return {variant, off_variant}
        case _:
            return {variant for variant, weight in outcome.weights if weight}


def _segments_of_rules(environment: Environment, done: set[Reached]) -> set[str]:
    todo = [
        name
        for flag in environment.flags.values()
        for rule in flag.rules
        if (environment.name, flag.key, "rule", rule.name) in done
        for name in _segments(rule.when)
    ]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found and name in environment.segments:
            found.add(name)
            todo += _segments(environment.segments[name].when)
    return found


def _segments(conditions: Iterable[Condition]) -> Iterator[str]:
    for condition in conditions:
        match condition:
            case InSegment(name):
                yield name
            case AnyOf(members) | AllOf(members):
                yield from _segments(members)
            case Not(member):
                yield from _segments((member,))
