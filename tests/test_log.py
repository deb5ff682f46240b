"""The audit log on real repositories: what Git's histories look like, and what each must be told as."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL

from flagctl.cli.formats.log import sentences
from flagctl.errors import RefusedError, UsageError
from flagctl.history.audit import Entry, Wanted, of_everything, of_flag
from flagctl.history.git import Git
from flagctl.history.ledger import Ledger
from flagctl.history.trails import versions

GitRun = Callable[..., str]
Run = Callable[..., Any]
KEY, FLAG = "wishlist-gallery", "flags/production/wishlist-gallery.yaml"
OTHER = "flags/production/wishlist-edit.yaml"


class Repo:
    """A repository that is written to as people do."""

    def __init__(self, root: Path, git: GitRun) -> None:
        self.root = root
        self._git = git
        self.clock = 1_790_000_000

    def git(self, *arguments: str) -> str:
        return self._git(self.root, *arguments)

    def commit(self, message: str, *, author: str = "Ada Example <ada@example.com>") -> str:
        self.clock += 3600
        os.environ["GIT_AUTHOR_DATE"] = os.environ["GIT_COMMITTER_DATE"] = f"{self.clock} +0000"
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, "--author", author)
        return self.git("rev-parse", "HEAD").strip()

    def edit(self, old: str, new: str, message: str = "Edit", path: str = FLAG, **more: Any) -> str:
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return self.commit(message, **more)

    def write(self, path: str, text: str, message: str = "Write") -> str:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return self.commit(message)

    def ledger(self) -> Ledger:
        return Ledger(Git(self.root, bare=True), self.git("rev-parse", "HEAD").strip(), lambda _: nullcontext(print))

    def told(self, key: str = KEY, environment: str = "production", **wanted: Any) -> list[Entry]:
        """The flag's own entries; the other way to find them has to agree."""
        git, chosen = Git(self.root, bare=True), Wanted(environment=environment, **wanted)
        found = [entry for entry in of_flag(git, git.resolve("HEAD"), key, environment) if chosen.takes(entry)]
        every = [entry for entry in of_everything(git, self.ledger()) if chosen.takes(entry)]
        mine = [entry for entry in every if entry.kind == "flag" and entry.key == key]
        own = [entry for entry in found if not entry.cause and entry.key == key]
        assert [facts(entry) for entry in own] == [facts(entry) for entry in mine]
        return found


def facts(entry: Entry) -> tuple[Any, ...]:
    return (entry.commit.commit, entry.row.event, entry.version, entry.changes, entry.author, entry.reason)


def said(entries: list[Entry]) -> list[tuple[int, str]]:
    """Version and words of each entry, newest first."""
    return [
        (entry.version, "; ".join(change.words for change in entry.changes) or entry.row.event) for entry in entries
    ]


CREATED = "created: rule staff, then 25 % on, the rest off"


@pytest.fixture
def people(repo: Path, git: GitRun) -> Iterator[Repo]:
    people = Repo(repo, git)
    os.environ["GIT_AUTHOR_DATE"] = os.environ["GIT_COMMITTER_DATE"] = f"{people.clock} +0000"
    git(repo, "commit", "-q", "--amend", "--no-edit", "--reset-author")
    yield people
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        os.environ.pop(name, None)


def test_each_change_of_meaning_is_a_version_and_nothing_else_is(people: Repo) -> None:
    people.edit("rollout: 25", "rollout: 50", "More\n\nReason: half of them")
    people.edit("# Why", "# Because", "Words")
    people.edit("team: growth", "team: search", "Another team")
    people.edit("rollout: 50", "rollout: 60", path=OTHER.replace("edit", "gallery"), author="Bob <bob@example.com>")
    (people.root / "notes.txt").write_text("x")
    people.commit("Elsewhere")
    people.commit("Nothing at all")
    found = people.told(everything=True)
    assert said(found) == [
        (3, "rollout 50 → 60"),
        (2, "owner growth → search"),
        (2, "respelt"),
        (2, "rollout 25 → 50"),
        (1, CREATED),
    ]
    assert [entry.reason for entry in found] == ["Edit", "Another team", "Words", "half of them", "Start"]
    assert [entry.author for entry in found][:2] == ["Bob", "Ada Example"]
    assert found[0].committer == "Ada Example"
    assert said(people.told()) == [*said(found)[:2], *said(found)[3:]]


