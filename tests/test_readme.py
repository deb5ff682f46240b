"""What README and `--help` tell people to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from typer.main import get_command

from flagctl.cli.app import COMMANDS, app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str, page: str = README) -> list[str]:
    """The code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def sample(tmp_path: Path, git: Callable[..., str]) -> Path:
    """A clone of the sample repository, with a remote to push to."""
    root, remote = tmp_path / "sample", tmp_path / "remote.git"
    for folder in ("flags", "schema"):
        shutil.copytree(ROOT / folder, root / folder)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Start")
    git(root, "remote", "add", "origin", str(remote))
    git(root, "push", "-q", "origin", "main")
    return root


def test_the_commands_of_every_day_work_one_after_the_other_and_a_service_reads_what_they_publish(
    sample: Path, flagctl: Run
) -> None:
    (console,) = blocks("console")
    lines = [shlex.split(line.removeprefix("$ flagctl "), comments=True) for line in console.splitlines()]
    assert len(lines) >= 9
    for words in lines:
        # Nobody is at a terminal to say yes to the push.
        done = flagctl(*words, *(["--yes"] if words[0] == "promote" else []), cwd=sample)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"

    (service,) = [text for text in blocks("python") if "Client(" in text]
    source = f"file:{sample / 'published'}"
    assert "redis://cache:6379/0" in service
    held: dict[str, Any] = {}
    exec(service.replace("redis://cache:6379/0", source), held)
    with held["flags"] as flags:
        assert flags.variant("checkout-flow", user="ada") == "control"
        assert flags.details("wishlist-limit", default=20, user="ada").reason != "ERROR"


def test_the_flag_shown_in_readme_is_sound(sample: Path, flagctl: Run) -> None:
    text = blocks("yaml")[0]
    path = text.partition("\n")[0].removeprefix("# ")
    assert (sample / path).is_file()
    (sample / path).write_text(text)
    done = flagctl("check", path, cwd=sample)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_problem_shown_in_readme_is_what_check_prints(flagctl: Run, repo: Path) -> None:
    (shown,) = [text for text in blocks("text") if "split-sum" in text]
    path = repo / shown.partition(":")[0]
    path.write_text(
        "description: A test.\nowner: {team: shop}\ntype: string\nvariants: {a: x, b: y}\noff_variant: a\n"
        "default:\n    split: {a: 45, b: 45}\n"
    )
    assert flagctl("check", path.stem).stdout == shown


def test_the_page_about_flags_is_a_repository_without_problems(tmp_path: Path, flagctl: Run) -> None:
    files = blocks("yaml", (ROOT / "docs/flags.md").read_text())
    assert len(files) == 6
    for text in files:
        path = tmp_path / text.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = flagctl("check", "--strict", "--clock", "2026-11-25", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (0, "")
    tried = flagctl("test", cwd=tmp_path)
    assert (tried.returncode, tried.stderr) == (0, "2 passed, 0 failed\n"), tried.stdout


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link]
    missing = [link for link in links if not (page.parent / "".join(link.split()).partition("#")[0]).exists()]
    assert missing == []


def examples() -> list[str]:
    """Every example of every command's help."""
    found = []
    for name in (name for section in COMMANDS.values() for name in section):
        module = import_module(f"flagctl.cli.commands.{name.replace('-', '_')}")
        for function in getattr(module, "GROUP", {name: getattr(module, "command", None)}).values():
            rows = (function.__doc__ or "").partition("Examples:")[2].splitlines()
            found += [row.strip() for row in rows if "flagctl " in row]
    return found


@pytest.mark.parametrize("example", examples())
def test_the_examples_of_help_use_options_that_there_are(example: str) -> None:
    typed = re.sub(r"^.*?\bflagctl |[>)].*$", "", example)
    command: Any = get_command(app)
    ctx, words = None, shlex.split(typed)
    while hasattr(command, "resolve_command"):
        ctx = command.make_context("flagctl", list(words), parent=ctx, resilient_parsing=True)
        name, command, words = command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
        assert command is not None, f"no command {name}"
    command.make_context(command.name, words, parent=ctx)
