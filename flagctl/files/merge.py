"""Two changes of one file made into one, by what they mean: a three-way merge of a file's data.

A field that one side changed is taken from it; one that both changed differently is a conflict, and stays as
ours has it. Rules, requirements, dated changes and conditions are matched by what names them, overrides by
user, lists of single values as sets. What can only be right as a whole (a split, a ramp, the slots of an
experiment, a variant's value) is one field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from flagctl.files.order import BESIDE, OUTCOMES

Side = Literal["ours", "theirs"]
Path = tuple[str, ...]
Names = list[str]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A field that both sides changed, by the names on the way to it; UNSET where a side does not have it.

    At a list, when what differs is the order of its members, the values are the orders of their names.
    """

    path: Path
    base: Any = UNSET
    ours: Any = UNSET
    theirs: Any = UNSET

    @property
    def spelled(self) -> str:
        """The field as a person types it: `rules/eu-beta/rollout`."""
        return "/".join(self.path) or "the file"


class Merged(msgspec.Struct, frozen=True):
    """The data that came of it, UNSET where the file is gone, and the fields that somebody has to decide."""

    data: Any
    conflicts: tuple[Conflict, ...] = ()


Settle = Callable[[Conflict], Side | None]
"""Decides a conflict, or leaves it one."""

_ATOMS = frozenset({"split", "ramp", "slots", "bucketing"})
_USERS = ("overrides",)
_WORDS = {"true": "on", "false": "off"}
_VARIANTS = ("serve", "variant", "off_variant")
_CONDITIONS = ("when", "any", "all")
_PRUNED = ("tags", "requires", "rules", "schedule")


def merge(
    base: Any, ours: Any, theirs: Any, *, kept: Collection[str] = (), settle: Settle = lambda conflict: None
) -> Merged:
    """What `ours` becomes with the changes from `base` to `theirs` made to it. UNSET stands for no file.

    kept: fields that stay as ours has them, as paths (`overrides`, `default/rollout`, `rules/staff`).
    """
    work = _Merge({tuple(path.strip("/").split("/")) for path in kept}, settle)
    if base is not UNSET and (ours is UNSET) != (theirs is UNSET):
        data = work.gone(base, ours, theirs)
    else:
        data = work.field((), base, ours, theirs)
    return Merged(data, tuple(work.conflicts))


