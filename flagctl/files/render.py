"""Values as YAML text that readers of 1.1 and of 1.2 understand alike."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from flagctl.errors import UsageError
from flagctl.model import times

WIDTH = 100
"""A collection longer than this is not written on one line, where the surroundings allow lines."""

# What a 1.1 or a 1.2 reader takes for something else than text (yaml.org/type, YAML 1.2.2 chapter 10.3).
_NOT_TEXT = re.compile(
    r"~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?\.(?:inf|nan)"
    r"|[-+]?\.?[0-9][0-9_.,:]*(?:e[-+]?[0-9]+)?|[-+]?0[xob][0-9a-f_]*"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"""(?!\.\.\.)[^\s\-?:,\[\]{}#&*!|>'"%@`=~](?:[^\n\r\t:#]|:(?=\S)|(?<=\S)\#)*(?<!\s)""")
_FLOW = re.compile(r"[,\[\]{}:]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TIMES = frozenset({"expires_at", "at", "start", "before", "after"})
_VARIANTS = frozenset({"serve", "variant", "off_variant", "variants", "overrides", "split"})
_MEMBERS = frozenset({"when", "any", "all"})
_LINES = frozenset({"default", "overrides", "rules", "requires", "schedule"})


class Writer:
    """Writes values. `boolean` says that the flag's variants are `on` and `off`, which then stand unquoted."""

    def __init__(self, *, boolean: bool = False, step: int = 2, dash: int = 2) -> None:
        self.boolean = boolean
        self.step = step
        self.dash = dash

    def scalar(self, value: Any, under: str = "", *, flow: bool = False, like: str = "") -> str:
        """One scalar. under: the key it stands at; like: the text it replaces, whose quotes it keeps."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return _number(value)
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{text!r} is not valid Unicode text") from None
        if like[:1] == "'" and not _UNPRINTABLE.search(text):
            return "'" + text.replace("'", "''") + "'"
        if like[:1] != '"' and self._may_be_plain(text, under, flow, like):
            return text
        quoted = json.dumps(text, ensure_ascii=False)
        return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)

    def flow(self, value: Any, under: str = "") -> str:
        """A value on one line."""
        if isinstance(value, dict):
            return (
                "{" + ", ".join(f"{self.key(k, under, flow=True)}: {self.flow(v, k)}" for k, v in value.items()) + "}"
            )
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(self.flow(member) for member in value) + "]"
        return self.scalar(value, under, flow=True)

    def key(self, key: Any, under: str = "", *, flow: bool = False) -> str:
        """A key of the mapping that stands at `under`."""
        return self.scalar(key, under if under in _VARIANTS else "", flow=flow)

    def entry(self, key: Any, value: Any, indent: int, under: str = "") -> list[str]:
        """The lines of `key: value` in a mapping at column `indent`; the first without its indentation."""
        first, rest = self.value(value, indent, key)
        return [f"{self.key(key, under)}:{' ' if first else ''}{first}", *rest]

    def value(self, value: Any, indent: int, under: str, step: int = 0) -> tuple[str, list[str]]:
        """What follows `under:` on its line, and the lines below, for a key at column `indent`."""
        if not isinstance(value, (dict, list, tuple)):
            return self.scalar(value, under), []
        line = self.flow(value, under)
        if not value or (_is_flat(value) and under not in _LINES and len(line) <= WIDTH):
            return line, []
        if isinstance(value, dict):
            inner = indent + (step or self.step)
            lines = [part for k, v in value.items() for part in _indented(self.entry(k, v, inner, under), inner)]
            return "", lines
        inner = indent + self.dash
        return "", [part for member in value for part in _indented(self.item(member, inner, under), inner)]

    def item(self, value: Any, indent: int, under: str = "") -> list[str]:
        """The lines of `- value` with the dash at column `indent`; the first without its indentation."""
        if isinstance(value, dict) and value and not (under in _MEMBERS and len(self.flow(value)) <= WIDTH):
            inner = indent + 2
            lines = [part for k, v in value.items() for part in _indented(self.entry(k, v, inner), inner)]
            return [f"- {lines[0].lstrip(' ')}", *lines[1:]]
        return [f"- {self.flow(value) if isinstance(value, (dict, list, tuple)) else self.scalar(value)}"]

    def _may_be_plain(self, value: str, under: str, flow: bool, like: str) -> bool:
        if value in ("on", "off") and (like in ("on", "off") or (self.boolean and under in _VARIANTS)):
            return True
        if under in _TIMES and times.microseconds(value) is not None and " " not in value:
            return True
        if _UNPRINTABLE.search(value) or _NOT_TEXT.fullmatch(value) or not _PLAIN.fullmatch(value):
            return False
        return not (flow and _FLOW.search(value))


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise UsageError(f"{value} is no number a flag file can hold")
    text = repr(value)
    # 1.1 readers see text in an exponent without a point: 1e-05.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _is_flat(value: Any) -> bool:
    return not any(isinstance(v, (dict, list, tuple)) for v in (value.values() if isinstance(value, dict) else value))


def _indented(lines: list[str], indent: int) -> list[str]:
    return [" " * indent + lines[0], *lines[1:]]
