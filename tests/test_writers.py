"""Killed writers and writers at once in one clone. Processes are real, and so is kill -9."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GitRun = Callable[..., str]
FLAGCTL = (sys.executable, "-m", "flagctl")

# Runs a command again and again in forked children, the n-th of which kills itself at the n-th thing it does to files
# or processes once it holds the lock, in a repository that is new each time. Prints what is there after
# the kill, and after the same command was run once more.
KILLER = """
import json, os, shutil, signal, subprocess, sys
from pathlib import Path
from flagctl.cli.main import run

seed, repo, arguments = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "subprocess.Popen"}

def killer(wanted):
    seen, held = 0, False
    def hook(event, details):
        nonlocal seen, held
        held = held or event == "fcntl.flock"
        reads = event == "open" and not details[2] & (os.O_WRONLY | os.O_RDWR)
        if held and event in EVENTS and not reads and ".cache" not in str(details[0]):
            seen += 1
            if seen == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
    return hook

def files():
    return {p.relative_to(repo).as_posix(): p.read_text() for p in sorted(repo.rglob("*"))
            if p.is_file() and ".git" not in p.parts}

def git(*words):
    return subprocess.run(["git", "-C", str(repo), *words], capture_output=True, text=True, check=True).stdout

def state():
    return {"files": files(), "commits": git("log", "--format=%s").splitlines(), "status": git("status", "--porcelain")}

