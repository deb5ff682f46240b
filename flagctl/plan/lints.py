"""What is worth a second look in a change: each lint with why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from flagctl.model import words
from flagctl.model.flag import Experiment, Flag, Outcome, Split
from flagctl.plan.change import listed, same
from flagctl.plan.impact import Group, Impact
from flagctl.plan.sentences import people, percent

LINTS: dict[str, str] = {
    "share-falls": "People who have a feature lose it; a feature that comes and goes looks broken to them.",
    "re-randomised": "Another salt, attribute or algorithm assigns everybody anew: people switch sides for no reason "
    "they can see, and what an experiment has measured so far no longer belongs to its arms.",
    "experiment-changed": "Results gathered before and after a change of arms, traffic or layer can't be added up.",
    "rule-moved": "The first rule that matches wins: whoever matches both rules is now answered by the other one.",
    "unseen-upstream": "What comes by promotion has been tried somewhere; this has not.",
    "override-email": "An e-mail address in a flag file is personal data in the history of the repository for ever, "
    "and in every snapshot.",
}
"""Lint by id: why it is worth a look."""


class Lint(msgspec.Struct, frozen=True):
    """One thing worth a second look. id: a key of LINTS. text: what was found."""

    id: str
    text: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at: a flag before and after, and the same flag in the environment it is promoted from.

    upstream: that environment's name, "" for none. others: that flag before and
    after. impacts: now, and at later moments.
    """

    old: Flag | None
    new: Flag | None
    impacts: tuple[Impact, ...]
    now: float
    upstream: str = ""
    others: tuple[Flag | None, Flag | None] = (None, None)

    def groups(self) -> Iterator[Group]:
        """Groups of people, each as it is first seen."""
        seen: set[str] = set()
        for found in self.impacts:
            for group in found.groups:
                if group.moves and people(group) not in seen:
                    seen.add(people(group))
                    yield group


_MOST = 5


def lints(subject: Subject) -> tuple[Lint, ...]:
    """All that is worth a second look, in the order of LINTS; of many of one kind the first few and their number."""
    found: list[Lint] = []
    for name, find in _FINDERS.items():
        texts = list(dict.fromkeys(find(subject)))
        found += [Lint(name, text) for text in texts[:_MOST]]
        if len(texts) > _MOST:
            found.append(Lint(name, f"and {len(texts) - _MOST:,} more like these"))
    return tuple(found)


def _share_falls(subject: Subject) -> Iterator[str]:
    new = subject.new
    for group in subject.groups():
        if new is None or group.redrawn or not {group.before.kind, group.after.kind} <= {"rule", "default"}:
            continue
        lost = [move for move in group.moves if move.after == new.off_variant and move.before not in (None, move.after)]
        if lost:
            yield f"{people(group)}: {', '.join(f'{percent(move.share)} lose {move.before}' for move in lost)}"


def _re_randomised(subject: Subject) -> Iterator[str]:
    for group in subject.groups():
        if group.redrawn and group.moves:
            yield f"{people(group)}: {_fields(group)} changed, {percent(group.moved)} are expected to switch"


def _fields(group: Group) -> str:
    names = {"algorithm": "the bucketing", "by": "bucket_by", "salt": "the salt"}
    return " and ".join(names[field] for field in group.redrawn)


def _experiment_changed(subject: Subject) -> Iterator[str]:
    old, new = subject.old, subject.new
    if old is None or not old.enabled or (old.expires_at or subject.now + 1) <= subject.now:
        return
    before, after = _experiments(old), {} if new is None else _experiments(new)
    for name, (arms, experiment) in before.items():
        if name not in after:
            yield f"experiment {name} ends"
            continue
        arms_now, now = after[name]
        parts = [] if same(arms, arms_now) else [f"arms {_arms(arms)} → {_arms(arms_now)}"]
        parts += [f"traffic {words.percent(experiment.traffic)} → {words.percent(now.traffic)}"] * (
            experiment.traffic != now.traffic
        )
        places = [_place(of) for of in (experiment, now)]
        parts += [f"{places[0]} → {places[1]}"] * (places[0] != places[1])
        if parts:
            yield f"experiment {name} is running: {', '.join(parts)}"


def _experiments(flag: Flag) -> dict[str, tuple[Any, Experiment]]:
    outcomes: list[Outcome | None] = [flag.default, *(rule.outcome for rule in flag.rules)]
    outcomes += [entry.default for entry in flag.schedule]
    return {
        of.experiment.name: (of.weights, of.experiment) for of in outcomes if isinstance(of, Split) and of.experiment
    }


def _arms(weights: Iterable[tuple[str, int]]) -> str:
    return "/".join(f"{variant} {words.percent(weight)}" for variant, weight in weights)


def _place(of: Experiment) -> str:
    slots = f"{words.percent(of.slots[0])}–{words.percent(of.slots[1])}"
    return f"layer {of.layer} {slots}" if of.layer else "no layer"


def _rule_moved(subject: Subject) -> Iterator[str]:
    if subject.old is None or subject.new is None:
        return
    old, new = [[rule.name for rule in flag.rules] for flag in (subject.old, subject.new)]
    for group in subject.groups():
        before, after = group.before.name, group.after.name
        if group.before.kind == group.after.kind == "rule" and before != after and group.moves:
            both = all(name in order for name in (before, after) for order in (old, new))
            if both and (old.index(before) < old.index(after)) != (new.index(before) < new.index(after)):
                yield f"rule {after} now comes before rule {before}: who matches both switches from {before} to {after}"


def _unseen_upstream(subject: Subject) -> Iterator[str]:
    new, upstream = subject.new, subject.upstream
    if not upstream or new is None or same(subject.old, new):
        return
    known = [flag for flag in subject.others if flag is not None]
    if not known:
        yield f"{upstream} never had this flag" if subject.old is None else f"{upstream} does not have this flag"
        return
    old = subject.old
    for variant, value in new.variants.items():
        unchanged = old is not None and same(old.variants.get(variant), value)
        if not unchanged and not any(same(flag.variants.get(variant), value) for flag in known):
            yield f"{upstream} never had variant {variant} with this value"
    seen = [rule for flag in known for rule in flag.rules] + ([] if old is None else list(old.rules))
    for rule in new.rules:
        if not any(same(rule.when, other.when) for other in seen):
            yield f"{upstream} never had rule {rule.name} with these conditions"


_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def _override_email(subject: Subject) -> Iterator[str]:
    if subject.new is None:
        return
    before: Mapping[str, tuple[str, ...]] = {} if subject.old is None else subject.old.overrides
    known = {user for users in before.values() for user in users}
    added = [user for users in subject.new.overrides.values() for user in users if user not in known]
    named = [user for user in added if _EMAIL.fullmatch(user)]
    if named:
        yield f"overrides name {listed(named)}"


_FINDERS: dict[str, Callable[[Subject], Iterator[str]]] = {
    "share-falls": _share_falls,
    "re-randomised": _re_randomised,
    "experiment-changed": _experiment_changed,
    "rule-moved": _rule_moved,
    "unseen-upstream": _unseen_upstream,
    "override-email": _override_email,
}
