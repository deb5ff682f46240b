"""In a freeze nothing changes and nothing is published, unless somebody says why; and that is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
GitRun = Callable[..., str]
FROZEN = """\
environments:
  development: {}
  production:
    promotes_from: development
    protected: true
    targets: ["file:published"]
    freeze:
      - {from: 2020-01-01, to: 2020-02-01, reason: long gone}
      - {from: 2020-01-01, to: 2999-01-01, reason: Christmas sales}
"""
SAID = "production is frozen until 2999-01-01T00:00:00Z: Christmas sales"
WHY = ["--reason", "r", "--override-freeze", "the shop is down"]
FLAG = "flags/{}/wishlist-gallery.yaml"


@pytest.fixture
def frozen(repo: Path, git: GitRun, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Production is frozen; development is ahead of it, and production has a version to go back to."""
    for environment, share in (("development", 60), ("production", 30)):
        file = repo / FLAG.format(environment)
        file.write_text(file.read_text().replace("rollout: 25", f"rollout: {share}"))
    (repo / "flags/flagctl.yaml").write_text(FROZEN)
    git(repo, "commit", "-qam", "Freeze")
    editor = repo.parent / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/rollout: 30/rollout: 31/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    return repo


NEW = ["new", "fresh", "--owner", "growth", "--description", "Fresh.", "--expires", "30d"]
COMMANDS = [
    ["set", "wishlist-gallery", "-e", "production", "--rollout", "40"],
    ["edit", "wishlist-gallery", "-e", "production"],
    ["remove", "wishlist-edit", "--yes"],
    ["rename", "wishlist-edit", "wishlist-change"],
    NEW,
    ["rollback", "wishlist-gallery", "-e", "production"],
    ["promote", "wishlist-gallery", "--to", "production", "--take", "source", "--direct"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_change_is_refused_and_made_for_a_reason_that_the_log_keeps(
    frozen: Path, flagctl: Run, git: GitRun, command: list[str]
) -> None:
    head = git(frozen, "rev-parse", "HEAD")
    for more in ([], ["--override-freeze", " "], ["--no-commit"]):
        done = flagctl(*command, "--reason", "r", *more)
        assert done.returncode == 5, done.stderr
        assert SAID in done.stderr
        assert "--override-freeze" in done.stderr
        assert (git(frozen, "rev-parse", "HEAD"), git(frozen, "status", "--porcelain")) == (head, "")
    done = flagctl(*command, "--reason", "r", "--dry-run")
    assert (done.returncode, SAID in done.stderr) == (0, True)
    done = flagctl(*command, *WHY)
    assert done.returncode == 0, done.stderr
    assert f"THE FREEZE IS OVERRIDDEN: {SAID}" in done.stderr
    assert git(frozen, "log", "-1", "--format=%(trailers:key=Override-Freeze,valueonly)").strip() == "the shop is down"
    assert "freeze overridden: the shop is down" in flagctl("log", "-n", "1").stdout
    entry = json.loads(flagctl("log", "-n", "1", "--json").stdout)["entries"][0]
    assert (entry["override_freeze"], entry["reason"]) == ("the shop is down", "r")


def test_what_is_not_frozen_changes_as_ever(frozen: Path, flagctl: Run, git: GitRun) -> None:
    done = flagctl("set", "wishlist-gallery", "-e", "development", "--rollout", "61", *WHY)
    assert (done.returncode, "FREEZE" in done.stderr) == (0, False)
    assert "Override-Freeze" not in git(frozen, "log", "-1", "--format=%B")
    assert flagctl(*NEW, "-e", "development").returncode == 0


def test_nothing_new_is_published_in_a_freeze(frozen: Path, flagctl: Run, git: GitRun) -> None:
    publish = ["publish", "production", "--no-self-test"]

    def refused(*more: str) -> None:
        done = flagctl(*publish, *more)
        assert done.returncode == 5, done.stderr
        assert SAID in done.stderr

    refused()
    refused("--rev", "HEAD~1")  # which says nothing of the freeze, but HEAD does
    assert not (frozen / "published").exists()
    done = flagctl(*publish, "--dry-run")
    assert (done.returncode, SAID in done.stderr) == (0, True)
    done = flagctl(*publish, "--override-freeze", "the shop is down", "--json")
    assert done.returncode == 0, done.stderr
    assert f"THE FREEZE IS OVERRIDDEN: {SAID}" in done.stderr
    assert json.loads(done.stdout)["receipts"][0]["override_freeze"] == "the shop is down"
    # the same again changes nothing, so a nightly run may go on
    done = flagctl(*publish)
    assert (done.returncode, "live already" in done.stdout) == (0, True)
    assert flagctl(*COMMANDS[0], *WHY).returncode == 0
    refused()
    refused("--canary", "10%")
    done = flagctl(*publish, "--canary", "10%", "--override-freeze", "the shop is down")
    assert (done.returncode, "frozen  overridden: the shop is down" in done.stdout) == (0, True)
    refused("--promote-canary")
    assert flagctl(*publish, "--abort-canary").returncode == 0  # as kill, it only takes back
