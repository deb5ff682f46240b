"""What each command loads: a small command stays quick because it leaves the heavy libraries alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"ruamel", "jsonschema", "jsonschema_rs", "git", "boto3", "redis", "polars", "pydantic"}


def loaded_by(folder: Path, *arguments: str) -> set[str]:
    """The full names of all modules that `python -X importtime` reports for one run of flagctl, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flagctl", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_the_watch_sees_modules() -> None:
    assert {"typer", "flagctl.cli.app"} <= loaded_by(Path(), "--version")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["eval", "--help"], ["publish", "--help"]])
def test_saying_what_there_is_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    modules = loaded_by(tmp_path, *arguments)
    assert not packages(modules) & (HEAVY | {"rich", "yaml_rs", "re2", "mmh3", "asyncio"})


@pytest.mark.parametrize("extra", [[], ["--json"], ["--explain"]])
def test_eval_reads_one_flag_and_loads_no_library_it_can_do_without(repo: Path, extra: list[str]) -> None:
    modules = loaded_by(repo, "eval", "wishlist-gallery", "-e", "production", "--user", "ada", *extra)
    assert "flagctl.evaluate.evaluator" in modules
    assert not packages(modules) & ((HEAVY - {"jsonschema_rs"}) | {"rich", "asyncio"})


@pytest.mark.parametrize("arguments", [["check"], ["list"], ["build", "production"]])
def test_reading_a_sound_repository_needs_no_slow_reader(repo: Path, arguments: list[str]) -> None:
    modules = loaded_by(repo, *arguments)
    assert not packages(modules) & {"ruamel", "jsonschema", "boto3", "redis", "polars", "pydantic"}


def test_a_command_loads_no_other_command(repo: Path) -> None:
    modules = loaded_by(repo, "check")
    commands = {module for module in modules if module.startswith("flagctl.cli.commands.")}
    assert commands == {"flagctl.cli.commands.check"}


APPLICATION = """
import sys
import flagctl.evaluate.evaluator
names = {name.partition(".")[0] for name in sys.modules}
print(*sorted(names & set(sys.argv[1:])))
"""


def test_an_application_that_evaluates_loads_nothing_of_the_tool() -> None:
    forbidden = [*HEAVY, "typer", "rich", "yaml_rs", "click"]
    done = subprocess.run([sys.executable, "-c", APPLICATION, *forbidden], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
