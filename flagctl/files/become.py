"""A YAML text made to say other data with as few edits as it takes, so that its comments stay.

What is new comes with its comments from another text, if that one says the same at the same place.
"""

from __future__ import annotations

from typing import Any

from flagctl.errors import RefusedError
from flagctl.files import edit, marks
from flagctl.files.marks import Node
from flagctl.files.merge import named, same
from flagctl.files.order import OUTCOMES
from flagctl.files.splice import Layout, Splice, splice

Place = tuple[str | int, ...]


def become(text: str, wanted: dict[str, Any], donor: str = "") -> str:
    """`text`, edited until its data is `wanted`; new parts as `donor` writes them, where it has them.

    Raises RefusedError where the text can't be edited, as when an alias shares a value.
    """
    work = _Work(text, donor)
    work.mapping((), wanted)
    if not same(edit.read(work.text), wanted):
        raise RefusedError("the file is laid out in a way that can't be edited in place", hint=edit.BY_HAND)
    return work.text


class _Work:
    def __init__(self, text: str, donor: str) -> None:
        self.text = text
        self.donor = donor
        self.given = edit.read(donor) if donor else {}

    def at(self, place: Place) -> Any:
        return _found(edit.read(self.text), place)

    def value(self, place: Place, wanted: Any) -> None:
        """The value at a place that exists."""
        old = self.at(place)
        if same(old, wanted, str(place[-1])):
            return
        if isinstance(old, dict) and isinstance(wanted, dict) and old and wanted and place[-1] not in ("split", "ramp"):
            self.mapping(place, wanted)
        elif isinstance(old, list) and isinstance(wanted, list) and old and wanted and named(old, wanted):
            self.list(place, wanted)
        elif isinstance(old, dict) and isinstance(wanted, dict) and list(old) == list(wanted):
            self.mapping(place, wanted)
        else:
            self.text = edit.replace(self.text, place, wanted)

    def mapping(self, place: Place, wanted: dict[str, Any]) -> None:
        """A mapping, entry by entry."""
        old = self.at(place)
        was, now = ([name for name in OUTCOMES if name in side] for side in (old, wanted))
        if place and was and now and was != now:
            self.text = edit.set_outcome(self.text, place, {now[0]: wanted[now[0]]})
            old = self.at(place)
        for name in [name for name in old if name not in wanted]:
            self.text = edit.delete(self.text, (*place, name))
        for name, value in wanted.items():
            if name in old:
                self.value((*place, name), value)
            else:
                self.text = self.grafted((*place, name), value) or edit.set_value(self.text, (*place, name), value)

    def list(self, place: Place, wanted: list[Any]) -> None:
        """A list whose members have names, member by member, and then in the order that is wanted."""
        found = named(self.at(place), wanted)
        assert found is not None
        names, members = list(found[0]), found[1]
        if not set(names) & members.keys():
            self.text = edit.replace(self.text, place, wanted)
            return
        for i in reversed(range(len(names))):
            if names[i] not in members:
                self.text = edit.delete(self.text, (*place, i))
                del names[i]
        for i, name in enumerate(names):
            self.value((*place, i), members[name])
        for name, value in members.items():
            if name not in names:
                place_there = (*place, len(names))
                self.text = self.grafted(place_there, value) or edit.append(self.text, place, value)
                names.append(name)
        if names != list(members):
            order = [names.index(name) for name in members]
            self.text = _reordered(self.text, place, order) or edit.replace(self.text, place, wanted)

    def grafted(self, place: Place, value: Any) -> str:
        """With the part of the donor that says `value`, its comments included; "" where that can't be done."""
        there = self._in_donor(place, value)
        if there is None:
            return ""
        try:
            text = _graft(self.text, place, self.donor, there)
            if text and same(_found(edit.read(text), place), value) and _rest(text, place) == _rest(self.text, place):
                return text
        except RefusedError:
            pass
        return ""

    def _in_donor(self, place: Place, value: Any) -> Place | None:
        """Where the donor says it: by the names on the way, for members of lists stand elsewhere there."""
        data, mine, there = self.given, edit.read(self.text), list[str | int]()
        for depth, part in enumerate(place):
            if isinstance(data, list):
                member = value if depth == len(place) - 1 else mine[part]
                both = named(data, [member])
                name = next(iter(both[1])) if both else None
                if both is None or name not in both[0]:
                    return None
                index = list(both[0]).index(name)
                there.append(index)
                data = data[index]
            elif isinstance(data, dict) and part in data:
                there.append(part)
                data = data[str(part)]
            else:
                return None
            mine = mine[part] if depth < len(place) - 1 else None
        return tuple(there) if same(data, value) else None


