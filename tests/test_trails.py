"""What the log of a flag keeps of its search: whatever was kept, and by whom, it tells what a search would."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from flagctl.history import graph
from flagctl.history.audit import of_everything, of_flag
from flagctl.history.git import Git
from flagctl.history.ledger import Ledger

GitRun = Callable[..., str]
KEY, FLAG = "wishlist-gallery", "flags/production/wishlist-gallery.yaml"
SEGMENT, MOVED = "flags/production/segments/eu.yaml", "flags/production/segments/more/eu.yaml"
INNER, ATTRIBUTES = "flags/production/segments/inner.yaml", "flags/attributes.yaml"
USES = "- name: eu\n    when: [{segment: eu}]\n    serve: on\n  - name: staff"


class Told:
    """A repository with a history, and its flag's log."""

    def __init__(self, root: Path, git: GitRun) -> None:
        self.root = root
        self._git = git
        self.kept = root / ".git/flagctl"

    def commit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text() if old else new
        assert old in text
        file.write_text(text.replace(old, new) if old else new)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Edit {path}")

    def git(self, *arguments: str) -> str:
        return self._git(self.root, *arguments)

    def log(self, environment: str = "") -> list[str]:
        git = Git(self.root)
        return [repr(entry) for entry in of_flag(git, git.resolve("HEAD"), KEY, environment)]

    def searched(self) -> list[str]:
        """The log by one who knows nothing; what others keep stays as it was."""
        aside = self.kept.with_name("flagctl-aside")
        if self.kept.exists():
            self.kept.rename(aside)
        found = self.log()
        self.forget()
        if aside.exists():
            aside.rename(self.kept)
        return found

    def forget(self) -> None:
        shutil.rmtree(self.kept, ignore_errors=True)

    def filters(self, wanted: bool) -> None:
        shutil.rmtree(self.root / ".git/objects/info", ignore_errors=True)
        if wanted:
            self.git(*graph.COMMAND, "--no-progress")


@pytest.fixture
def told(repo: Path, git: GitRun) -> Told:
    return Told(repo, git)


def log_of_everything(told: Told) -> None:
    git = Git(told.root)
    list(of_everything(git, Ledger(git, git.resolve("HEAD"), lambda _: nullcontext(print))))


def list_of_versions(told: Told) -> None:
    git = Git(told.root)
    Ledger(git, git.resolve("HEAD"), lambda _: nullcontext(print)).versions()


def init(told: Told) -> None:
    told.filters(False)
    assert graph.set_up(Git(told.root))


def nothing(told: Told) -> None: ...


def move(told: Told, old: str, new: str) -> None:
    (told.root / new).parent.mkdir(parents=True, exist_ok=True)
    told.git("mv", old, new)
    told.git("commit", "-q", "-m", "Move")


HISTORY: list[Callable[[Told], object]] = [
    lambda told: told.commit(SEGMENT, "", "when: [{attribute: country, in: [DE]}, {segment: inner}]\n"),
    lambda told: told.commit(INNER, "", "when: [{attribute: age, gt: 17}]\n"),
    lambda told: told.commit(FLAG, "- name: staff", USES),
    lambda told: told.commit(SEGMENT, "in: [DE]", "in: [DE, FR]"),
    lambda told: told.commit(ATTRIBUTES, "country: {type: string}", "country: {type: semver}"),
    lambda told: move(told, SEGMENT, MOVED),
    lambda told: told.commit(MOVED, "in: [DE, FR]", "in: [FR]"),
    lambda told: told.commit(SEGMENT, "", "when: [{attribute: country, in: [AT]}]\n"),
    lambda told: told.git("reset", "-q", "--hard", "HEAD~3"),
    lambda told: told.commit(INNER, "gt: 17", "gt: 20"),
    lambda told: move(told, FLAG, f"{FLAG.rpartition('/')[0]}/shop/{KEY}.yaml"),
    lambda told: (told.git("rm", "-q", INNER), told.git("commit", "-q", "-m", "Gone")),
    lambda told: told.commit(INNER, "", "when: [{attribute: age, gt: 17}]\n"),
]


@pytest.mark.parametrize("filters", [False, True], ids=["no filters", "filters"])
@pytest.mark.parametrize("looked", [nothing, log_of_everything, list_of_versions, init], ids=lambda one: one.__name__)
def test_what_was_kept_tells_what_a_search_would(told: Told, looked: Any, filters: bool) -> None:
    lengths = set()
    for step in HISTORY:
        step(told)
        told.filters(filters)
        looked(told)
        wanted = told.searched()
        assert told.log() == wanted
        assert told.log() == wanted
        lengths.add(len(wanted))
    assert len(lengths) > 4


@pytest.mark.parametrize(
    ("looked", "filters", "walks"),
    [
        (nothing, False, 1),
        (nothing, True, 3),
        (log_of_everything, True, 1),
        (list_of_versions, True, 1),
        (init, True, 1),
    ],
)
def test_how_often_git_walks_through_the_history(
    told: Told, looked: Any, filters: bool, walks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attribute = "- name: eu\n    when: [{attribute: country, in: [DE]}, {segment: eu}]\n    serve: on\n  - name: staff"
    git = told.root / SEGMENT
    git.parent.mkdir(parents=True)
    git.write_text("when: [{attribute: country, in: [DE]}]\n")
    told.commit(FLAG, "- name: staff", attribute)
    told.git("checkout", "-q", "--orphan", "one")  # nothing came from elsewhere: no commit is looked into twice
    told.git("commit", "-q", "-m", "All at once")
    told.filters(filters)
    looked(told)
    trace = tmp_path / "trace"
    for expected in (walks, walks):
        monkeypatch.setenv("GIT_TRACE", str(trace))
        told.log("production")
        monkeypatch.delenv("GIT_TRACE")
        lines = trace.read_text().splitlines()
        assert sum("built-in: git log" in line and "--first-parent" in line for line in lines) == expected
