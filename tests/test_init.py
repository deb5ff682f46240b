"""`flagctl init`: a repository that is clean from the start, and nothing that is there is ever lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagctl.check.coverage import coverage
from flagctl.check.expect import run_expectations
from flagctl.check.run import check
from flagctl.errors import OutsideError, UsageError
from flagctl.files.fmt import fmt
from flagctl.files.repository import read_repository
from flagctl.files.start import Made, start
from flagctl.files.walk import DiskTree
from flagctl.model import times

NOW = times.seconds("2026-11-24T09:00:00Z") or 0
SETTINGS = "flags/flagctl.yaml"
EXAMPLE = "flags/production/example-banner.yaml"


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def created(made: list[Made]) -> list[str]:
    return [file.path for file in made if file.created]


@pytest.mark.parametrize(
    "environments",
    [["development", "staging", "production"], ["dev", "live"], ["only"], ["1.0", "null", "ON", "a" * 128]],
    ids=["usual", "two", "one", "names that YAML takes for something else"],
)
def test_the_outcome_is_clean_tested_and_laid_out(tmp_path: Path, environments: list[str]) -> None:
    start(tmp_path, environments)
    reading = read_repository(DiskTree(tmp_path))
    assert check(reading, NOW) == []
    assert list(reading.repository.settings.environments) == environments
    report = run_expectations(reading.repository, NOW)
    assert (report.problems, report.failed) == ([], [])
    assert {result.environment for result in report.results} == set(environments)
    assert coverage(reading.repository, report.reached).unreached == ()
    for path in DiskTree(tmp_path).paths():
        text = (tmp_path / path).read_text()
        assert fmt(text) == text, path


def test_promotion_goes_in_the_order_given_and_the_last_is_protected(tmp_path: Path) -> None:
    start(tmp_path, ["dev", "test", "prod"])
    settings = read_repository(DiskTree(tmp_path)).repository.settings.environments
    assert [(e.name, e.promotes_from, e.protected) for e in settings.values()] == [
        ("dev", "", False),
        ("test", "dev", False),
        ("prod", "test", True),
    ]


def test_again_changes_nothing(tmp_path: Path) -> None:
    start(tmp_path)
    before = contents(tmp_path)
    again = start(tmp_path)
    assert created(again) == []
    assert [file.advice for file in again if file.advice] == []
    assert contents(tmp_path) == before


@pytest.mark.parametrize("path", [SETTINGS, "flags/attributes.yaml", "schema/flag.schema.json", ".gitignore", EXAMPLE])
def test_what_is_there_is_kept_to_the_byte(tmp_path: Path, path: str) -> None:
    mine = b"# mine\r\n"
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(mine)
    made = {file.path: file for file in start(tmp_path)}
    assert (tmp_path / path).read_bytes() == mine
    assert path not in made or not made[path].created


def test_what_is_missing_is_completed_but_a_removed_example_stays_away(tmp_path: Path) -> None:
    start(tmp_path)
    for path in (EXAMPLE, "schema/flag.schema.json", ".gitattributes"):
        (tmp_path / path).unlink()
    assert created(start(tmp_path)) == ["schema/flag.schema.json", ".gitattributes"]


def test_an_interrupted_start_is_taken_up(tmp_path: Path) -> None:
    start(tmp_path)
    whole = contents(tmp_path)
    for path in (EXAMPLE, "flags/tests/example-banner.yaml", SETTINGS):  # the last ones written
        (tmp_path / path).unlink()
    start(tmp_path)
    assert contents(tmp_path) == whole


def test_no_example_among_flags_that_are_there(tmp_path: Path) -> None:
    mine = tmp_path / "flags/production/mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("description: Mine.\nowner: {team: us}\n")
    assert EXAMPLE not in created(start(tmp_path))


def test_kept_files_that_lack_something_come_with_advice(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/flag.schema.json").write_text("{}")
    advice = {file.path: file.advice for file in start(tmp_path) if file.advice}
    assert advice[".gitignore"] == "consider adding: /published/"
    assert "delete it and run init again" in advice["schema/flag.schema.json"]
    assert len(advice) == 2


@pytest.mark.parametrize(
    ("environments", "message"),
    [
        ([], "at least one environment"),
        ([""], "can't be an environment"),
        (["tests"], "can't be an environment"),
        (["../up"], "can't be an environment"),
        (["a b"], "can't be an environment"),
        (["a" * 129], "can't be an environment"),
        (["prod", "Prod"], "named twice"),
    ],
)
def test_environments_that_can_not_be(tmp_path: Path, environments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        start(tmp_path / "new", environments)
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        start(tmp_path / "file")
    (tmp_path / "flags").write_text("")
    with pytest.raises(OutsideError, match="flags"):
        start(tmp_path)


def test_the_command_says_what_it_did(tmp_path: Path, flagctl: Callable[..., Any]) -> None:
    first = flagctl("init", "new", "--environments", "dev, prod", cwd=tmp_path)
    assert first.returncode == 0
    assert "created flags/prod/example-banner.yaml" in first.stdout.splitlines()
    assert f"git init {tmp_path}/new" in first.stderr
    again = flagctl("init", "new", "--environments", "dev,live", cwd=tmp_path)
    assert again.returncode == 0
    assert {line.split()[0] for line in again.stdout.splitlines()} == {"kept"}
    assert "--environments changed nothing" in again.stderr
    assert flagctl("test", cwd=tmp_path / "new" / "flags" / "prod").returncode == 0


def test_a_publish_before_settings_are_committed_says_what_to_commit(
    tmp_path: Path, flagctl: Callable[..., Any], git: Callable[..., str]
) -> None:
    assert flagctl("init", cwd=tmp_path).returncode == 0
    git(tmp_path, "init", "-q")
    flagctl("new", "first", "--owner", "shop", "--description", "The first.", cwd=tmp_path)
    done = flagctl("publish", "production", cwd=tmp_path)
    assert done.returncode == 1
    assert "hint: what is not committed is not published: git add flags/flagctl.yaml && git commit" in done.stderr


def test_it_may_be_a_folder_of_a_larger_repository(repo: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("init", "services/flags-of-shop", cwd=repo)
    assert done.returncode == 0
    assert "git init" not in done.stderr
    assert (repo / "services/flags-of-shop" / SETTINGS).is_file()


def test_not_inside_the_flags_of_another(repo: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("init", cwd=repo / "flags" / "production")
    assert done.returncode == 2
    assert f"flagctl init {repo.resolve()}" in done.stderr
    assert not (repo / "flags/production/flags").exists()
