"""Where pull requests live: what flagctl asks of GitHub and GitLab, and which of them a repository uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from flagctl.errors import UsageError
from flagctl.history.propose import remote_of

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.history.propose import Opened, Proposal
    from flagctl.plan.approve import Review


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request, or GitLab's merge request. author: as @login. onto, base, head: a branch and two commits.

    landed: the commit as which it was merged, "" while it was not.
    """

    number: int
    url: str
    author: str
    onto: str
    base: str
    head: str
    landed: str = ""


class Forge(Protocol):
    """What flagctl asks of a forge. Every method raises OutsideError, with what to do, when the forge will not."""

    def propose(self, proposal: Proposal) -> Opened:
        """Open a pull request, or bring the open one of this branch up to date; it counts without its labels too."""

    def pull(self, number: int) -> Pull:
        """A pull request by number; raises MissingError when there is none."""

    def reviews(self, pull: Pull) -> list[Review]:
        """What each person said last; what was said before the last push is marked stale."""

    def authors(self, pull: Pull) -> list[str]:
        """Who wrote the commits of a pull request, as @login and e-mail address, so far as the forge knows."""

    def emails(self, login: str) -> list[str]:
        """The e-mail addresses of a person («@ada») that the forge vouches for and shows."""

    def members(self, handle: str) -> list[str]:
        """The people of a team («@acme/growth»), as @login."""

    def comment(self, pull: Pull, mark: str, text: str) -> str:
        """Write a comment, or write it anew where one of ours that begins with `mark` stands; its URL."""


class Place(NamedTuple):
    """Where a repository lives: the host, and owner/name there."""

    host: str
    path: str


_REMOTE = re.compile(r"(?:(?:https?|ssh|git)://)?(?:[^@/]+@)?([^/:]+)(?::\d+)?[:/](.+?)(?:\.git)?/?")


def place_of(url: str) -> Place | None:
    """The place that a remote's URL names; None for a folder."""
    if url.startswith(("/", ".", "file:")) or (found := _REMOTE.fullmatch(url)) is None:
        return None
    return Place(found[1].lower(), found[2])


def forge_of(git: Git, environ: Mapping[str, str]) -> Forge | None:
    """The forge of a repository's remote; None without a token for it, or where it is none that we know.

    GitHub by GITHUB_TOKEN or GH_TOKEN (GITHUB_API_URL for a GitHub Enterprise server), GitLab by GITLAB_TOKEN
    (GITLAB_URL for one of your own).
    """
    remote = remote_of(git)
    place = place_of(git.run("remote", "get-url", remote)[1].strip()) if remote else None
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN")
    repository = environ.get("GITHUB_REPOSITORY") or (place.path if place else "")
    if environ.get("GITLAB_TOKEN") and place and ("gitlab" in place.host or environ.get("GITLAB_URL")):
        from flagctl.history.gitlab import GitLab

        return GitLab(environ.get("GITLAB_URL") or f"https://{place.host}", place.path, environ["GITLAB_TOKEN"])
    if token and repository and (environ.get("GITHUB_API_URL") or (place and "github" in place.host)):
        from flagctl.history.github import GitHub

        api = environ.get("GITHUB_API_URL") or (
            "https://api.github.com" if place is None or place.host == "github.com" else f"https://{place.host}/api/v3"
        )
        return GitHub(api, repository, token)
    return None


def number_of(text: str) -> int | None:
    """The pull request that «12», «#12», «!12» or its URL names; None for anything else."""
    found = re.fullmatch(r"[#!]?(\d+)|https?://\S+/(?:pull|merge_requests)/(\d+)(?:/\S*)?", text)
    return int(found[1] or found[2]) if found else None


def require(forge: Forge | None) -> Forge:
    """The forge, or UsageError that says what is missing."""
    if forge is None:
        raise UsageError(
            "a pull request is looked up at GitHub or GitLab, and there is no token for one",
            hint="set GITHUB_TOKEN (with GITHUB_API_URL for an own server) or GITLAB_TOKEN",
        )
    return forge


_NOREPLY = re.compile(r"(?:\d+[+-])?([^@+]+)@users\.noreply\.[\w.-]+", re.IGNORECASE)


def names_of(emails: Iterable[str]) -> list[str]:
    """Addresses, and with each that a forge gave out for privacy the @login that stands in it."""
    given = [email.strip() for email in emails if email.strip()]
    return [*given, *(f"@{found[1]}" for found in map(_NOREPLY.fullmatch, given) if found)]


def people(handles: Iterable[str]) -> tuple[list[str], list[str]]:
    """(logins, slugs of teams) of «@login» and «@org/team», as reviews are asked for."""
    names = [handle.removeprefix("@") for handle in handles if handle.startswith("@")]
    return [name for name in names if "/" not in name], [name.split("/", 1)[1] for name in names if "/" in name]