def test_a_file_keeps_its_past_in_another_folder_and_under_another_key(people: Repo, flagctl: Run) -> None:
    people.edit("rollout: 25", "rollout: 50")
    (people.root / "flags/production/shop").mkdir()
    people.git("mv", FLAG, "flags/production/shop/wishlist-gallery.yaml")
    people.commit("Move")
    shop = "flags/production/shop/wishlist-gallery.yaml"
    people.edit("rollout: 50", "rollout: 60", path=shop)
    assert said(people.told(everything=True)) == [
        (3, "rollout 50 → 60"), (2, "moved"), (2, "rollout 25 → 50"), (1, CREATED),
    ]  # fmt: skip
    # Identical files in two environments change their names in one commit: neither is taken for the other.
    (people.root / OTHER).unlink()
    (people.root / OTHER.replace("production", "development")).unlink()
    people.commit("Nobody requires it")
    done = flagctl("rename", KEY, "wish-list", "--reason", "shorter")
    assert done.returncode == 0, done.stderr
    found = people.told("wish-list")
    assert [entry.row.event for entry in found] == ["renamed", "changed", "changed", "created"]
    assert [entry.version for entry in found] == [4, 3, 2, 1]
    assert found[0].row.old_path == shop
    assert [entry.version for entry in people.told("wish-list", "development")] == [2, 1]


def test_a_removal_is_a_version_and_so_is_the_return(people: Repo) -> None:
    text = (people.root / OTHER).read_text()
    (people.root / OTHER).unlink()
    people.commit("Away")
    people.write(OTHER, text, "Back")
    found = people.told("wishlist-edit")
    assert said(found) == [(3, "created: on"), (2, "removed, was on"), (1, "created: on")]
    (people.root / OTHER).unlink()
    people.commit("Away again")
    assert [entry.version for entry in people.told("wishlist-edit")] == [4, 3, 2, 1]
    assert ("production", "wishlist-edit") not in people.ledger().versions()
    with pytest.raises(UsageError, match="neither now nor before") as raised:
        people.told("wishlist-galery")
    assert raised.value.hint == "did you mean wishlist-gallery?"


def branch(people: Repo, name: str, old: str, new: str, path: str = FLAG) -> None:
    people.git("checkout", "-q", "-b", name, "main")
    people.edit(old, new, f"Set {name}\n\nReason: because of {name}", path, author="Bob <bob@example.com>")
    people.git("checkout", "-q", "main")


def merge(people: Repo, message: str, *names: str) -> None:
    people.clock += 3600
    os.environ["GIT_AUTHOR_DATE"] = os.environ["GIT_COMMITTER_DATE"] = f"{people.clock} +0000"
    people.git("merge", "-q", "--no-ff", "-m", message, *names)


def test_a_merge_is_one_change_by_those_who_wrote_it(people: Repo) -> None:
    branch(people, "topic", "rollout: 25", "rollout: 50")
    people.git("checkout", "-q", "topic")
    people.edit("rollout: 50", "rollout: 75", "Once more", author="Eve <eve@example.com>")
    people.git("checkout", "-q", "main")
    merge(people, "Merge pull request #12 from example/topic", "topic")
    first = people.told()[0]
    assert said([first]) == [(2, "rollout 25 → 75")]
    assert (first.author, first.committer) == ("Bob, Eve", "Ada Example")
    assert (first.reason, first.came_by) == ("because of topic", "#12")
    assert len(people.told()) == 2
    assert people.told(author="eve@")[0].commit == first.commit
    assert people.told(author="nobody") == []


