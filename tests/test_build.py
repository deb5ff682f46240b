"""`flagctl build`, as a person or a pipe runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagctl.compile.snapshot import digest, encode
from flagctl.evaluate.evaluator import Evaluator
from flagctl.model import times

GALLERY = "flags/production/wishlist-gallery.yaml"


def test_stdout_is_the_snapshot_and_nothing_else(
    repo: Path, flagctl: Callable[..., Any], git: Callable[..., str]
) -> None:
    done = flagctl("build", "production")
    document = json.loads(done.stdout)
    assert encode(document).decode() == done.stdout
    assert (document["environment"], document["version"], document["protected"]) == ("production", 0, True)
    assert document["commit"] == git(repo, "rev-parse", "HEAD").strip()
    assert document["commit_time"] == times.text(int(git(repo, "log", "-1", "--format=%ct")))
    assert set(document["flags"]) == {"wishlist-edit", "wishlist-gallery"}
    assert Evaluator(document).evaluate("wishlist-gallery", {"email": "a@example.com"}, 0).rule == "staff"
    assert done.stderr.startswith(f"production of commit {document['commit'][:12]}: 2 flags, 0 segments")
    assert digest(done.stdout.encode()) in done.stderr


def test_one_flag_is_not_counted_as_several(repo: Path, flagctl: Callable[..., Any]) -> None:
    (repo / "flags/production/wishlist-edit.yaml").unlink()
    assert (
        flagctl("build", "production").stderr.splitlines()[-1].startswith("production of the work tree: 1 flag, 0 seg")
    )


@pytest.mark.parametrize("change", ["edit", "new", "staged", "removed", "ignored"])
def test_a_work_tree_that_differs_names_no_commit(
    repo: Path, flagctl: Callable[..., Any], git: Callable[..., str], change: str
) -> None:
    file = repo / GALLERY
    if change == "removed":
        (repo / "flags/production/wishlist-edit.yaml").unlink()
    elif change in ("new", "ignored"):
        (repo / "flags/production/another.yaml").write_text(file.read_text())
        (repo / ".git/info/exclude").write_text("another.yaml\n" if change == "ignored" else "")
    else:
        file.write_text(file.read_text().replace("25", "26"))
    if change == "staged":
        git(repo, "add", "-A")
    done = flagctl("build", "production")
    document = json.loads(done.stdout)
    assert (document["commit"], document["commit_time"]) == (None, None)
    assert "not committed" in done.stderr


def test_changes_elsewhere_do_not_matter(repo: Path, flagctl: Callable[..., Any]) -> None:
    (repo / "README.md").write_text("hello\n")
    done = flagctl("build", "production")
    assert json.loads(done.stdout)["commit"]
    assert "not committed" not in done.stderr


def test_without_git_it_builds_and_says_so(tmp_path: Path, repo: Path, flagctl: Callable[..., Any]) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (repo / "flags").rename(bare / "flags")
    done = flagctl("build", "production", cwd=bare)
    assert json.loads(done.stdout)["commit"] is None
    assert "no Git repository" in done.stderr


def test_the_same_commit_gives_the_same_bytes(
    tmp_path: Path, repo: Path, flagctl: Callable[..., Any], git: Callable[..., str]
) -> None:
    git(tmp_path, "clone", "-q", str(repo), "clone")
    runs = [flagctl("build", "production", cwd=where).stdout for where in (repo, tmp_path / "clone", repo / "flags")]
    assert len(set(runs)) == 1
    assert runs[0]


def test_it_goes_where_it_is_told(tmp_path: Path, flagctl: Callable[..., Any]) -> None:
    expected = flagctl("build", "production").stdout
    file, folder = tmp_path / "one.json", tmp_path / "out"
    done = flagctl("build", "production", "-o", file)
    assert (done.stdout, file.read_text()) == ("", expected)
    folder.mkdir()
    flagctl("build", "production", "-o", folder)
    assert (folder / "production/snapshot.json").read_text() == expected


def test_all_environments_go_to_a_folder_as_services_read_it(tmp_path: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("build", "--all", "-o", tmp_path / "out")
    assert done.returncode == 0
    files = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out").rglob("*.json"))
    assert files == ["out/development/snapshot.json", "out/production/snapshot.json"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name one environment"),
        (["production", "--all"], "name one environment"),
        (["--all"], "-o DIR"),
        (["prodution"], "did you mean production?"),
    ],
)
def test_wrong_use_says_what_to_type(flagctl: Callable[..., Any], arguments: list[str], words: str) -> None:
    done = flagctl("build", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (GALLERY, "rollout:", "rolout:"),
        (GALLERY, "serve: on", "serve: purple"),
        ("flags/production/wishlist-edit.yaml", "flag: wishlist-gallery", "flag: wishlist-galery"),
        ("flags/attributes.yaml", "type: integer", "type: int"),
        ("flags/flagctl.yaml", "environments:", "environment:"),
    ],
)
def test_an_environment_with_errors_is_not_built(
    repo: Path, flagctl: Callable[..., Any], tmp_path: Path, file: str, old: str, new: str
) -> None:
    path = repo / file
    path.write_text(path.read_text().replace(old, new))
    done = flagctl("build", "production", "-o", tmp_path / "out.json")
    assert done.returncode == 1
    assert f"{file}:" in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_errors_of_another_environment_are_in_nobodys_way(repo: Path, flagctl: Callable[..., Any]) -> None:
    (repo / GALLERY).write_text("{")
    assert flagctl("build", "development").returncode == 0
    assert flagctl("build", "--all", "-o", repo / "out").returncode == 1
