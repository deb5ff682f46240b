"""What one run of `approvals` finds: what a change needs, and what its pull request has."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from flagctl.cli import planning
from flagctl.errors import MissingError, OutsideError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flagctl.history.forge import Forge, Pull
    from flagctl.history.git import Git
    from flagctl.history.verify import Judged
    from flagctl.plan.approve import Members, Review, Verdict
    from flagctl.plan.plan import Approval, Plan, Sides
    from flagctl.project import Project

FORMAT = "flagctl/approvals/1"


class Found(NamedTuple):
    """The verdicts, and the pull request that was looked at, None for a change that is in none."""

    verdicts: list[Verdict]
    pull: Pull | None
    note: str

    @property
    def missing(self) -> int:
        """How many approvals are missing."""
        return sum(verdict.missing for verdict in self.verdicts)


def approvals(
    project: Project, ref: str | None, environ: Mapping[str, str], *, now: float, base: str | None, overridden: bool
) -> Found:
    """Look at a revision, a pull request by number or URL, or (None) at that of the GitHub Actions event.

    Raises UsageError for what is none of these, OutsideError when the forge will not answer.
    """
    from flagctl.history.forge import forge_of, number_of, require
    from flagctl.history.git import Git
    from flagctl.plan.approve import people_of, verdicts

    git = Git(project.root)
    number = number_of(ref) if ref else _of_event(environ)
    if number is not None:
        forge = require(forge_of(git, environ))
        pull = forge.pull(number)
        for commit in (pull.base, pull.head):
            if git.run("cat-file", "-e", f"{commit}^{{commit}}")[0]:
                raise UsageError(f"commit {commit[:12]} of {pull.url} is not here", hint=f"git fetch origin {commit}")
        planned = planning.plan(project, base or pull.base, pull.head, now=now)
        return _of_pull(git, forge, pull, (pull.base, pull.head), planned, overridden=overridden)
    made, trees, note = planning.plan(project, base, ref or planning.WORK_TREE, now=now)
    settings, author = trees.before.settings, [git.run("config", "user.email")[1].strip()]
    return Found(verdicts(_needs(made), settings, [], author, people_of(settings), overridden), None, note)


def borne_out(project: Project, git: Git, forge: Forge, found: Sequence[Judged]) -> list[Judged]:
    """What `log --verify` found, with what the forge says of the pull requests that changes name.

    Raises OutsideError when it will not answer.
    """
    with project.progress("asking the forge") as report:
        told = []
        for number, one in enumerate(found):
            told.append(_borne_out(project, git, forge, one) if one.elsewhere else one)
            report(number + 1, len(found))
        return told


def _borne_out(project: Project, git: Git, forge: Forge, one: Judged) -> Judged:
    from flagctl.history.forge import number_of

    name, commit = one.elsewhere, one.commit.commit
    said: list[str] = []
    given: list[str] = []
    try:
        pull = forge.pull(number_of(name) or 0)
    except MissingError:
        said = [f"names {name}, which is not there, or not for this token"]
    else:
        if pull.landed != commit:
            said = [f"names {name}, which was {f'merged as {pull.landed[:10]}' if pull.landed else 'never merged'}"]
        else:
            span = one.commit.parents[0], commit
            planned = planning.plan(project, *span, now=one.commit.time)
            for verdict in _of_pull(git, forge, pull, span, planned).verdicts:
                if verdict.environment == one.environment:
                    given += verdict.given
                    has = f"that of {', '.join(verdict.given)}" if verdict.given else "no approval that counts"
                    said += [f"{name} has {has}, {verdict.need.text}"] if verdict.missing else []
    people = tuple(dict.fromkeys(given))
    return msgspec.structs.replace(one, broken=(*one.broken, *said), asked=True, approved_by=people)


def _of_pull(
    git: Git,
    forge: Forge,
    pull: Pull,
    span: tuple[str, str],
    planned: tuple[Plan, Sides, str],
    *,
    overridden: bool = False,
) -> Found:
    """The approvals of a pull request for what changed between two commits."""
    from flagctl.history.forge import names_of
    from flagctl.plan.approve import people_of, verdicts

    made, trees, note = planned
    settings = trees.before.settings
    author = [pull.author, *forge.authors(pull), *names_of(_committed(git, span, "%ae", "Co-authored-by"))]
    reviews = _with_emails(forge, forge.reviews(pull))
    overridden = overridden or bool(_committed(git, span, "", "Override-Freeze"))
    notes = "; ".join(filter(None, [note, *_unsure(reviews, made, people_of(settings))]))
    members = people_of(settings, forge.members)
    return Found(verdicts(_needs(made), settings, reviews, author, members, overridden), pull, notes)


def _needs(made: Plan) -> list[tuple[str, Approval]]:
    return [(part.name, need) for part in made.environments for need in part.approvals]


def _committed(git: Git, span: tuple[str, str], field: str, trailer: str) -> list[str]:
    """A field of each commit between two, and the values of a trailer; of «Ada <ada@example.com>» the address."""
    out = git.read("log", f"--format={field}%n%(trailers:key={trailer},valueonly,unfold)", f"{span[0]}..{span[1]}")
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    return [line.rpartition("<")[2].removesuffix(">") for line in lines]


def _with_emails(forge: Forge, reviews: list[Review]) -> list[Review]:
    """The reviews, those that may count with the addresses of whoever gave them; without where the forge won't say."""
    found = []
    for review in reviews:
        emails: list[str] = []
        if review.state == "approved" and not review.stale:
            with suppress(OutsideError):
                emails = forge.emails(review.people[0])
        found.append(msgspec.structs.replace(review, people=(*review.people, *emails)))
    return found