def test_an_octopus_merge_a_squash_a_pick_and_a_revert(people: Repo) -> None:
    branch(people, "one", "rollout: 25", "rollout: 50")
    branch(people, "two", "serve: on", "serve: off", OTHER)
    branch(people, "three", "tags: [wishlist, web]", "tags: [web]", FLAG.replace("production", "development"))
    merge(people, "Merge three", "one", "two", "three")
    assert next((e.version, e.author, e.reason) for e in people.told()) == (2, "Bob", "because of one")
    assert next((e.version, e.author) for e in people.told("wishlist-edit")) == (2, "Bob")

    branch(people, "squashed", "rollout: 50", "rollout: 55")
    people.git("merge", "-q", "--squash", "squashed")
    people.commit("Set it (#34)\n\n* Set squashed\n\nReason: all at once")
    found = people.told()[0]
    assert (found.version, found.came_by, found.reason) == (3, "#34", "all at once")

    people.git("revert", "--no-edit", "HEAD")
    reverted = people.told()[0]
    assert said([reverted]) == [(4, "rollout 55 → 50")]
    assert reverted.came_by == f"revert of {found.commit.commit[:10]}"

    people.git("checkout", "-q", "-b", "picked")
    picked = people.edit("rollout: 50", "rollout: 70", "Picked")
    people.git("checkout", "-q", "main")
    people.git("cherry-pick", "-x", picked)
    assert people.told()[0].came_by == f"cherry-picked from {picked[:10]}"


def test_a_branch_that_merged_main_tells_only_its_own(people: Repo) -> None:
    people.git("checkout", "-q", "-b", "topic")
    people.edit("rollout: 25", "rollout: 26", "Mine", FLAG.replace("production", "development"), author="Bob <b@x>")
    people.git("checkout", "-q", "main")
    people.edit("rollout: 25", "rollout: 50", "On main", author="Eve <e@x>")
    people.git("checkout", "-q", "topic")
    merge(people, "Merge main into topic", "main")
    people.git("checkout", "-q", "main")
    merge(people, "Merge pull request #1 from x/topic", "topic")
    (found,) = [entry for entry in people.told(environment="development") if entry.version == 2]
    assert (found.author, found.came_by) == ("Bob", "#1")
    assert [entry.author for entry in people.told()] == ["Eve", "Ada Example"]


def test_what_could_not_be_read_is_told_and_passed_over(people: Repo) -> None:
    people.edit("rollout: 25", "rolout: 25", "Broken")
    people.edit("rolout: 25", "rollout: 30", "Mended")
    found = people.told()
    assert [entry.row.event for entry in found] == ["changed", "unreadable", "created"]
    assert said(found)[0] == (2, "rollout 25 → 30")
    assert 'unknown field "rolout"' in found[1].row.problem


def test_what_could_never_be_read_is_removed_in_the_end(people: Repo) -> None:
    people.write("flags/production/odd.yaml", "odd: 1\n")
    (people.root / "flags/production/odd.yaml").unlink()
    people.commit("Out")
    assert [sentences(entry)[0][:13] for entry in people.told("odd")] == ["removed", "can't be read"]


