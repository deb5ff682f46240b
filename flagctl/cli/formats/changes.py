"""Changes of flag files for people, and as `flagctl/change/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.history.change import Changed
    from flagctl.history.propose import Proposed

_STYLES = {"@@": "cyan", "++": "bold", "--": "bold", "+": "green", "-": "red"}


def show(out: Output, changed: Changed, *, what: str, dry_run: bool, as_json: bool = False, **about: Any) -> None:
    """The diff on stdout (or with `about` in a JSON document), and beside it what became of it.

    what: the thing that is so already when nothing changed.
    """
    if as_json:
        out.json(_document(changed, dry_run=dry_run, **about))
    else:
        for line in changed.diff.splitlines():
            style = _STYLES.get(line[:2]) or _STYLES.get(line[:1])
            out.data(out.style(line, style) if style else out.style(line, ""), styled=True)
    if changed.problems:
        from flagctl.cli.formats.problems import show_on_stderr

        show_on_stderr(out, changed.problems)
    for said in changed.frozen:
        if dry_run:
            out.warn(said, '--override-freeze "REASON" does it all the same, and is kept')
        else:
            out.warn(f"THE FREEZE IS OVERRIDDEN: {said}")
    if not changed.diff:
        out.say(f"nothing to change: {what}")
    elif dry_run:
        out.say("dry run: nothing was written")
    elif changed.proposed is not None:
        _proposed(out, changed.proposed)
    elif changed.commit is None:
        out.say(f"written, not committed: {', '.join(changed.paths)}")
    else:
        out.say(f"committed {changed.commit[:10]}")
    if changed.unreviewed:
        out.say("committed here although protected: there is no remote where others could review it")
    if changed.detached:
        out.warn("HEAD is on no branch, so the commit is on none", f"git branch NAME {(changed.commit or '')[:10]}")


def _proposed(out: Output, proposed: Proposed) -> None:
    where = f"and pushed to {proposed.remote}" if proposed.remote else "but pushed nowhere"
    out.say(f"committed {proposed.commit[:10]} on the branch {proposed.branch} {where}; here nothing changed")
    if proposed.url:
        out.data(proposed.url)
    else:
        out.say(f"next: {proposed.advice}")
    if proposed.more:
        brought = "a commit" if proposed.more == 1 else f"{proposed.more} commits"
        out.warn(
            f"the branch brings {brought} of {proposed.onto} along that {proposed.remote} does not have",
            f"git push {proposed.remote} {proposed.onto} makes it this change alone",
        )
    for one in proposed.lacking:
        out.warn(f"the pull request is open, but {one}")


def _document(changed: Changed, *, dry_run: bool, **about: Any) -> dict[str, Any]:
    return {
        "format": "flagctl/change/1",
        **about,
        "changed": bool(changed.diff),
        "dry_run": dry_run,
        "paths": list(changed.paths),
        "commit": changed.commit,
        "branch": changed.proposed.branch if changed.proposed else None,
        "pull_request": (changed.proposed.url or None) if changed.proposed else None,
        "frozen": list(changed.frozen),
        "diff": changed.diff,
        "warnings": [
            {"rule": p.rule, "message": p.message, "file": p.file, "line": p.line, "column": p.column}
            for p in changed.problems
        ],
    }
