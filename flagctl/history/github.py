"""GitHub by its REST API, through PyGithub, which knows its pages, its limits and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from flagctl.errors import MissingError, OutsideError, UsageError
from flagctl.history.forge import Pull, people
from flagctl.history.propose import Opened, Proposal
from flagctl.plan.approve import Review

_STATES = {"APPROVED": "approved", "CHANGES_REQUESTED": "refused", "DISMISSED": "other"}
_ATTEMPTS = 5
_LONGEST_WAIT = 60
_TIMEOUT = 15


class GitHub:
    """A `flagctl.history.forge.Forge`.

    api: the REST API's address; repository: owner/name. timeout: seconds; attempts and backoff: how often and after how
    many seconds, doubled each time, what may pass is tried again.
    """

    def __init__(
        self,
        api: str,
        repository: str,
        token: str,
        *,
        timeout: int = _TIMEOUT,
        attempts: int = _ATTEMPTS,
        backoff: float = 0.5,
    ) -> None:
        self.api = api
        self.repository = repository
        self._token = token
        self._timeout = timeout
        self._attempts = attempts
        self._backoff = backoff

    def propose(self, proposal: Proposal) -> Opened:
        """See Forge. Reviewers that GitHub can't ask are left out silently: the author, people it does not know."""
        with self._telling("open a pull request"):
            pull = self._open(proposal)
            if pull is None:
                pull = self._create(proposal)
            elif (pull.title, pull.body or "") != (proposal.title, proposal.body):
                pull.edit(title=proposal.title, body=proposal.body)
        lacking = []
        for what, add in self._additions(pull, proposal):
            try:
                with self._telling(what):
                    add()
            except OutsideError as error:
                lacking.append(f"{error.message}; {error.hint}")
        return Opened(str(pull.html_url), tuple(lacking))

    def pull(self, number: int) -> Pull:
        """See Forge."""
        with self._telling(f"look at pull request {number}"):
            found = self._repo.get_pull(number)
            return Pull(
                number=number,
                url=found.html_url,
                author=f"@{found.user.login}",
                onto=found.base.ref,
                base=found.base.sha,
                head=found.head.sha,
                landed=(found.merge_commit_sha or "") if found.merged else "",
            )

    def reviews(self, pull: Pull) -> list[Review]:
        """See Forge. A comment takes no approval back, a dismissal and a request for changes do."""
        last: dict[str, Review] = {}
        with self._telling("read the reviews"):
            for review in self._repo.get_pull(pull.number).get_reviews():
                if review.state in _STATES and review.user is not None:
                    person = f"@{review.user.login}"
                    state: Any = _STATES[review.state]
                    last[person] = Review(people=(person,), state=state, stale=review.commit_id != pull.head)
        return list(last.values())

    def authors(self, pull: Pull) -> list[str]:
        """See Forge."""
        found: dict[str, None] = {}
        with self._telling("read the commits"):
            for one in self._repo.get_pull(pull.number).get_commits():
                logins = [f"@{person.login}" for person in (one.author, one.committer) if person is not None]
                found |= dict.fromkeys([*logins, one.commit.author.email])
        return [name for name in found if name and name != "@web-flow"]  # who commits what is merged in the browser

    def emails(self, login: str) -> list[str]:
        """See Forge: the public one, and those of commits that GitHub counts as theirs."""
        name = login.removeprefix("@")
        with self._telling(f"look up {login}"):
            found = [self._github.get_user(name).email]
            commits = self._repo.get_commits(author=name).get_page(0)
            found += [one.commit.author.email for one in commits if one.author is not None and one.author.login == name]
        return list(dict.fromkeys(email for email in found if email))

    def members(self, handle: str) -> list[str]:
        """See Forge. Needs a token that may read the organisation; the one of GitHub Actions may not."""
        organisation, _, slug = handle.removeprefix("@").partition("/")
        hint = "use a token that may read the organisation, or write the members into flags/flagctl.yaml"
        with self._telling(f"look up the team {handle}", hint):
            team = self._github.get_organization(organisation).get_team_by_slug(slug)
            return [f"@{person.login}" for person in team.get_members()]

    def comment(self, pull: Pull, mark: str, text: str) -> str:
        """See Forge."""
        with self._telling("comment"):
            issue = self._repo.get_issue(pull.number)
            ours = next((one for one in issue.get_comments() if (one.body or "").startswith(mark)), None)
            if ours is None:
                return str(issue.create_comment(text).html_url)
            if ours.body != text:
                ours.edit(text)
            return str(ours.html_url)

    def rerun(self, pull: Pull, workflow: str) -> str:
        """Run a workflow (its file's name) that ran for a pull request's last push again; the run's URL.

        A check of a run of its own, with the same name, would leave the failed one standing beside it.
        Raises UsageError where there is no such run, OutsideError.
        """
        hint = "the token needs actions: write, which a fork's does not have"
        with self._telling(f"run {workflow} again", hint):
            runs = self._repo.get_workflow(workflow).get_runs(event="pull_request", head_sha=pull.head)
            run = next(iter(runs), None)
            if run is None:
                raise UsageError(f"{workflow} has not run for {pull.head[:12]} of {pull.url}", hint="push once more")
            self._github.requester.requestJsonAndCheck("POST", run.rerun_url)
            return str(run.html_url)

    @cached_property
    def _github(self) -> Any:
        try:
            from github import Auth, Github
            from github.GithubRetry import GithubRetry
        except ImportError as error:
            raise OutsideError("GitHub needs PyGithub", hint='pip install "flagctl[forge]"') from error
        retry = GithubRetry(
            total=self._attempts,
            backoff_factor=self._backoff,
            secondary_rate_wait=_LONGEST_WAIT,
            max_rate_limit_wait=_LONGEST_WAIT,
        )
        return Github(
            auth=Auth.Token(self._token),
            base_url=self.api,
            timeout=self._timeout,
            retry=retry,
            per_page=100,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            user_agent="flagctl",
        )

    @cached_property
    def _repo(self) -> Any:
        return self._github.get_repo(self.repository)

    def _open(self, proposal: Proposal) -> Any:
        """The open pull request of a branch, None for none."""
        owner = self.repository.partition("/")[0]
        found = self._repo.get_pulls(state="open", head=f"{owner}:{proposal.branch}", base=proposal.onto)
        return next(iter(found), None)

    def _create(self, proposal: Proposal) -> Any:
        from github import GithubException

        try:
            return self._repo.create_pull(
                base=proposal.onto, head=proposal.branch, title=proposal.title, body=proposal.body
            )
        except GithubException as error:
            # somebody was faster, or an answer was lost and asked for again
            if error.status == 422 and (there := self._open(proposal)) is not None:
                return there
            raise

    def _additions(self, pull: Any, proposal: Proposal) -> Iterator[tuple[str, Callable[[], object]]]:
        """What a pull request gets once it is open, and what GitHub is asked to do for it."""
        if proposal.labels:
            # as GitHub describes it; PyGithub sends the bare list
            path, labels = f"/repos/{self.repository}/issues/{pull.number}/labels", {"labels": list(proposal.labels)}
            yield (
                f"add the labels {', '.join(proposal.labels)}",
                lambda: self._github.requester.requestJsonAndCheck("POST", path, input=labels),
            )
        logins, teams = people(proposal.reviewers)
        # GitHub asks nobody at all where the author is among them
        logins = [login for login in logins if login.lower() != pull.user.login.lower()]
        if logins or teams:
            yield f"ask {', '.join(proposal.reviewers)} for a review", lambda: self._ask(pull, logins, teams)
        if proposal.auto_merge:
            yield "merge it once it is approved", pull.enable_automerge

    def _ask(self, pull: Any, logins: list[str], teams: list[str]) -> None:
        from github import GithubException

        try:
            pull.create_review_request(reviewers=logins, team_reviewers=teams)
        except GithubException as error:
            if error.status != 422:
                raise
            if len(logins) + len(teams) > 1:  # one who is nobody of this repository keeps the others from being asked
                for login in logins:
                    self._ask(pull, [login], [])
                for team in teams:
                    self._ask(pull, [], [team])

    @contextmanager
    def _telling(self, what: str, hint: str = "") -> Iterator[None]:
        """GitHub's refusals as errors that say what to do."""
        _ = self._github  # says what to install where it is not
        from github import GithubException
        from requests.exceptions import RequestException

        try:
            yield
        except GithubException as error:
            kind = MissingError if error.status == 404 else OutsideError
            raise kind(f"GitHub would not {what}: {_words(error)}", hint=_hint(error, hint)) from error
        except RequestException as error:
            raise OutsideError(
                f"GitHub does not answer at {self.api}: {type(error).__name__}", hint="try again; githubstatus.com"
            ) from error


def _words(error: Any) -> str:
    data = error.data if isinstance(error.data, dict) else {}
    parts = [str(data.get("message") or error)]
    for one in data.get("errors") or ():
        parts.append(
            str(one.get("message") or f"{one.get('field')} is {one.get('code')}") if isinstance(one, dict) else one
        )
    return f"{'; '.join(parts)} ({error.status})"


def _hint(error: Any, hint: str) -> str:
    known = {
        401: "the token is wrong or has expired",
        403: hint or "the token may not: give it contents: write and pull-requests: write; or wait for the rate limit",
        404: hint or "is the repository's name right, and may the token see it?",
        409: "the repository changed meanwhile: try again",
        422: hint or "GitHub understood and does not agree; its words say why",
    }
    return known.get(error.status, "try again later")