def test_a_link_is_what_it_leads_to_and_changes_with_it(people: Repo, flagctl: Run) -> None:
    linked, other = (people.root / f"flags/production/{name}.yaml" for name in ("teams/linked", "other"))
    linked.parent.mkdir()
    text = (people.root / FLAG).read_text()

    def lead(to: str) -> None:
        linked.unlink(missing_ok=True)
        linked.symlink_to(to)
        people.commit(f"To {to}")

    lead("../wishlist-gallery.yaml")
    branch(people, "half", "rollout: 25", "rollout: 50")
    merge(people, "What it leads to", "half")
    assert [(entry.version, entry.author) for entry in people.told("linked")] == [(2, "Bob"), (1, "Ada Example")]
    lead("../../development/wishlist-gallery.yaml")
    lead("../other.yaml")
    people.write("flags/production/other.yaml", text.replace("rollout: 25", "rollout: 40"), "There it is")
    assert "v3" in flagctl("list", "linked").stdout
    other.unlink()
    people.commit("Gone again")
    linked.rename(people.root / "flags/production/linked.yaml")
    linked = people.root / "flags/production/linked.yaml"
    lead("wishlist-gallery.yaml")
    people.edit("rollout: 50", "rollout: 60", "After the move")
    linked.unlink()
    linked.write_text((people.root / FLAG).read_text())
    people.commit("A file of its own")
    people.edit("rollout: 60", "rollout: 70", "Nothing to it")
    found = people.told("linked", everything=True)
    assert [(entry.version, entry.row.event, entry.commit.subject) for entry in found] == [
        (5, "respelt", "A file of its own"),
        (5, "changed", "After the move"),
        (4, "changed", "To wishlist-gallery.yaml"),
        (3, "unreadable", "Gone again"),
        (3, "changed", "There it is"),
        (2, "unreadable", "To ../other.yaml"),
        (2, "unreadable", "To ../../development/wishlist-gallery.yaml"),
        (2, "changed", "What it leads to"),
        (1, "created", "To ../wishlist-gallery.yaml"),
    ]
    assert [entry.row.problem for entry in found if entry.row.problem] == [
        "it is a symbolic link to no file",
        "it is a symbolic link to no file",
        "it is a symbolic link that leaves flags/production",
    ]
    shutil.rmtree(people.root / ".git/flagctl")
    assert people.told("linked", everything=True) == found
    assert "40 % on" in flagctl("show", "linked", "-e", "production", "--version", "3").stdout
    assert flagctl("blame", "linked", "-e", "production").stdout.count("After the move") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["log", "-e", "prodction"], "did you mean production?"),
        (["log", KEY, "-e", "nowhere", "--csv"], "environments are development, production"),
        (["log", "wishlist-galery", "--csv"], "did you mean wishlist-gallery?"),
        (["log", "--verify", "-e", "prodction"], "did you mean production?"),
        (["log", "wishlist-galery", "--verify"], "did you mean wishlist-gallery?"),
        (["history", "export", "--format", "csv", "-e", "prodction"], "did you mean production?"),
    ],
)
def test_what_never_was_is_an_error_before_anything_is_printed(
    people: Repo, flagctl: Run, arguments: list[str], words: str
) -> None:
    done = flagctl(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


SEGMENT = "flags/production/segments/eu.yaml"


def test_segments_and_attributes_under_a_flag_are_listed_with_it(people: Repo) -> None:
    people.write(SEGMENT, "when: [{attribute: country, in: [DE]}]\n", "A segment")
    people.edit("in: [DE]", "in: [DE, FR]", "Before it is used", SEGMENT)
    people.edit("- name: staff", "- name: eu\n    when: [{segment: eu}]\n    serve: on\n  - name: staff", "Use it")
    people.edit("in: [DE, FR]", "in: [DE, FR, AT]", "While it is used", SEGMENT)
    people.edit("when:", "# a comment\nwhen:", "Only words", SEGMENT)
    people.edit("country: {type: string}", "country: {type: semver}", "A type", "flags/attributes.yaml")
    people.edit("age: {type: integer}", "age: {type: number}", "Not asked for", "flags/attributes.yaml")
    found = people.told()
    assert [(entry.cause, entry.version) for entry in found] == [
        ("attributes", 2), ("segment eu", 2), ("", 2), ("", 1),
    ]  # fmt: skip
    assert said(found)[:2] == [(2, "attribute country: type string → semver"), (2, "country gained AT")]
    git = Git(people.root)
    kinds = [(entry.kind, entry.key) for entry in of_everything(git, people.ledger()) if entry.kind != "flag"]
    assert kinds[:3] == [("attributes", "attributes"), ("attributes", "attributes"), ("segment", "eu")]


def test_the_ledger_grows_and_goes_back_with_the_branch(people: Repo) -> None:
    people.edit("rollout: 25", "rollout: 30")
    assert people.ledger().versions()["production", KEY] == 2
    people.git("checkout", "-q", "-b", "side", "HEAD~1")
    assert people.ledger().versions()["production", KEY] == 1
    for share in (40, 41, 42):
        people.write(FLAG, SMALL[FLAG].replace("rollout: 25", f"rollout: {share}"))
    assert people.ledger().versions()["production", KEY] == 4
    people.git("checkout", "-q", "main")
    assert people.ledger().versions()["production", KEY] == 2
    (cache,) = (people.root / ".git/flagctl").glob("*.history")
    cache.write_bytes(cache.read_bytes()[:-3])
    assert people.ledger().versions()["production", KEY] == 2


def test_the_first_lines_come_before_old_files_are_read(people: Repo, flagctl: Run) -> None:
    lost = people.edit("serve: on", "serve: off", "Of another flag", OTHER)
    blob = people.git("rev-parse", f"{lost}:{OTHER}").strip()
    for share in range(30, 60):
        people.edit("rollout: ", f"rollout: {share} # ", "More")
    wanted = flagctl("log").stdout.splitlines()
    (cache,) = (people.root / ".git/flagctl").glob("*.history")
    assert flagctl("log").stdout.splitlines() == wanted
    cache.unlink()
    (people.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    done = flagctl("log")
    shown = done.stdout.splitlines()
    assert done.returncode == 4
    assert blob in done.stderr
    assert len(shown) >= 3 * 8
    assert shown == wanted[: len(shown)]
    assert not cache.exists()


def test_segments_are_followed_from_where_they_were_last_looked_at(people: Repo, flagctl: Run) -> None:
    people.write(SEGMENT, "when: [{attribute: country, in: [DE]}]\n", "A segment")
    people.edit("- name: staff", "- name: eu\n    when: [{segment: eu}]\n    serve: on\n  - name: staff", "Use it")

    def causes() -> list[tuple[str, str]]:
        return [(entry.cause, entry.changes[0].words) for entry in people.told() if entry.cause]

    assert causes() == []
    people.edit("in: [DE]", "in: [DE, FR]", "More", SEGMENT)
    assert flagctl("log", KEY).stdout.count("country gained FR") == 1
    people.edit("in: [DE, FR]", "in: [DE, FR, AT]", "More", SEGMENT)
    assert causes() == [("segment eu", "country gained AT"), ("segment eu", "country gained FR")]
    people.git("checkout", "-q", "-b", "side", "HEAD~1")
    assert causes() == [("segment eu", "country gained FR")]
    moved = SEGMENT.replace("eu.yaml", "more/eu.yaml")
    (people.root / moved).parent.mkdir()
    people.git("mv", SEGMENT, moved)
    people.edit("in: [DE, FR]", "in: [FR]", "Moved and changed", moved)
    assert causes() == [("segment eu", "country lost DE"), ("segment eu", "country gained FR")]


def test_a_flag_that_could_never_be_read_has_no_version(people: Repo, flagctl: Run) -> None:
    people.write("flags/production/odd.yaml", "rolout: 25\n")
    done = flagctl("show", "odd", "-e", "production", "--version", "1")
    assert done.returncode == 2
    assert "odd could never be read in production" in done.stderr
    assert said(people.told("odd")) == [(0, "unreadable")]


def test_a_shallow_clone_says_what_to_do(people: Repo, flagctl: Run, tmp_path: Path, git: GitRun) -> None:
    people.edit("rollout: 25", "rollout: 30")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{people.root}", "shallow")
    for arguments in (["log"], ["log", KEY]):
        done = flagctl(*arguments, cwd=tmp_path / "shallow")
        assert done.returncode == 5
        assert "fetch-depth: 0" in done.stderr
    with pytest.raises(RefusedError):
        versions(Git(tmp_path / "shallow"), "HEAD", "production", KEY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--at", "HEAD~3"],
        ["bisect", KEY, "-e", "production", "--good", "HEAD~3"],
        ["rollback", "--undo", "HEAD", "-r", "r"],
        ["rollback", "--undo", "HEAD~3", "-r", "r"],
        ["rollback", "-e", "production", "--to", "HEAD~3", "-r", "r"],
    ],
)
def test_a_revision_that_a_shallow_clone_lacks_is_brought_by_its_depth(
    people: Repo, flagctl: Run, tmp_path: Path, git: GitRun, arguments: list[str]
) -> None:
    people.edit("rollout: 25", "rollout: 30")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{people.root}", "shallow")
    done = flagctl(*arguments, cwd=tmp_path / "shallow")
    assert done.returncode in (2, 5)
    assert "fetch-depth: 0" in done.stderr


def linked(people: Repo, tmp_path: Path) -> Path:
    people.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    return tmp_path / "linked"


def bare(people: Repo, tmp_path: Path) -> Path:
    people.git("clone", "-q", "--bare", str(people.root), str(tmp_path / "bare.git"))
    return tmp_path / "bare.git"


def detached(people: Repo, tmp_path: Path) -> Path:
    people.git("checkout", "-q", "--detach")
    return people.root


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("log.showRoot", "false"),
        ("log.showSignature", "true"),
        ("log.diffMerges", "off"),
        ("log.follow", "true"),
        ("diff.renames", "copies"),
        ("diff.external", "/bin/false"),
        ("diff.relative", "true"),
        ("format.pretty", "oneline"),
        ("color.ui", "always"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
        ("trailer.separators", "="),
        ("trailer.reason.key", "Reason: "),
    ],
)
def test_a_persons_own_git_settings_change_nothing(people: Repo, flagctl: Run, setting: str, value: str) -> None:
    branch(people, "side", "rollout: 25", "rollout: 30")
    merge(people, "Side", "side")
    commands = (
        ["log"],
        ["log", KEY, "-e", "production"],
        ["why", KEY, "-e", "production", "-u", "a"],
        ["list"],
        ["drift"],
    )
    wanted = [flagctl(*command).stdout for command in commands]
    assert "because of side" in wanted[0]
    shutil.rmtree(people.root / ".git/flagctl")
    people.git("config", setting, value)
    assert [flagctl(*command).stdout for command in commands] == wanted


