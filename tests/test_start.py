"""What each command loads: a small command stays quick because it leaves the heavy libraries alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Loaded = Callable[..., set[str]]
HEAVY = {"ruamel", "jsonschema", "jsonschema_rs", "git", "boto3", "redis", "polars", "vl_convert", "pydantic"}


# Not -X importtime: it does not see what importlib.import_module loads, as our table of commands does.
WATCH = """
import runpy, sys
report = sys.argv.pop(1)
try:
    runpy.run_module("flagctl", run_name="__main__")
finally:
    print(*sys.modules, sep="\\n", file=open(report, "w"))
"""


@pytest.fixture
def loaded_by(tmp_path: Path) -> Callable[..., set[str]]:
    """loaded_by(folder, *arguments) -> names of all modules a run of flagctl loads; it has to succeed."""

    def run(folder: Path, *arguments: str) -> set[str]:
        report = tmp_path / "modules"
        done = subprocess.run(
            [sys.executable, "-c", WATCH, str(report), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return set(report.read_text().split())

    return run


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_the_watch_sees_modules(tmp_path: Path, loaded_by: Loaded) -> None:
    assert {"typer", "flagctl.cli.app"} <= loaded_by(tmp_path, "--version")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["eval", "--help"], ["publish", "--help"]])
def test_saying_what_there_is_loads_nothing_heavy(tmp_path: Path, loaded_by: Loaded, arguments: list[str]) -> None:
    modules = loaded_by(tmp_path, *arguments)
    assert not packages(modules) & (HEAVY | {"rich", "yaml_rs", "re2", "mmh3", "asyncio"})


@pytest.mark.parametrize("extra", [[], ["--json"], ["-a", "plan=pro"]])
def test_eval_reads_one_flag_and_loads_no_library_it_can_do_without(
    repo: Path, loaded_by: Loaded, extra: list[str]
) -> None:
    modules = loaded_by(repo, "eval", "wishlist-gallery", "-e", "production", "--user", "ada", *extra)
    assert "flagctl.evaluate.evaluator" in modules
    assert not packages(modules) & (HEAVY | {"rich", "asyncio"})


@pytest.mark.parametrize("arguments", [["check"], ["list"], ["build", "production"]])
def test_reading_a_sound_repository_needs_no_slow_reader(repo: Path, loaded_by: Loaded, arguments: list[str]) -> None:
    modules = loaded_by(repo, *arguments)
    assert not packages(modules) & {"ruamel", "jsonschema", "boto3", "redis", "polars", "pydantic"}


def test_a_command_loads_no_other_command(repo: Path, loaded_by: Loaded) -> None:
    modules = loaded_by(repo, "check")
    commands = {module for module in modules if module.startswith("flagctl.cli.commands.")}
    assert commands == {"flagctl.cli.commands.check"}


APPLICATION = """
import sys
import flagctl.client
import flagctl.evaluate.engine
names = {name.partition(".")[0] for name in sys.modules}
print(*sorted(names & set(sys.argv[1:])))
"""


def test_an_application_that_evaluates_loads_nothing_of_the_tool() -> None:
    forbidden = [*HEAVY, "typer", "rich", "yaml_rs", "click"]
    done = subprocess.run([sys.executable, "-c", APPLICATION, *forbidden], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("source", "more"), [("file:nowhere", ["redis"]), ("redis://127.0.0.1:1/0", []), ("https://127.0.0.1:1", ["redis"])]
)
def test_a_client_loads_nothing_that_its_source_does_not_need(source: str, more: list[str]) -> None:
    script = APPLICATION.replace(
        "names =", f"flagctl.client.Client({source!r}, 'production', cache=False).close()\nnames ="
    )
    forbidden = [*(HEAVY - {"redis"}), "botocore", "typer", "rich", "yaml_rs", "click", *more]
    done = subprocess.run([sys.executable, "-c", script, *forbidden], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
