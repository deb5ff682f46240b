"""The tour, walked: in a home that works against it, without a terminal, and leaving nothing behind."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagctl.cli.app import COMMANDS
from flagctl.cli.tour_steps import CHANGE, LOG, NEXT, OPENING, SERVES, SERVICE

ROOT = Path(__file__).parent.parent
STEPS = (*OPENING, SERVES, *CHANGE, LOG)


def walk(folder: Path, *options: str, **environ: str) -> Any:
    """`flagctl tour` with `folder` for temporary files, no terminal, and these environment variables on top."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "flagctl", "tour", *options],
        env=os.environ | {"TMPDIR": str(folder)} | environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_tour_shows_the_loop_whatever_the_persons_own_git_is_like(tmp_path: Path) -> None:
    unkind = tmp_path / "home"
    unkind.mkdir()
    (unkind / ".gitconfig").write_text(
        "[commit]\n\tgpgsign = true\n[core]\n\thooksPath = /nowhere\n[user]\n\tuseConfigOnly = true\n"
    )
    folder = tmp_path / "tmp"
    environ = {"HOME": str(unkind), "GIT_DIR": "/nowhere", "GITHUB_ACTIONS": "true", "FLAGCTL_REPO": "/nowhere"}
    done = walk(folder, **environ, GIT_AUTHOR_NAME="", GIT_AUTHOR_EMAIL="")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    shown = [line for line in lines if line.startswith(("== ", "$ "))]
    expected = [line for step in STEPS for line in (f"== {step.title}", *(f"$ {shlex.join(c)}" for c in step.commands))]
    assert shown == [*expected, "== What to try next"]
    answers = [line for line in lines if line.startswith("service: ")]
    assert [line.split(" for ")[0] for line in answers] == [
        "service: new-search is False",
        "service: new-search is True",
    ]
    change = lines.index(f"== {CHANGE[0].title}")
    assert lines.index(answers[0]) < change < lines.index(answers[1])
    assert "Traceback" not in done.stdout
    assert "\x1b" not in done.stdout
    assert list(folder.iterdir()) == []


def test_the_tour_needs_no_home(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("HOME", "TERM")}
    done = subprocess.run(
        [sys.executable, "-m", "flagctl", "tour", "--keep"],
        env={name: value for name, value in environ.items() if not name.startswith("XDG_")} | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (kept,) = tmp_path.iterdir()
    assert f"the repository of the tour is {kept}" in done.stderr
    assert (kept / "published/production/snapshot.json").is_file()


def test_a_command_that_fails_stops_the_tour_and_is_named(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = programs / "git"
    fake.write_text(f'#!/bin/sh\n[ "$1" = commit ] && exit 3\nexec {shutil.which("git")} "$@"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    done = walk(tmp_path / "tmp", PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 4
    assert "`git commit --quiet --message Start` ended with exit code 3" in done.stdout
    assert "== A new flag" not in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_tour_without_git_or_room_says_so(tmp_path: Path) -> None:
    done = walk(tmp_path / "tmp", PATH="/nowhere")
    assert (done.returncode, "can't run git" in done.stdout) == (4, True), done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("at", "how", "code"), [("$ git add", "told", 130), ("$ git add", "unread", 141), ("service: ", "Ctrl-C", 130)]
)
def test_a_tour_that_is_broken_off_leaves_nothing_behind(tmp_path: Path, at: str, how: str, code: int) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    tour = subprocess.Popen(
        [sys.executable, "-m", "flagctl", "tour"],
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert tour.stdout is not None
    assert tour.stderr is not None
    while not tour.stdout.readline().startswith(at):
        pass
    if how == "told":
        tour.terminate()
    elif how == "Ctrl-C":  # as a terminal does it: to the tour and whatever runs for it
        os.killpg(tour.pid, signal.SIGINT)
    else:
        tour.stdout.close()
    said = tour.stderr.read()
    assert tour.wait(timeout=60) == code
    assert "error" not in said, said
    assert "Traceback" not in said, said
    tour.stdout.close()
    tour.stderr.close()
    assert list(folder.iterdir()) == []


def test_the_tours_commands_are_commands_and_its_service_is_ten_lines() -> None:
    known = {name for section in COMMANDS.values() for name in section}
    used = {command[1] for step in STEPS for command in step.commands if command[0] == "flagctl"}
    assert used <= known
    assert len(SERVICE.splitlines()) == 10
    compile(SERVICE, "service.py", "exec")


@pytest.mark.parametrize("line", [line for line, _ in NEXT])
def test_what_to_try_next_works_on_the_sample_repository(
    tmp_path: Path, git: Callable[..., str], flagctl: Callable[..., Any], line: str
) -> None:
    sample = tmp_path / "sample"
    shutil.copytree(ROOT / "flags", sample / "flags")
    git(tmp_path, "init", "-q", "sample")
    git(sample, "add", "-A")
    git(sample, "commit", "-qm", "Start")
    done = flagctl(*shlex.split(line), cwd=sample)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(sample, "status", "--porcelain") == ""
