"""Real repositories in temporary folders, and flagctl as a person runs it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["servers"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
_NOT_A_PERSONS = ("GIT_", "FLAGCTL_", "GITHUB_", "PYTHONUNBUFFERED")
"""What variables begin with that hooks and CI set, and people don't."""

SMALL: dict[str, str] = {
    "flags/flagctl.yaml": """\
environments:
  development: {}
  production:
    promotes_from: development
    protected: true
    targets: ["file:published"]
""",
    "flags/attributes.yaml": """\
attributes:
  country: {type: string}
  plan: {type: string, values: [free, pro]}
  age: {type: integer}
  app_version: {type: semver}
  email: {type: string, private: true}
""",
}
_FLAG = """\
# Why this flag exists, in words that must survive.
description: Show the wishlist gallery page.
owner: {team: growth}
tags: [wishlist, web]
rules:
  - name: staff   # everybody here
    when:
      - {attribute: email, ends_with: "@example.com"}
    serve: on
default:
  rollout: 25
"""
for _environment in ("development", "production"):
    SMALL[f"flags/{_environment}/wishlist-gallery.yaml"] = _FLAG
    SMALL[f"flags/{_environment}/wishlist-edit.yaml"] = """\
description: Edit an item of the wishlist.
owner: {team: growth}
requires:
  - flag: wishlist-gallery
default:
  serve: on
"""


def environment_of(home: Path) -> dict[str, str]:
    """The environment variables of a person with an empty home and a Git identity, and no surrounding hook."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_A_PERSONS)}
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Example",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada Example",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's home: no test reads or writes the developer's own settings and cache."""
    folder = tmp_path_factory.mktemp("home")
    for key in [key for key in os.environ if key.startswith(_NOT_A_PERSONS)]:
        monkeypatch.delenv(key)
    for key, value in environment_of(folder).items():
        monkeypatch.setenv(key, value)
    return folder


@pytest.fixture
def git() -> Callable[..., str]:
    """git(folder, *arguments) -> stdout, or a failure with git's own words."""

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def make_repo(tmp_path: Path, git: Callable[..., str]) -> Callable[..., Path]:
    """make_repo({path: text}, name="repo") -> a Git repository whose files (SMALL's by default) are committed."""

    def make(files: dict[str, str] | None = None, name: str = "repo") -> Path:
        root = tmp_path / name
        for path, text in (SMALL if files is None else files).items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        git(tmp_path, "init", "-q", "-b", "main", str(root))
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "Start")
        return root

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Path]) -> Path:
    """The small repository."""
    return make_repo()


@pytest.fixture
def flagctl(repo: Path) -> Run:
    """flagctl(*arguments, cwd=repo, input=None, env={}) as a process of its own; stdin is empty, never a terminal."""

    def run(
        *arguments: Any, cwd: Path | None = None, input: str | None = None, env: dict[str, str] | None = None
    ) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "flagctl", *map(str, arguments)],
            cwd=cwd or repo,
            input=input or "",
            env=os.environ | (env or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def at_terminal(repo: Path) -> Callable[..., tuple[int, str]]:
    """at_terminal(answers, *arguments, cwd=repo) -> exit code and stderr of flagctl run by a person who types."""

    def run(answers: str, *arguments: str, cwd: Path | None = None) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        try:
            os.write(ours, answers.encode())
            code = subprocess.run(
                [sys.executable, "-m", "flagctl", *arguments],
                cwd=cwd or repo, stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL, timeout=60, check=False,
            ).returncode  # fmt: skip
            return code, os.read(ours, 100_000).decode()
        finally:
            os.close(ours)
            os.close(theirs)

    return run


def pytest_configure(config: pytest.Config) -> None:
    """Tags of examples are marks to pytest-bdd, whatever is said below."""
    for tag in ("booleans", "strings", "numbers", "objects"):
        config.addinivalue_line("markers", f"{tag}: a tag of OpenFeature's examples")


def pytest_bdd_apply_tag(tag: str, function: object) -> bool:
    """Tags of scenarios are their authors' and no marks of ours."""
    return True