@pytest.mark.parametrize("place", [linked, bare, detached])
def test_every_kind_of_clone_tells_the_same(
    people: Repo, flagctl: Run, tmp_path: Path, place: Callable[[Repo, Path], Path]
) -> None:
    people.edit("rollout: 25", "rollout: 30")
    wanted = [flagctl("log").stdout, flagctl("log", KEY).stdout]
    assert "rollout 25 → 30" in wanted[0]
    there = place(people, tmp_path)
    assert [flagctl("log", cwd=there).stdout, flagctl("log", KEY, cwd=there).stdout] == wanted


def test_a_folder_of_a_monorepo_and_sha_256(tmp_path: Path, git: GitRun, flagctl: Run) -> None:
    root = tmp_path / "mono"
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", str(root))
    people = Repo(root, git)
    for path, text in SMALL.items():
        (root / "apps/größe" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "apps/größe" / path).write_text(text)
    (root / FLAG).parent.mkdir(parents=True)
    (root / FLAG).write_text("nobody's\n")
    people.commit("Start")
    people.edit("rollout: 25", "rollout: 30", path=f"apps/größe/{FLAG}", author="Zoë <zoë@example.com>")
    people.edit("nobody's", "still nobody's")
    for arguments in (["log", "--json"], ["log", KEY, "-e", "production", "--json"]):
        done = flagctl(*arguments, cwd=root / "apps/größe/flags")
        entries = json.loads(done.stdout)["entries"]
        assert (entries[0]["author"], entries[0]["version"], len(entries[0]["commit"])) == ("Zoë", 2, 64)
        assert entries[0]["file"] == FLAG


