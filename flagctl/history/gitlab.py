"""GitLab's merge requests by its REST API, through python-gitlab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from flagctl.errors import MissingError, OutsideError
from flagctl.history.forge import Pull, names_of, people
from flagctl.history.propose import Opened, Proposal
from flagctl.model import times
from flagctl.plan.approve import Review

_TIMEOUT = 15


class GitLab:
    """A `flagctl.history.forge.Forge`. url: the server's address; repository: group/name. retry: what may pass."""

    def __init__(self, url: str, repository: str, token: str, *, timeout: float = _TIMEOUT, retry: bool = True) -> None:
        self.url = url
        self.repository = repository
        self._token = token
        self._timeout = timeout
        self._retry = retry

    def propose(self, proposal: Proposal) -> Opened:
        """See Forge."""
        with self._telling("open a merge request"):
            found = self._project.mergerequests.list(
                state="opened", source_branch=proposal.branch, target_branch=proposal.onto, get_all=False
            )
            if found:
                merge = found[0]
                if (merge.title, merge.description or "") != (proposal.title, proposal.body):
                    merge.title, merge.description = proposal.title, proposal.body
                    merge.save()
            else:
                merge = self._project.mergerequests.create(self._described(proposal))
        lacking: tuple[str, ...] = ()
        if proposal.auto_merge:
            try:
                with self._telling("merge it once it is approved"):
                    merge.merge(merge_when_pipeline_succeeds=True, should_remove_source_branch=True)
            except OutsideError as error:
                lacking = (f"{error.message}; {error.hint}",)
        return Opened(str(merge.web_url), lacking)

    def _described(self, proposal: Proposal) -> dict[str, Any]:
        logins, _ = people(proposal.reviewers)
        ids = [user.id for login in logins for user in self._gitlab.users.list(username=login, get_all=False)]
        return {
            "source_branch": proposal.branch,
            "target_branch": proposal.onto,
            "title": proposal.title,
            "description": proposal.body,
            "remove_source_branch": True,
            **({"labels": ",".join(proposal.labels)} if proposal.labels else {}),
            **({"reviewer_ids": ids} if ids else {}),
        }

    def pull(self, number: int) -> Pull:
        """See Forge."""
        with self._telling(f"look at merge request {number}"):
            found = self._project.mergerequests.get(number)
            return Pull(
                number=number,
                url=found.web_url,
                author=f"@{found.author['username']}",
                onto=found.target_branch,
                base=found.diff_refs["base_sha"],
                head=found.sha,
                # without a merge commit it was moved forward, to its squashed commit or its last one
                landed=(found.merge_commit_sha or found.squash_commit_sha or found.sha)
                if found.state == "merged"
                else "",
            )

    def reviews(self, pull: Pull) -> list[Review]:
        """See Forge. When somebody approved is told with the approval, by older servers in a note."""
        with self._telling("read the approvals"):
            merge = self._project.mergerequests.get(pull.number, lazy=True)
            approved = merge.approvals.get().approved_by
            pushed = max((_seconds(version.created_at) for version in merge.diffs.list(iterator=True)), default=0.0)
            at = {one["user"]["username"]: _seconds(one.get("approved_at")) for one in approved}
            if not all(at.values()):
                for note in merge.notes.list(iterator=True):
                    name = note.author["username"] if note.system and note.body.startswith("approved this") else ""
                    if name in at and not at[name]:
                        at[name] = _seconds(note.created_at)
            return [
                Review(people=(f"@{name}",), state="approved", stale=0 < time < pushed, undated=not time)
                for name, time in at.items()
            ]

    def authors(self, pull: Pull) -> list[str]:
        """See Forge: GitLab knows addresses alone."""
        with self._telling("read the commits"):
            commits = self._project.mergerequests.get(pull.number, lazy=True).commits()
            return names_of(dict.fromkeys(one.author_email for one in commits))

    def emails(self, login: str) -> list[str]:
        """See Forge: the public one."""
        with self._telling(f"look up {login}"):
            (found,) = self._gitlab.users.list(username=login.removeprefix("@"), get_all=False)[:1] or (None,)
            shown = self._gitlab.users.get(found.id) if found is not None else None
            return [email for email in [getattr(shown, "public_email", None)] if email]

    def members(self, handle: str) -> list[str]:
        """See Forge."""
        with self._telling(f"look up the group {handle}"):
            group = self._gitlab.groups.get(handle.removeprefix("@"), lazy=True)
            return [f"@{person.username}" for person in group.members_all.list(iterator=True)]

    def comment(self, pull: Pull, mark: str, text: str) -> str:
        """See Forge."""
        with self._telling("comment"):
            notes = self._project.mergerequests.get(pull.number, lazy=True).notes
            ours = next((one for one in notes.list(iterator=True) if one.body.startswith(mark)), None)
            if ours is None:
                ours = notes.create({"body": text})
            elif ours.body != text:
                ours.body = text
                ours.save()
            return f"{pull.url}#note_{ours.id}"

    @cached_property
    def _gitlab(self) -> Any:
        try:
            from gitlab import Gitlab
        except ImportError as error:
            raise OutsideError("GitLab needs python-gitlab", hint='pip install "flagctl[forge]"') from error
        return Gitlab(
            self.url,
            private_token=self._token,
            timeout=self._timeout,
            per_page=100,
            retry_transient_errors=self._retry,
            user_agent="flagctl",
        )

    @cached_property
    def _project(self) -> Any:
        return self._gitlab.projects.get(self.repository, lazy=True)

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """GitLab's refusals as errors that say what to do."""
        _ = self._gitlab  # says what to install where it is not
        from gitlab.exceptions import GitlabError
        from requests.exceptions import RequestException

        try:
            yield
        except GitlabError as error:
            known = {
                401: "the token is wrong or has expired",
                403: "the token may not: it needs the scope api",
                404: "is the project's name right, and may the token see it?",
                409: "there is one already, or it changed meanwhile: try again",
            }
            hint = known.get(error.response_code or 0, "try again later")
            kind = MissingError if error.response_code == 404 else OutsideError
            raise kind(f"GitLab would not {what}: {error}", hint=hint) from error
        except RequestException as error:
            raise OutsideError(
                f"GitLab does not answer at {self.url}: {type(error).__name__}", hint="try again"
            ) from error


def _seconds(text: str | None) -> float:
    """When something was, 0 for nobody knows."""
    micro = times.microseconds(text or "")
    return 0.0 if micro is None else micro / 1_000_000
