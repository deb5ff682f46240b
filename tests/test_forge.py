"""GitHub over real HTTP: each request and answer is held against GitHub's own OpenAPI description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github_server import NAME, OWNER, TOKEN, GitHubServer

from flagctl.errors import OutsideError
from flagctl.history.forge import Place, forge_of, number_of, place_of
from flagctl.history.git import Git
from flagctl.history.github import GitHub
from flagctl.history.propose import Proposal, propose

GitRun = Callable[..., str]
PROPOSAL = Proposal(branch="work", onto="main", title="Raise it", body="Because.")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubServer]:
    server = GitHubServer(tmp_path_factory.mktemp("github"))
    yield server
    server.close()


@pytest.fixture
def server(served: GitHubServer) -> Iterator[GitHubServer]:
    for kept in (
        served.pulls,
        served.reviews,
        served.comments,
        served.seen,
        served.script,
        served.team,
        served.faults,
        served.public,
        served.commits,
        served.strangers,
        served.asked,
    ):
        kept.clear()  # type: ignore[attr-defined]
    yield served
    assert served.faults == []


@pytest.fixture
def clone(repo: Path, git: GitRun, server: GitHubServer) -> Path:
    """The small repository, pushed to the server over smart HTTP with a token, and a branch with one commit more."""
    git(
        repo, "remote", "add", "origin", server.url.replace("//", f"//x-access-token:{TOKEN}@") + f"/{OWNER}/{NAME}.git"
    )
    git(repo, "push", "-qf", "origin", "main")
    git(repo, "checkout", "-qb", "work")
    (repo / "more").write_text("more\n")
    git(repo, "add", "more")
    git(repo, "commit", "-qm", "more")
    git(repo, "push", "-qf", "origin", "work")
    return repo


@pytest.fixture
def forge(server: GitHubServer) -> GitHub:
    return GitHub(server.url, f"{OWNER}/{NAME}", TOKEN, timeout=1, backoff=0.01)


def asked(server: GitHubServer) -> list[tuple[str, str]]:
    return [(method, path.removeprefix(f"/repos/{OWNER}/{NAME}")) for method, path, _ in server.seen]


def test_a_pull_request_is_opened_once_and_brought_up_to_date(clone: Path, server: GitHubServer, forge: GitHub) -> None:
    url = forge.propose(PROPOSAL).url
    assert url == f"{server.url}/{OWNER}/{NAME}/pull/1"
    assert asked(server) == [("GET", "/pulls"), ("POST", "/pulls")]
    server.seen.clear()
    assert forge.propose(PROPOSAL).url == url
    assert asked(server) == [("GET", "/pulls")]
    changed = Proposal(branch="work", onto="main", title="Raise it more", body="Because.")
    assert forge.propose(changed).url == url
    assert server.pulls[0]["title"] == "Raise it more"
    assert len(server.pulls) == 1


def test_labels_and_reviewers_are_asked_for(clone: Path, server: GitHubServer, forge: GitHub) -> None:
    wanted = Proposal(
        branch="work", onto="main", title="t", body="b", labels=("flags",), reviewers=("@ada", "@acme/sre", "x@y.z")
    )
    forge.propose(wanted)
    bodies = {path.rpartition("/")[2]: body for _, path, body in server.seen}
    assert bodies["labels"] == {"labels": ["flags"]}
    assert bodies["requested_reviewers"] == {"reviewers": ["ada"], "team_reviewers": ["sre"]}


def test_who_can_not_be_asked_keeps_nobody_else_from_being_asked(
    clone: Path, server: GitHubServer, forge: GitHub
) -> None:
    wanted = Proposal(
        branch="work",
        onto="main",
        title="t",
        body="b",
        reviewers=("@Author", "@ada", "@gone", "@acme/sre", "@acme/old"),
    )
    server.open_pull("t", "b", "work", "main", author="author")
    server.strangers += ["gone", "old"]
    assert forge.propose(wanted).lacking == ()
    assert server.asked == ["ada", "sre"]
    server.strangers.append("ada")
    assert forge.propose(Proposal(branch="work", onto="main", title="t", body="b", reviewers=("@ada",))).lacking == ()


def test_auto_merge_is_asked_for(clone: Path, server: GitHubServer, forge: GitHub) -> None:
    forge.propose(Proposal(branch="work", onto="main", title="t", body="b", auto_merge=True))
    (asked_for,) = [body for _, path, body in server.seen if path == "/graphql"]
    assert "enablePullRequestAutoMerge" in asked_for["query"]
    assert asked_for["variables"]["input"]["pullRequestId"] == server.pulls[0]["node_id"]


NO = {"message": "Resource not accessible by integration"}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/labels", 403, "GitHub would not add the labels flags, urgent: Resource not accessible by integration (403)"),
        ("/labels", 404, "GitHub would not add the labels flags, urgent"),
        ("/labels", 0, "GitHub does not answer"),
        ("/requested_reviewers", 403, "GitHub would not ask @ada for a review"),
        ("/graphql", 403, "GitHub would not merge it once it is approved"),
    ],
)
def test_a_pull_request_counts_although_github_refuses_what_belongs_to_it(
    clone: Path, server: GitHubServer, path: str, status: int, said: str
) -> None:
    wanted = Proposal(
        branch="work",
        onto="main",
        title="t",
        body="b",
        labels=("flags", "urgent"),
        reviewers=("@ada",),
        auto_merge=True,
    )
    forge = GitHub(server.url, f"{OWNER}/{NAME}", TOKEN, timeout=1, attempts=1, backoff=0)
    server.script += [("POST", path, status, {}, NO)] * 2
    opened = forge.propose(wanted)
    assert opened.url == f"{server.url}/{OWNER}/{NAME}/pull/1"
    (lacking,) = opened.lacking
    assert lacking.startswith(said)
    server.script.clear()
    assert {asked.rpartition("/")[2] for _, asked, _ in server.seen} >= {"labels", "requested_reviewers", "graphql"}
    assert forge.propose(wanted) == (opened.url, ())


def test_a_lost_race_finds_the_pull_request_of_the_other(clone: Path, server: GitHubServer, forge: GitHub) -> None:
    server.open_pull("theirs", "b", "work", "main")
    server.script.append(("GET", "/pulls", 200, {}, []))
    assert forge.propose(PROPOSAL).url.endswith("/pull/1")
    assert asked(server) == [("GET", "/pulls"), ("POST", "/pulls"), ("GET", "/pulls")]


def test_the_last_word_of_each_reviewer_counts_and_what_was_said_before_the_push_is_stale(
    clone: Path, server: GitHubServer, forge: GitHub
) -> None:
    tip = server.tip("work")
    server.open_pull("t", "b", "work", "main")
    for login, state, commit in [
        ("ada", "CHANGES_REQUESTED", tip), ("ada", "APPROVED", tip), ("ada", "COMMENTED", tip),
        ("bob", "APPROVED", "1" * 40), ("cy", "APPROVED", tip), ("cy", "DISMISSED", tip),
    ]:  # fmt: skip
        server.review(login, state, commit)
    pull = forge.pull(1)
    assert (pull.author, pull.onto, pull.head) == ("@author", "main", tip)
    found = {review.people[0]: (review.state, review.stale) for review in forge.reviews(pull)}
    assert found == {"@ada": ("approved", False), "@bob": ("approved", True), "@cy": ("other", False)}
    assert len([path for _, path in asked(server) if path.endswith("/reviews")]) == 3  # pages


def test_a_comment_is_updated_in_place_however_many_there_are(clone: Path, server: GitHubServer, forge: GitHub) -> None:
    server.open_pull("t", "b", "work", "main")
    pull = forge.pull(1)
    for number in range(4):
        forge.comment(pull, f"<{number}>", f"<{number}> said by somebody")
    forge.comment(pull, "<mark>", "<mark> one")
    forge.comment(pull, "<mark>", "<mark> two")
    server.seen.clear()
    forge.comment(pull, "<mark>", "<mark> two")
    assert {method for method, _ in asked(server)} == {"GET"}
    assert [comment["body"] for comment in server.comments][-1] == "<mark> two"
    assert len(server.comments) == 5


def test_the_members_of_a_team_are_looked_up(server: GitHubServer, forge: GitHub) -> None:
    server.team += ["ada", "bob", "cy"]
    assert forge.members("@acme/sre") == ["@ada", "@bob", "@cy"]
    with pytest.raises(OutsideError) as caught:
        forge.members("@acme/nobody")
    assert "write the members into flags/flagctl.yaml" in caught.value.hint


LIMIT = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (502, {}, {"message": "Server Error"}),
        (503, {}, {"message": "Unavailable"}),
        (403, {"Retry-After": "1"}, LIMIT),
        (
            403,
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"},
            {"message": "API rate limit exceeded for user ID 1."},
        ),
    ],
)
def test_what_passes_is_tried_again(
    clone: Path, server: GitHubServer, forge: GitHub, status: int, headers: dict[str, str], body: dict[str, str]
) -> None:
    server.script += [("GET", "/pulls", status, headers, body)] * 2
    assert forge.propose(PROPOSAL).url.endswith("/pull/1")
    assert asked(server).count(("GET", "/pulls")) == 3


@pytest.mark.parametrize(
    ("status", "body", "said", "hint"),
    [
        (401, {"message": "Bad credentials"}, "Bad credentials (401)", "token is wrong"),
        (403, {"message": "Resource not accessible by integration"}, "by integration (403)", "pull-requests: write"),
        (404, {"message": "Not Found"}, "Not Found (404)", "repository's name"),
        (409, {"message": "Conflict"}, "Conflict (409)", "try again"),
        (422, {"message": "Validation Failed", "errors": [{"resource": "PR", "field": "base", "code": "invalid"}]},
         "Validation Failed; base is invalid (422)", "does not agree"),
    ],
)  # fmt: skip
def test_what_github_refuses_is_told_with_what_to_do(
    clone: Path, server: GitHubServer, forge: GitHub, status: int, body: dict[str, object], said: str, hint: str
) -> None:
    server.script += [("POST", "/pulls", status, {}, body)] * 9
    with pytest.raises(OutsideError) as caught:
        forge.propose(PROPOSAL)
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_a_forge_that_never_answers_is_given_up_on(server: GitHubServer) -> None:
    forge = GitHub(server.url, f"{OWNER}/{NAME}", TOKEN, timeout=1, attempts=1, backoff=0)
    server.script += [("GET", "/pulls/1", 0, {}, None)] * 9
    with pytest.raises(OutsideError, match="does not answer"):
        forge.pull(1)


def test_a_wrong_token_is_told_and_nothing_is_pushed(repo: Path, git: GitRun, server: GitHubServer) -> None:
    git(repo, "remote", "add", "origin", server.url.replace("//", "//x-access-token:wrong@") + f"/{OWNER}/{NAME}.git")
    with pytest.raises(OutsideError, match="did not take the branch"):
        propose(Git(repo), {"flags/x.yaml": "a: 1\n"}, "x", Proposal(branch="b", onto="main", title="t"))
    with pytest.raises(OutsideError, match="Bad credentials"):
        GitHub(server.url, f"{OWNER}/{NAME}", "wrong").pull(1)


def test_a_change_is_pushed_and_proposed(clone: Path, git: GitRun, server: GitHubServer, forge: GitHub) -> None:
    made = propose(Git(clone), {"flags/x.yaml": "a: 1\n"}, "Add x", Proposal(branch="b", onto="main", title="t"), forge)
    assert made.url.endswith("/pull/1")
    assert server.pulls[0]["head"]["sha"] == made.commit == git(server.bare, "rev-parse", "b").strip()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://github.com/acme/flags.git", Place("github.com", "acme/flags")),
        ("git@github.com:acme/flags.git", Place("github.com", "acme/flags")),
        ("ssh://git@gitlab.example.com:2222/a/b/flags", Place("gitlab.example.com", "a/b/flags")),
        ("https://token@GitHub.example.com/acme/flags/", Place("github.example.com", "acme/flags")),
        ("/srv/flags.git", None),
        ("../flags", None),
        ("file:///srv/flags.git", None),
    ],
)
def test_a_remote_says_where_it_is(url: str, place: Place | None) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    ("url", "environ", "found"),
    [
        ("https://github.com/acme/flags", {"GITHUB_TOKEN": "t"}, ("https://api.github.com", "acme/flags")),
        ("git@github.com:acme/flags", {"GH_TOKEN": "t"}, ("https://api.github.com", "acme/flags")),
        ("git@github.acme.com:a/b", {"GITHUB_TOKEN": "t"}, ("https://github.acme.com/api/v3", "a/b")),
        ("git@git.acme.com:a/b", {"GITHUB_TOKEN": "t", "GITHUB_API_URL": "https://x/api"}, ("https://x/api", "a/b")),
        ("https://github.com/acme/flags", {}, None),
        ("https://gitlab.com/a/b", {"GITHUB_TOKEN": "t"}, None),
        ("https://gitlab.com/a/b/c", {"GITLAB_TOKEN": "t"}, ("https://gitlab.com", "a/b/c")),
        (
            "https://git.acme.com/a/b",
            {"GITLAB_TOKEN": "t", "GITLAB_URL": "https://git.acme.com"},
            ("https://git.acme.com", "a/b"),
        ),
        ("/srv/flags.git", {"GITHUB_TOKEN": "t"}, None),
    ],
)
def test_a_forge_is_found_by_remote_and_token(
    repo: Path, git: GitRun, url: str, environ: dict[str, str], found: tuple[str, str] | None
) -> None:
    git(repo, "remote", "add", "origin", url)
    forge = forge_of(Git(repo), environ)
    told = forge and (getattr(forge, "api", None) or getattr(forge, "url", None), getattr(forge, "repository", None))
    assert told == found


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("#12", 12), ("!7", 7), ("https://github.com/a/b/pull/3", 3),
     ("https://g/a/-/merge_requests/4/diffs", 4), ("main", None), ("v12", None), ("", None)],
)  # fmt: skip
def test_a_pull_request_has_a_number(text: str, number: int | None) -> None:
    assert number_of(text) == number


POLICY = """\
environments:
  development: {}
  production:
    promotes_from: development
    protected: true
    approvals: {required: 1, from: [sre], when: {rollout_over: 10}}
