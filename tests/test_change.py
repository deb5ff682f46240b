"""A change of flag files is checked first, written whole or not at all, and committed alone."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from flagctl.errors import FlagctlError, OutsideError, ProblemsError, RefusedError, UsageError
from flagctl.files import write as writing
from flagctl.history.change import Changed, apply, diff, text_of
from flagctl.project import Project

GitRun = Callable[..., str]
FLAG = "flags/development/wishlist-gallery.yaml"
GUARDED = "flags/production/wishlist-gallery.yaml"
EDIT = "flags/development/wishlist-edit.yaml"
NOW = 1_790_000_000


def change(repo: Path, changes: dict[str, str | None], **options: Any) -> Changed:
    given = {
        "message": "Set",
        "trailers": [("Flag", "x")],
        "reason": None,
        "commit": True,
        "dry_run": False,
        "now": NOW,
    }
    return apply(Project(repo), changes, **(given | options))


def replaced(repo: Path, path: str, old: str, new: str) -> dict[str, str | None]:
    text = text_of(Project(repo), path)
    assert old in text
    return {path: text.replace(old, new)}


def snapshot(repo: Path, git: GitRun) -> tuple[str, str, dict[str, bytes]]:
    """Everything a refused change may not touch."""
    files = {str(f.relative_to(repo)): f.read_bytes() for f in sorted(repo.rglob("flags/**/*")) if f.is_file()}
    return git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain"), files


def test_a_change_is_written_and_committed_with_its_trailers(repo: Path, git: GitRun) -> None:
    done = change(repo, replaced(repo, FLAG, "rollout: 25", "rollout: 50"), reason="half")
    assert (repo / FLAG).read_text().endswith("rollout: 50\n")
    assert git(repo, "log", "-1", "--format=%B") == "Set\n\nFlag: x\nReason: half\n\n"
    assert done.commit == git(repo, "rev-parse", "HEAD").strip()
    assert done.diff == (
        f"--- a/{FLAG}\n+++ b/{FLAG}\n@@ -8,4 +8,4 @@\n"
        '       - {attribute: email, ends_with: "@example.com"}\n     serve: on\n default:\n'
        "-  rollout: 25\n+  rollout: 50\n"
    )
    assert not done.detached


def test_what_is_so_already_makes_no_commit(repo: Path, git: GitRun) -> None:
    before = snapshot(repo, git)
    done = change(repo, {FLAG: text_of(Project(repo), FLAG), "flags/development/none.yaml": None})
    assert done == Changed(diff="")
    assert snapshot(repo, git) == before


def test_a_dry_run_shows_the_same_and_touches_nothing(repo: Path, git: GitRun) -> None:
    before = snapshot(repo, git)
    wanted = replaced(repo, GUARDED, "rollout: 25", "rollout: 50")
    dry = change(repo, wanted, dry_run=True)
    assert snapshot(repo, git) == before
    assert dry.commit is None
    assert change(repo, wanted, reason="r").diff == dry.diff


def dirty_file(repo: Path, git: GitRun) -> None:
    with (repo / FLAG).open("a") as file:
        file.write("# mine\n")


def staged_file(repo: Path, git: GitRun) -> None:
    dirty_file(repo, git)
    git(repo, "add", FLAG)


def merging(repo: Path, git: GitRun) -> None:
    git(repo, "checkout", "-q", "-b", "theirs")
    (repo / "notes").write_text("a\n")
    git(repo, "add", "notes")
    git(repo, "commit", "-q", "-m", "Theirs")
    git(repo, "checkout", "-q", "main")
    git(repo, "commit", "-q", "--allow-empty", "-m", "Ours")
    git(repo, "merge", "--no-commit", "--no-ff", "-q", "theirs")


def rebasing(repo: Path, git: GitRun) -> None:
    git(repo, "commit", "-q", "--allow-empty", "-m", "More")
    git(repo, "-c", "sequence.editor=sed -i 1ibreak", "rebase", "-q", "-i", "HEAD~1")


def untracked(repo: Path, git: GitRun) -> None:
    git(repo, "rm", "-q", "--cached", FLAG)
    git(repo, "commit", "-q", "-m", "Forget")


def a_link(repo: Path, git: GitRun) -> None:
    (repo / FLAG).rename(repo / "flags/development/real.yaml")
    (repo / FLAG).symlink_to("real.yaml")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Link")


def hook_says_no(repo: Path, git: GitRun) -> None:
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho reformatted > flags/development/wishlist-gallery.yaml\necho no >&2\nexit 1\n")
    hook.chmod(0o755)


def locked(repo: Path, git: GitRun) -> None:
    (repo / ".git/index.lock").touch()


@pytest.mark.parametrize(
    ("prepare", "error", "words"),
    [
        (dirty_file, RefusedError, "has uncommitted changes"),
        (staged_file, RefusedError, "has uncommitted changes"),
        (merging, RefusedError, "a merge is in progress"),
        (rebasing, RefusedError, "a rebase is in progress"),
        (untracked, RefusedError, "is not committed yet"),
        (a_link, RefusedError, "is a symbolic link"),
        (hook_says_no, RefusedError, "hook refused the commit: no"),
        (locked, OutsideError, "index is locked"),
    ],
)
def test_what_stands_in_the_way_is_named_and_all_stays_as_it_was(
    repo: Path, git: GitRun, prepare: Callable[..., None], error: type[FlagctlError], words: str
) -> None:
    wanted = replaced(repo, FLAG, "rollout: 25", "rollout: 50") | {"flags/development/new.yaml": "description: x\n"
                                                                   "owner: {team: t}\n"}  # fmt: skip
    prepare(repo, git)
    before = snapshot(repo, git)
    with pytest.raises(error, match=words) as raised:
        change(repo, wanted)
    assert raised.value.hint
    assert snapshot(repo, git) == before


def test_outside_a_repository_only_without_a_commit(repo: Path, git: GitRun) -> None:
    (repo / ".git").rename(repo.parent / "elsewhere.git")
    wanted = replaced(repo, FLAG, "rollout: 25", "rollout: 50")
    with pytest.raises(UsageError, match="in no Git repository") as raised:
        change(repo, wanted)
    assert "--no-commit" in raised.value.hint
    done = change(repo, wanted, commit=False)
    assert done.commit is None
    assert done.paths == (FLAG,)
    assert "rollout: 50" in (repo / FLAG).read_text()


def test_where_nothing_can_be_written_nothing_is_changed_and_that_is_said(repo: Path, flagctl: Run) -> None:
    (repo / ".git" / "flagctl").write_text("a file where the lock's folder would be")
    done = flagctl("set", "wishlist-gallery", "-e", "development", "--off")
    assert done.returncode == 4
    assert "lock can't be written" in done.stderr
    assert "enabled" not in (repo / "flags/development/wishlist-gallery.yaml").read_text()


def test_an_ignored_place_is_refused(repo: Path) -> None:
    (repo / ".gitignore").write_text("ignored.yaml\n")
    with pytest.raises(RefusedError, match="is ignored by Git"):
        change(repo, {"flags/development/ignored.yaml": "description: x\nowner: {team: t}\n"})
    assert not (repo / "flags/development/ignored.yaml").exists()


def test_a_protected_environment_wants_a_reason(repo: Path, git: GitRun) -> None:
    wanted = replaced(repo, GUARDED, "rollout: 25", "rollout: 50")
    before = snapshot(repo, git)
    with pytest.raises(RefusedError, match="production is protected") as raised:
        change(repo, wanted)
    assert "--reason" in raised.value.hint
    assert snapshot(repo, git) == before
    assert change(repo, wanted, reason="r").commit


def test_a_detached_head_is_allowed_and_told(repo: Path, git: GitRun) -> None:
    git(repo, "checkout", "-q", "--detach")
    assert change(repo, replaced(repo, FLAG, "rollout: 25", "rollout: 50")).detached


def test_new_errors_refuse_the_change_with_their_place(repo: Path, git: GitRun) -> None:
    before = snapshot(repo, git)
    with pytest.raises(ProblemsError) as raised:
        change(repo, replaced(repo, FLAG, "rollout: 25", "rollout: 250"))
    (problem,) = raised.value.problems
    assert (problem.file, problem.line, problem.severity) == (FLAG, 11, "error")
    assert snapshot(repo, git) == before


def test_errors_elsewhere_that_a_change_brings_count_too(repo: Path) -> None:
    with pytest.raises(ProblemsError) as raised:
        change(repo, {FLAG: None})
    assert [problem.file for problem in raised.value.problems] == [EDIT]


def test_errors_that_were_there_before_do_not_stand_in_the_way(repo: Path, git: GitRun) -> None:
    (repo / FLAG).write_text((repo / FLAG).read_text().replace("country", "c").replace("email", "nobody"))
    (repo / EDIT).write_text("description: [\n")
    git(repo, "commit", "-q", "-a", "-m", "Broken")
    done = change(
        repo, {FLAG: "# new first line\n" + text_of(Project(repo), FLAG).replace("rollout: 25", "rollout: 5")}
    )
    assert done.commit


def test_several_files_change_in_one_commit_or_not_at_all(repo: Path, git: GitRun) -> None:
    moved: dict[str, str | None] = {EDIT: None, "flags/development/sub/edit.yaml": text_of(Project(repo), EDIT)}
    blocked = moved | {"flags/development/wishlist-gallery.yaml/x.yaml": "description: x\nowner: {team: t}\n"}
    before = snapshot(repo, git)
    with pytest.raises(OutsideError, match="can't be written"):
        change(repo, blocked)
    assert snapshot(repo, git) == before
    change(repo, moved)
    made = git(repo, "show", "--no-renames", "--name-status", "--format=").splitlines()
    assert sorted(made) == ["A\tflags/development/sub/edit.yaml", f"D\t{EDIT}"]


def test_somebody_elses_change_in_between_is_not_lost(repo: Path) -> None:
    before = text_of(Project(repo), FLAG)
    change(repo, {FLAG: before.replace("rollout: 25", "rollout: 30")})
    with pytest.raises(RefusedError, match="somebody else meanwhile"):
        change(repo, {FLAG: before.replace("rollout: 25", "rollout: 50")}, before={FLAG: before})
    assert "rollout: 30" in (repo / FLAG).read_text()


def test_an_interrupted_commit_leaves_the_files_as_they_were(
    repo: Path, git: GitRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    wanted = replaced(repo, FLAG, "rollout: 25", "rollout: 50")
    before = snapshot(repo, git)
    monkeypatch.setattr("flagctl.history.git.Git.commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        change(repo, wanted)
    assert snapshot(repo, git) == before


def test_a_file_that_is_not_utf8_is_a_problem(repo: Path) -> None:
    (repo / FLAG).write_bytes(b"description: \xff\n")
    with pytest.raises(ProblemsError) as raised:
        text_of(Project(repo), FLAG)
    assert raised.value.problems[0].line == 1


def test_a_diff_says_where_the_last_line_end_is_missing() -> None:
    assert diff({"a": "x\ny"}, {"a": "x\nz\n"}) == (
        "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n"
    )
    assert diff({"a": None}, {"a": "x\u2028y\n"}) == "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\u2028y\n"


# ---- writing one file ----


def test_a_written_file_keeps_its_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "a.yaml"
    writing.write(file, b"one")
    file.chmod(0o640)
    writing.write(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def failing(_: int) -> None:
        raise OSError(number, os.strerror(number))

    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OutsideError, match="can't be written"):
        writing.write(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(OutsideError, match="can't be written") as raised:
        writing.write(tmp_path / "a.yaml", b"x")
    assert raised.value.hint
    assert list(tmp_path.iterdir()) == [tmp_path / "a.yaml"]
