"""One version of a file after the other: what is spelled as in the last is neither parsed nor converted again.

Of the versions that a history holds each differs from the one before in a line or two, and YAML is what takes longest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import re2

from flagctl.files import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagctl.files.convert import Converter
    from flagctl.problems import Problem

_FIELD = re.compile(rb"\n(?=[a-z_]+:)")
_HEAD = re.compile(rb"(?:#[^\n]*\n|\n)*")
# A line that begins at the margin with anything but a field's name, a comment, or a member of a list; anchors and
# aliases. Where there is none, and each name has become a key, no field reaches into the next.
_DEPENDENT = re2.compile(
    rb"\n(?:[^a-z_# \n-]|-[^ \n]|[a-z_]+(?:[^a-z_:]|:[^ \n]))"
    rb"|[\s\[{,:-][&*]"
)
_encode = msgspec.msgpack.Encoder().encode


class Pieces:
    """Parts of the last version. Both methods answer as they would without it, only sooner."""

    def __init__(self) -> None:
        self._fields: dict[bytes, tuple[str, Any]] = {}
        self._converted: dict[str, tuple[Any, bool, Any]] = {}

    def load(self, raw: bytes, path: str) -> tuple[dict[str, Any] | None, list[Problem]]:
        """See read.load. A field with the same text is the same object as in the last version."""
        data = self._pieced(raw)
        return read.load(raw, path) if data is None else (data, [])

    def _pieced(self, raw: bytes) -> dict[str, Any] | None:
        """The data of a file of independent fields, None where it may be no such file."""
        if not raw.endswith(b"\n") or _DEPENDENT.search(b"\n" + raw) or not read.is_plain(raw):
            return None
        known, begin = self._fields, _HEAD.match(raw).end()  # type: ignore[union-attr]  # it matches nothing, too
        texts = _FIELD.split(raw[begin:-1])
        new = [text for text in texts if text not in known]
        found = read.plain(b"\n".join(new) + b"\n") if new else {}
        if found is None or list(found) != [text.partition(b":")[0].decode() for text in new]:
            return None
        parsed = dict(zip(new, found.items(), strict=True))
        fields = {text: known.get(text) or parsed[text] for text in texts}
        data = dict(fields.values())
        if len(data) < len(texts):
            return None
        self._fields = fields
        return data

    def convert(self, name: str, data: Any, convert: Converter, make: Callable[[], Any]) -> Any:
        """`make()`, or what it made last under this name of the same data, unless that had a problem."""
        last = self._converted.get(name)
        if last is not None and last[1] == convert.boolean and (last[0] is data or _encode(last[0]) == _encode(data)):
            return last[2]
        before = len(convert.problems)
        made = make()
        if len(convert.problems) == before:
            self._converted[name] = data, convert.boolean, made
        return made
