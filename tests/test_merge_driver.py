"""Git's own merges of flag files, through flagctl: real merges, rebases and cherry-picks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagctl.files import edit
from flagctl.history import driver
from flagctl.history.git import Git

GitRun = Callable[..., str]
Run = Callable[..., Any]
FLAG = "flags/development/wishlist-gallery.yaml"
STAFF = "  - name: staff   # everybody here\n"


@pytest.fixture
def merging(repo: Path, git: GitRun) -> Path:
    """The small repository with the driver set up."""
    (repo / ".gitattributes").write_text("/flags/**/*.yaml merge=flagctl\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Attributes")
    driver.install(Git(repo), sys.executable)
    return repo


def change(repo: Path, git: GitRun, *pairs: tuple[str, str], path: str = FLAG) -> None:
    text = (repo / path).read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (repo / path).write_text(text)
    git(repo, "commit", "-qam", "Change")


def parted(repo: Path, git: GitRun, ours: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> None:
    """Two branches: `side` with their change, `main`, which is checked out, with ours."""
    git(repo, "checkout", "-qb", "side")
    change(repo, git, *theirs)
    git(repo, "checkout", "-q", "main")
    change(repo, git, *ours)


def attempt(repo: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(repo), *words], capture_output=True, text=True, check=False)


def rule(name: str) -> str:
    return f"  # by {name}\n  - name: {name}\n    when:\n      - {{attribute: plan, equals: pro}}\n    serve: on\n"


OURS = [(STAFF, rule("ours") + STAFF), ("[wishlist, web]", "[wishlist, web, a]")]
THEIRS = [(STAFF, rule("theirs") + STAFF), ("[wishlist, web]", "[wishlist, web, b]")]


@pytest.mark.parametrize("words", [("merge", "-m", "m", "side"), ("cherry-pick", "side"), ("rebase", "side")], ids=str)
def test_two_people_who_add_rules_and_tags_at_one_place_do_not_conflict(
    merging: Path, git: GitRun, words: tuple[str, ...]
) -> None:
    parted(merging, git, OURS, THEIRS)
    done = attempt(merging, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (merging / FLAG).read_text()
    first, second = ("theirs", "ours") if words[0] == "rebase" else ("ours", "theirs")
    data = edit.read(text)
    assert [found["name"] for found in data["rules"]] == [first, second, "staff"]
    assert set(data["tags"]) == {"wishlist", "web", "a", "b"}
    assert rule("ours") in text
    assert rule("theirs") in text
    assert "# everybody here" in text


def test_without_it_they_do(merging: Path, git: GitRun) -> None:
    git(merging, "config", "--remove-section", "merge.flagctl")
    assert not driver.installed(Git(merging))
    parted(merging, git, OURS, THEIRS)
    assert attempt(merging, "merge", "side").returncode == 1


def test_a_field_that_both_changed_stands_between_markers_that_name_it_and_check_explains(
    merging: Path, git: GitRun, flagctl: Run
) -> None:
    parted(
        merging, git,
        [("rollout: 25", "rollout: 50"), ("serve: on", "serve: off"), OURS[0]],
        [("rollout: 25", "rollout: 75"), ("tags: [wishlist, web]", "tags: [web]"), THEIRS[0]],
    )  # fmt: skip
    text = (merging / FLAG).read_text()
    done = attempt(merging, "merge", "side")
    assert done.returncode == 1
    assert f"{FLAG}: both sides changed default/rollout" in done.stdout + done.stderr
    merged = (merging / FLAG).read_text()
    marked = "<<<<<<< ours: default/rollout\n  rollout: 50\n=======\n  rollout: 75\n>>>>>>> theirs: default/rollout\n"
    assert merged.endswith("default:\n" + marked)
    assert merged.count("<<<<<<<") == 1
    wanted = edit.read(merged.replace(marked, "  rollout: 75\n"))
    assert wanted["tags"] == ["web"]
    assert [found["name"] for found in wanted["rules"]] == ["ours", "theirs", "staff"]
    checked = flagctl("check", cwd=merging)
    assert checked.returncode == 1
    line = merged[: merged.index("<<<<<<<")].count("\n") + 1
    assert f"{FLAG}:{line}:1: error: a merge conflict about default/rollout is not settled [merge-conflict]" in (
        checked.stdout + checked.stderr
    )
    git(merging, "merge", "--abort")
    assert (merging / FLAG).read_text() == text


def test_two_conflicts_are_named_each_where_it_is(merging: Path, git: GitRun) -> None:
    parted(
        merging, git,
        [("rollout: 25", "rollout: 50"), ("gallery page.", "gallery.")],
        [("rollout: 25", "serve: on"), ("gallery page.", "page.")],
    )  # fmt: skip
    assert attempt(merging, "merge", "side").returncode == 1
    found = [line for line in (merging / FLAG).read_text().splitlines() if line.startswith("<<<<<<<")]
    assert found == ["<<<<<<< ours: description", "<<<<<<< ours: default"]


def test_comments_of_both_sides_stay_where_lines_merge_too(merging: Path, git: GitRun) -> None:
    parted(merging, git, [("# Why this", "# Why exactly this")], [("rollout: 25", "rollout: 25 # slowly")])
    assert attempt(merging, "merge", "-m", "m", "side").returncode == 0
    text = (merging / FLAG).read_text()
    assert "# Why exactly this" in text
    assert "rollout: 25 # slowly" in text


def test_lines_that_merge_but_mean_something_else_are_not_taken(merging: Path, git: GitRun) -> None:
    split = "type: string\nvariants: {a: x, b: y}\noff_variant: a\n"
    change(merging, git, ("rollout: 25\n", "split:\n    a: 50\n    # between\n\n    # them\n    b: 50\n"),
           ("rules:\n  - name: staff   # everybody here\n    when:\n", split + "rules:\n  - name: staff\n    when:\n"),
           ("    serve: on\n", "    serve: a\n"))  # fmt: skip
    parted(merging, git, [("    a: 50\n", "    a: 60\n")], [("    b: 50\n", "    b: 40\n")])
    done = attempt(merging, "merge", "-m", "m", "side")
    assert done.returncode == 1, "half of each split adds up, but nobody chose it"
    assert "both sides changed default/split" in done.stdout + done.stderr


def test_what_is_no_yaml_is_merged_by_lines(merging: Path, git: GitRun) -> None:
    change(merging, git, ("rules:", "rules: [\n# broken"))
    parted(merging, git, [("# Why", "# Whence")], [("rollout: 25", "rollout: 50")])
    assert attempt(merging, "merge", "-m", "m", "side").returncode == 0
    git(merging, "checkout", "-qb", "other")
    change(merging, git, ("rollout: 50", "rollout: 60"))
    git(merging, "checkout", "-q", "main")
    change(merging, git, ("rollout: 50", "rollout: 70"))
    assert attempt(merging, "merge", "other").returncode == 1
    assert "<<<<<<< ours\n" in (merging / FLAG).read_text()


def test_a_file_that_both_added_is_merged_too(merging: Path, git: GitRun) -> None:
    new = "flags/development/new.yaml"
    text = "description: New.\nowner: {team: t}\n"
    for branch, more in (("side", "tags: [a]\n"), ("main", "kind: ops\n")):
        git(merging, "checkout", "-q", *(["-b"] if branch == "side" else []), branch)
        (merging / new).write_text(text + more)
        git(merging, "add", "-A")
        git(merging, "commit", "-qm", "New")
    assert attempt(merging, "merge", "-m", "m", "side").returncode == 0
    assert edit.read((merging / new).read_text()) == edit.read(text + "kind: ops\ntags: [a]\n")


def test_init_and_install_set_it_up(tmp_path: Path, git: GitRun, flagctl: Run) -> None:
    git(tmp_path, "init", "-q", "fresh")
    fresh = tmp_path / "fresh"
    assert flagctl("init", cwd=fresh).returncode == 0
    assert "merge=flagctl" in (fresh / ".gitattributes").read_text()
    assert driver.installed(Git(fresh))
    git(fresh, "config", "--remove-section", "merge.flagctl")
    assert "merge line by line" in flagctl("doctor", cwd=fresh).stdout
    assert flagctl("merge-driver", "--install", cwd=fresh).returncode == 0
    assert driver.installed(Git(fresh))
    assert flagctl("merge-driver", cwd=fresh).returncode == 2
    assert flagctl("merge-driver", "a", "b", "c", cwd=fresh).returncode == 4
