"""Where each value of a YAML text begins and ends, to the character.

ruamel's events carry exact marks, except that a block collection's end is where the next token begins;
here it is the end of its last value. Aliases stay aliases, so their place is known too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_BREAKS = re.compile(r"[\r\n]*\Z")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")


class Node(msgspec.Struct, kw_only=True):
    """One value; `text[start:end]` is all of it, its anchor and tag included.

    style: of a scalar its first character if quoted or a block (`"`, `'`, `|`, `>`) and "" if plain;
        of a collection "flow" or "block".
    items: a list's members or a mapping's values; keys: a mapping's keys, as many as items.
    """

    kind: Literal["scalar", "map", "list", "alias"]
    start: int
    end: int
    style: str = ""
    anchor: str = ""
    value: str = ""
    keys: list[Node] = []
    items: list[Node] = []

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the text."""
        yield self
        for i, item in enumerate(self.items):
            if self.keys:
                yield from self.keys[i].walk()
            yield from item.walk()


def tree(text: str) -> Node | None:
    """The marked tree of a YAML text that is known to parse, None when it is empty."""
    from ruamel.yaml import YAML

    events = iter(YAML(typ="safe", pure=True).parse(text))
    for event in events:
        if type(event).__name__ == "DocumentStartEvent":
            return _node(next(events), events, text)
    return None


def skip_blank(text: str, position: int) -> int:
    """The next character at or after `position` that is neither blank nor in a comment."""
    found = _BLANK.match(text, position)
    return found.end() if found else position


def line_start(text: str, position: int) -> int:
    """Where the line of `position` begins."""
    return text.rfind("\n", 0, position) + 1


def line_end(text: str, position: int) -> int:
    """Where the line of `position` ends, before its line break."""
    end = text.find("\n", position)
    if end < 0:
        return len(text)
    return end - 1 if end > position and text[end - 1] == "\r" else end


def next_line(text: str, position: int) -> int:
    """Where the line after that of `position` begins, or the end of the text."""
    return text.find("\n", position) + 1 or len(text)


def column(text: str, position: int) -> int:
    """How many characters stand before `position` in its line, a byte-order mark not counted."""
    start = line_start(text, position)
    return position - start - text.startswith("\ufeff", start)


def _node(event: Any, events: Iterator[Any], text: str) -> Node:
    name = type(event).__name__
    start, end = event.start_mark.index, event.end_mark.index
    if name == "AliasEvent":
        return Node(kind="alias", start=start, end=end, value=event.anchor)
    anchor = event.anchor or ""
    if name == "ScalarEvent":
        style = event.style or ""
        if style in ("|", ">") and "+" not in text[start:end].split("\n", 1)[0].partition("#")[0]:
            end -= len(_BREAKS.search(text[start:end])[0])  # type: ignore[index]  # it matches the empty text too
        return Node(kind="scalar", start=start, end=end, style=style, anchor=anchor, value=event.value)
    node = Node(
        kind="map" if name == "MappingStartEvent" else "list",
        start=start,
        end=end,
        style="flow" if event.flow_style else "block",
        anchor=anchor,
        keys=[],
        items=[],
    )
    for child in events:
        if type(child).__name__ in ("MappingEndEvent", "SequenceEndEvent"):
            if node.style == "flow" or not node.items:
                node.end = child.end_mark.index
            break
        if node.kind == "map":
            node.keys.append(_node(child, events, text))
            child = next(events)
        before = node.keys[-1].end if node.keys else node.end if node.items else start
        item = _node(child, events, text)
        if item.kind == "scalar" and item.start == item.end:
            # ruamel marks a missing value at the next token; its place is behind the colon or dash.
            item.start = item.end = _behind_indicator(text, before)
        node.items.append(item)
        node.end = item.end
    return node


def _behind_indicator(text: str, position: int) -> int:
    found = skip_blank(text, position)
    return found + 1 if text[found : found + 1] in (":", "-") else position
