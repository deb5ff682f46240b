"""Changes inside a rule: of its conditions, and of an outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from flagctl.model import plain, words
from flagctl.model.condition import TARGETING_KEY, AllOf, AnyOf, Condition, InSegment, Not, Test
from flagctl.model.flag import WHOLE, Experiment, Outcome, Ramp, Rollout, Serve, Split
from flagctl.plan.change import Change, members, moved, same

_Pairs = list[tuple[int, int]]
_Kind = TypeVar("_Kind")


def conditions(path: str, label: str, old: Sequence[Condition], new: Sequence[Condition]) -> list[Change]:
    """What became different in a list of conditions; which became which is told by what they ask.

    label: ends with a blank unless it is empty, and begins every sentence.
    """
    if same(old, new):
        return []
    left, right = list(range(len(old))), list(range(len(new)))
    found: list[Change] = []
    equal = _paired(left, right, lambda i, j: same(old[i], new[j]))
    for alike in (_same_question, _same_subject, _same_kind):
        for i, j in _paired(left, right, lambda i, j, alike=alike: alike(old[i], new[j])):  # type: ignore[misc]
            found += _condition(f"{path}/{j}", label, old[i], new[j])
    for j in right:
        said = f"{label}condition {words.condition(new[j])} added"
        found.append(Change(path=f"{path}/{j}", old=None, new=plain.condition(new[j]), words=said))
    for i in left:
        said = f"{label}condition {words.condition(old[i])} removed"
        found.append(Change(path=f"{path}/{i}", old=plain.condition(old[i]), new=None, words=said))
    if not found and equal:
        data = [[plain.condition(member) for member in of] for of in (old, new)]
        found.append(
            Change(path=path, old=data[0], new=data[1], words=f"{label}conditions re-ordered", meaning=False)
        )  # fmt: skip
    return found


def _paired(left: list[int], right: list[int], alike: Callable[[int, int], bool]) -> _Pairs:
    """Pairs of those that are alike, each taken out of its list."""
    pairs = []
    for j in list(right):
        i = next((i for i in left if alike(i, j)), None)
        if i is not None:
            pairs.append((i, j))
            left.remove(i)
            right.remove(j)
    return pairs


def _same_question(old: Condition, new: Condition) -> bool:
    return (
        isinstance(old, Test)
        and isinstance(new, Test)
        and (old.attribute, old.operator) == (new.attribute, new.operator)
    )


def _same_subject(old: Condition, new: Condition) -> bool:
    return isinstance(old, Test) and isinstance(new, Test) and old.attribute == new.attribute


def _same_kind(old: Condition, new: Condition) -> bool:
    return type(old) is type(new) and not isinstance(old, Test | InSegment)


def _condition(path: str, label: str, old: Condition, new: Condition) -> list[Change]:
    match old, new:
        case Test(), Test():
            return _test(path, label, old, new)
        case AnyOf(), AnyOf():
            return conditions(f"{path}/any", label, old.members, new.members)
        case AllOf(), AllOf():
            return conditions(f"{path}/all", label, old.members, new.members)
        case Not(), Not():
            return conditions(f"{path}/not", f"{label}not: ", (old.member,), (new.member,))
    raise AssertionError("only alike conditions are paired")


def _test(path: str, label: str, old: Test, new: Test) -> list[Change]:
    if old.operator == new.operator and isinstance(old.value, tuple) and isinstance(new.value, tuple):
        said = "" if new.operator == "in" else f" {words.OPERATORS[new.operator]}:"
        return members(f"{path}/{new.operator}", f"{label}{new.attribute}{said}", old.value, new.value)
    said = f"{label}{words.condition(old)} → {words.condition(new)}"
    if old.operator == new.operator:
        data = [plain.operand(of.operator, of.value) for of in (old, new)]
        return [Change(path=f"{path}/{new.operator}", old=data[0], new=data[1], words=said)]
    return [Change(path=path, old=plain.condition(old), new=plain.condition(new), words=said)]


def outcomes(
    path: str, label: str, old: Outcome | None, new: Outcome | None, old_off: str, new_off: str
) -> list[Change]:
    """What became different in an outcome; `label` is "" for the flag's own default. off: each side's off_variant."""
    if same(old, new):
        return []
    if type(old) is not type(new) or old is None or new is None:
        what = label or "default "
        before = "nothing" if old is None else words.outcome(old, old_off)
        after = "nothing" if new is None else words.outcome(new, new_off)
        data = [of and plain.outcome(of) for of in (old, new)]
        return [Change(path=path, old=data[0], new=data[1], words=f"{what}{before} → {after}")]
    return list(_fields(path, label, old, new))


def _fields(path: str, label: str, old: Outcome, new: Outcome) -> Iterable[Change]:
    match old, new:
        case Serve(), Serve():
            yield from moved(f"{path}/serve", f"{label}serve", old.variant, new.variant)
            return
        case Rollout(), Rollout():
            yield from moved(f"{path}/rollout", f"{label}rollout", *_percentages(old.share, new.share))
        case Split(), Split():
            yield from _split(f"{path}/split", f"{label}split", old, new)
            yield from _experiment(f"{path}/experiment", f"{label}experiment", old.experiment, new.experiment)
        case Ramp(), Ramp():
            before, after = plain.ramp(old), plain.ramp(new)
            for name in before:
                yield from moved(f"{path}/ramp/{name}", f"{label}ramp {name}", before[name], after[name])
    by = [getattr(of, "bucket_by", TARGETING_KEY) for of in (old, new)]
    yield from moved(f"{path}/bucket_by", f"{label}bucket_by", *by)
    salts = [getattr(of, "salt", "") or None for of in (old, new)]
    yield from moved(f"{path}/salt", f"{label}salt", *salts)


def _percentages(*shares: int | None) -> list[Any]:
    return [None if share is None else plain.percentage(share) for share in shares]


def _split(path: str, label: str, old: Split, new: Split) -> Iterable[Change]:
    before, after = dict(old.weights), dict(new.weights)
    for variant in dict.fromkeys((*before, *after)):
        pair = _percentages(before.get(variant), after.get(variant))
        yield from moved(f"{path}/{variant}", f"{label} {variant}", *pair)
    orders = [[variant for variant in of if variant in before and variant in after] for of in (before, after)]
    if orders[0] != orders[1]:
        said = f"{label} order {', '.join(orders[0])} → {', '.join(orders[1])}"
        yield Change(path=path, old=plain.outcome(old)["split"], new=plain.outcome(new)["split"], words=said)


def _experiment(path: str, label: str, old: Experiment | None, new: Experiment | None) -> Iterable[Change]:
    if old is None or new is None:
        for change in moved(path, label, old and plain.experiment(old), new and plain.experiment(new)):
            said = [words.experiment(of).removeprefix("experiment ") if of else "none" for of in (old, new)]
            yield Change(path=path, old=change.old, new=change.new, words=f"{label} {said[0]} → {said[1]}")
        return
    yield from moved(f"{path}/name", f"{label} name", old.name, new.name)
    yield from moved(f"{path}/layer", f"{label} layer", old.layer or None, new.layer or None)
    slots = [None if of.slots == (0, WHOLE) else _percentages(*of.slots) for of in (old, new)]
    yield from moved(f"{path}/slots", f"{label} slots", *slots)
    yield from moved(f"{path}/traffic", f"{label} traffic", *_percentages(old.traffic, new.traffic))
    for name in dict.fromkeys((*old.metadata, *new.metadata)):
        notes = old.metadata.get(name), new.metadata.get(name)
        yield from moved(f"{path}/{name}", f"{label} {name}", *notes, meaning=False)
