"""The standard layout of a flag file: keys in the order of `order`, LF, no byte-order mark, no stray blanks.

Comments stay with the key they stand above or behind. Nothing is quoted, folded or indented anew: what
people chose to write on one line stays on one line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import OutsideError, RefusedError, UsageError
from flagctl.files import edit, marks
from flagctl.files.marks import Node
from flagctl.files.order import order_at
from flagctl.files.splice import Layout, Splice, splice
from flagctl.files.walk import classify

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from flagctl.files.walk import Tree

_STRAY = re.compile(r"[ \t]\n|\n\n(?:\n|\Z)|\A\n")
_ABOVE = re.compile(r"(?: *(?:#.*)?\n)+")
# A comment about what is below it: not the line by which editors find the schema.
_COMMENT = re.compile(r"[ ]*#(?!\s*yaml-language-server:)")


def fmt(text: str, *, ordered: bool = True) -> str:
    """`text` in the standard layout; fmt(fmt(text)) == fmt(text), and the data is the same.

    ordered: it is a flag's or a segment's file, whose keys have an order. A step that would change the
    data, such as moving an alias before its anchor, is left out. Raises RefusedError when the text can't
    be parsed.
    """
    edit.read(text)
    # Blanks first too: behind a block scalar they would become part of it.
    for step in (_line_ends, _blanks, _in_order, _blanks) if ordered else (_line_ends, _blanks):
        after = step(text)
        if after != text and _same(text, after):
            text = after
    return text


class Untidy(msgspec.Struct, frozen=True):
    """What `fmt` would do: the new texts by path, why some files were left alone, how many were looked at."""

    texts: dict[str, str]
    unreadable: dict[str, str]
    count: int


def untidy(tree: Tree, keys: Collection[str] = (), environment: str = "") -> Untidy:
    """The files that are not in the standard layout, of these flags (none: every file) in an environment ("": all).

    Raises UsageError for a key or an environment that no file has.
    """
    found, count, missing = Untidy({}, {}, 0), 0, set(keys)
    for entry in map(classify, tree.paths(f"flags/{environment}".rstrip("/"))):
        if entry.kind == "other" or (keys and (entry.kind != "flag" or entry.name not in keys)):
            continue
        count += 1
        missing.discard(entry.name)
        try:
            text = tree.read(entry.path).decode()
            tidy = fmt(text, ordered=entry.kind in ("flag", "segment"))
        except UnicodeDecodeError:
            found.unreadable[entry.path] = "it is not UTF-8"
        except (OutsideError, RefusedError) as error:
            found.unreadable[entry.path] = error.message
        else:
            if tidy != text:
                found.texts[entry.path] = tidy
    if missing or (environment and not count):
        what = f'no flag "{min(missing)}"' if missing else f'no environment "{environment}"'
        raise UsageError(what, hint="flagctl list shows what there is")
    return Untidy(found.texts, found.unreadable, count)


def _line_ends(text: str) -> str:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return text if text.endswith("\n") else text + "\n"


def _in_order(text: str) -> str:
    # One mapping at a time, outermost first, as each moves the marks of the others.
    done: set[tuple[str | int, ...]] = set()
    while _misplaced(edit.read(text), ()) and (root := marks.tree(text)):
        for where, node, order in _mappings(root, ()):
            if where not in done and (splices := _rearranged(text, root, node, order)):
                done.add(where)
                after = splice(text, splices)
                if _same(text, after):
                    text = after
                break
        else:
            break
    return text


def _misplaced(data: Any, where: tuple[str | int, ...]) -> bool:
    # The same question as below put to the data, which is read a hundred times faster than marks.
    if isinstance(data, list):
        return any(_misplaced(member, (*where, i)) for i, member in enumerate(data))
    if not isinstance(data, dict):
        return False
    if (order := order_at(where)) and list(data) != sorted(data, key=_rank(order)):
        return True
    return any(_misplaced(value, (*where, key)) for key, value in data.items())


def _rank(order: Sequence[str]) -> Callable[[str], int]:
    rank = {key: i for i, key in enumerate(order)}
    return lambda key: rank.get(key, len(order))


def _mappings(node: Node, where: tuple[str | int, ...]) -> Iterator[tuple[Any, Node, Sequence[str]]]:
    if node.kind == "map" and (order := order_at(where)):
        yield where, node, order
    for i, item in enumerate(node.items):
        yield from _mappings(item, (*where, node.keys[i].value if node.keys else i))


def _rearranged(text: str, root: Node, node: Node, order: Sequence[str]) -> list[Splice]:
    rank = _rank(order)
    wanted = sorted(range(len(node.keys)), key=lambda i: rank(node.keys[i].value))
    if wanted == list(range(len(node.keys))):
        return []
    if node.style == "flow":
        spans = [(key.start, item.end) for key, item in zip(node.keys, node.items, strict=True)]
        pieces = [text[start:end] for start, end in spans]
    else:
        spans = _chunks(text, root, node)
        indent = " " * marks.column(text, node.keys[0].start)
        pieces = [_above_at(indent, text[start:end]) for start, end in spans]
        if not _alone(text, spans[0][0]):
            # The first stands behind a dash: there no comment can stand above it, nor blanks before it.
            if pieces[wanted[0]].lstrip("\n ").startswith("#"):
                return []
            pieces[0] = indent + pieces[0]
            pieces[wanted[0]] = pieces[wanted[0]].lstrip("\n ")
    return [Splice(start, end, pieces[i]) for (start, end), i in zip(spans, wanted, strict=True)]


def _chunks(text: str, root: Node, node: Node) -> list[tuple[int, int]]:
    # Each entry with the comments and blank lines above it.
    layout = Layout(text, root, boolean=False)
    ends = [layout.entry_end(node, i) for i in range(len(node.keys))]
    start = layout.entry_start(node, 0)
    if _alone(text, start):
        start = marks.line_start(text, start)
        while start and _COMMENT.match(text, above := marks.line_start(text, start - 1)):
            start = above
    return list(zip([start, *ends[:-1]], ends, strict=True))


def _above_at(indent: str, piece: str) -> str:
    # The comments above a key at its column: deeper ones could fall into a block scalar.
    above = _ABOVE.match(piece)
    lines = above[0] if above else ""
    return re.sub("(?m)^ +(?=#)", indent, lines) + piece[len(lines) :]


def _alone(text: str, position: int) -> bool:
    return not text[marks.line_start(text, position) : position].strip()


def _same(before: str, after: str) -> bool:
    try:
        return repr(_unordered(edit.read(before), ())) == repr(_unordered(edit.read(after), ()))
    except RefusedError:
        return False


def _blanks(text: str) -> str:
    if not _STRAY.search(text):
        return text
    kept: set[int] = set()
    root = marks.tree(text)
    for node in root.walk() if root else ():
        if node.kind == "scalar":
            start, end = text.count("\n", 0, node.start), text.count("\n", 0, node.end)
            kept.update(range(start, end + (node.style in ("|", ">"))))
    lines: list[tuple[str, bool]] = []
    for number, line in enumerate(text.removesuffix("\n").split("\n")):
        if number in kept:
            lines.append((line, True))
        elif (bare := line.rstrip(" \t")) or (lines and lines[-1][0]):
            lines.append((bare, False))
    while lines and lines[-1] == ("", False):
        lines.pop()
    return "".join(f"{line}\n" for line, _ in lines)


def _unordered(data: Any, where: tuple[str | int, ...]) -> Any:
    # The order of a split's variants is part of what it says; that of a flag's fields is not.
    if isinstance(data, list):
        return [_unordered(member, (*where, i)) for i, member in enumerate(data)]
    if not isinstance(data, dict):
        return data
    items = [(key, _unordered(value, (*where, key))) for key, value in data.items()]
    return dict(sorted(items, key=lambda item: str(item[0])) if order_at(where) else items)
