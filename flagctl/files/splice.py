"""The splices that replace, insert and delete one value of a YAML text, in block and in flow layout."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from flagctl.files import marks
from flagctl.files.marks import Node
from flagctl.files.render import Writer

_HEADER = re.compile(r"[|>][-+0-9]*([ \t]+#[^\r\n]*)?")
_COMMENT = re.compile(r"#[^\r\n]*")


class Splice(NamedTuple):
    """`text[start:end]` becomes `new`."""

    start: int
    end: int
    new: str


def splice(text: str, splices: list[Splice]) -> str:
    """The text with all splices made; they may not overlap."""
    for start, end, new in sorted(splices, reverse=True):
        text = text[:start] + new + text[end:]
    return text


class Layout:
    """Where things go in one text, laid out as the text is: its line ends, its indentation."""

    def __init__(self, text: str, root: Node, *, boolean: bool) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.writer = Writer(boolean=boolean, step=self._indentation(root, "map"), dash=self._indentation(root, "list"))

    def replace(self, parent: Node, node: Node, value: Any, *, under: str) -> list[Splice]:
        """`value` in the place of a node."""
        text, i = self.text, parent.items.index(node)
        scalar = not isinstance(value, (dict, list))
        in_flow = parent.style == "flow" or (node.style == "flow" and bool(node.items))
        if in_flow or (scalar and (node.kind == "scalar" or node.style == "flow")):
            if scalar:
                new = self.writer.scalar(value, under, flow=parent.style == "flow", like=text[node.start : node.end])
            else:
                new = self.writer.flow(value, under)
            if header := _HEADER.match(text, node.start) if node.style in ("|", ">") else None:
                new += header[1] or ""
            return [Splice(node.start, node.end, self._spaced(node, new))]
        if parent.kind == "list":
            indent = marks.column(text, self.entry_start(parent, i))
            first, *rest = self.writer.item(value, indent, under)
            return self._lines_instead(node, first.removeprefix("- "), rest, behind=None)
        colon = marks.skip_blank(text, parent.keys[i].end)
        indent = marks.column(text, parent.keys[i].start)
        step = marks.column(text, node.keys[0].start) - indent if node.style == "block" and node.keys else 0
        first, rest = self.writer.value(value, indent, under, step)
        return self._lines_instead(node, first, rest, behind=colon + 1)

    def insert_entry(self, parent: Node, at: int, key: Any, value: Any, *, under: str) -> list[Splice]:
        """`key: value` as entry number `at` of a mapping that is not empty."""
        if parent.style == "flow":
            return self._insert_flow(
                parent, at, f"{self.writer.key(key, under, flow=True)}: {self.writer.flow(value, key)}"
            )
        indent = marks.column(self.text, self.entry_start(parent, 0))
        return self._insert_lines(parent, at, self.writer.entry(key, value, indent, under), indent)

    def insert_item(self, parent: Node, value: Any, *, under: str) -> list[Splice]:
        """`value` behind the last member of a list that is not empty."""
        last = parent.items[-1]
        if parent.style == "flow":
            return self._insert_flow(parent, len(parent.items), self.writer.flow(value))
        indent = marks.column(self.text, self.entry_start(parent, 0))
        if last.style == "flow" and last.kind != "scalar":
            lines = [f"- {self.writer.flow(value)}"]
        else:
            lines = self.writer.item(value, indent, under)
        return self._insert_lines(parent, len(parent.items), lines, indent)

    def delete(self, parent: Node, i: int) -> list[Splice]:
        """Without entry number `i`, its trailing comment and the comments inside it."""
        if len(parent.items) == 1:
            return self._empty(parent)
        if parent.style == "flow":
            return self._delete_flow(parent, i)
        text, start, end = self.text, self.entry_start(parent, i), self.entry_end(parent, i)
        if not text[marks.line_start(text, start) : start].strip(" \ufeff"):
            return [Splice(start - marks.column(text, start), end, "")]
        # The first entry shares its line with a dash: what comes next moves up to it.
        rest = text[end:]
        return [Splice(start, end + len(rest) - len(rest.lstrip(" \r\n")), "")]

    def _lines_instead(self, node: Node, first: str, rest: list[str], *, behind: int | None) -> list[Splice]:
        # `behind` is the end of the key's colon: there the first text goes when the old value began below.
        text = self.text
        below = "".join(self.newline + line for line in rest)
        if behind is not None and marks.line_start(text, node.start) > behind:
            end_of_key, end_of_value = marks.line_end(text, behind), marks.line_end(text, node.end)
            return [Splice(behind, behind, " " + first if first else ""), Splice(end_of_key, end_of_value, below)]
        if node.style == "block" and node.kind != "scalar":
            return [Splice(node.start, marks.line_end(text, node.end), first + below)]
        start = node.start if first or behind is None else behind
        first = self._spaced(node, first) if first else ""
        end = marks.line_end(text, node.end)
        return [Splice(start, node.end, first), *([Splice(end, end, below)] if below else [])]

    def _insert_lines(self, parent: Node, at: int, lines: list[str], indent: int) -> list[Splice]:
        block = self.newline.join([" " * indent + lines[0], *lines[1:]])
        where = self.entry_end(parent, at - 1)
        if where and self.text[where - 1] != "\n":
            return [Splice(where, where, self.newline + block)]
        return [Splice(where, where, block + self.newline)]

    def _insert_flow(self, parent: Node, at: int, new: str) -> list[Splice]:
        text, items = self.text, parent.items
        begin = self.entry_start(parent, at - 1)
        own_line = not text[marks.line_start(text, begin) : begin].strip()
        before = items[at - 1].end
        comma = marks.skip_blank(text, before)
        if not own_line:
            return [Splice(before, before, f", {new}")]
        line = self.newline + " " * marks.column(text, begin) + new
        if text[comma] == ",":
            end = marks.line_end(text, comma)
            if text[comma + 1 : end].strip() and not text[comma + 1 : end].strip().startswith("#"):
                return [Splice(comma + 1, comma + 1, f" {new},")]
            return [Splice(end, end, line + ",")]
        end = marks.line_end(text, before)
        if not text[before:end].strip().startswith("#"):
            end = before
        return [Splice(before, before, ","), Splice(end, end, line)]

    def _delete_flow(self, parent: Node, i: int) -> list[Splice]:
        text, items = self.text, parent.items
        start, end = self.entry_start(parent, i), items[i].end
        comma = marks.skip_blank(text, end)
        has_comma = text[comma] == ","
        stop = comma + 1 if has_comma else end
        rest = text[stop : marks.line_end(text, stop)].strip()
        if not text[marks.line_start(text, start) : start].strip() and (not rest or rest.startswith("#")):
            return [Splice(marks.line_start(text, start), marks.next_line(text, stop), "")]
        if i == len(items) - 1 and not _COMMENT.search(text, items[i - 1].end, start):
            return [Splice(items[i - 1].end, end, "")]
        while has_comma and text[stop] == " ":
            stop += 1
        return [Splice(start, stop, "")]

    def _empty(self, parent: Node) -> list[Splice]:
        new = "{}" if parent.kind == "map" else "[]"
        if parent.style == "flow":
            return [Splice(parent.start, parent.end, new)]
        start = self.entry_start(parent, 0)
        text = self.text
        behind = len(text[:start].rstrip(" \r\n"))
        if text[behind - 1] == ":":
            return [Splice(behind, parent.end, f" {new}")]
        return [Splice(start, parent.end, new)]

    def entry_start(self, parent: Node, i: int) -> int:
        """The first character of an entry: its key's, or its dash."""
        if parent.kind == "map":
            return parent.keys[i].start
        if parent.style == "flow":
            return parent.items[i].start
        return marks.skip_blank(self.text, parent.items[i - 1].end if i else parent.start)

    def entry_end(self, parent: Node, i: int) -> int:
        """Where the line after an entry of a block collection begins, comments indented deeper included."""
        text = self.text
        indent = marks.column(text, self.entry_start(parent, i))
        end = position = marks.next_line(text, max(parent.items[i].end - 1, self.entry_start(parent, i)))
        while position < len(text):
            stop = marks.line_end(text, position)
            line = text[position:stop]
            bare = line.lstrip(" ")
            if bare and not (bare.startswith("#") and len(line) - len(bare) > indent):
                break
            position = marks.next_line(text, position)
            if bare:
                end = position
        return end

    def _spaced(self, node: Node, new: str) -> str:
        # A missing value is marked right behind its colon or dash.
        missing = node.start == node.end and self.text[node.start - 1 : node.start] != " "
        return f" {new}" if missing else new

    def _indentation(self, root: Node, kind: str) -> int:
        # How far maps, or the dashes of lists, are indented under their key: as most of the file does it.
        found = [
            marks.column(self.text, self.entry_start(item, 0)) - marks.column(self.text, key.start)
            for node in root.walk()
            for key, item in zip(node.keys, node.items, strict=False)
            if node.style == item.style == "block" and item.kind == kind
        ]
        return max(found, key=found.count, default=2)
