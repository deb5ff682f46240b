"""What one run of `kill` does: who may, the commit aside, the override at every target, and the pull request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.cli.commits import Commits
from flagctl.errors import OutsideError, RefusedError, UsageError
from flagctl.model import times
from flagctl.model.repository import require_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flagctl.cli.output import Output
    from flagctl.history.forge import Forge
    from flagctl.history.git import Git
    from flagctl.history.propose import Proposed
    from flagctl.model.repository import Settings
    from flagctl.project import Project
    from flagctl.publish.draft import Sign
    from flagctl.publish.receipt import Receipt
    from flagctl.publish.several import Failure
    from flagctl.stores.base import Store

_LONGEST = 7 * 86400


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """A kill that was found to be in order and is not done yet. reviewers: who is asked, as @login and @org/team."""

    key: str
    environment: str
    until: int
    now: float
    person: str
    branch: str
    commits: Commits
    settings: Settings
    stores: list[Store]
    reviewers: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The commit's first line."""
        return f"Kill {self.key} in {self.environment}"

    def question(self) -> str:
        """What the person is asked."""
        where = ", ".join(store.url for store in self.stores)
        return f"Turn {self.key} off in {self.environment} for everybody until {times.text(self.until)}, at {where}?"

    def record(self, reason: str) -> str:
        """The change of the flag's file as a commit on a branch of its own; the commit, "" where there is no file."""
        from flagctl.files.edit import set_value
        from flagctl.files.walk import find
        from flagctl.history.aside import commit_aside, start
        from flagctl.history.git import message
        from flagctl.history.travel import CommitTree

        base = start(self.commits.git, self.branch)
        with CommitTree(self.commits.git, base) as tree:
            path = find(tree, self.environment, self.key)
            if path is None:
                return ""
            text = tree.read(path).decode()
        trailers = [("Flag", self.key), ("Environment", self.environment), ("Break-Glass", self.person),
                    ("Until", times.text(self.until)), ("Reason", reason)]  # fmt: skip
        text = set_value(text, ["enabled"], False)
        return commit_aside(self.commits.git, self.branch, base, path, text, message(self.subject, trailers))

    def propose(self, commit: str, reason: str, forge: Callable[[Git], Forge | None]) -> Proposed:
        """Push the branch, and open its pull request or bring it up to date. Raises OutsideError."""
        from flagctl.history.propose import Proposal, main_branch, offer

        git = self.commits.git
        proposal = Proposal(
            branch=self.branch, onto=main_branch(git), title=f"URGENT: {self.subject}", body=self._body(reason),
            labels=("urgent", "flags", self.environment), reviewers=self.reviewers,
        )  # fmt: skip
        return offer(git, commit, proposal, forge(git))

    def _body(self, reason: str) -> str:
        quoted = "\n".join(f"> {line}".rstrip() for line in reason.splitlines())
        return (
            f"**{self.person} broke the glass: `{self.key}` is turned off in `{self.environment}`** for everybody, "
            f"without waiting for a review.\n\n{quoted}\n\n"
            f"This holds until **{times.text(self.until)}**, or until the next regular publish if that comes first. "
            f"Then `{self.key}` comes back as it was.\n\n"
            f"**Merging this makes it last**: the next publish keeps `{self.key}` off. If it may come back, close this."
        )

    def send(self, sign: Sign | None, *, warn: Callable[[str, str], None]) -> Iterator[Receipt | Failure]:
        """The override at all targets at once, as `publish.several.each` does: who hangs holds nobody up."""
        from flagctl.cli.shipment import stopwatch
        from flagctl.publish.draft import makers
        from flagctl.publish.keys import believed
        from flagctl.publish.kill import kill
        from flagctl.publish.several import Job, each

        def killed(store: Store) -> Receipt:
            store.waiting = warn
            return kill(
                store, self.environment, self.key, self.until, sign=sign, beside=makers(self.settings, sign),
                keys=believed(self.settings), now=self.now, elapsed=stopwatch(),
            )  # fmt: skip

        jobs = [Job(self.environment, store.url, partial(killed, store)) for store in self.stores]
        yield from each(jobs, at_once=True)


