"""A blast radius in sentences: «people in rule eu-beta: off → on 25.000 %»."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from flagctl.plan.change import listed
from flagctl.plan.impact import Group, Impact, Move, Named
from flagctl.plan.joint import place, where
from flagctl.plan.paths import Path

NOBODY = "nobody gets anything else"
_ABSENT = "the caller's default"


def percent(share: Fraction) -> str:
    """A share of one, in percent: three decimals, as many as a bucket has; «≈» where that rounds it."""
    thousandths = share * 100_000
    rounded = round(thousandths)
    if rounded == 0 and thousandths:
        return "under 0.001 %"
    return f"{'' if rounded == thousandths else '≈ '}{rounded // 1000}.{rounded % 1000:03} %"


def people(group: Group) -> str:
    """Who they are: «people in rule eu-beta», «everyone else», «people who now match b and were in default»."""
    before, after = group.before, group.after
    if place(before) == place(after):
        said = _on(after)
        if not group.whole:
            said += ", before and after"
    elif before.kind in _FOR_ALL and after.kind not in _FOR_ALL:
        said = f"{_on(after)} ({_FOR_ALL[before.kind]} before)"
    elif after.kind in _FOR_ALL and before.kind not in _FOR_ALL:
        said = _on(before)
    elif before.kind in _FOR_ALL and after.kind in _FOR_ALL:
        said = "everybody"
    elif group.whole:
        said = f"people in {place(after)}, in {place(before)} before"
    elif after.kind == "rule":
        said = f"people who now match {after.name} and were in {place(before)}"
    else:
        said = f"people who were in {place(before)} and are now in {place(after)}"
    return f"{said}, where {where(group.given)}" if group.given else said


_FOR_ALL = {"absent": "no such flag", "expired": "expired", "disabled": "disabled"}


def _on(path: Path) -> str:
    if path.kind == "default" and not path.passed:
        return "everyone else" if path.falses else "everybody"
    return f"people in {place(path)}"


def variant(name: str | None) -> str:
    """A variant's name, or what a service does without the flag."""
    return _ABSENT if name is None else name


def move(of: Move) -> str:
    """«off → on 25.000 %»."""
    if of.before == of.after:
        return f"another value of {variant(of.after)} {percent(of.share)}"
    return f"{variant(of.before)} → {variant(of.after)} {percent(of.share)}"


def what(group: Group) -> str:
    """What happens to a group, in one line."""
    if group.redrawn and group.moves:
        said = f"re-assigns {percent(group.moved)} of them ({', '.join(map(move, group.moves))})"
    else:
        said = ", ".join(map(move, group.moves))
    notes = list(_notes(group))
    return f"{said}{'; ' if said and notes else ''}{'; '.join(notes)}"


def _notes(group: Group) -> Iterator[str]:
    if group.moves and not group.exact:
        yield "expected, of independent hashes"
    by = [name for name in group.by if name != "targetingKey"]
    if group.moves and by:
        yield f"counted by {' and '.join(by)}"
    for less in group.lacking:
        moves = ", ".join(map(move, less.moves)) or "nothing moves"
        yield f"without {' and '.join(less.attributes)}: {moves}"


def user(of: Named) -> str:
    """What becomes of somebody who is named: «off → on», «on → off, or as before»."""
    changes = [f"{variant(a)} → {variant(b)}" for a, b in of.moves if a != b]
    if any(a == b for a, b in of.moves):
        changes.append("as before" if changes else "perhaps another value")
    return ", or ".join(changes)


def users(found: Impact) -> Iterator[str]:
    """Whom overrides name, those with the same fate in one line."""
    fates: dict[str, list[str]] = {}
    for one in found.users:
        fates.setdefault(user(one), []).append(one.user)
    for fate, names in fates.items():
        yield f"{listed(names)}: {fate}"


def lines(found: Impact) -> list[str]:
    """A blast radius, a line for each group; the named first, as overrides come first."""
    if not found:
        return [NOBODY]
    said = [*users(found), *(f"{people(group)}: {what(group)}" for group in found.groups)]
    if found.unknown:
        said.append("too many ways lead through its experiments to tell who; --population FILE counts real people")
    if found.revalued:
        said.append(f"variants with another value: {listed(found.revalued)}")
    return said


def short(said: list[str], most: int = 20) -> list[str]:
    """The first of many lines, and how many more there are."""
    return said if len(said) <= most else [*said[: most - 1], f"… {len(said) - most + 1:,} groups more, in --json"]


def news(found: Impact, last: Impact) -> list[str]:
    """What is told of a later moment: the lines that the moment before it did not have."""
    if not found:
        return ["no difference any more"]
    known, said = set(lines(last)), lines(found)
    new = [line for line in said if line not in known]
    if not new:
        return said
    return new if len(new) == len(said) else [*new, "all else as before"]
