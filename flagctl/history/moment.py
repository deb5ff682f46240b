"""When something was: a date, «3 days ago», a revision or a flag's version, as a commit and a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import RefusedError, UsageError
from flagctl.history.git import DEEPEN
from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.history.git import Git

_AGO = re.compile(r"(?:(\d{1,6})|an?)[ .]?(second|minute|hour|day|week|month|year)s?(?:[ .]ago)?", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_HINT = "a revision, 2026-11-01, 2026-11-01T09:00:00Z, '3 days ago', or @v7 for a flag's version"


class At(msgspec.Struct, frozen=True):
    """A commit on the first-parent history, and the clock of then: the date asked for, else the commit's own time."""

    commit: str
    time: float


def moment(text: str, now: float) -> float | None:
    """Seconds since the epoch of a date with a zone, a date alone (its midnight UTC) or a time ago; else None."""
    micro = times.microseconds(text)
    if micro is not None:
        return micro / 1_000_000
    said = text.strip().lower()
    if said in ("now", "today", "yesterday"):
        return now - (86_400 if said == "yesterday" else 0)
    found = _AGO.fullmatch(said)
    if found is None:
        return None
    count, unit = int(found[1] or 1), found[2].lower()
    if unit in _SECONDS:
        return now - count * _SECONDS[unit]
    return _months_before(now, count * (12 if unit == "year" else 1))


def _months_before(now: float, months: int) -> float | None:
    then = datetime.fromtimestamp(now, UTC)
    years, month = divmod(then.year * 12 + then.month - 1 - months, 12)
    if years < 1970:
        return None
    first = then.replace(year=years, month=month + 1, day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(then.day, (following - timedelta(days=1)).day)).timestamp()


def required(text: str, now: float) -> float:
    """The same; raises UsageError for what is no time."""
    found = moment(text, now)
    if found is None:
        raise UsageError(f'"{text}" is no time', hint="2026-11-01, 2026-11-01T09:00:00Z, or '3 days ago'")
    return found


def at(git: Git, text: str, now: float) -> At:
    """The commit that REV or DATE means, and its clock. Dates win; a tag of such a name is refs/tags/NAME.

    Raises UsageError for what is neither, RefusedError for a date before what a shallow clone holds.
    """
    time = moment(text, now)
    if time is None:
        return _revision(git, text)
    status, found, _ = git.look("rev-list", "--max-count=1", "--first-parent", f"--before=@{int(time // 1)}", "HEAD")
    if status:
        git.require_commit()
    if not found:
        if git.shallow:
            raise RefusedError(
                f"this clone is shallow and does not reach back to {times.text(time)}",
                hint=DEEPEN,
            )
        raise UsageError(f"there was no commit yet at {times.text(time)}", hint="flagctl log shows the first")
    return At(found.strip(), time)


def _revision(git: Git, text: str) -> At:
    status, out, _ = git.look("log", "-1", "--format=%H %ct", "--no-show-signature", "--end-of-options", text, "--")
    if status and git.shallow:
        raise UsageError(f'"{text}" is no date, and no revision in this shallow clone', hint=DEEPEN)
    if status or not out:
        git.require_commit()
        raise UsageError(f'"{text}" is neither a revision nor a date', hint=_HINT)
    commit, _, time = out.strip().rpartition("\n")[2].partition(" ")
    return At(commit, float(time))