def _graft(text: str, place: Place, donor: str, there: Place) -> str:
    """An entry of the donor as an entry here, in lines of its own; "" where one of them is laid out on one line."""
    root, given = marks.tree(text), marks.tree(donor)
    assert root is not None
    assert given is not None
    mine, yours = _node(root, place[:-1]), _node(given, there[:-1])
    if mine is None or yours is None or mine.style != "block" or yours.style != "block" or not mine.items:
        return ""
    layout, theirs = Layout(text, root, boolean=True), Layout(donor, given, boolean=True)
    i = there[-1] if isinstance(there[-1], int) else [key.value for key in yours.keys].index(str(there[-1]))
    start, end = entry_lines(theirs, yours, i)
    indent = marks.column(donor, theirs.entry_start(yours, i))
    lines = donor[start:end].replace("\r\n", "\n").rstrip("\n").split("\n")
    if any(line.strip() and len(line) - len(line.lstrip(" ")) < indent for line in lines):
        return ""
    to = marks.column(text, layout.entry_start(mine, 0))
    block = layout.newline.join(" " * to + line[indent:] if line.strip() else "" for line in lines)
    at = len(mine.items)
    if isinstance(place[-1], str):
        keys = [key.value for key in mine.keys]
        at = edit.position(keys, place)
    where = layout.entry_end(mine, at - 1)
    new = layout.newline + block if where and text[where - 1] != "\n" else block + layout.newline
    return splice(text, [Splice(where, where, new)])


def _reordered(text: str, place: Place, order: list[int]) -> str:
    """The members of a list of lines in another order, each with the comments above it; "" if it is none."""
    root = marks.tree(text)
    assert root is not None
    node = _node(root, place)
    if node is None or node.style != "block" or any(item.kind == "alias" or item.anchor for item in node.walk()):
        return ""
    layout = Layout(text, root, boolean=True)
    starts = [entry_lines(layout, node, i)[0] for i in range(len(node.items))]
    ends = [*starts[1:], layout.entry_end(node, len(node.items) - 1)]
    if text[starts[0] : layout.entry_start(node, 0)].replace(" ", "").startswith("-"):
        return ""
    whole = text[starts[0] : ends[-1]]
    chunks = [
        text[a:b] if text[a:b].endswith("\n") else text[a:b] + layout.newline for a, b in zip(starts, ends, strict=True)
    ]
    new = "".join(chunks[i] for i in order)
    if not whole.endswith("\n"):
        new = new.removesuffix(layout.newline)
    after = splice(text, [Splice(starts[0], ends[-1], new)])
    members = _found(edit.read(text), place)
    return after if same(_found(edit.read(after), place), [members[i] for i in order]) else ""


def entry_lines(layout: Layout, parent: Node, i: int) -> tuple[int, int]:
    """Where the lines of an entry of a block collection begin and end, with the comments right above it."""
    text = layout.text
    first = layout.entry_start(parent, i)
    indent = marks.column(text, first)
    start = marks.line_start(text, first)
    while start:
        above = marks.line_start(text, start - 1)
        line = text[above:start]
        bare = line.lstrip(" ")
        if not bare.startswith("#") or len(line) - len(bare) != indent or "yaml-language-server" in bare:
            break
        start = above
    return start, layout.entry_end(parent, i)


def _node(root: Node, place: Place) -> Node | None:
    node = root
    for part in place:
        if node.kind == "list" and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        elif node.kind == "map" and part in (keys := [key.value for key in node.keys]):
            node = node.items[keys.index(str(part))]
        else:
            return None
    return node


def _found(data: Any, place: Place) -> Any:
    for part in place:
        data = data[part]
    return data


def _rest(text: str, place: Place) -> Any:
    """The data without what stands at a place."""
    data = edit.read(text)
    holder, last = _found(data, place[:-1]), place[-1]
    if isinstance(last, int):
        del holder[last:]
    else:
        holder.pop(last, None)
    return data