def prepare(project: Project, key: str, environment: str, ttl: str, *, now: float) -> Kill:
    """Everything that has to be in order first, by the settings that HEAD has.

    Raises UsageError for what makes no sense, RefusedError when the person is not among `break_glass`, or nothing is
    live that could be turned off.
    """
    from flagctl.cli.shipment import stores_of
    from flagctl.history.aside import email
    from flagctl.plan.approve import reviewers
    from flagctl.publish.keys import believed
    from flagctl.publish.kill import require_live

    seconds = times.duration(f"{ttl}m" if ttl.isdigit() else ttl)
    if seconds is None or seconds > _LONGEST:
        raise UsageError(f'--ttl "{ttl}" is no time up to seven days', hint="60 for an hour, or 90m, 4h")
    commits = Commits(project)
    head = commits.git.resolve("HEAD")
    repository = commits.repository(head)
    settings = repository.settings
    require_environment(environment, settings.environments)
    allowed, person = settings.environments[environment].break_glass, email(commits.git)
    if person not in allowed:
        who = f"{', '.join(allowed)} may" if allowed else "nobody may: settings have no break_glass there"
        raise RefusedError(f"{person} may not break the glass in {environment}; {who}",
                           hint=f"flagctl set {key} -e {environment} --off goes the usual way")  # fmt: skip
    stores = stores_of(project, settings, [environment], None)[environment]
    _require_one(
        lambda store: require_live(store, environment, key, believed(settings), now),
        stores_of(project, settings, [environment], None)[environment],
    )
    flag = repository.environments[environment].flags.get(key)
    return Kill(
        key=key, environment=environment, until=int(now) + seconds, now=now, person=person,
        branch=f"flagctl/kill/{key}", commits=commits, settings=settings, stores=stores,
        reviewers=reviewers(settings, environment, [flag.owner.team] if flag is not None else []),
    )  # fmt: skip


def _require_one(look: Callable[[Store], object], stores: list[Store]) -> None:
    """Return once one place has what is asked for, without waiting for those that hang; else raise the first's error.

    stores: for this alone, since some may be in use for longer.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    threads = ThreadPoolExecutor(len(stores))
    asked = [threads.submit(look, store) for store in stores]
    try:
        if all(one.exception() for one in as_completed(asked)):
            asked[0].result()
    finally:
        threads.shutdown(wait=False)


def announce(
    kill: Kill, commit: str, reason: str, outcomes: list[Receipt | Failure], *, out: Output,
    forge: Callable[[Git], Forge | None], as_json: bool,
) -> None:  # fmt: skip
    """Say loudly what is done, then ask for the pull request that makes it last; where that fails, say what to do."""
    from flagctl.publish.receipt import Receipt

    missed = [one.target for one in outcomes if not isinstance(one, Receipt)]
    where = f"{kill.environment}, BUT NOT AT {', '.join(missed)}," if missed else kill.environment
    out.warn(f"BREAK GLASS: {kill.person} turned {kill.key} off in {where} until {times.text(kill.until)}: {reason}")
    proposed, url = None, None
    unless = f"{kill.key} comes back unless {kill.branch} is merged"
    try:
        proposed = kill.propose(commit, reason, forge) if commit else None
        url = proposed.url or None if proposed else None
    except OutsideError as error:
        out.warn(f"{unless}: {error.message}", error.hint)
    else:
        if proposed is None:
            out.warn(f"{kill.key} comes back, for it has no file that could be changed")
        elif not url:
            out.warn(unless, proposed.advice)
        elif not as_json:
            out.data(url)
        for one in proposed.lacking if proposed else ():
            out.warn(f"the pull request is open, but {one}")
    finally:
        if as_json:
            out.json(_document(kill, commit, reason, outcomes, url))


def _document(
    kill: Kill, commit: str, reason: str, outcomes: list[Receipt | Failure], url: str | None
) -> dict[str, Any]:
    from flagctl.publish.receipt import document as of_outcomes

    sent = of_outcomes(outcomes)
    return {
        "format": "flagctl/kill/1",
        "flag": kill.key,
        "environment": kill.environment,
        "until": times.text(kill.until),
        "by": kill.person,
        "reason": reason,
        "branch": kill.branch if commit else None,
        "commit": commit or None,
        "pull_request": url,
        "receipts": sent["receipts"],
        "failures": sent["failures"],
    }
