"""What one run of `log` looks at: the flag or everything, filtered, as entries come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

import msgspec

from flagctl.cli.exits import Exit
from flagctl.errors import UsageError
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.history.audit import Entry, Wanted
    from flagctl.history.blame import Blamed
    from flagctl.history.forge import Forge
    from flagctl.history.git import Git
    from flagctl.history.verify import Judged
    from flagctl.project import Project

_TOGETHER = 50
"""Entries whose signatures are verified at once."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One flag or ("") everything, which entries, and whether their signatures are verified.

    at_once: nothing is shown before all is there, so that there is a progress bar.
    """

    wanted: Wanted
    key: str = ""
    limit: int | None = None
    signatures: bool = False
    at_once: bool = False


def show(out: Output, project: Project, asked: Asked, format: str) -> None:
    """Print the log; entries for people and rows come as they are found."""
    from flagctl.cli.formats import log as shown
    from flagctl.cli.paging import paged

    coming = entries(project, msgspec.structs.replace(asked, at_once=format == "json"))
    # What was asked wrongly shows with the first: before a heading is printed, or a pager started.
    found = chain(list(islice(coming, 1)), coming)
    if format == "json":
        out.json(shown.document(found))
    elif format == "text":
        with paged(out, project):
            count = 0
            for entry in found:
                count += 1
                out.data("\n".join(shown.lines(out, entry)), styled=True)
        if not count:
            out.say("no change of that")
    else:
        made = {"csv": shown.csv_lines, "jsonl": shown.jsonl_lines, "markdown": shown.markdown_lines}[format]
        for line in made(found):
            out.data(line, styled=True)


def entries(project: Project, asked: Asked) -> Iterator[Entry]:
    """The entries that were asked for, newest first."""
    from flagctl.files.newflag import valid
    from flagctl.history.audit import of_everything, of_flag
    from flagctl.history.git import Git
    from flagctl.history.ledger import Ledger

    git = Git(project.root, bare=True)
    head = git.head()
    if head is None:
        return
    _require_known(git, head.commit, asked.wanted.environment)
    if asked.key:
        found = of_flag(git, head.commit, valid(asked.key), asked.wanted.environment)
    else:
        ledger = Ledger(git, head.commit, project.progress)
        if asked.at_once:
            ledger.complete()
        found = of_everything(git, ledger)
    chosen = islice(filter(asked.wanted.takes, found), asked.limit)
    yield from _signed(git, chosen) if asked.signatures else chosen


def _require_known(git: Git, commit: str, environment: str) -> None:
    """Raises UsageError for an environment of which there never was a file."""
    from flagctl.history.pasts import paths

    if not environment or git.read("log", "-1", "--format=%H", commit, "--", *git.spec(f"flags/{environment}")):
        return
    names = {path.split("/")[1] for path in paths(git, commit) if path.count("/") > 1} - {"tests"}
    hint = did_you_mean(environment, names) or f"environments are {', '.join(sorted(names))}"
    raise UsageError(f"there never was anything in flags/{environment}", hint=hint)


def blamed(project: Project, key: str, environment: str) -> list[Blamed]:
    """Each line of a flag with the change that made it; raises UsageError for one that is not there now."""
    from flagctl.files.newflag import valid
    from flagctl.history.audit import of_flag
    from flagctl.history.blame import blame
    from flagctl.history.git import Git
    from flagctl.history.pasts import Models
    from flagctl.history.travel import Blobs

    git = Git(project.root, bare=True)
    found = list(of_flag(git, git.resolve("HEAD"), valid(key), environment))
    with Blobs(git) as blobs:
        lines = blame(found, Models(blobs))
    if not lines:
        hint = f"flagctl log {key} -e {environment} shows what became of it"
        raise UsageError(f"there is no {key} in {environment} any more", hint=hint)
    return lines


def _signed(git: Git, found: Iterator[Entry]) -> Iterator[Entry]:
    from flagctl.history.signatures import UNKNOWN, states, words

    while some := list(islice(found, _TOGETHER)):
        known = states(git, [entry.commit.commit for entry in some])
        for entry in some:
            yield msgspec.structs.replace(entry, signature=words(*known.get(entry.commit.commit, UNKNOWN)))


def verify(out: Output, project: Project, asked: Asked, forge: Callable[[Git], Forge | None], *, as_json: bool) -> Exit:
    """Say what broke a protected environment's rules, and who broke the glass; NO when a rule was broken.

    forge: that of the repository, if there is a token for it; it is asked about the pull requests that changes name.
    """
    from flagctl.cli.approving import borne_out
    from flagctl.cli.formats import judged as shown
    from flagctl.history.audit import Wanted
    from flagctl.history.git import Git
    from flagctl.history.verify import judged

    # Settings decide along the way: nothing may be left out before they are followed.
    every = Asked(wanted=Wanted(everything=True), at_once=True)
    git = Git(project.root, bare=True)
    if head := git.head():
        _require_known(git, head.commit, asked.wanted.environment)
    told = list(entries(project, every))
    if asked.key and not any(entry.key == asked.key for entry in told):
        hint = did_you_mean(asked.key, {entry.key for entry in told if entry.kind == "flag"})
        raise UsageError(f'no flag "{asked.key}", neither now nor before', hint=hint)
    found = [one for one in judged(git, told) if _is_wanted(asked, one)]
    if any(one.elsewhere for one in found) and (asks := forge(git)):
        found = borne_out(project, git, asks, found)
    if as_json:
        out.json(shown.document(found))
    else:
        for line in shown.lines(out, found):
            out.data(line, styled=True)
    out.say(shown.summary(found))
    return Exit.NO if any(one.broken for one in found) else Exit.DONE


def _is_wanted(asked: Asked, one: Judged) -> bool:
    wanted, time = asked.wanted, one.commit.time
    return (
        wanted.environment in ("", one.environment)
        and (not asked.key or asked.key in one.flags)
        and (wanted.since is None or time >= wanted.since)
        and (wanted.until is None or time <= wanted.until)
        and wanted.author.lower() in one.author.lower()
    )
