"""Conditions as sets that can be compared: are two the same, does one follow from another, can both hold?

Answers are one-sided: «follows» and «excludes» are certain, their absence only means that nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flagctl.model import semver

Atom = tuple[Any, ...]
"""A condition in a form that is equal, and hashes equal, for conditions that hold for the same contexts:
("in" or an operator, attribute, value), ("any", atoms), ("all", atoms), ("not", atom), ("segment", name)."""

Atoms = frozenset[Atom]
"""Conditions that all hold."""

_ANY_OF = ("in", "contains", "starts_with", "ends_with", "includes_any")
_ALL_OF = ("includes_all", "not_in", "not_contains", "not_starts_with", "not_ends_with")
_LINES: dict[str, tuple[str, int, bool]] = {
    "gt": ("number", 1, True),
    "gte": ("number", 1, False),
    "lt": ("number", -1, True),
    "lte": ("number", -1, False),
    "after": ("time", 1, True),
    "before": ("time", -1, True),
    "semver_gt": ("version", 1, True),
    "semver_gte": ("version", 1, False),
    "semver_lt": ("version", -1, True),
    "semver_lte": ("version", -1, False),
}
"""By operator: the line of which it asks for a part, towards which end, and whether the bound itself is outside."""


def atoms(when: Iterable[Mapping[str, Any]], segments: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Atoms:
    """What a `when` list asks for, its segments written out.

    inside: the segments that are being written out; one that contains itself, or is not there, stays a name.
    """
    found: set[Atom] = set()
    for condition in when:
        atom = _atom(condition, segments, inside)
        found.update(atom[1] if atom[0] == "all" else [atom])
    return frozenset(found)


def _atom(condition: Mapping[str, Any], segments: Mapping[str, Any], inside: tuple[str, ...]) -> Atom:
    if "segment" in condition:
        name = condition["segment"]
        if name in inside or name not in segments:
            return ("segment", name)
        return _plain(("all", atoms(segments[name]["when"], segments, (*inside, name))))
    if "any" in condition:
        return _plain(("any", frozenset(_atom(member, segments, inside) for member in condition["any"])))
    if "all" in condition:
        return _plain(("all", atoms(condition["all"], segments, inside)))
    if "not" in condition:
        member = _atom(condition["not"], segments, inside)
        return member[1] if member[0] == "not" else ("not", member)
    operator, value = condition["op"], condition["value"]
    if operator in ("equals", "not_equals"):
        operator, value = operator.replace("equals", "in"), [value]
    if operator in ("includes", "not_includes"):
        operator, value = f"{operator}_any", [value]
    same = frozenset(map(_typed, value)) if isinstance(value, list) else _typed(value)
    return (operator, condition["attribute"], same)


def _plain(atom: Atom) -> Atom:
    if len(atom[1]) == 1:
        (member,) = atom[1]
        return tuple(member)
    return atom


def _typed(value: Any) -> tuple[str, Any]:
    # Python takes 1 and True for equal, flags do not.
    return ("boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number", value)


def possible(trues: Iterable[Atoms], falses: Iterable[Atoms]) -> bool:
    """Whether there may be a context for which each of `trues` holds and none of `falses` does."""
    held = frozenset[Atom]().union(*trues)
    for wrong in falses:
        if wrong <= held or all(any(follows(one, needed) for one in held) for needed in wrong):
            return False
    listed = list(held)
    return not any(excludes(one, other) for number, one in enumerate(listed) for other in listed[:number])


def follows(given: Atom, wanted: Atom) -> bool:
    """Whether `wanted` holds for every context for which `given` does."""
    if given == wanted:
        return True
    if given[0] == "any":
        return all(follows(member, wanted) for member in given[1])
    if wanted[0] == "all":
        return all(follows(given, member) for member in wanted[1])
    if given[0] == "all":
        return any(follows(member, wanted) for member in given[1])
    if wanted[0] == "any":
        return any(follows(given, member) for member in wanted[1])
    if given[0] == "not" or wanted[0] == "not":
        if given[0] == wanted[0]:
            return follows(wanted[1], given[1])
        return wanted[0] == "not" and excludes(given, wanted[1])
    if "segment" in (given[0], wanted[0]) or given[1] != wanted[1]:
        return False
    return _test_follows(given, wanted)


def _test_follows(given: Atom, wanted: Atom) -> bool:
    (operator, _, mine), (other, _, yours) = given, wanted
    if other == "exists":
        return bool(operator != "exists" and yours == ("boolean", True))  # every operator needs a value
    if operator == other and operator in _ANY_OF:
        return bool(mine <= yours)
    if operator == other and operator in _ALL_OF:
        return bool(mine >= yours) and {kind for kind, _ in mine} == {kind for kind, _ in yours}
    if operator not in _LINES or other not in _LINES or _LINES[operator][:2] != _LINES[other][:2]:
        return False
    line, towards, outside = _LINES[operator]
    ours, theirs = _on_line(line, mine[1]), _on_line(line, yours[1])
    if ours is None or theirs is None:
        return False
    if ours == theirs:
        return outside or not _LINES[other][2]
    return bool(ours > theirs) is (towards > 0)


def _on_line(line: str, value: Any) -> Any:
    return semver.key(value) if line == "version" else value


def excludes(one: Atom, other: Atom) -> bool:
    """Whether no context has both."""
    for given, wanted in ((one, other), (other, one)):
        if wanted[0] == "not" and follows(given, wanted[1]):
            return True
        if given[0] == "any":
            return all(excludes(member, wanted) for member in given[1])
        if given[0] == "all":
            return any(excludes(member, wanted) for member in given[1])
    if "segment" in (one[0], other[0]) or one[1] != other[1]:
        return False
    if one[0] == other[0] == "in":
        return not one[2] & other[2]
    missing = ("exists", one[1], ("boolean", False))
    return one != other and missing in (one, other)
