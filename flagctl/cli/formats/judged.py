"""What `log --verify` found: for people, and as `flagctl/log-verify/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.cli.formats.log import minute, one_line
from flagctl.model import times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flagctl.cli.output import Output
    from flagctl.history.verify import Judged


def lines(out: Output, found: Sequence[Judged]) -> Iterator[str]:
    """A line for each commit that broke a rule or the glass."""
    for one in found:
        if not one.broken and not one.killed_by:
            continue
        when = minute(one.commit.time)
        said = out.style(", ".join(one.broken), "red bold") or out.style(
            f"killed by {one.killed_by}, as allowed", "dim"
        )
        about = one_line(f"{one.environment}: {', '.join(one.flags)}")
        yield (
            f"{out.style(one.commit.commit[:10], 'yellow')}  {out.style(when, 'dim')}  "
            f"{out.style(one_line(one.author), 'cyan')}  {about}  {said}"
        )


def summary(found: Sequence[Judged]) -> str:
    """How many of each kind there are."""
    broken = sum(bool(one.broken) for one in found)
    said = [f"{len(found)} changes of protected environments, {broken} of them not as settings ask"]
    if kills := sum(bool(one.killed_by) for one in found):
        said.append(f"{kills} by breaking the glass")
    if asked := sum(one.asked for one in found):
        said.append(f"of {asked} the forge was asked for the pull request")
    elif believed := sum(bool(one.elsewhere) for one in found):
        said.append(f"{believed} by pull requests that the forge was not asked about: no GITHUB_TOKEN, no GITLAB_TOKEN")
    return ", ".join(said)


def document(found: Sequence[Judged]) -> dict[str, Any]:
    """The JSON document."""
    return {
        "format": "flagctl/log-verify/1",
        "changes": len(found),
        "breaches": [_about(one) | {"broken": list(one.broken)} for one in found if one.broken],
        "kills": [_about(one) | {"by": one.killed_by, "allowed": one.named} for one in found if one.killed_by],
        "approved_elsewhere": [
            _about(one) | {"where": one.elsewhere} for one in found if one.elsewhere and not one.asked
        ],
        "approved_at_forge": [
            _about(one) | {"where": one.elsewhere, "by": list(one.approved_by)}
            for one in found
            if one.asked and not one.broken
        ],
    }


def _about(one: Judged) -> dict[str, Any]:
    return {
        "commit": one.commit.commit,
        "time": times.text(one.commit.time),
        "author": one.author,
        "environment": one.environment,
        "flags": list(one.flags),
    }
