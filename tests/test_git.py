"""Git as flagctl asks it: where it is, what it is doing, committing some files only, the log, trees of the past."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run

from flagctl.errors import OutsideError, RefusedError, UsageError
from flagctl.files.repository import read_repository
from flagctl.files.walk import DiskTree
from flagctl.history.git import Git, message
from flagctl.history.touches import first_parents
from flagctl.history.travel import CommitTree

GitRun = Callable[..., str]
FLAG = "flags/production/wishlist-gallery.yaml"
OTHER = "flags/production/wishlist-edit.yaml"


def append(file: Path, text: str = "# more\n") -> None:
    with file.open("a") as opened:
        opened.write(text)


def hook(repo: Path, name: str, script: str) -> None:
    file = repo / ".git" / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_no_repository_and_a_bare_one_are_told_apart(tmp_path: Path, git: GitRun) -> None:
    with pytest.raises(UsageError, match="in no Git repository"):
        Git(tmp_path)
    assert Git.find(tmp_path) is None
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(UsageError, match="without a work tree"):
        Git(tmp_path / "bare.git")


def test_a_folder_of_a_larger_repository_sees_its_own_files(make_repo: Callable[..., Path], git: GitRun) -> None:
    root = make_repo({"README": "x\n", f"apps/shop/{FLAG}": "a: 1\n", f"apps/shop/{OTHER}": "a: 1\n"})
    inner = Git(root / "apps" / "shop")
    assert inner.clean()
    append(root / "README")
    assert inner.clean()
    append(root / "apps/shop" / FLAG)
    assert not inner.clean()
    inner.commit([FLAG], "Set")
    assert git(root, "show", "--name-only", "--format=").split() == [f"apps/shop/{FLAG}"]
    assert CommitTree(inner, "HEAD").paths() == [OTHER, FLAG]


def test_a_linked_work_tree_has_states_and_branches_of_its_own(repo: Path, git: GitRun, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    conflict(repo, git)
    here, there = Git(repo), Git(tmp_path / "linked")
    assert here.busy()
    assert there.busy() is None
    assert there.branch() == "side"
    append(tmp_path / "linked" / FLAG)
    there.commit([FLAG], "Aside")
    assert git(repo, "log", "-1", "--format=%s", "side") == "Aside\n"


def conflict(repo: Path, git: GitRun, command: str = "merge") -> None:
    """Two branches that change one line each their own way, and `command` in the middle of bringing them together."""
    git(repo, "checkout", "-q", "-b", "theirs")
    (repo / OTHER).write_text("description: theirs\n")
    git(repo, "commit", "-q", "-a", "-m", "Theirs")
    git(repo, "checkout", "-q", "main")
    (repo / OTHER).write_text("description: ours\n")
    git(repo, "commit", "-q", "-a", "-m", "Ours")
    with pytest.raises(AssertionError):
        git(repo, *command.split(), "theirs")


@pytest.mark.parametrize(
    ("command", "state"), [("merge", "merge"), ("rebase", "rebase"), ("rebase --apply", "rebase"),
                           ("cherry-pick", "cherry-pick"), ("revert --no-edit", "revert")],
)  # fmt: skip
def test_being_in_the_middle_of_something_is_seen(repo: Path, git: GitRun, command: str, state: str) -> None:
    conflict(repo, git, command)
    busy = Git(repo).busy()
    assert busy is not None
    assert busy[0] == state
    git(repo, *f"{state} --abort".split())
    assert Git(repo).busy() is None


def test_a_bisection_is_seen(repo: Path, git: GitRun) -> None:
    git(repo, "bisect", "start")
    assert Git(repo).busy() == ("bisect", "git bisect reset")


def test_the_variables_of_a_surrounding_hook_do_not_lead_astray(
    make_repo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, other = make_repo(name="repo"), make_repo({"README": "x\n"}, name="other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert Git(repo).folder == str(repo / ".git")
    assert Git(repo).clean()


def test_what_is_not_as_committed_is_told_file_by_file(repo: Path, git: GitRun) -> None:
    (repo / ".gitignore").write_text("ignored.yaml\n")
    for name in ("new", "ignored"):
        (repo / f"flags/production/{name}.yaml").write_text("a: 1\n")
    append(repo / FLAG)
    git(repo, "rm", "-q", OTHER)
    paths = [FLAG, OTHER, "flags/production/new.yaml", "flags/production/ignored.yaml", "flags/flagctl.yaml"]
    assert Git(repo).states(paths) == {
        FLAG: "changed",
        OTHER: "changed",
        "flags/production/new.yaml": "untracked",
        "flags/production/ignored.yaml": "ignored",
    }


def test_a_commit_takes_its_files_and_leaves_the_rest_as_it_is(repo: Path, git: GitRun) -> None:
    new = "flags/production/new [x].yaml"
    append(repo / FLAG)
    append(repo / OTHER)
    git(repo, "add", OTHER)
    append(repo / OTHER, "# unstaged too\n")
    (repo / "staged.txt").write_text("x\n")
    git(repo, "add", "staged.txt")
    (repo / "lying-around.txt").write_text("x\n")
    (repo / new).write_text("a: 1\n")
    before = git(repo, "diff", "--cached"), git(repo, "diff", "--", OTHER)
    made = Git(repo).commit([FLAG, new], "Some")
    assert git(repo, "rev-parse", "HEAD").strip() == made
    assert sorted(git(repo, "show", "-z", "--name-only", "--format=").split("\0")[:-1]) == sorted([FLAG, new])
    assert (git(repo, "diff", "--cached"), git(repo, "diff", "--", OTHER)) == before
    assert git(repo, "status", "--porcelain", "--", "lying-around.txt") == "?? lying-around.txt\n"


def test_a_removed_file_and_the_very_first_commit(tmp_path: Path, git: GitRun) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.yaml").write_text("a: 1\n")
    here = Git(tmp_path)
    assert here.head() is None
    first = here.commit(["a.yaml"], "First")
    (tmp_path / "a.yaml").unlink()
    here.commit(["a.yaml"], "Gone")
    assert git(tmp_path, "ls-files") == ""
    assert here.is_ancestor(first, "HEAD") is True
    assert here.is_ancestor("HEAD", first) is False
    assert here.is_ancestor("0" * 40, first) is None


@pytest.mark.parametrize("script", ["echo no tests >&2; exit 1", "echo no tests; exit 1"])
def test_a_hook_that_says_no_is_quoted_and_nothing_stays_staged(repo: Path, git: GitRun, script: str) -> None:
    hook(repo, "pre-commit", script)
    new = "flags/production/new.yaml"
    (repo / new).write_text("a: 1\n")
    with pytest.raises(RefusedError, match="hook refused the commit: no tests"):
        Git(repo).commit([new], "New")
    assert git(repo, "status", "--porcelain") == f"?? {new}\n"


def test_hooks_run_and_may_change_the_message(repo: Path, git: GitRun) -> None:
    hook(repo, "commit-msg", 'echo "Change-Id: I1" >> "$1"')
    append(repo / FLAG)
    Git(repo).commit([FLAG], message("Set", [("Flag", "x")]))
    assert git(repo, "log", "-1", "--format=%(trailers)").split() == ["Flag:", "x", "Change-Id:", "I1"]


def test_a_locked_index_is_named(repo: Path) -> None:
    append(repo / FLAG)
    (repo / ".git" / "index.lock").touch()
    with pytest.raises(OutsideError, match="index is locked") as raised:
        Git(repo).commit([FLAG], "Set")
    assert "index.lock" in raised.value.hint


def test_a_missing_identity_is_named(repo: Path, git: GitRun, monkeypatch: pytest.MonkeyPatch) -> None:
    git(repo, "config", "user.useConfigOnly", "true")
    for name in [name for name in os.environ if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))]:
        monkeypatch.delenv(name)
    append(repo / FLAG)
    with pytest.raises(OutsideError, match="who you are") as raised:
        Git(repo).commit([FLAG], "Set")
    assert "git config --global user.name" in raised.value.hint


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        ("plain", "plain"),
        ("# not a comment", "# not a comment"),
        ("two\nlines", "two lines"),
        ("a gap\n\n\nand Flag: nothing\nFlag: other", "a gap and Flag: nothing Flag: other"),
        ("  blanks \t\r\n ends ", "blanks ends"),
        ("Grüße, 日本 🎉", "Grüße, 日本 🎉"),
        ("---\nScissors: no", "--- Scissors: no"),
    ],
)
def test_a_reason_of_any_shape_stays_one_trailer(repo: Path, git: GitRun, reason: str, read: str) -> None:
    git(repo, "config", "commit.cleanup", "strip")
    append(repo / FLAG)
    Git(repo).commit([FLAG], message("Set", [("Flag", "a"), ("Environment", "b"), ("Reason", reason)]))
    commit = next(first_parents(Git(repo), "HEAD")).commit
    assert (commit.subject, commit.trailer("Flag"), commit.trailer("environment")) == ("Set", ("a",), ("b",))
    assert (commit.reason, commit.author) == (read, "Ada Example")


def test_a_commits_tree_is_what_the_disk_was(repo: Path, git: GitRun) -> None:
    (repo / "flags/production/.hidden.yaml").write_text("x")
    (repo / "flags/production/linked.yaml").symlink_to("wishlist-edit.yaml")
    (repo / "flags/production/away.yaml").symlink_to("../development/wishlist-edit.yaml")
    (repo / "flags/production/nowhere.yaml").symlink_to("nothing.yaml")
    (repo / "flags/production/größe.yaml").write_text("description: ü\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Links")
    disk = DiskTree(repo)
    on_disk = {path: disk.read(path) for path in disk.paths()}
    with CommitTree(Git(repo), "HEAD") as tree:
        assert {path: tree.read(path) for path in tree.paths()} == on_disk
        assert tree.refused == disk.refused
        assert tree.paths("flags/development") == disk.paths("flags/development")
        (repo / FLAG).unlink()
        assert read_repository(tree).repository.environments["production"].flags["wishlist-gallery"]
        with pytest.raises(OutsideError, match="is not in commit"):
            tree.read("flags/production/none.yaml")


def test_a_file_that_git_has_lost_is_a_problem_and_the_others_are_read(repo: Path, git: GitRun) -> None:
    lost = git(repo, "rev-parse", "HEAD:flags/production/wishlist-gallery.yaml").strip()
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with CommitTree(Git(repo), "HEAD") as tree:
        reading = read_repository(tree)
    # both environments have it in the same words, so that Git kept it once
    found = [(problem.rule, problem.file, problem.message) for problem in reading.problems]
    assert found == [
        ("file-access", f"flags/{name}/wishlist-gallery.yaml", f"Git has no object {lost}")
        for name in ("development", "production")
    ]
    flags = {name: list(held.flags) for name, held in reading.repository.environments.items()}
    assert flags == {"development": ["wishlist-edit"], "production": ["wishlist-edit"]}


def test_a_revision_that_is_none_is_a_mistake_of_use(repo: Path) -> None:
    for revision in ("nope", "--all", "HEAD^{tree}", ""):
        with pytest.raises(UsageError, match="is no commit"):
            CommitTree(Git(repo), revision)


@pytest.mark.parametrize(
    "arguments",
    [
        ["publish", "production"], ["status"], ["diff"], ["plan"], ["approvals"], ["list", "--at", "yesterday"],
        ["blame", "wishlist-gallery", "-e", "production"], ["show", "wishlist-gallery", "--at", "HEAD"],
        ["why", "wishlist-gallery", "-e", "production", "--user", "ada"],
    ],
)  # fmt: skip
def test_before_the_first_commit_that_is_what_is_said(
    repo: Path, git: GitRun, flagctl: Run, arguments: list[str]
) -> None:
    git(repo, "update-ref", "-d", "HEAD")
    done = flagctl(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: nothing is committed yet\nhint: git add . && git commit")


def test_git_without_git(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = Git(repo)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutsideError, match="is not installed"):
        here.head()


def test_an_executable_bit_survives(repo: Path, git: GitRun) -> None:
    (repo / FLAG).chmod(0o755)
    Git(repo).commit([FLAG], "Mode")
    assert git(repo, "ls-files", "-s", FLAG).startswith("100755")
    assert stat.S_IMODE((repo / FLAG).stat().st_mode) == 0o755
