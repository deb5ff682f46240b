"""The log as lines, and as `flagctl/log/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.model import times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagctl.cli.output import Output
    from flagctl.history.git import Entry


def line(out: Output, entry: Entry) -> str:
    """One commit in one line: when, which, who, what, and why if that is not said already."""
    when = times.text(entry.time).replace("T", " ")[:16]
    why = f" — {entry.reason}" if entry.reason and entry.reason != entry.subject else ""
    return (
        f"{out.style(when, 'dim')}  {out.style(entry.commit[:10], 'yellow')}  {out.style(entry.author, 'cyan')}  "
        f"{out.style(entry.subject, 'bold')}{out.style(why, '')}"
    )


def document(entries: Iterable[Entry]) -> dict[str, Any]:
    """The JSON document of `log`."""
    return {
        "format": "flagctl/log/1",
        "commits": [
            {
                "commit": entry.commit,
                "time": times.text(entry.time),
                "author": entry.author,
                "email": entry.email,
                "subject": entry.subject,
                "flags": list(entry.flags),
                "environments": list(entry.environments),
                "reason": entry.reason or None,
            }
            for entry in entries
        ],
    }