def test_names_that_are_not_ascii(people: Repo) -> None:
    text = SMALL[FLAG]
    people.write("flags/production/größe/neu.yaml", text, "Ü\n\nReason: weil 日本")
    people.edit("rollout: 25", "rollout: 30", path="flags/production/größe/neu.yaml", author="林 例 <lin@例.jp>")
    found = people.told("neu")
    assert [(entry.author, entry.reason) for entry in found] == [("林 例", "Edit"), ("Ada Example", "weil 日本")]


def test_peoples_settings_of_git_and_a_surrounding_hook_change_nothing(people: Repo, flagctl: Run) -> None:
    people.edit("rollout: 25", "rollout: 30")
    wanted = flagctl("log").stdout
    for name, value in {
        "log.showSignature": "true", "log.follow": "true", "diff.relative": "true", "diff.renames": "copies",
        "color.ui": "always", "log.diffMerges": "combined", "core.quotePath": "true", "log.decorate": "full",
        "i18n.logOutputEncoding": "ISO-8859-1", "format.pretty": "%h", "diff.noprefix": "true",
    }.items():  # fmt: skip
        people.git("config", name, value)
    assert flagctl("log", env={"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_PREFIX": "x"}).stdout == wanted
    assert flagctl("log", KEY, "-e", "production").stdout.splitlines()[:3] == wanted.splitlines()[:3]