teams:
  sre: {handle: "@acme/sre"}
"""


def test_approvals_are_counted_from_the_pull_request(
    flagctl: Callable[..., Any], clone: Path, git: GitRun, server: GitHubServer, tmp_path: Path
) -> None:
    def commit(path: str, text: str) -> None:
        (clone / path).write_text(text)
        git(clone, "commit", "-qam", "change")

    git(clone, "checkout", "-q", "main")
    commit("flags/flagctl.yaml", POLICY)
    git(clone, "push", "-q", "origin", "main")
    git(clone, "checkout", "-qB", "work")
    gallery = clone / "flags/production/wishlist-gallery.yaml"
    commit("flags/production/wishlist-gallery.yaml", gallery.read_text().replace("25", "60"))
    commit("flags/flagctl.yaml", POLICY.replace("required: 1", "required: 0"))
    git(clone, "push", "-qf", "origin", "work")
    server.open_pull("t", "b", "work", "main", author="author")
    server.team.append("sam")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 1}}))
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}

    def missing(*arguments: str, **more: str) -> int:
        done = flagctl("approvals", "--json", *arguments, env=env | more)
        found = json.loads(done.stdout)["missing"]
        assert done.returncode == bool(found), done.stderr
        return int(found)

    assert missing("1") == 1
    server.review("eve", "APPROVED", server.tip("work"))  # not of the team
    server.review("sam", "APPROVED", "1" * 40)  # before the last push
    assert missing("1") == 1
    server.review("sam", "APPROVED", server.tip("work"))
    assert missing("1") == 0
    assert missing(GITHUB_EVENT_PATH=str(event)) == 0
    server.pulls[0]["user"]["login"] = "sam"  # nobody approves their own
    assert missing("#1") == 1
    done = flagctl("approvals")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "missing 1  production: needs 1 approval by sre: what settings say of production changes"
    )
    assert "there is no token for one" in flagctl("approvals", "1").stderr
    git(clone, "checkout", "-q", "main")
    assert flagctl("approvals").stderr == "no approval is needed\n"


def test_the_log_asks_the_forge_for_the_pull_requests_that_commits_name(
    flagctl: Callable[..., Any], clone: Path, git: GitRun, server: GitHubServer
) -> None:
    gallery = clone / GALLERY

    def change(share: int, message: str) -> str:
        gallery.write_text(f"{gallery.read_text().partition('  rollout:')[0]}  rollout: {share}\n")
        git(clone, "commit", "-qam", f"{message}\n\nReason: r")
        return git(clone, "rev-parse", "HEAD").strip()

    def verified(code: int, **env: str) -> Any:
        done = flagctl("log", "--verify", "--json", env=env)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout), done.stderr

    git(clone, "checkout", "-q", "main")
    (clone / "flags/flagctl.yaml").write_text(POLICY)
    git(clone, "commit", "-qam", "Policy\n\nReason: r")
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}
    squashed = change(60, "More (#1)")
    server.open_pull("t", "b", "work", "main")
    document, summary = verified(0)
    assert [one["where"] for one in document["approved_elsewhere"]] == ["#1"]
    assert "1 by pull requests that the forge was not asked about: no GITHUB_TOKEN, no GITLAB_TOKEN" in summary
    assert not server.seen

    def broken() -> list[str]:
        document, summary = verified(1, **env)
        assert "of 1 the forge was asked for the pull request" in summary
        (breach,) = document["breaches"]
        assert (document["approved_elsewhere"], breach["commit"]) == ([], squashed)
        return list(breach["broken"])

    assert broken() == ["names #1, which was never merged"]
    server.pulls[0] |= {"merged": True, "state": "closed", "merge_commit_sha": "1" * 40}
    assert broken() == ["names #1, which was merged as 1111111111"]
    server.pulls[0]["merge_commit_sha"] = squashed
    server.team.append("sam")
    server.review("eve", "APPROVED", server.tip("work"))
    (said,) = broken()
    assert said.startswith("#1 has no approval that counts, needs 1 approval by sre: wishlist-edit: over 10 % of a")
    server.review("sam", "APPROVED", server.tip("work"))
    document, _ = verified(0, **env)
    assert [(one["where"], one["by"]) for one in document["approved_at_forge"]] == [("#1", ["@sam"])]
    change(61, "A little (#2)")
    assert verified(1, **env)[0]["breaches"][0]["broken"] == ["names #2, which is not there, or not for this token"]
    server.open_pull("t", "b", "work", "main")
    server.pulls[1] |= {"merged": True, "merge_commit_sha": git(clone, "rev-parse", "HEAD").strip()}
    server.reviews.clear()
    # What the policy lets pass without approval needs none.
    assert verified(1, **env)[0]["approved_at_forge"][0]["where"] == "#2"
    server.script.append(("GET", "/pulls/2", 401, {}, {"message": "Bad credentials"}))
    assert flagctl("log", "--verify", env=env).returncode == 4


def test_whoever_wrote_a_commit_is_no_reviewer_and_addresses_are_known_by_the_forge(
    flagctl: Callable[..., Any], clone: Path, git: GitRun, server: GitHubServer
) -> None:
    policy = POLICY.replace('{handle: "@acme/sre"}', '{members: [sam@example.com, "@cy", "@zoe"]}')
    policy = policy.replace(
        "rollout_over: 10}}", "rollout_over: 10}}\n    freeze: [{from: 2020-01-01, to: 2999-01-01, reason: x}]"
    )
    git(clone, "checkout", "-q", "main")
    (clone / "flags/flagctl.yaml").write_text(policy)
    git(clone, "commit", "-qam", "policy")
    git(clone, "push", "-q", "origin", "main")
    git(clone, "checkout", "-qB", "work")
    gallery = clone / "flags/production/wishlist-gallery.yaml"
    gallery.write_text(gallery.read_text().replace("25", "60"))
    git(clone, "commit", "-qam", "More\n\nCo-authored-by: Zoe <7+zoe@users.noreply.github.com>")
    git(clone, "push", "-qf", "origin", "work")
    server.open_pull("t", "b", "work", "main", author="author")
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}

    def given() -> tuple[list[str], bool, str]:
        done = flagctl("approvals", "1", "--json", env=env)
        asked = {one["kind"]: one for one in json.loads(done.stdout)["approvals"]}
        return asked["approval"]["given"], bool(asked["freeze"]["missing"]), done.stderr

    server.commits.append(("cy", "cy@example.com"))
    for login in ("cy", "zoe", "sam"):
        server.review(login, "APPROVED", server.tip("work"))
    assert given()[:2] == ([], True)  # cy and zoe wrote of it, and who @sam is nobody says
    assert "no address of @sam: write the login into the team beside sam@example.com" in given()[2]
    server.public["sam"] = "Sam@example.com"
    assert given()[0] == ["@sam"]
    server.public.clear()
    server.commits.append(("sam", "sam@example.com"))  # as of a commit that GitHub knows for theirs, but in this change
    assert given()[0] == []
    # a freeze that a commit overrides, with its reason, is overridden
    git(clone, "commit", "-q", "--allow-empty", "-m", "Now\n\nOverride-Freeze: the shop is down")
    git(clone, "push", "-qf", "origin", "work")
    server.pulls[0]["head"]["sha"] = server.tip("work")
    assert given()[:2] == ([], False)


def test_a_change_of_a_protected_environment_becomes_a_pull_request(
    flagctl: Callable[..., Any], clone: Path, git: GitRun, server: GitHubServer
) -> None:
    git(clone, "checkout", "-q", "main")
    (clone / "flags/flagctl.yaml").write_text(POLICY)
    git(clone, "commit", "-qam", "policy")
    git(clone, "push", "-q", "origin", "main")
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}
    change = ["set", "wishlist-gallery", "-e", "production", "--rollout", "60", "--reason", "tested"]
    done = flagctl(*change, env=env)
    assert done.returncode == 0, done.stderr
    assert f"{server.url}/{OWNER}/{NAME}/pull/1" in done.stdout + done.stderr
    (pull,) = server.pulls
    assert pull["base"]["ref"] == "main"
    assert (
        git(server.bare, "show", f"{pull['head']['ref']}:flags/production/wishlist-gallery.yaml").count("rollout: 60")
        == 1
    )
    assert pull["body"].startswith("tested\n\n<!-- flagctl plan -->\n")
    assert "everyone else: off → on 35.000 %" in pull["body"]
    assert "✋ needs 1 approval by sre: " in pull["body"]
    bodies = {path.rpartition("/")[2]: body for _, path, body in server.seen}
    assert bodies["labels"] == {"labels": ["flags", "production"]}
    assert bodies["requested_reviewers"] == {"reviewers": [], "team_reviewers": ["sre"]}
    # nothing changed since: the same branch, the same pull request
    assert flagctl(*change, env=env).returncode == 0
    assert len(server.pulls) == 1
    # without the forge the branch is there, and the person is told how to go on
    server.script += [("GET", "/pulls", 404, {}, {"message": "Not Found"})]
    done = flagctl(*[*change[:5], "70", *change[6:]], env=env)
    assert done.returncode == 0
    assert "Not Found" in done.stdout + done.stderr
    assert "compare/main" in done.stdout + done.stderr


def test_the_plan_is_the_one_comment_of_its_pull_request(
    flagctl: Callable[..., Any], clone: Path, server: GitHubServer, tmp_path: Path
) -> None:
    server.open_pull("t", "b", "work", "main")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 1}}))
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}
    env["GITHUB_EVENT_PATH"] = str(event)
    assert "commented: " in flagctl("plan", "--comment", "event", env=env).stderr
    assert "Nothing changes" in server.comments[0]["body"]
    path = clone / "flags/production/wishlist-gallery.yaml"
    path.write_text(path.read_text().replace("rollout: 25", "rollout: 60"))
    assert flagctl("plan", "--comment", "1", env=env).returncode == 0
    (comment,) = server.comments
    assert "everyone else: off → on 35.000 %" in comment["body"]
    assert flagctl("plan", "--comment", "main", env=env).returncode == 2


@pytest.fixture
def main(clone: Path, git: GitRun) -> Path:
    """The clone on main, with production protected and development ahead of it."""
    git(clone, "checkout", "-q", "main")
    (clone / "flags/flagctl.yaml").write_text(POLICY)
    for share, environment in (("60", "development"), ("30", "production"), ("40", "production")):
        file = clone / f"flags/{environment}/wishlist-gallery.yaml"
        text = file.read_text().partition("  rollout:")[0]
        file.write_text(f"{text}  rollout: {share}\n")
        git(clone, "commit", "-qam", "Change")
    git(clone, "push", "-q", "origin", "main")
    return clone


GALLERY = "flags/production/wishlist-gallery.yaml"
PROMOTE = ["promote", "wishlist-gallery", "--to", "production", "--take", "source"]
NEW = ["new", "fresh", "--owner", "growth", "--description", "Fresh.", "--expires", "2099-01-01"]


@pytest.mark.parametrize(
    ("command", "path", "says", "labels"),
    [
        (PROMOTE, GALLERY, "rollout: 60", ["production"]),
        ([*PROMOTE, "--auto-merge"], GALLERY, "rollout: 60", ["production"]),
        (["rollback", "wishlist-gallery", "-e", "production"], GALLERY, "rollout: 30", ["production"]),
        (["edit", "wishlist-gallery", "-e", "production"], GALLERY, "rollout: 41", ["production"]),
        (
            ["remove", "wishlist-edit", "--yes"],
            "flags/production/wishlist-edit.yaml",
            "",
            ["development", "production"],
        ),
        (NEW, "flags/production/fresh.yaml", "description: Fresh.", ["development", "production"]),
        (
            ["rename", "wishlist-edit", "changes"],
            "flags/production/changes.yaml",
            "description: Edit an item",
            ["development", "production"],
        ),
    ],
    ids=["promote", "auto-merge", "rollback", "edit", "remove", "new", "rename"],
)
def test_every_change_of_a_protected_environment_goes_by_pull_request(
    flagctl: Callable[..., Any], main: Path, git: GitRun, server: GitHubServer, tmp_path: Path,
    command: list[str], path: str, says: str, labels: list[str],
) -> None:  # fmt: skip
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/rollout: 40/rollout: 41/' \"$1\"\n")
    editor.chmod(0o755)
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}
    env["EDITOR"] = str(editor)
    head = git(main, "rev-parse", "HEAD")
    # without a token the branch is pushed, and the person told how to go on
    done = flagctl(*command, "--reason", "tested", env={"EDITOR": str(editor)})
    assert done.returncode == 0, done.stderr
    pushed = [name for name in git(server.bare, "branch", "--format=%(refname:short)").split() if "flagctl/" in name]
    branch = next(name for name in pushed if name.startswith(f"flagctl/{command[0]}/") and name in done.stderr)
    assert f"next: open {server.url}/{OWNER}/{NAME}/compare/main...{branch}?expand=1" in done.stderr
    assert server.pulls == []
    # with one, each run is the same branch and the same pull request
    for refused in ([], [("POST", "/labels", 403, {}, NO)]):
        server.script += refused
        done = flagctl(*command, "--reason", "tested", env=env)
        assert done.returncode == 0, done.stderr
        assert f"{server.url}/{OWNER}/{NAME}/pull/1" in done.stdout
        assert ("the pull request is open, but GitHub would not add the labels" in done.stderr) == bool(refused)
    (pull,) = server.pulls
    assert (pull["base"]["ref"], pull["head"]["ref"]) == ("main", branch)
    assert (
        says in git(server.bare, "show", f"{branch}:{path}")
        if says
        else path not in git(server.bare, "ls-tree", "-r", "--name-only", branch)
    )
    assert "tested" in git(server.bare, "show", "-s", "--format=%(trailers:key=Reason,valueonly)", branch)
    assert pull["body"].startswith("tested\n\n<!-- flagctl plan -->\n")
    assert "production" in pull["body"]
    bodies = {path.rpartition("/")[2]: body for _, path, body in server.seen}
    assert sorted(bodies["labels"]["labels"]) == sorted(["flags", *labels])
    assert "sre" in bodies["requested_reviewers"]["team_reviewers"]
    assert ("graphql" in bodies) == ("--auto-merge" in command)
    assert (git(main, "rev-parse", "HEAD"), git(main, "status", "--porcelain")) == (head, "")
    git(server.bare, "branch", "-D", branch)
