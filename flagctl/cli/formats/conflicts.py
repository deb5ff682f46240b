"""Fields that two sides changed, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from flagctl.errors import RefusedError
from flagctl.model import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.cli.output import Output
    from flagctl.files.merge import Conflict


def refuse(
    out: Output, conflicts: Sequence[tuple[str, Conflict]], sides: tuple[str, str], what: str, hint: str = ""
) -> None:
    """Returns when there are none; else shows them on stderr and raises RefusedError."""
    if not conflicts:
        return
    for file, conflict in conflicts:
        out.say(f"{file}: {conflict.spelled} was changed on both sides")
        for name, value in zip(("before", *sides), (conflict.base, conflict.ours, conflict.theirs), strict=True):
            out.say(f"  {name + ':':<{max(map(len, ('before', *sides))) + 2}}{said(value)}")
    count = "one field" if len(conflicts) == 1 else f"{len(conflicts)} fields"
    raise RefusedError(
        f"{what}: {count} can't be decided, so nothing was changed",
        hint=hint or "change what is meant with flagctl set or edit",
    )


def said(value: Any) -> str:
    """A side of a conflict in words."""
    return "(not there)" if value is UNSET else words.value(value)
