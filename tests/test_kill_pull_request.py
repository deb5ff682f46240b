"""The pull request that makes a kill last; whatever becomes of it, the flag is off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github_server import NAME, OWNER, TOKEN, GitHubServer

Run = Callable[..., Any]
BRANCH = "flagctl/kill/wishlist-edit"
KILL = ("kill", "wishlist-edit", "-e", "production", "--reason", "orders fail\nsince noon", "--yes")
POLICY = """\
environments:
  development: {}
  production:
    promotes_from: development
    protected: true
    break_glass: [ada@example.com, bob@example.com]
    approvals: {required: 1, from: [sre]}
    targets: ["file:published"]
teams:
  sre: {handle: "@acme/sre"}
  growth: {members: ["@grace"]}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHubServer]:
    running = GitHubServer(tmp_path / "github")
    yield running
    running.close()
    assert running.faults == []


@pytest.fixture
def forge(server: GitHubServer) -> dict[str, str]:
    """What makes flagctl ask the server."""
    return {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": f"{OWNER}/{NAME}"}


@pytest.fixture
def glass(repo: Path, server: GitHubServer, flagctl: Run, git: Run) -> Path:
    """The small repository, pushed to the server and published, where Ada and Bob may break glass."""
    (repo / "flags/flagctl.yaml").write_text(POLICY)
    (repo / ".gitignore").write_text("published\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Who may break glass")
    origin = server.url.replace("//", f"//x-access-token:{TOKEN}@") + f"/{OWNER}/{NAME}.git"
    git(repo, "remote", "add", "origin", origin)
    git(repo, "push", "-q", "-u", "origin", "main")
    assert flagctl("publish", "production").returncode == 0
    return repo


def is_off(glass: Path) -> bool:
    live = json.loads((glass / "published/production/snapshot.json").read_bytes())
    return "wishlist-edit" in live.get("kills", {}) and not live["flags"]["wishlist-edit"]["enabled"]


def test_a_kill_is_one_urgent_pull_request_however_often(
    glass: Path, server: GitHubServer, forge: dict[str, str], flagctl: Run, git: Run
) -> None:
    done = flagctl(*KILL, "--json", env=forge)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["pull_request"] == f"{server.url}/{OWNER}/{NAME}/pull/1"
    assert "BREAK GLASS: ada@example.com turned wishlist-edit off in production until" in done.stderr
    assert "comes back" not in done.stderr
    assert is_off(glass)
    (pull,) = server.pulls
    assert (pull["title"], pull["base"]["ref"]) == ("URGENT: Kill wishlist-edit in production", "main")
    assert (pull["head"]["ref"], pull["head"]["sha"]) == (BRANCH, said["commit"])
    for told in ("`wishlist-edit`", "`production`", "ada@example.com", "> orders fail\n> since noon", said["until"],
                 "Merging this makes it last"):  # fmt: skip
        assert told in pull["body"]
    bodies = {path.rpartition("/")[2]: body for _, path, body in server.seen}
    assert bodies["labels"] == {"labels": ["urgent", "flags", "production"]}
    assert bodies["requested_reviewers"] == {"reviewers": ["grace"], "team_reviewers": ["sre"]}

    # Again, longer: a commit more on the same branch, and the same pull request says so.
    done = flagctl(*KILL, "--ttl", "4h", env=forge)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{server.url}/{OWNER}/{NAME}/pull/1\n")
    assert len(server.pulls) == 1
    assert said["until"] not in server.pulls[0]["body"]
    assert git(server.bare, "rev-list", "--count", f"main..{BRANCH}").strip() == "2"

    # Merged, and turned on again by a later commit: the next kill starts from there, and its merge turns the flag off.
    git(glass, "merge", "-q", "--no-ff", "-m", "Merge", BRANCH)
    git(glass, "revert", "--no-edit", "-m", "1", "HEAD")
    git(glass, "push", "-q", "origin", "main", f":{BRANCH}")
    server.pulls.clear()
    assert flagctl("publish", "production").returncode == 0
    assert flagctl(*KILL, env=forge).returncode == 0
    assert git(server.bare, "rev-list", "--count", f"main..{BRANCH}").strip() == "1"
    assert "+enabled: false" in git(server.bare, "diff", f"main...{BRANCH}")


@pytest.mark.parametrize(
    ("break_it", "environment", "told"),
    [
        (None, {}, f"hint: open URL/{OWNER}/{NAME}/compare/main...{BRANCH}?expand=1"),
        (None, {"GITHUB_TOKEN": "wrong"}, "Bad credentials (401); open URL/"),
        (404, {}, "Not Found (404); open URL/"),
        ("https://127.0.0.1:9/acme/flags.git", {}, f"hint: it is here: git push origin {BRANCH}"),
    ],
    ids=["no token", "wrong token", "no repository", "no push"],
)
def test_the_flag_is_off_without_a_pull_request_too(
    glass: Path, server: GitHubServer, forge: dict[str, str], flagctl: Run, git: Run,
    break_it: Any, environment: dict[str, str], told: str,
) -> None:  # fmt: skip
    if isinstance(break_it, int):
        server.script.append(("GET", "/pulls", break_it, {}, {"message": "Not Found"}))
    elif break_it:
        git(glass, "remote", "set-url", "origin", break_it)
    done = flagctl(*KILL, "--json", env=forge | environment if break_it or environment else {})
    assert done.returncode == 0, done.stderr
    assert is_off(glass)
    said = json.loads(done.stdout)
    assert (said["branch"], said["pull_request"]) == (BRANCH, None)
    assert "BREAK GLASS" in done.stderr
    assert f"warning: wishlist-edit comes back unless {BRANCH} is merged" in done.stderr
    assert told.replace("URL", server.url) in done.stderr
    assert server.pulls == []
    assert (server.tip(BRANCH) == said["commit"]) == ("git push" not in told)


def test_a_label_that_is_refused_hides_no_pull_request(
    glass: Path, server: GitHubServer, forge: dict[str, str], flagctl: Run
) -> None:
    refused = ("POST", "/labels", 403, {}, {"message": "Resource not accessible by integration"})
    url = f"{server.url}/{OWNER}/{NAME}/pull/1"
    for arguments in ((), ("--json",)):
        server.script.append(refused)
        done = flagctl(*KILL, *arguments, env=forge)
        assert done.returncode == 0, done.stderr
        assert "warning: the pull request is open, but GitHub would not add the labels urgent, flags, production" in (
            done.stderr
        )
        assert "comes back" not in done.stderr
        assert url == (json.loads(done.stdout)["pull_request"] if arguments else done.stdout.splitlines()[-1])


def test_of_a_branch_in_work_nothing_comes_along(
    glass: Path, server: GitHubServer, forge: dict[str, str], flagctl: Run, git: Run
) -> None:
    git(glass, "switch", "-q", "-c", "work")
    git(glass, "commit", "-q", "--allow-empty", "-m", "Half done")
    assert flagctl(*KILL, env=forge).returncode == 0
    assert server.pulls[0]["base"]["ref"] == "main"
    assert git(server.bare, "log", "--format=%s", f"main..{BRANCH}") == "Kill wishlist-edit in production\n"


def test_nobodys_kill_is_lost_when_two_do_it(
    glass: Path, server: GitHubServer, forge: dict[str, str], flagctl: Run, git: Run
) -> None:
    other = glass.parent / "other"
    git(glass.parent, "clone", "-q", git(glass, "remote", "get-url", "origin").strip(), str(other))
    assert flagctl(*KILL, env=forge).returncode == 0
    bob = forge | {"GIT_AUTHOR_EMAIL": "bob@example.com"}
    # Bob's clone publishes to the same place.
    (other / "published").symlink_to(glass / "published")
    done = flagctl(*KILL, cwd=other, env=bob)
    assert done.returncode == 0, done.stderr
    assert f"somebody else pushed to {BRANCH}" in done.stderr
    hint = f"git fetch origin +{BRANCH}:{BRANCH}"
    assert f"hint: {hint}, then run this again" in done.stderr
    git(other, *hint.split()[1:])
    done = flagctl(*KILL, cwd=other, env=bob)
    assert done.returncode == 0, done.stderr
    people = git(server.bare, "log", "--format=%(trailers:key=Break-Glass,valueonly,separator=)", f"main..{BRANCH}")
    assert people.split() == ["bob@example.com", "ada@example.com"]
    assert len(server.pulls) == 1
    # Ada, who has fetched, goes on from Bob's.
    git(glass, "fetch", "-q", "origin")
    assert flagctl(*KILL, env=forge).returncode == 0
    assert git(server.bare, "rev-list", "--count", f"main..{BRANCH}").strip() == "3"


def test_what_was_turned_off_is_proposed_although_another_target_failed(
    glass: Path, server: GitHubServer, forge: dict[str, str], flagctl: Run, git: Run
) -> None:
    (glass / "flags/flagctl.yaml").write_text(POLICY.replace('["file:published"]', '["file:published", "file:second"]'))
    (glass / ".gitignore").write_text("published\nsecond\n")
    git(glass, "commit", "-qam", "Two targets")
    git(glass, "push", "-q")
    assert flagctl("publish", "production").returncode == 0
    lock = glass / "second/production/.lock"
    lock.unlink()
    lock.mkdir()
    done = flagctl(*KILL, "--json", env=forge)
    assert done.returncode == 4, done.stderr
    assert is_off(glass)
    said = json.loads(done.stdout)
    assert (len(said["receipts"]), said["pull_request"]) == (1, server.pulls[0]["html_url"])
    assert "second/production/.lock" in done.stderr
    assert "BUT NOT AT file:second" in done.stderr
