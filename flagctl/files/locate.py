"""Where a JSON pointer's value stands in a YAML text; asked only when a problem is shown."""

from __future__ import annotations

from functools import lru_cache

from flagctl.files import marks
from flagctl.problems import parts_of


def locate(text: str, pointer: str, at_key: bool = False) -> tuple[int, int, int]:
    """Line, column and end column (all from 1, the end exclusive) of what `pointer` names.

    at_key: of its key rather than its value. Where the pointer leads nowhere, the nearest parent stands
    in; a text that can't be parsed answers with its first character. A value of several lines ends
    with its first line.
    """
    root = _tree(text)
    if root is None:
        return 1, 1, 1
    node, key = root, None
    for part in parts_of(pointer):
        step = _step(node, part, root)
        if step is None:
            break
        node, key = step
    else:
        if at_key and key is not None:
            node = key
    line = text.count("\n", 0, node.start) + 1
    first = text.rfind("\n", 0, node.start) + 1
    shown = text[node.start : node.end].splitlines() or [""]
    return line, node.start - first + 1, node.start - first + 1 + max(len(shown[0].rstrip()), 1)


def _step(node: marks.Node, part: str, root: marks.Node) -> tuple[marks.Node, marks.Node | None] | None:
    """The member `part` of a collection and its key; an alias is looked up where its anchor stands."""
    if node.kind == "alias":
        anchored = [other for other in root.walk() if other.anchor == node.value and other.start < node.start]
        if not anchored:
            return None
        node = anchored[-1]
    if node.kind == "map":
        members: dict[str, tuple[marks.Node, marks.Node]] = {}
        for key, value in zip(node.keys, node.items, strict=True):
            members.setdefault(_name(key), (value, key))
        return members.get(part) or members.get(_SPELLED.get(part, ""))
    if node.kind == "list" and part.isascii() and part.isdigit() and int(part) < len(node.items):
        return node.items[int(part)], None
    return None


def _name(key: marks.Node) -> str:
    word = key.value
    return word.lower() if key.style == "" and word.lower() in ("true", "false") else word


_SPELLED = {"on": "true", "off": "false"}
"""How a boolean flag's file may spell the variants that the model, and so a pointer, calls `on` and `off`."""


@lru_cache(maxsize=16)
def _tree(text: str) -> marks.Node | None:
    from ruamel.yaml.error import YAMLError

    try:
        return marks.tree(text)
    except (YAMLError, RecursionError, ValueError):
        return None