# The command.


def test_the_log_in_every_format(people: Repo, flagctl: Run) -> None:
    people.edit("rollout: 25", "rollout: 50", "More (#7)\n\nReason: half")
    text = flagctl("log", KEY, "-e", "production").stdout.splitlines()
    commit = people.git("rev-parse", "--short=10", "HEAD").strip()
    assert text[0].split("  ") == [commit, "2026-09-21 15:13Z", "wishlist-gallery v2", "production", "Ada Example"]
    assert text[1:3] == ["    rollout 25 → 50", "    — half (#7)"]
    rows = list(csv.reader(io.StringIO(flagctl("log", KEY, "-e", "production", "--csv").stdout)))
    assert rows[0] == ["flag_key", "environment", "path", "old_value", "new_value", "changed_by", "changed_at",
                       "reason", "commit"]  # fmt: skip
    assert rows[1][:8] == [
        KEY,
        "production",
        "default/rollout",
        "25",
        "50",
        "Ada Example",
        "2026-09-21T15:13:20Z",
        "half",
    ]
    assert rows[2][2:4] == ["", ""]
    assert json.loads(rows[2][4])["default"] == {"rollout": 25}
    people.edit("rollout: 50", "rollout: 60", "Most (#8)")
    assert flagctl("log", KEY, "-n", "1").stdout.splitlines()[2] == "    — Most (#8)"
    people.edit("rollout: 60", "rollot: 60", "Broken")
    (broken,) = list(csv.reader(io.StringIO(flagctl("log", KEY, "--csv", "-n", "1").stdout)))[1:]
    assert broken[2:5] == ["", "", 'can\'t be read: unknown field "rollot" in an outcome']
    people.git("reset", "-q", "--hard", "HEAD~2")
    markdown = flagctl("log", "--format", "markdown", "-n", "1").stdout.splitlines()
    assert len(markdown) == 3
    assert "rollout 25 → 50" in markdown[2]
    document = json.loads(flagctl("log", KEY, "--json").stdout)
    assert document["format"] == "flagctl/log/2"
    assert document["entries"][0]["changes"] == [
        {"path": "default/rollout", "old": 25, "new": 50, "words": "rollout 25 → 50", "meaning": True}
    ]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--field", "rollout"], 1),
        (["--field", "default"], 1),
        (["--field", "out"], 0),
        (["--reason", "HALF"], 1),
        (["--author", "ada@"], 3),
        (["--author", "bob"], 0),
        (["--since", "2026-09-21T15:13:20Z"], 1),
        (["--since", "2026-09-21T15:13:21Z"], 0),
        (["--until", "2026-09-21T15:13:20Z", "--since", "2026-09-21T15:00:00Z"], 1),
        (["-e", "development"], 1),
        (["-n", "2"], 2),
    ],
)
def test_filters(people: Repo, flagctl: Run, arguments: list[str], count: int) -> None:
    people.edit("rollout: 25", "rollout: 50", "More\n\nReason: half")
    assert len(json.loads(flagctl("log", KEY, "--json", *arguments).stdout)["entries"]) == count


