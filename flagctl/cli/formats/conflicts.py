"""Fields that two sides changed, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET

from flagctl.errors import RefusedError
from flagctl.model import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.cli.output import Output
    from flagctl.files.merge import Conflict


def asker(out: Output, source: str, target: str) -> Callable[[str, Conflict], Literal["source", "target"] | None]:
    """What asks the person at the terminal, field by field; where nobody is there, nothing is decided.

    Raises RefusedError when the person would rather stop.
    """
    answers: dict[str, Literal["source", "target"]] = {"s": "source", "source": "source", "t": "target"}
    answers |= {"target": "target", source.lower(): "source", target.lower(): "target"}

    def ask(file: str, conflict: Conflict) -> Literal["source", "target"] | None:
        if not out.interactive:
            return None
        _side_by_side(out, file, conflict, (target, source))
        while (said := out.ask(f"take it from {source} (s), keep {target}'s (t), or stop (q)?").lower()) not in answers:
            if said in ("q", "quit", "stop"):
                raise RefusedError("stopped: nothing was changed")
        return answers[said]

    return ask


def refuse(
    out: Output, conflicts: Sequence[tuple[str, Conflict]], sides: tuple[str, str], what: str, hint: str = ""
) -> None:
    """Returns when there are none; else shows them on stderr and raises RefusedError."""
    if not conflicts:
        return
    for file, conflict in conflicts:
        _side_by_side(out, file, conflict, sides)
    count = "one field" if len(conflicts) == 1 else f"{len(conflicts)} fields"
    raise RefusedError(
        f"{what}: {count} can't be decided, so nothing was changed",
        hint=hint or "change what is meant with flagctl set or edit",
    )


def _side_by_side(out: Output, file: str, conflict: Conflict, sides: tuple[str, str]) -> None:
    out.say(f"{file}: {conflict.spelled} was changed on both sides")
    for name, value in zip(("before", *sides), (conflict.base, conflict.ours, conflict.theirs), strict=True):
        out.say(f"  {name + ':':<{max(map(len, ('before', *sides))) + 2}}{said(value)}")


def said(value: Any) -> str:
    """A side of a conflict in words."""
    return "(not there)" if value is UNSET else words.value(value)
