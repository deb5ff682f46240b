"""The lines of a flag with who wrote them: beside one another, and as `flagctl/blame/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.cli.formats.log import one_line
from flagctl.model import times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flagctl.cli.output import Output
    from flagctl.history.blame import Blamed

_WIDEST = 40


def lines(out: Output, found: Sequence[Blamed]) -> Iterator[str]:
    """Commit, author and date, then what the flag says, then why."""
    rows = [
        (one.entry, one_line(one.entry.author), f"{'    ' * one.line.depth}{one_line(one.line.text)}") for one in found
    ]
    wide = max((len(author) for _, author, _ in rows), default=0)
    wider = max((len(said) for _, _, said in rows), default=0)
    for entry, author, said in rows:
        reason = one_line(entry.reason)
        short = reason if len(reason) <= _WIDEST else f"{reason[: _WIDEST - 1]}…"
        came = f" ({one_line(entry.came_by)})" if entry.came_by else ""
        yield "  ".join(
            [
                out.style(entry.commit.commit[:10], "yellow"),
                out.style(author.ljust(wide), "cyan"),
                out.style(times.text(entry.commit.time)[:10], "dim"),
                said.ljust(wider),
                out.style(f"{short}{came}", "dim"),
            ]
        ).rstrip()


def document(key: str, environment: str, found: Sequence[Blamed]) -> dict[str, Any]:
    """The JSON document."""
    return {
        "format": "flagctl/blame/1",
        "flag": key,
        "environment": environment,
        "lines": [
            {
                "path": one.line.place,
                "text": one.line.text,
                "version": one.entry.version,
                "commit": one.entry.commit.commit,
                "time": times.text(one.entry.commit.time),
                "author": one.entry.author,
                "reason": one.entry.reason,
                "came_by": one.entry.came_by or None,
            }
            for one in found
        ],
    }
