"""new, set, edit, rename, remove, fmt and log as a person runs them, in a real repository."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
AtTerminal = Callable[..., tuple[int, str]]
GitRun = Callable[..., str]
FLAG = "flags/development/wishlist-gallery.yaml"
GUARDED = "flags/production/wishlist-gallery.yaml"
EDIT = "flags/development/wishlist-edit.yaml"
SET = ["set", "wishlist-gallery", "-e", "development"]
NEW = ["new", "x", "--owner", "a", "-d", "b"]


def lines(diff: str) -> list[str]:
    """What a diff takes away and adds, without its file names."""
    return [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def dirty(repo: Path, git: GitRun) -> str:
    return git(repo, "status", "--porcelain")


# ---- set ----


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rollout", "50"], ["-  rollout: 25", "+  rollout: 50"]),
        (["--rollout", "12.5%"], ["-  rollout: 25", "+  rollout: 12.5"]),
        (["--serve", "on"], ["-  rollout: 25", "+  serve: on"]),
        (["--split", "on=20,off=80"], ["-  rollout: 25", "+  split: {on: 20, off: 80}"]),
        (["--off"], ["+enabled: false"]),
        (["--allow", "ada", "--allow", "42"], ["+overrides:", '+  on: [ada, "42"]']),
        (["--deny", "ada@example.com"], ["+overrides:", "+  off: [ada@example.com]"]),
        (["--owner", "web <web@example.com>"], [
            "-owner: {team: growth}", "+owner: {team: web, email: web@example.com}"]),
        (["--expires", "2030-01-01"], ["+expires_at: 2030-01-01"]),
        (["--description", "The gallery: new"], [
            "-description: Show the wishlist gallery page.", '+description: "The gallery: new"']),
        (["rules/staff/serve=off"], ["-    serve: on", "+    serve: off"]),
        (["rules/staff/rollout=5"], ["-    serve: on", "+    rollout: 5"]),
        (["default/serve=true"], ["-  rollout: 25", "+  serve: on"]),
        (["tags/-=2027"], ["-tags: [wishlist, web]", '+tags: [wishlist, web, "2027"]']),
        (["tags/0="], ["-tags: [wishlist, web]", "+tags: [web]"]),
        (["--unset", "tags"], ["-tags: [wishlist, web]"]),
        (['tags=["a b"]', "kind=ops"], ["-tags: [wishlist, web]", "+tags: [a b]", "+kind: ops"]),
        (["default/salt=10", "--rollout", "30"], ["-  rollout: 25", "+  rollout: 30", '+  salt: "10"']),
    ],
)  # fmt: skip
def test_set_changes_just_that(
    flagctl: Run, repo: Path, git: GitRun, arguments: list[str], expected: list[str]
) -> None:
    done = flagctl("set", "wishlist-gallery", "-e", "development", *arguments)
    assert done.returncode == 0, done.stderr
    assert sorted(lines(done.stdout)) == sorted(expected)
    assert lines(git(repo, "show", "--format=")) == lines(done.stdout)
    assert "committed" in done.stderr
    assert git(repo, "show", "--name-only", "--format=").split() == [FLAG]
    assert dirty(repo, git) == ""


def test_set_records_who_what_where_and_why(flagctl: Run, repo: Path, git: GitRun) -> None:
    done = flagctl("set", "wishlist-gallery", "-e", "production", "--rollout", "50", "--reason", "half\n\nof them")
    assert done.returncode == 0
    assert git(repo, "log", "-1", "--format=%s|%(trailers:unfold,separator=%x3B)").strip() == (
        "Set wishlist-gallery in production: rollout 50|"
        "Flag: wishlist-gallery;Environment: production;Reason: half of them"
    )


def test_set_again_says_so_and_commits_nothing(flagctl: Run, repo: Path, git: GitRun) -> None:
    done = flagctl("set", "wishlist-gallery", "-e", "production", "--rollout", "25")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing to change" in done.stderr
    assert git(repo, "rev-list", "--count", "HEAD") == "1\n"


def test_off_and_on_bring_back_what_was(flagctl: Run, repo: Path) -> None:
    before = (repo / FLAG).read_text()
    assert flagctl("set", "wishlist-gallery", "-e", "development", "--off").returncode == 0
    assert lines(flagctl("set", "wishlist-gallery", "-e", "development", "--on").stdout) == [
        "-enabled: false", "+enabled: true"]  # fmt: skip
    assert (repo / FLAG).read_text() == before.replace("rules:", "enabled: true\nrules:")
    again = flagctl("set", "wishlist-gallery", "-e", "development", "--on")
    assert "--serve on gives it to everybody" in again.stderr


def test_on_turns_on_a_flag_that_serves_off(flagctl: Run, repo: Path) -> None:
    (repo / EDIT).write_text("description: x\nowner: {team: t}\ndefault: {serve: false}  # not yet\n")
    done = flagctl("set", "wishlist-edit", "-e", "development", "--on", "--no-commit")
    assert lines(done.stdout) == ["-default: {serve: false}  # not yet", "+default: {serve: true}  # not yet"]


def test_a_rollout_of_a_flag_that_is_off_is_said_to_have_no_effect(flagctl: Run) -> None:
    flagctl("set", "wishlist-gallery", "-e", "development", "--off")
    done = flagctl("set", "wishlist-gallery", "-e", "development", "--rollout", "50", "--json")
    assert "--on turns it on" in done.stderr
    document = json.loads(done.stdout)
    assert document["format"] == "flagctl/change/1"
    assert document["changed"] is True
    assert "stays off" in document["notes"][0]
    assert re.fullmatch("[0-9a-f]{40}", document["commit"])


def test_one_user_has_one_override(flagctl: Run, repo: Path) -> None:
    (repo / FLAG).write_text((repo / FLAG).read_text() + "overrides:\n  true: [ada]  # first\n  off:\n    - bob\n")
    flagctl("set", "wishlist-gallery", "-e", "development", "--deny", "ada", "--allow", "bob", "--no-commit")
    assert (repo / FLAG).read_text().endswith("overrides:\n  true: [ada, bob]  # first\n") is False
    assert (repo / FLAG).read_text().endswith("overrides:\n  true: [bob]  # first\n  off: [ada]\n")
    done = flagctl(
        "set", "wishlist-gallery", "-e", "development", "--unset-user", "ada", "--unset-user", "bob", "--no-commit"
    )
    assert done.returncode == 0, done.stderr
    assert "overrides" not in (repo / FLAG).read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words", "hint"),
    [
        (["set", "wishlist-galery", "-e", "development", "--on"], 2, 'no flag "wishlist-galery"',
         "did you mean wishlist-gallery?"),
        (["set", "wishlist-gallery", "-e", "producton", "--on"], 2, 'no environment "producton"',
         "did you mean production?"),
        (SET, 2, "nothing to set", "--rollout 25"),
        (["set", "wishlist-gallery", "--on"], 2, "missing option", "--help"),
        ([*SET, "--rollout", "101"], 2, "no percentage", "0 to 100"),
        ([*SET, "--rollout", "0.0001"], 2, "no percentage", "three decimals"),
        ([*SET, "--split", "a,b"], 2, "no split", "control=50"),
        ([*SET, "--split", "on=20,off=70"], 1, "would have errors", ""),
        ([*SET, "--serve", "maybe"], 1, "would have errors", ""),
        ([*SET, "--serve", "on", "--rollout", "5"], 2, "exclude each other", ""),
        ([*SET, "--allow", "a", "--deny", "a"], 2, "named twice", ""),
        ([*SET, "--expires", "soon"], 2, "no date", "never"),
        ([*SET, "rules/stuff/rollout=5"], 2, 'no member "stuff"', "did you mean staff?"),
        ([*SET, "tags"], 2, "no PATH=VALUE", "rules/eu-beta/rollout=50"),
        ([*SET, "tags=[a"], 2, "can't be read", "quote it"),
        ([*SET, "--unset", "kind"], 2, "nothing at kind", ""),
        ([*SET, "colour=red"], 1, "would have errors", ""),
        (["set", "wishlist-gallery", "-e", "production", "--rollout", "5"], 5, "production is protected", "--reason"),
        (["new", "wishlist-gallery", "--owner", "a", "-d", "b"], 2, "already", "flagctl set"),
        (["new", "Wishlist-Gallery", "--owner", "a", "-d", "b"], 2, "already", "case"),
        (["new", "no spaces", "--owner", "a", "-d", "b"], 2, "can't be a flag's key", "letters, digits"),
        (["new", "x", "--owner", "a"], 2, "--description is missing", "--description"),
        (["new", "x", "-d", "a"], 2, "--owner is missing", "--owner"),
        ([*NEW, "-e", "prod"], 2, 'no environment "prod"', "there are development, production"),
        ([*NEW, "--type", "string"], 2, "names its variants", "--variants"),
        ([*NEW, "--type", "text"], 2, "is no type", "boolean, string"),
        (["rename", "wishlist-gallery", "x", "-r", "x"], 5, f"other flags require it: {EDIT}, flags/production/",
         "requires"),
        (["rename", "nothing", "x"], 2, 'no flag "nothing"', "flagctl list"),
        (["rename", "wishlist-edit", "wishlist-GALLERY", "-r", "x"], 2, "is taken", "another key"),
        (["rename", "wishlist-edit", "../x", "-r", "x"], 2, "can't be a flag's key", "letters"),
        (["remove", "wishlist-gallery", "--yes", "-r", "x"], 5, "other flags require it", "requires"),
        (["remove", "wishlist-edit", "-r", "x"], 5, "Nobody is here to be asked", "--yes"),
        (["remove", "wishlist-edit", "--yes"], 5, "production is protected", "--reason"),
        (["remove", "wishlist-edit", "-e", "staging"], 2, 'no environment "staging"', "there are"),
        (["edit", "wishlist-edit", "-e", "development"], 2, "no editor is set", "EDITOR="),
        (["fmt", "nothing"], 2, 'no flag "nothing"', "flagctl list"),
        (["log", "a/b"], 2, "can't be a flag's key", ""),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_and_changes_nothing(
    flagctl: Run, repo: Path, git: GitRun, arguments: list[str], code: int, words: str, hint: str
) -> None:
    done = flagctl(*arguments, env={"EDITOR": "", "VISUAL": ""})
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert hint in done.stderr
    assert done.stdout == ""
    assert dirty(repo, git) == ""
    assert git(repo, "rev-list", "--count", "HEAD") == "1\n"


def test_an_error_shows_its_line_in_the_text_that_was_never_written(flagctl: Run) -> None:
    done = flagctl("set", "wishlist-gallery", "-e", "development", "--split", "on=20,off=70")
    assert f"{FLAG}:11:" in done.stderr
    assert "split-sum" in done.stderr


def test_set_leaves_other_work_alone(flagctl: Run, repo: Path, git: GitRun) -> None:
    (repo / EDIT).write_text((repo / EDIT).read_text() + "# staged\n")
    git(repo, "add", EDIT)
    (repo / GUARDED).write_text((repo / GUARDED).read_text() + "# dirty\n")
    (repo / "new.txt").write_text("x\n")
    before = dirty(repo, git)
    assert flagctl("set", "wishlist-gallery", "-e", "development", "--rollout", "50").returncode == 0
    assert dirty(repo, git) == before
    assert git(repo, "show", "--name-only", "--format=").split() == [FLAG]


def test_no_commit_leaves_it_to_the_person_also_twice(flagctl: Run, repo: Path, git: GitRun) -> None:
    for share in ("30", "40"):
        done = flagctl("set", "wishlist-gallery", "-e", "production", "--rollout", share, "--no-commit")
        assert done.returncode == 0
        assert f"written, not committed: {GUARDED}" in done.stderr
    assert dirty(repo, git) == f" M {GUARDED}\n"
    refused = flagctl("set", "wishlist-gallery", "-e", "production", "--rollout", "50", "--reason", "r")
    assert refused.returncode == 5
    assert "uncommitted changes" in refused.stderr


def test_a_detached_head_is_warned_about(flagctl: Run, repo: Path, git: GitRun) -> None:
    git(repo, "checkout", "-q", "--detach")
    done = flagctl("set", "wishlist-gallery", "-e", "development", "--rollout", "50")
    assert done.returncode == 0
    assert "HEAD is on no branch" in done.stderr


def test_a_killed_set_leaves_a_whole_file(flagctl: Run, repo: Path, git: GitRun) -> None:
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nkill -9 $(ps -o ppid= -p $PPID || cut -d' ' -f4 /proc/$PPID/stat)\nexit 1\n")
    hook.chmod(0o755)
    before = (repo / FLAG).read_text()
    assert flagctl("set", "wishlist-gallery", "-e", "development", "--rollout", "50").returncode == -9
    assert (repo / FLAG).read_text() == before.replace("rollout: 25", "rollout: 50")
    assert dirty(repo, git) == f" M {FLAG}\n"


# ---- new ----


def test_a_new_flag_is_off_everywhere_and_passes_its_check(flagctl: Run, repo: Path, git: GitRun) -> None:
    (repo / "schema").mkdir()
    (repo / "schema/flag.schema.json").write_text("{}")
    done = flagctl("new", "search", "--owner", "web", "-d", "New: search", "--expires", "2030-01-01")
    assert done.returncode == 0, done.stderr
    for environment in ("development", "production"):
        assert (repo / f"flags/{environment}/search.yaml").read_text() == (
            "# yaml-language-server: $schema=../../schema/flag.schema.json\n"
            'description: "New: search"\nowner: {team: web}\nexpires_at: 2030-01-01\ndefault:\n  serve: off\n'
        )
    assert git(repo, "log", "-1", "--format=%(trailers:separator=%x3B)").strip() == (
        "Flag: search;Environment: development;Environment: production;Reason: New: search"
    )
    assert git(repo, "show", "--name-only", "--format=").split() == [
        "flags/development/search.yaml", "flags/production/search.yaml"]  # fmt: skip
    assert flagctl("fmt", "--check").returncode == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--type", "string", "--variants", "grey,red"],
         "type: string\nvariants: {grey: grey, red: red}\noff_variant: grey\ndefault:\n  serve: grey\n"),
        (["--type", "string", "--variants", "on=yes,b=1", "--off-variant", "b"],
         'type: string\nvariants: {"on": "yes", b: "1"}\noff_variant: b\ndefault:\n  serve: b\n'),
        (["--type", "integer", "--variants", "low=1,high=10"],
         "type: integer\nvariants: {low: 1, high: 10}\noff_variant: low\ndefault:\n  serve: low\n"),
        (["--type", "number", "--variants", "a=0.5,b=2"],
         "type: number\nvariants: {a: 0.5, b: 2}\noff_variant: a\ndefault:\n  serve: a\n"),
        (["--type", "object", "--variants", "{s: {w: 1}, l: {w: [2]}}"],
         "type: object\nvariants:\n  s: {w: 1}\n  l:\n    w: [2]\noff_variant: s\ndefault:\n  serve: s\n"),
    ],
)  # fmt: skip
def test_a_new_flag_of_every_type(flagctl: Run, repo: Path, options: list[str], expected: str) -> None:
    done = flagctl("new", "thing", "--owner", "web", "-d", "A thing", "-e", "development", *options)
    assert done.returncode == 0, done.stderr
    text = (repo / "flags/development/thing.yaml").read_text()
    assert text == f"description: A thing\nowner: {{team: web}}\n{expected}"
    assert not (repo / "flags/production/thing.yaml").exists()


def test_a_flag_comes_to_another_environment_in_the_folder_it_has(flagctl: Run, repo: Path) -> None:
    (repo / "flags/development/growth").mkdir()
    (repo / FLAG.replace("wishlist-gallery", "growth/other")).write_text("description: x\nowner: {team: t}\n")
    done = flagctl("new", "other", "--owner", "t", "-d", "x", "-e", "production")
    assert done.returncode == 0, done.stderr
    assert (repo / "flags/production/growth/other.yaml").is_file()


# ---- edit ----


def test_edit_keeps_what_is_right(flagctl: Run, repo: Path, git: GitRun) -> None:
    done = flagctl("edit", "wishlist-gallery", "-e", "development", env={"EDITOR": "sed -i s/25/75/", "VISUAL": ""})
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout) == ["-  rollout: 25", "+  rollout: 75"]
    assert git(repo, "log", "-1", "--format=%s") == "Edit wishlist-gallery in development\n"


def test_edit_keeps_a_wrong_text_as_a_draft(flagctl: Run, repo: Path, git: GitRun, tmp_path: Path) -> None:
    done = flagctl(
        "edit", "wishlist-gallery", "-e", "development",
        env={"VISUAL": "sed -i s/25/750/", "EDITOR": "false", "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    (draft,) = re.findall(r"your draft is kept: (\S+)", done.stderr)
    assert "rollout: 750" in Path(draft).read_text()
    assert dirty(repo, git) == ""


@pytest.mark.parametrize(
    ("editor", "code", "words"),
    [("true", 0, "the draft says the same"), ("false", 4, "ended with 1"), ("/no/editor", 4, "can't be started")],
)
def test_edit_with_an_editor_that_does_nothing(
    flagctl: Run, repo: Path, git: GitRun, tmp_path: Path, editor: str, code: int, words: str
) -> None:
    done = flagctl("edit", "wishlist-gallery", "-e", "development", env={"VISUAL": editor, "TMPDIR": str(tmp_path)})
    assert done.returncode == code
    assert words in done.stderr
    assert dirty(repo, git) == ""


def test_edit_does_not_lose_what_somebody_else_did_meanwhile(flagctl: Run, repo: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nsed -i s/25/75/ "$1"\nsed -i s/25/30/ {repo / FLAG}\n')
    editor.chmod(0o755)
    done = flagctl(
        "edit", "wishlist-gallery", "-e", "development", env={"VISUAL": str(editor), "TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 5
    assert "somebody else meanwhile" in done.stderr
    assert "rollout: 30" in (repo / FLAG).read_text()
    assert "your draft is kept" in done.stderr


# ---- rename and remove ----


TESTS = "tests:\n  - context: {targetingKey: a}\n    expect: {variant: on}\n"


def test_rename_moves_every_file_and_keeps_everybodys_variant(flagctl: Run, repo: Path, git: GitRun) -> None:
    (repo / EDIT).write_text(
        "description: x\nowner: {team: t}\nrules:\n  - name: r\n    when: [{attribute: plan, equals: pro}]\n"
        "    rollout: 5  # few\ndefault: {split: {on: 1, off: 99}, salt: s}\n"
    )
    (repo / "flags/tests").mkdir()
    (repo / "flags/tests/wishlist-edit.yaml").write_text(TESTS)
    (repo / "flags/tests/more.yaml").write_text(f"flag: wishlist-edit  # that one\n{TESTS}")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "More")
    done = flagctl("rename", "wishlist-edit", "list-edit", "--reason", "shorter")
    assert done.returncode == 0, done.stderr
    assert not list(repo.glob("flags/**/wishlist-edit.yaml"))
    assert "    rollout: 5  # few\n    salt: wishlist-edit\n" in (repo / "flags/development/list-edit.yaml").read_text()
    assert (
        (repo / "flags/development/list-edit.yaml")
        .read_text()
        .endswith("default: {split: {on: 1, off: 99}, salt: s}\n")
    )
    assert (repo / "flags/tests/list-edit.yaml").read_text() == TESTS
    assert (repo / "flags/tests/more.yaml").read_text() == f"flag: list-edit  # that one\n{TESTS}"
    assert dirty(repo, git) == ""
    assert "Flag: wishlist-edit\nFlag: list-edit\n" in git(repo, "log", "-1", "--format=%(trailers)")


def test_remove_takes_the_tests_with_the_last_environment(flagctl: Run, repo: Path, git: GitRun) -> None:
    (repo / "flags/tests").mkdir()
    (repo / "flags/tests/wishlist-edit.yaml").write_text(TESTS)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Tests")
    assert flagctl("remove", "wishlist-edit", "-e", "development", "--yes").returncode == 0
    assert (repo / "flags/tests/wishlist-edit.yaml").exists()
    done = flagctl("remove", "wishlist-edit", "--yes", "--reason", "done")
    assert done.returncode == 0, done.stderr
    assert not list(repo.glob("flags/**/wishlist-edit.yaml"))
    assert git(repo, "log", "-1", "--format=%s") == "Remove wishlist-edit from production\n"


def test_a_dry_run_of_a_removal_needs_no_yes(flagctl: Run, repo: Path, git: GitRun) -> None:
    done = flagctl("remove", "wishlist-edit", "--dry-run")
    assert done.returncode == 0
    assert f"--- a/{EDIT}\n+++ /dev/null\n" in done.stdout
    assert dirty(repo, git) == ""


# ---- at a terminal ----


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 5, 2), ("\n", 5, 2)])
def test_a_removal_is_confirmed_at_a_terminal(
    at_terminal: AtTerminal, repo: Path, answer: str, code: int, left: int
) -> None:
    done, said = at_terminal(answer, "remove", "wishlist-edit", "-r", "done")
    assert done == code
    assert "Remove wishlist-edit from development, production? [y/N]" in said
    assert len(list(repo.glob("flags/**/wishlist-edit.yaml"))) == left


def test_new_asks_for_what_is_missing_at_a_terminal(at_terminal: AtTerminal, repo: Path) -> None:
    done, said = at_terminal("A search page\nweb\n", "new", "search", "-e", "development")
    assert done == 0, said
    text = (repo / "flags/development/search.yaml").read_text()
    assert text.startswith("description: A search page\nowner: {team: web}\n")


def test_a_wrong_edit_may_be_mended_at_a_terminal(
    at_terminal: AtTerminal, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i -e s/750/75/ -e t -e s/25/750/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    done, said = at_terminal("y\n", "edit", "wishlist-gallery", "-e", "development")
    assert done == 0, said
    assert "edit again? [y/N]" in said
    assert "rollout: 75\n" in (repo / FLAG).read_text()


# ---- fmt ----


def test_fmt_says_what_it_would_do_then_does_it(flagctl: Run, repo: Path, git: GitRun) -> None:
    (repo / FLAG).write_bytes(b"owner: {team: growth}\r\ndescription: x\r\n")
    (repo / EDIT).write_text("a: [\n")
    check = flagctl("fmt", "--check")
    assert (check.returncode, check.stdout) == (1, f"{FLAG}\n")
    assert f"{EDIT} was left alone" in check.stderr
    assert flagctl("fmt", "wishlist-gallery").stdout == f"{FLAG}\n"
    assert (repo / FLAG).read_bytes() == b"description: x\nowner: {team: growth}\n"
    assert flagctl("fmt", "--check").returncode == 0
    assert git(repo, "rev-list", "--count", "HEAD") == "1\n"
