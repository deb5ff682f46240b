"""The close look at one file that `read` takes when something in it is odd; slow, and it names the place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flagctl.files import marks
from flagctl.problems import Problem, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

EXACT = 2**53
"""Beyond this a double, which is every number of JavaScript, is no longer exact."""

_TAG = re.compile(r"(?:&\S+\s+)?(!\S*)")
_TAGS = {"!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"}
# yaml_rs and ruamel read `1_000` and `0b11` as numbers as YAML 1.1 did, YAML 1.2's core schema as text; `017` is
# 15 to YAML 1.1; yaml_rs drops `_` wherever it stands, ruamel doesn't
_ODD_NUMBER = re.compile(r"[-+]?0[0-9]+|[-+]?0[bBXO][0-9a-fA-F]+|[-+]0[xo][0-9a-fA-F]+|[-+]?\.[0-9]+[eE][-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:0[bBxXoO][0-9a-fA-F]+|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER = re.compile(r"[-+]?[0-9]+|0[xo][0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+")


def scrutinise(text: str, path: str) -> list[Problem]:
    """Numbers that readers disagree on or can't hold, tags, and aliases inside their own anchor."""
    tree = _tree(text, path)
    if isinstance(tree, Problem):
        return [tree]
    return list(_look(tree, text, path, ()))


def _tree(text: str, path: str) -> marks.Node | Problem:
    """The marked tree, or a problem: a few texts that yaml_rs takes are none to ruamel, a tab after «-» for one."""
    from ruamel.yaml.error import MarkedYAMLError

    try:
        tree = marks.tree(text)
    except MarkedYAMLError as error:
        line, column = (error.problem_mark.line + 1, error.problem_mark.column + 1) if error.problem_mark else (0, 0)
        message = f"not every YAML reader takes this: {error.problem}"
        return Problem(rule="yaml-syntax", message=message, file=path, line=line, column=column)
    return tree or marks.Node(kind="map", start=0, end=0)


def _look(node: marks.Node, text: str, path: str, inside: tuple[str, ...]) -> Iterator[Problem]:
    def problem(rule: str, message: str, hint: str) -> Problem:
        line, column = place(text, node.start)
        return Problem(rule=rule, message=message, file=path, hint=hint, line=line, column=column)

    if node.kind == "alias":
        if node.value in inside:
            yield problem("yaml-limits", f"the alias *{node.value} stands inside the value it repeats", "")
        return
    tag = _TAG.match(text, node.start)
    if tag and tag[1] not in _TAGS and node.end > tag.start(1):
        yield problem(
            "yaml-syntax", f"the tag {tag[1]} means nothing in a flag file", "quote a text that begins with !"
        )
    if node.kind == "scalar" and node.style == "" and (found := _number(node.value)):
        yield problem("yaml-number", *found)
    inside = (*inside, node.anchor) if node.anchor else inside
    for child in (*node.keys, *node.items):
        yield from _look(child, text, path, inside)


def _number(word: str) -> tuple[str, str] | None:
    """What is wrong with a bare word as a number: message and hint."""
    bare = word.replace("_", "")
    if _ODD_NUMBER.fullmatch(word) or (bare != word and _NUMBER.fullmatch(bare)):
        instead = f"write {int(bare)}, or " if bare.isdigit() else ""
        return f"{word} is read in different ways by different YAML readers", f'{instead}quote it: "{word}"'
    if _NO_NUMBER.fullmatch(word) or (_FLOAT.fullmatch(word) and float(word) in (float("inf"), float("-inf"))):
        return f"{word} is no number that can be served or compared", ""
    if _INTEGER.fullmatch(word) and abs(int(word, 0 if word[0] == "0" and len(word) > 1 else 10)) > EXACT:
        return f"{word} is beyond 2^53, where numbers are no longer exact everywhere", f'quote it: "{word}"'
    return None


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def duplicates(text: str, path: str) -> list[Problem]:
    """Each key that stands a second time in its mapping."""
    tree = _tree(text, path)
    if isinstance(tree, Problem):
        return [tree]
    problems = []
    for node in tree.walk():
        first: dict[str, int] = {}
        for key in node.keys:
            name = key.value if key.kind == "scalar" else text[key.start : key.end]
            if name in first:
                line, column = place(text, key.start)
                message = f'the key "{name}" stands here a second time; the first is on line {first[name]}'
                problems.append(
                    Problem(rule="duplicate-key", message=message, file=path, at_key=True, line=line, column=column)
                )
            else:
                first[name] = place(text, key.start)[0]
    return problems


def documents(text: str) -> list[int]:
    """The lines on which the documents of a YAML text begin, as far as ruamel can read it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    lines = []
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if type(event).__name__ == "DocumentStartEvent":
                lines.append(event.start_mark.line + 1)
    except MarkedYAMLError:
        pass  # the place of the second document is all that is asked for here
    return lines


def respell(data: Any, path: str, problems: list[Problem], where: str = "") -> Any:
    """The data with all keys as text: bare `true` and `false` by their names, others with a problem."""
    if isinstance(data, list):
        return [respell(value, path, problems, f"{where}/{i}") for i, value in enumerate(data)]
    if not isinstance(data, dict):
        return data
    spelled: dict[str, Any] = {}
    for key, value in data.items():
        name = _name(key)
        here = where + pointer(name)
        if not isinstance(key, (str, bool)):
            simple = isinstance(key, (int, float))
            message = f"expected text as a key, found the number {name}" if simple else "expected text as a key"
            hint = f'quote it: "{name}"' if simple else ""
            problems.append(
                Problem(rule="quote-it", message=message, file=path, pointer=here, at_key=True, hint=hint)
            )  # fmt: skip
        if name in spelled:
            message = f'the key "{name}" stands here twice, once in quotes'
            problems.append(Problem(rule="duplicate-key", message=message, file=path, pointer=here, at_key=True))
        spelled.setdefault(name, respell(value, path, problems, here))
    return spelled


def _name(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
