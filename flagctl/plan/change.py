"""One change of a flag, a segment or an attribute, and how the parts of a change are said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from flagctl.model import words

_LISTED = 5
"""Names of a list that a sentence holds."""
_PLAIN = frozenset({str, int, bool, float, type(None)})
_encode = msgspec.json.Encoder().encode


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What became different in one place.

    path: the place as `flagctl set` takes it, members of lists by name where they have one; "" is the whole.
    old, new: plain data as the file has it, None where there is nothing. words: for people, one line.
    meaning: it is a change of what is served; false for what only people read and for another spelling.
    """

    path: str
    old: Any
    new: Any
    words: str
    meaning: bool = True


def same(old: object, new: object) -> bool:
    """Equal in type too: Python takes 1, 1.0 and true for one another, an evaluation does not."""
    if old is new:
        return True
    kind = type(old)
    if kind in _PLAIN:
        return kind is type(new) and old == new
    if kind is tuple and not old and type(new) is tuple:
        return not new
    return _encode(old) == _encode(new)


def moved(path: str, label: str, old: Any, new: Any, *, meaning: bool = True) -> list[Change]:
    """A single value that changed, came or went; nothing when it is the same."""
    if same(old, new):
        return []
    if old is None:
        said = f"{label} set to {shown(new)}"
    elif new is None:
        said = f"{label} removed, was {shown(old)}"
    else:
        said = f"{label} {shown(old)} → {shown(new)}"
    return [Change(path=path, old=old, new=new, words=said, meaning=meaning)]


def shown(value: Any) -> str:
    """A value in a sentence."""
    return listed(value) if isinstance(value, list | tuple) else words.value(value)


def listed(names: Sequence[Any]) -> str:
    """The first few, and how many more."""
    said = ", ".join(words.value(name) for name in names[:_LISTED])
    return f"{said} and {len(names) - _LISTED:,} more" if len(names) > _LISTED else said


def members(path: str, label: str, old: Sequence[Any], new: Sequence[Any], *, meaning: bool = True) -> list[Change]:
    """A list whose order means nothing: «country gained AT, lost DE»."""
    if same(old, new):
        return []
    gained, lost = _beyond(new, old), _beyond(old, new)
    parts = [f"gained {listed(gained)}"] if gained else []
    parts += [f"lost {listed(lost)}"] if lost else []
    return [
        Change(
            path=path,
            old=list(old) or None,
            new=list(new) or None,
            words=f"{label} {', '.join(parts) or 're-ordered'}",
            meaning=meaning and bool(parts),
        )
    ]


def _beyond(some: Iterable[Any], others: Iterable[Any]) -> list[Any]:
    known = {_encode(other) for other in others}
    return [one for one in some if _encode(one) not in known]