def attempt(words, kill_at=0):
    # in a forked child; its status as wait() tells it
    child = os.fork()
    if not child:
        out = os.open(said, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(out, 2)
        if kill_at:
            sys.addaudithook(killer(kill_at))
        sys.argv = ["flagctl", "-C", str(repo), *words]
        try:
            code = run()
        except SystemExit as error:
            code = error.code
        os._exit(code or 0)
    return os.waitpid(child, 0)[1]

said = repo.parent / "said"
sys.argv = ["flagctl", "-C", str(seed), *arguments, "--dry-run"]
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
try:
    run()  # so that children need not import
except SystemExit:
    pass
os.dup2(out, 1)
for n in range(1, 1000):
    shutil.rmtree(repo, ignore_errors=True)
    shutil.copytree(seed, repo)
    status, after = attempt(arguments, n), state()
    again = attempt(arguments)
    left = sorted(p.name for p in (repo / ".git/flagctl").iterdir() if ".cache" not in p.name)
    print(json.dumps({"status": status, "after": after, "again": again, "said": said.read_text(),
                      "retry": state(), "left": left, "index": (repo / ".git/index.lock").exists()}), flush=True)
    if not status:
        break
"""


def seeded(repo: Path, git: GitRun) -> None:
    """Two commits: the second changes two files, brings one and takes one away."""
    folder = repo / "flags/development"
    gallery = folder / "wishlist-gallery.yaml"
    (folder / "gone.yaml").write_text("description: Goes.\nowner: {team: t}\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "One more")
    git(repo, "tag", "before")
    gallery.write_text(gallery.read_text().replace("rollout: 25", "rollout: 50"))
    (folder / "gone.yaml").unlink()
    (folder / "come.yaml").write_text("description: Comes.\nowner: {team: t}\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Change")


@pytest.mark.parametrize(
    "arguments",
    [
        ["set", "wishlist-gallery", "-e", "development", "--rollout", "75"],
        ["rollback", "-e", "development", "--to", "before", "--yes"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_writer_killed_at_any_step_leaves_whole_files_and_the_next_one_does_it(
    repo: Path, git: GitRun, tmp_path: Path, arguments: list[str]
) -> None:
    seeded(repo, git)
    old = {p.relative_to(repo).as_posix(): p.read_text() for p in repo.rglob("flags/**/*.yaml")}
    script = [sys.executable, "-c", KILLER, str(repo), str(tmp_path / "copy"), *arguments]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    runs: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(runs) > 8, "the steps were not counted"
    assert [r["status"] for r in runs] == [9] * (len(runs) - 1) + [0]
    new = runs[-1]["after"]["files"]
    before = ["Change", "One more", "Start"]
    for r in runs:
        for path, text in r["after"]["files"].items():
            assert text in (old.get(path), new.get(path)), f"{path} is half written or a stranger"
        assert r["after"]["commits"][-3:] == before
        assert len(r["after"]["commits"]) == 3 or (r["after"]["files"] == new and not r["after"]["status"])
        assert r["again"] == 0, r["said"]
        assert r["retry"] == {"files": new, "commits": runs[-1]["after"]["commits"], "status": ""}
        assert r["left"] == ["lock"]
        assert not r["index"]
    assert any(r["after"]["status"] for r in runs), "no kill fell between writing and committing"


def start(repo: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*FLAGCTL, "-C", str(repo), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_writers_at_once_all_land_or_say_to_try_again(repo: Path, git: GitRun) -> None:
    files = ["wishlist-gallery", "wishlist-edit"]
    running = [
        start(repo, "set", key, "-e", "development", f"tags/-={key}-{number}") for number in range(3) for key in files
    ]
    landed = 0
    for writer in running:
        _, said = writer.communicate(timeout=100)
        assert writer.returncode == 0 or (writer.returncode == 5 and "run the command again" in said), said
        landed += writer.returncode == 0
    assert landed >= 2
    assert git(repo, "status", "--porcelain") == ""
    assert int(git(repo, "rev-list", "--count", "HEAD")) == 1 + landed
    texts = "".join((repo / f"flags/development/{key}.yaml").read_text() for key in files)
    assert sum(f"{key}-{number}" in texts for number in range(3) for key in files) == landed


def test_a_change_between_reading_and_writing_is_not_lost(repo: Path, git: GitRun) -> None:
    """A rename, an undo and a set, each worked out from a text that another set has replaced meanwhile."""
    path = "flags/development/wishlist-gallery.yaml"
    text = (repo / path).read_text()
    (repo / path).write_text(text.replace("rollout: 25", "rollout: 50"))
    git(repo, "commit", "-qam", "Change")
    slow = [
        ("rename", "wishlist-gallery", "gallery"),
        ("rollback", "--undo", "HEAD"),
        ("set", "wishlist-gallery", "-e", "development", "--rollout", "1"),
    ]
    for required_by in repo.glob("flags/*/wishlist-edit.yaml"):
        required_by.unlink()
    git(repo, "commit", "-qam", "Not required any more")
    git(repo, "tag", "start")
    for arguments in slow:
        git(repo, "reset", "-q", "--hard", "start")
        words = [word if word != "HEAD" else git(repo, "rev-parse", "HEAD~1").strip() for word in arguments]
        done = subprocess.run(
            [sys.executable, "-c", BETWEEN, str(repo), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 5, done.stderr
        assert "run the command again" in done.stderr
        assert git(repo, "status", "--porcelain") == ""
        assert "between" in (repo / path).read_text()
        assert int(git(repo, "rev-list", "--count", "start..HEAD")) == 1


# Runs a command; when it takes the lock, another one has just changed the flag and let go of it.
BETWEEN = """
import subprocess, sys
from flagctl.cli.main import run
from flagctl.history import writer

repo, arguments = sys.argv[1], sys.argv[2:]
lock = writer._lock

def late(descriptor, path):
    change = ["set", "wishlist-gallery", "-e", "development", "tags/-=between"]
    subprocess.run([sys.executable, "-m", "flagctl", "-C", repo, *change], check=True, capture_output=True)
    return lock(descriptor, path)

writer._lock = late
sys.argv = ["flagctl", "-C", repo, *arguments]
run()
"""


def test_what_a_person_did_after_the_kill_is_not_taken_back(repo: Path, git: GitRun) -> None:
    from flagctl.history.git import Git
    from flagctl.history.writer import Writer, alone, tidy

    path = "flags/development/wishlist-gallery.yaml"
    text = (repo / path).read_text()
    writer = Writer(Git(repo))
    writer.folder.mkdir(exist_ok=True)
    writer.begin({path: text}, {path: text + "# ours\n"})
    (repo / path).write_text(text + "# theirs\n")
    assert tidy(repo) == []
    assert (repo / path).read_text() == text + "# theirs\n"
    writer.begin({path: text}, {path: text + "# ours\n"})
    (repo / path).write_text(text + "# ours\n")
    git(repo, "commit", "-qam", "By hand")
    with alone(Git(repo)):
        assert (repo / path).read_text() == text + "# ours\n"
    assert tidy(repo) == []
