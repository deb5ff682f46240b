"""`doctor`, `config show` and `schema`: what is in force, and what would stand in one's way."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Flagctl = Callable[..., Any]
Git = Callable[..., str]


def findings(done: Any) -> dict[str, tuple[str, str]]:
    """What doctor looked at: the first finding's state, and text with hint, of each."""
    document = json.loads(done.stdout)
    assert document["format"] == "flagctl/doctor/1"
    found: dict[str, tuple[str, str]] = {}
    for row in document["findings"]:
        found.setdefault(row["about"], (row["state"], f"{row['text']} | {row['hint']}"))
    return found


def test_doctor_finds_nothing_wrong_with_a_sound_repository(flagctl: Flagctl) -> None:
    done = flagctl("doctor")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [
        line.split()[:2] for line in lines if line.split()[1] not in ("flagctl", "packages") and line[0] != " "
    ] == [
        ["ok", about]
        for about in ("git", "identity", "history", "work", "merges", "flags", "settings", "attributes", "targets")
    ]
    assert "Ada Example <ada@example.com>" in done.stdout
    assert "production: file:published can be written to" in done.stdout


def rewrite(repo: Path, path: str, old: str, new: str) -> None:
    file = repo / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def in_a_merge(repo: Path, git: Git) -> None:
    (repo / ".git" / "MERGE_HEAD").write_text(git(repo, "rev-parse", "HEAD"))


def no_commit_yet(repo: Path, git: Git) -> None:
    git(repo, "switch", "-q", "--orphan", "empty")
    git(repo, "checkout", "-q", "main", "--", "flags")


def a_file_as_target(repo: Path, git: Git) -> None:
    (repo / "published").write_text("")


@pytest.mark.parametrize(
    ("break_it", "about", "state", "told"),
    [
        (lambda repo, git: rewrite(repo, "flags/flagctl.yaml", "file:", "s3:"), "targets", "fail", "names no bucket"),
        (lambda repo, git: rewrite(repo, "flags/flagctl.yaml", "    targets", "    # "), "targets", "warn", "--target"),
        (lambda repo, git: rewrite(repo, "flags/flagctl.yaml", "{}", "{x: 1}"), "settings", "fail", "flagctl check"),
        (lambda repo, git: rewrite(repo, "flags/attributes.yaml", "semver", "semvr"), "attributes", "fail", "check"),
        (lambda repo, git: rewrite(repo, "flags/attributes.yaml", "age", "years"), "work tree", "warn", "git status"),
        (a_file_as_target, "targets", "fail", "a file stands where a folder is needed"),
        (in_a_merge, "work tree", "warn", "git merge --abort"),
        (no_commit_yet, "history", "warn", "no commit yet"),
    ],
)
def test_doctor_says_what_is_wrong_and_what_to_do(
    repo: Path, flagctl: Flagctl, git: Git, break_it: Callable[[Path, Git], None], about: str, state: str, told: str
) -> None:
    break_it(repo, git)
    done = flagctl("doctor", "--json")
    found = findings(done)[about]
    assert (found[0], told in found[1]) == (state, True), found
    assert done.returncode == (1 if state == "fail" else 0)


def test_doctor_notices_a_clone_without_history(repo: Path, flagctl: Flagctl, git: Git) -> None:
    git(repo, "commit", "-q", "--allow-empty", "-m", "More")
    git(repo, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    found = findings(flagctl("doctor", "--json", cwd=repo / "shallow"))
    assert found["history"][0] == "warn"
    assert "git fetch --unshallow" in found["history"][1]


def test_doctor_notices_that_nobody_is_known(flagctl: Flagctl) -> None:
    nobody = {"GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": "", "GIT_CONFIG_COUNT": "1"}
    nobody |= {"GIT_CONFIG_KEY_0": "user.useConfigOnly", "GIT_CONFIG_VALUE_0": "true"}
    state, told = findings(flagctl("doctor", "--json", env=nobody))["identity"]
    assert (state, "git config --global user.name" in told) == ("warn", True)


def test_doctor_outside_of_everything(tmp_path: Path, flagctl: Flagctl) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = flagctl("doctor", "--json", cwd=empty)
    found = findings(done)
    assert done.returncode == 1
    assert (found["git"][0], "git init" in found["git"][1]) == ("fail", True)
    assert (found["flags"][0], "flagctl init" in found["flags"][1]) == ("fail", True)
    assert "settings" not in found


def test_doctor_without_git(repo: Path, tmp_path: Path, flagctl: Flagctl) -> None:
    done = flagctl("doctor", "--json", env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert findings(done)["git"] == ("fail", "Git is not installed, or not on PATH | apt install git")


def test_config_says_where_each_setting_comes_from(repo: Path, flagctl: Flagctl) -> None:
    with (repo / "flags/flagctl.yaml").open("a") as file:
        file.write("\nbucketing: flagd-3\ncheck: {severity: {unused-segment: off}}\n")
    lines = len((repo / "flags/flagctl.yaml").read_text().splitlines())
    done = flagctl("config", "show", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["format"], document["root"]) == ("flagctl/config/1", os.fspath(repo))
    assert {row["name"]: (row["value"], row["from"]) for row in document["settings"]} == {
        "bucketing": ("flagd-3", f"flags/flagctl.yaml:{lines - 1}"),
        "defaults.cache_ttl_seconds": (300, "default"),
        "check.expired_grace_days": (30, "default"),
        "check.severity.unused-segment": ("off", f"flags/flagctl.yaml:{lines}"),
    }
    assert document["environments"] == [
        {"name": "development", "promotes_from": None, "protected": False, "targets": [], "flags": 2},
        {
            "name": "production",
            "promotes_from": "development",
            "protected": True,
            "targets": ["file:published"],
            "flags": 2,
        },
    ]
    words = flagctl("config", "show").stdout
    assert re.search(r"bucketing +flagd-3 +flags/flagctl.yaml:\d+\n", words)
    assert re.search(r"production +development +yes +2 +file:published\n", words)


def test_config_of_settings_that_make_no_sense_shows_the_problem(repo: Path, flagctl: Flagctl) -> None:
    rewrite(repo, "flags/flagctl.yaml", "protected: true", "protected: maybe")
    done = flagctl("config", "show")
    assert done.returncode == 1
    assert "expected true or false" in done.stderr
    assert "flagctl check flags/flagctl.yaml" in done.stderr


def test_schemas_are_listed_and_printed(flagctl: Flagctl) -> None:
    names = flagctl("schema").stdout.split()
    assert {"attributes", "flag", "segment", "settings", "tests"} <= set(names)
    for name in names:
        assert json.loads(flagctl("schema", name).stdout)["$schema"].endswith("2020-12/schema")
    wrong = flagctl("schema", "flgs")
    assert (wrong.returncode, "did you mean flag" in wrong.stderr) == (2, True)
