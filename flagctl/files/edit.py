"""Changing one value of a YAML text and nothing around it.

Text is spliced at the marks of the parsed values, because a round trip through a YAML library re-lays the
whole file. Each change is computed twice, on the text and on the data; the new text is parsed, and if it
does not say exactly the new data nothing is changed.

A value's place is a list of parts: keys, and for members of a list their index, their name (a rule's
`name`, a requirement's `flag`, a schedule entry's `at`), or `-` for one behind the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from flagctl.errors import RefusedError, UsageError
from flagctl.files import marks
from flagctl.files.marks import Node
from flagctl.files.order import BESIDE, OUTCOMES, order_at, place
from flagctl.files.render import Writer
from flagctl.files.splice import Layout, Splice, splice
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

BY_HAND = "change it with `flagctl edit KEY -e ENV`"
_NAMES = ("name", "flag", "at")
Place = list[str | int]
Parts: TypeAlias = "Sequence[str | int]"


def set_value(text: str, parts: Parts, value: Any) -> str:
    """`value` at `parts`, created with the mappings around it if missing.

    A mapping set where one stands is compared key by key, so that what stays the same keeps its comments
    and its order (the order of a split's variants decides who gets which).
    """
    document = _Document(text)
    where = document.resolve(parts)
    old = document.get(where)
    if old is not _MISSING and repr(old) == repr(value):
        return text
    if isinstance(old, dict) and isinstance(value, dict) and set(old) & set(value):
        for key in [k for k in old if k not in value]:
            text = delete(text, [*where, str(key)])
        for key, member in value.items():
            text = set_value(text, [*where, str(key)], member)
        return text
    return document.replace(where, value) if old is not _MISSING else document.insert(where, value)


def replace(text: str, parts: Parts, value: Any) -> str:
    """`value` in the place of all that stands at `parts`."""
    document = _Document(text)
    return document.replace(document.resolve(parts), value)


def position(keys: Sequence[str], parts: Parts) -> int:
    """Which number a new entry at `parts` has among the entries there are."""
    return place(keys, str(parts[-1]), order_at(parts[:-1]))


def set_outcome(text: str, parts: Parts, outcome: dict[str, Any]) -> str:
    """What the mapping at `parts` (`default`, a rule) serves: exactly one of serve, rollout, split and ramp.

    The new outcome takes the old one's place and trailing comment. `salt` and the like stay where the new
    outcome may have them.
    """
    document = _Document(text)
    where = document.resolve(parts)
    old = document.get(where)
    if not isinstance(old, dict) or not old:
        return set_value(text, where, outcome)
    new = next(key for key in outcome if key in OUTCOMES)
    present = [key for key in old if key in OUTCOMES]
    if present and new not in present:
        text = document.replace_entry([*where, present[0]], new, outcome[new])
        present = present[1:]
    else:
        text = set_value(text, [*where, new], outcome[new])
    allowed = {new, *BESIDE[new]}
    for key in [k for k in old if k in {*present, "bucket_by", "salt", "experiment"} and k not in allowed]:
        text = delete(text, [*where, key])
    for key in [k for k in outcome if k != new]:
        text = set_value(text, [*where, key], outcome[key])
    return text


def append(text: str, parts: Parts, value: Any) -> str:
    """`value` behind the last member of the list at `parts`, which is created if missing."""
    return set_value(text, [*parts, "-"], value)


def delete(text: str, parts: Parts, *, prune: bool = False) -> str:
    """Without the value at `parts`; raises UsageError where there is none.

    prune: a list or mapping that would be left empty goes too, and so on upwards.
    """
    document = _Document(text)
    where = document.resolve(parts)
    if document.get(where) is _MISSING:
        raise UsageError(f"nothing at {_spelled(where)} to remove")
    while prune and len(where) > 1 and len(document.get(where[:-1])) == 1:
        where = where[:-1]
    return document.delete(where)


def remove_item(text: str, parts: Parts, value: Any) -> str:
    """The list at `parts` without the members equal to `value`; an emptied list goes with its key."""
    document = _Document(text)
    members = document.get(document.resolve(parts))
    for i in reversed([i for i, member in enumerate(members) if repr(member) == repr(value)]):
        text = delete(text, [*parts, i], prune=True)
    return text


def read(text: str) -> Any:
    """The data of a YAML text that has been checked before; raises RefusedError when it can't be edited."""
    from flagctl.files.read import load

    data, problems = load(text.encode(), "")
    if data is None:
        raise RefusedError(f"the file can't be edited in place: {problems[0].message}", hint=BY_HAND)
    return data


_MISSING: Any = object()


class _Document:
    def __init__(self, text: str) -> None:
        self.text = text
        self.data = read(text)
        self.root = marks.tree(text)
        if not self.data or self.root is None:
            raise RefusedError("the file holds no mapping, so there is nothing to edit", hint=BY_HAND)
        boolean = self.data.get("type", "boolean") == "boolean"
        self.layout = Layout(text, self.root, boolean=boolean)
        self.writer: Writer = self.layout.writer

    def resolve(self, parts: Parts) -> Place:
        """The parts as keys of the data and indices of lists."""
        where: Place = []
        data, node = self.data, self.root
        for part in parts:
            if isinstance(data, list):
                part = _index(data, part, where)
                data = data[part] if part < len(data) else _MISSING
            elif isinstance(data, dict):
                # `true` as a key is found by its spelling; the data may hold a boolean there.
                part = next((k for k, n in zip(data, node.keys if node else [], strict=False)
                             if k == part or (not isinstance(k, str) and n.value == part)), part)  # fmt: skip
                data = data.get(part, _MISSING)
            elif data is not _MISSING and data is not None:
                raise UsageError(f"{_spelled(where)} is a single value, it has no {part}")
            node = self._child(node, where, part)
            where.append(part)
        return where

    def get(self, where: Place) -> Any:
        """The value at a resolved place, or _MISSING."""
        data = self.data
        for part in where:
            try:
                data = data[part]
            except (KeyError, IndexError, TypeError):
                return _MISSING
        return data

    def node(self, where: Place) -> Node:
        """The marks of the value at a resolved place that exists; refuses to go through an alias."""
        node: Node | None = self.root
        for i, part in enumerate(where):
            node = self._child(node, where[:i], part)
            if node is None:
                raise RefusedError(f"{_spelled(where)} is laid out in a way that can't be edited", hint=BY_HAND)
            if node.kind == "alias":
                raise RefusedError(
                    f"{_spelled(where[: i + 1])} is the YAML alias *{node.value}, which shares another value",
                    hint=BY_HAND,
                )
            self._refuse_shared(node, where[: i + 1], whole=i == len(where) - 1)
        assert node is not None
        return node

    def replace(self, where: Place, value: Any) -> str:
        """Another value at an existing place."""
        parent, node = self.node(where[:-1]), self.node(where)
        splices = self.layout.replace(parent, node, value, under=_under(where))
        return self._verified(splices, _put(self.data, where, value))

    def replace_entry(self, where: Place, key: str, value: Any) -> str:
        """Another key, and value, in the place of an existing entry of a mapping."""
        parent, node = self.node(where[:-1]), self.node(where)
        old = parent.keys[parent.items.index(node)]
        if old.anchor:
            raise RefusedError(f"the key {_spelled(where)} carries a YAML anchor", hint=BY_HAND)
        spelled = self.writer.key(key, _under(where[:-1]), flow=parent.style == "flow")
        splices = [Splice(old.start, old.end, spelled), *self.layout.replace(parent, node, value, under=key)]
        mapping = self.get(where[:-1])
        renamed = {(key if k == where[-1] else k): (value if k == where[-1] else v) for k, v in mapping.items()}
        return self._verified(splices, _put(self.data, where[:-1], renamed))

    def insert(self, where: Place, value: Any) -> str:
        """A value at a place that is missing, with whatever is missing around it."""
        there = len(where) - 1
        while self.get(where[:there]) is _MISSING:
            there -= 1
        for part in reversed(where[there + 1 :]):
            value = [value] if isinstance(part, int) or part == "-" else {part: value}
        base, new = where[:there], where[there]
        old = self.get(base)
        if not isinstance(old, (dict, list)) or not old:
            whole = [value] if isinstance(old, list) or new == "-" else {new: value}
            return self.replace(base, whole)
        if isinstance(old, list):
            splices = self.layout.insert_item(self.node(base), value, under=_under(base))
            return self._verified(splices, _put(self.data, base, [*old, value]))
        keys = [str(key) for key in old]
        at = place(keys, str(new), order_at(base))
        splices = self.layout.insert_entry(self.node(base), at, new, value, under=_under(base))
        entries = list(old.items())
        return self._verified(splices, _put(self.data, base, dict([*entries[:at], (new, value), *entries[at:]])))

    def delete(self, where: Place) -> str:
        """Without an existing value."""
        parent, node = self.node(where[:-1]), self.node(where)
        splices = self.layout.delete(parent, parent.items.index(node))
        siblings = self.get(where[:-1])
        if isinstance(siblings, dict):
            left: Any = {k: v for k, v in siblings.items() if k != where[-1]}
        else:
            left = [v for i, v in enumerate(siblings) if i != where[-1]]
        return self._verified(splices, _put(self.data, where[:-1], left))

    def _child(self, node: Node | None, where: Parts, part: str | int) -> Node | None:
        if node is None or node.kind not in ("map", "list"):
            return None if node is None or node.kind != "alias" else node
        if isinstance(part, int):
            return node.items[part] if part < len(node.items) else None
        data = self.get(list(where))
        keys = list(data) if isinstance(data, dict) else []
        if len(keys) != len(node.keys):
            return None
        return node.items[keys.index(part)] if part in keys else None

    def _refuse_shared(self, node: Node, where: Place, *, whole: bool) -> None:
        within = node.walk() if whole else iter([node])
        anchors = {n.anchor for n in within if n.anchor}
        assert self.root is not None
        for other in self.root.walk():
            if (
                other.kind == "alias"
                and other.value in anchors
                and not (whole and node.start <= other.start < node.end)
            ):
                raise RefusedError(
                    f"{_spelled(where)} carries the YAML anchor &{other.value}, which is used elsewhere in the file",
                    hint=BY_HAND,
                )

    def _verified(self, splices: list[Splice], expected: Any) -> str:
        text = splice(self.text, splices)
        try:
            found = read(text)
        except RefusedError:
            found = _MISSING
        if repr(found) != repr(expected):
            raise RefusedError("the file is laid out in a way that can't be edited in place", hint=BY_HAND)
        return text


def _index(members: list[Any], part: str | int, where: Parts) -> int:
    if part == "-":
        return len(members)
    names = [str(next((m[k] for k in _NAMES if k in m), "")) if isinstance(m, dict) else "" for m in members]
    if isinstance(part, str) and part in names:
        return names.index(part)
    if str(part).isdecimal() and int(part) < len(members):
        return int(part)
    known = [name for name in names if name]
    hint = did_you_mean(str(part), known) or (f"there are {', '.join(known)}" if known else "")
    raise UsageError(f'{_spelled(where)} has no member "{part}"', hint=hint)


def _put(data: Any, where: Place, value: Any) -> Any:
    # Copies only along the way, so that data which an alias shares is not changed everywhere.
    if not where:
        return value
    head, rest = where[0], where[1:]
    if isinstance(data, list):
        return [_put(member, rest, value) if i == head else member for i, member in enumerate(data)]
    return {k: (_put(v, rest, value) if k == head else v) for k, v in data.items()}


def _under(where: Parts) -> str:
    return str(where[-1]) if where and isinstance(where[-1], str) else ""


def _spelled(where: Parts) -> str:
    return "/".join(map(str, where)) or "the file"