def test_wrong_use_says_what_to_type(people: Repo, flagctl: Run) -> None:
    done = flagctl("log", "--since", "soon")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'3 days ago'" in done.stderr


HOSTILE = '\x1b[2J=HYPERLINK("http://x")'


def test_nothing_reaches_a_terminal_or_a_spreadsheet(people: Repo, flagctl: Run) -> None:
    people.edit("team: growth", "team: \"=cmd|' /C calc'!A0\"", f"x\n\nReason: {HOSTILE}", author="=1+1 <@x>")
    people.edit("name: staff", 'name: "+\\e]0;x\\a|<script>@all"', "+1")
    everything = flagctl("log", "--csv").stdout
    for row in csv.reader(io.StringIO(everything)):
        for cell in row:
            assert cell.lstrip()[:1] not in ("=", "+", "-", "@"), cell
    for arguments in ([], ["--csv"], ["--format", "markdown"], ["--json"], [KEY]):
        assert "\x1b" not in flagctl("log", *arguments).stdout
    (row,) = flagctl("log", "-n", "1", "--format", "markdown").stdout.splitlines()[2:]
    assert "\\|\\<script\\>\\@all" in row
    numbers = list(csv.reader(io.StringIO(flagctl("log", KEY, "--csv").stdout)))
    assert all(not cell.startswith("'") for cell in numbers[0])


def test_a_closed_pipe_and_a_pager(people: Repo) -> None:
    for share in range(1, 60):
        people.write(FLAG, SMALL[FLAG].replace("rollout: 25", f"rollout: {share}"))
    command = [sys.executable, "-m", "flagctl", "log"]
    with subprocess.Popen(command, cwd=people.root, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) in (0, 141)
    # On a terminal it goes to the pager that Git would use, and a pager that quits is no failure.
    ours, theirs = pty.openpty()
    environ = os.environ | {"PAGER": "head -n 1 > paged; echo done >> paged", "TERM": "xterm"}
    done = subprocess.run(
        command, cwd=people.root, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, check=False
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0
    paged = (people.root / "paged").read_text().splitlines()
    assert paged[1] == "done"
    assert "wishlist-gallery v" in paged[0]


def test_ctrl_c_while_a_pager_shows_is_the_pagers(people: Repo) -> None:
    for fifo in ("ready", "go"):
        os.mkfifo(people.root / fifo)
    pager = "trap '' INT; echo up > ready; read word < go; cat > paged; echo $word >> paged"
    ours, theirs = pty.openpty()
    environ = os.environ | {"PAGER": pager, "TERM": "xterm"}
    command = [sys.executable, "-m", "flagctl", "log"]
    with subprocess.Popen(
        command, cwd=people.root, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
    ) as process:
        os.close(theirs)
        (people.root / "ready").read_text()
        os.killpg(process.pid, signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        (people.root / "go").write_text("end\n")
        # Whether it had written all by then decides between done and interrupted.
        assert process.wait(60) in (0, 130)
    assert (people.root / "paged").read_text().endswith("end\n")
    os.set_blocking(ours, False)
    with suppress(BlockingIOError, OSError):
        assert b"Traceback" not in os.read(ours, 1 << 16)
    os.close(ours)


@pytest.mark.parametrize(
    "arguments",
    [["log"], ["log", KEY], ["log", "--csv"], ["log", "--json"], ["history", "export", "--format", "jsonl"]],
)
def test_a_full_disk_is_told(people: Repo, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "flagctl", *arguments]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=people.root, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr == "error: can't write the output: No space left on device\n"