def same(a: Any, b: Any, under: str = "") -> bool:
    """Whether two values mean the same: 25 is 25.0, true is not 1, and keys may come in any order.

    under: the key that they stand at. The order of a split's variants decides who gets which, so it counts.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys() or (under == "split" and list(a) != list(b)):
            return False
        return all(same(value, b[key], key) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if under in _VARIANTS:
        a, b = (("off", "on")[value] if isinstance(value, bool) else value for value in (a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def named(*lists: list[Any]) -> list[dict[str, Any]] | None:
    """The members of each list by what names them in all; None when in each way two are called alike."""
    for name in (_name, _name_in_full, _content):
        found = [{name(value): value for value in values} for values in lists]
        if all(len(by_name) == len(values) for by_name, values in zip(found, lists, strict=True)):
            return found
    return None


def is_atom(path: Path) -> bool:
    """Whether the value at a path is only ever taken as a whole."""
    return bool(path) and (path[-1] in _ATOMS or (path[0] == "variants" and len(path) > 1))


class _Merge:
    def __init__(self, kept: set[Path], settle: Settle) -> None:
        self.kept = kept
        self.settle = settle
        self.conflicts: list[Conflict] = []

    def gone(self, base: Any, ours: Any, theirs: Any) -> Any:
        """The whole file, which one side removed: gone unless the other changed more than what is kept."""
        left = ours if theirs is UNSET else theirs
        if same(_without(base, self.kept), _without(left, self.kept)):
            return UNSET
        return self.decided((), base, ours, theirs)

    def field(self, path: Path, base: Any, ours: Any, theirs: Any) -> Any:
        """One value of the merged data, UNSET for none."""
        under = path[-1] if path else ""
        if path in self.kept or same(ours, theirs, under) or same(base, theirs, under):
            return ours
        whole = not any(kept[: len(path)] == path for kept in self.kept)
        if whole and same(base, ours, under):
            return theirs
        sides = [side for side in (base, ours, theirs) if side is not UNSET]
        unknown = base is UNSET and under in _CONDITIONS  # of two audiences both halves would be a third
        if not is_atom(path) and not unknown and all(isinstance(side, list) for side in sides):
            return self.list(path, base or [], ours, theirs)
        there = ours is not UNSET and theirs is not UNSET
        if (
            not is_atom(path)
            and all(isinstance(side, dict) for side in sides)
            and (there or not whole or path == _USERS)
        ):
            return self.mapping(path, base, ours, theirs)
        return self.decided(path, base, ours, theirs)

    def decided(self, path: Path, base: Any, ours: Any, theirs: Any) -> Any:
        """One side of a conflict: who settles it says which, else it is noted and stays as ours has it."""
        conflict = Conflict(path=path, base=base, ours=ours, theirs=theirs)
        side = self.settle(conflict)
        if side is None:
            self.conflicts.append(conflict)
        return theirs if side == "theirs" else ours

    def mapping(self, path: Path, base: Any, ours: Any, theirs: Any) -> Any:
        """A mapping, field by field; ours first, in its order."""
        old, mine, yours = (side or {} for side in (base, ours, theirs))
        if path == _USERS:
            users = [_variant_of(side) for side in (old, mine, yours)]
            if None not in users:
                return self.overrides(users, mine, yours)
        if "attribute" in mine and mine.keys() != yours.keys():
            return self.decided(path, base, ours, theirs)  # a condition with another operator
        found: dict[str, Any] = {}
        outcome = [name for name in _together(mine, yours) if name in OUTCOMES]
        for name in _together(mine, yours):
            if name not in outcome:
                found |= self.entry(path, name, old, mine, yours)
            elif name == outcome[0]:
                found |= self.outcome(path, old, mine, yours)
        if served := next((name for name in OUTCOMES if name in found), ""):
            for name in [name for name in found if name in BESIDE["split"] and name not in BESIDE[served]]:
                del found[name]  # what the outcome that was taken can't have beside it
        return found if found or ours is not UNSET else UNSET

    def entry(self, path: Path, name: str, old: Any, mine: Any, yours: Any) -> dict[str, Any]:
        """One entry of a merged mapping, if there is to be one."""
        value = self.field((*path, name), *(side.get(name, UNSET) for side in (old, mine, yours)))
        return {} if value is UNSET else {name: value}

    def outcome(self, path: Path, *sides: Any) -> dict[str, Any]:
        """What a rule or a default serves, which is one field, whatever it is called."""
        kinds = [name for name in OUTCOMES if any(name in side for side in sides)]
        if len(kinds) == 1:
            return self.entry(path, kinds[0], *sides)
        old, mine, yours = ({name: side[name] for name in OUTCOMES if name in side} for side in sides)
        if any((*path, name) in self.kept for name in kinds) or same(mine, yours) or same(old, yours):
            return mine
        chosen = yours if same(old, mine) else self.decided(path, old or UNSET, mine or UNSET, yours or UNSET)
        return {} if chosen is UNSET else dict(chosen)

    def overrides(self, users: list[Any], ours: dict[str, Any], theirs: dict[str, Any]) -> Any:
        """Who is listed for which variant, user by user."""
        spelling = {_WORDS.get(name, name): name for name in (*theirs, *ours)}
        found: dict[str, Any] = {name: [] for name in ours}
        given: dict[str, str] = {}
        for user in _together(users[1], users[2]):
            given |= self.entry(_USERS, user, *users)
        # those who stay where they are first
        for user in sorted(given, key=lambda user: given[user] != users[1].get(user)):
            found.setdefault(str(spelling.get(given[user], given[user])), []).append(user)
        return {name: listed for name, listed in found.items() if listed or not ours.get(name, True)} or UNSET

    def list(self, path: Path, base: list[Any], ours: Any, theirs: Any) -> Any:
        """A list whose members have names, or none: a set of values."""
        sides = named(base, ours or [], theirs or [])
        if sides is None:
            return self.decided(path, base or UNSET, ours, theirs)
        names = self.ordered(path, *map(list, sides))
        fields = (self.field((*path, name), *(side.get(name, UNSET) for side in sides)) for name in names)
        found = [value for value in fields if value is not UNSET]
        return UNSET if not found and (ours is UNSET or (ours and path[-1] in _PRUNED)) else found

    def ordered(self, path: Path, base: Names, ours: Names, theirs: Names) -> Names:
        """The names of both sides in one order; where only theirs moved some, in theirs."""
        common = set(ours) & set(theirs)
        old = [name for name in base if name in common]
        mine = [name for name in ours if name in common]
        yours = [name for name in theirs if name in common]
        first, second = ours, theirs
        if mine != yours and _order_counts(path):
            moved = [name for name in yours if name in old] != old
            stayed = [name for name in mine if name in old] == old
            if moved and (stayed or self.decided(path, old, mine, yours) == yours):
                first, second = theirs, ours
        return _inserted(first, second, mine=set(ours) - common)


def _inserted(first: list[str], second: list[str], *, mine: set[str]) -> list[str]:
    # What only the second has follows what it follows there; at one place, ours comes first.
    found, before = list(first), ""
    for name in second:
        if name not in found:
            at = found.index(before) + 1 if before else 0
            while name not in mine and at < len(found) and found[at] in mine:
                at += 1
            found.insert(at, name)
        before = name
    return found


def _without(data: Any, paths: Iterable[Path]) -> Any:
    """The data without what stands at these paths, members of lists by name."""
    for head, *rest in paths:
        if isinstance(data, list) and (by_name := named(data)):
            data = list(_without(by_name[0], [(head, *rest)]).values())
        elif isinstance(data, dict) and head in data:
            left = {key: value for key, value in data.items() if key != head}
            data = left | {head: _without(data[head], [tuple(rest)])} if rest else left
    return data


def _order_counts(path: Path) -> bool:
    return path[-1] not in (*_CONDITIONS, "requires", "schedule")


def _together(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*ours, *theirs]))


def _variant_of(overrides: dict[str, Any]) -> dict[str, str] | None:
    """The variant of each user, None when that is not what the data says."""
    found: dict[str, str] = {}
    for variant, users in overrides.items():
        if not isinstance(users, list):
            return None
        for user in users:
            if not isinstance(user, str) or user in found:
                return None
            found[user] = _WORDS.get(variant, variant)
    return found


def _name(value: Any) -> str:
    if isinstance(value, dict):
        for key in ("name", "flag", "at", "attribute"):
            if isinstance(value.get(key), str):
                return str(value[key])
        if "segment" in value:
            return f"segment {value['segment']}"
        if len(value) == 1:
            return str(next(iter(value)))
    return _content(value)


def _name_in_full(value: Any) -> str:
    if isinstance(value, dict) and "attribute" in value:
        return f"{value['attribute']} {next((key for key in value if key != 'attribute'), '')}"
    return _name(value)


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