def _unsure(reviews: list[Review], made: Plan, members: Members) -> Iterator[str]:
    """What can't be told from what the forge says."""
    approved = [review for review in reviews if review.state == "approved" and not review.stale]
    undated = [review.people[0] for review in approved if review.undated]
    if undated:
        yield f"when {', '.join(undated)} approved is not told; it counts, though it may be older than the last push"
    wanted = {name for part in made.environments for need in part.approvals for name in need.who}
    known = {one for name in wanted for one in members(name)}
    mails = sorted(one for one in known if not one.startswith("@"))
    nameless = [one.people[0] for one in approved if len(one.people) == 1 and one.people[0].lower() not in known]
    if nameless and mails:
        who = ", ".join(nameless)
        yield f"the forge shows no address of {who}: write the login into the team beside {', '.join(mails)} to count"


def comment(project: Project, ref: str, environ: Mapping[str, str], text: str) -> str:
    """Write the plan as the one comment of a pull request (by number or URL; "event": of the GitHub Actions event).

    Its URL. Raises UsageError, OutsideError.
    """
    from flagctl.history.forge import forge_of, number_of, require
    from flagctl.history.git import Git
    from flagctl.plan.markdown import MARK

    number = _of_event(environ) if ref == "event" else number_of(ref)
    if number is None:
        raise UsageError(f'"{ref}" names no pull request', hint="--comment 42, or --comment event in GitHub Actions")
    forge = require(forge_of(Git(project.root), environ))
    return forge.comment(forge.pull(number), MARK, text)


def again(project: Project, ref: str | None, environ: Mapping[str, str], workflow: str) -> str:
    """Run the workflow that looks for a pull request's approvals again; its run's URL.

    Raises UsageError, OutsideError.
    """
    from flagctl.history.forge import forge_of, number_of, require
    from flagctl.history.git import Git
    from flagctl.history.github import GitHub

    number = number_of(ref) if ref else _of_event(environ)
    if number is None:
        raise UsageError("there is no pull request to look at", hint=f"flagctl approvals 42 --again {workflow}")
    forge = require(forge_of(Git(project.root), environ))
    if not isinstance(forge, GitHub):
        raise UsageError("--again is for GitHub's workflows", hint="flagctl approvals looks again here")
    return forge.rerun(forge.pull(number), workflow)


def document(found: Found) -> dict[str, Any]:
    """The JSON document of `approvals`; its format is FORMAT."""
    return {
        "format": FORMAT,
        "pull_request": None if found.pull is None else found.pull.url,
        "missing": found.missing,
        "approvals": [
            {
                "environment": one.environment,
                "kind": one.need.kind,
                "count": one.need.count,
                "who": list(one.need.who),
                "why": one.need.why,
                "given": list(one.given),
                "missing": one.missing,
            }
            for one in found.verdicts
        ],
    }


def line(verdict: Verdict) -> str:
    """«missing 1  production: needs 2 approvals by sre: … (has @sam)»."""
    state = f"missing {verdict.missing}" if verdict.missing else "there"
    given = f" (has {', '.join(verdict.given)})" if verdict.given else ""
    return f"{state:<10} {verdict.environment}: {verdict.need.text}{given}"


def _of_event(environ: Mapping[str, str]) -> int | None:
    """The pull request that a GitHub Actions run is about."""
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # named by the runner
            event = json.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH names no event: {error}") from error
    number = event.get("pull_request", {}).get("number")
    return number if isinstance(number, int) else None
