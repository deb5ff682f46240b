"""Break glass: off at once and loudly, for a while, by those who may, and with a trace in Git."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Place
from snapshots import flag
from snapshots import snapshot as document_of

from flagctl.compile.snapshot import encode
from flagctl.errors import RefusedError, UsageError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.publish.draft import Draft
from flagctl.publish.kill import kill
from flagctl.publish.live import live_key
from flagctl.publish.publish import publish
from flagctl.signing import PrivateKey, PublicKey, verify

Run = Callable[..., Any]
A, B = "a" * 40, "b" * 40
MINE = PrivateKey.new()
KEYS = [PublicKey(name="k", raw=MINE.public)]
OPTIONS: dict[str, Any] = {"is_ancestor": lambda ours, theirs: (ours, theirs) == (A, B), "elapsed": lambda: 0.0}
HOW: dict[str, Any] = {"beside": {}, "keys": KEYS, "now": 0, "elapsed": lambda: 0.0}
ADA = {"targetingKey": "ada"}


def sign(data: bytes) -> dict[str, str]:
    return MINE.sign(data, "k")


def draft(commit: str) -> Draft:
    flags = {"f": flag(), "g": flag(ttl=len(commit.strip("a")) + 1)}
    return Draft({**document_of(flags), "commit": commit, "commit_time": "2026-11-24T09:00:00Z"}, sign=sign)


def live(store: Any) -> dict[str, Any]:
    verdict = verify(store.get(live_key("production")).data, KEYS, environment="production", now=0)
    assert verdict.ok, verdict
    assert verdict.document is not None
    return verdict.document


def test_a_flag_is_off_until_the_end_or_the_next_publish(place: Place) -> None:
    store = place.open()
    publish(draft(A), store, **OPTIONS)
    for number, key in enumerate("fg"):
        receipt = kill(store, "production", key, 1000 + number, sign=sign, **HOW)
        assert (receipt.outcome, receipt.version, receipt.changes.changed) == ("published", 2 + number, (key,))
    document = live(store)
    assert document["kills"] == {"f": 1000, "g": 1001}
    answers = Evaluator(document)
    said = [[answers.evaluate(key, ADA, now).variant for now in (0, 999, 1000, 1001)] for key in "fg"]
    assert said == [["off", "off", "on", "on"], ["off", "off", "off", "on"]]
    again = kill(store, "production", "f", 900, sign=sign, **HOW)
    assert again.outcome == "unchanged", "a shorter kill ends no longer one"
    assert publish(draft(A), store, **OPTIONS).version == 4
    assert "kills" not in live(store)


def test_what_stands_beside_follows(tmp_path: Path) -> None:
    store = Place("file", f"file://{tmp_path}").open()
    publish(draft(A), store, **OPTIONS)
    makers = {"web/snapshot.json": lambda document: json.dumps(document["flags"]["f"]["enabled"]).encode()}
    kill(store, "production", "f", 5, sign=sign, **{**HOW, "beside": makers})
    assert store.get("production/web/snapshot.json").data == b"false"


def test_a_publish_in_between_is_never_undone(tmp_path: Path) -> None:
    store = Place("file", f"file://{tmp_path}").open()
    publish(draft(A), store, **OPTIONS)
    signed = []

    def sign_slowly(data: bytes) -> dict[str, str]:
        if not signed:
            signed.append(data)
            publish(draft(B), Place("file", f"file://{tmp_path}").open(), **OPTIONS)
        return sign(data)

    class Open(type(store)):  # type: ignore[misc]
        """A place that can't keep others waiting."""

        def hold(self, environment: str) -> Any:
            from contextlib import nullcontext

            return nullcontext()

    lockless = Open(tmp_path, "file:x")
    receipt = kill(lockless, "production", "f", 5, sign=sign_slowly, **HOW)
    assert (receipt.version, receipt.commit) == (3, B)
    assert live(store)["flags"]["f"]["enabled"] is False


def test_what_is_not_live_can_not_be_killed(tmp_path: Path) -> None:
    store = Place("file", f"file://{tmp_path}").open()
    with pytest.raises(RefusedError, match="nothing is live"):
        kill(store, "production", "f", 5, sign=sign, **HOW)
    publish(draft(A), store, **OPTIONS)
    with pytest.raises(UsageError, match='no flag "ff" is live'):
        kill(store, "production", "ff", 5, sign=sign, **HOW)


@pytest.mark.parametrize("keys", [KEYS, []])
def test_what_somebody_else_put_there_is_never_signed(tmp_path: Path, keys: list[PublicKey]) -> None:
    store = Place("file", f"file://{tmp_path}").open()
    publish(draft(A), store, **OPTIONS)
    document = {**live(store), "flags": {"f": 1}} if not keys else {**live(store), "protected": True}
    store.put(live_key("production"), encode(document))
    with pytest.raises(RefusedError, match="not to be believed" if keys else "makes no sense"):
        kill(store, "production", "f", 5, sign=sign, **{**HOW, "keys": keys})
    assert store.get(live_key("production")).data == encode(document)


@pytest.fixture
def glass(repo: Path, flagctl: Run, git: Run) -> Path:
    """The small repository, published, where Ada may break glass."""
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(
        settings.read_text().replace("protected: true", "protected: true\n    break_glass: [ada@example.com]")
    )
    git(repo, "commit", "-qam", "Who may break glass")
    assert flagctl("publish", "production").returncode == 0
    return repo


KILL = ("kill", "wishlist-edit", "-e", "production", "--reason", "orders fail\nsince noon")


def test_the_story_of_a_kill(glass: Path, flagctl: Run, git: Run) -> None:
    head = git(glass, "rev-parse", "HEAD")
    (glass / "flags/production/wishlist-edit.yaml").write_text("half-edited: [")
    before = git(glass, "status", "--porcelain")
    start = int(time.time())
    done = flagctl(*KILL, "--ttl", "90m", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["format"], said["flag"], said["by"]) == ("flagctl/kill/1", "wishlist-edit", "ada@example.com")
    assert [receipt["version"] for receipt in said["receipts"]] == [2]
    assert "BREAK GLASS: ada@example.com turned wishlist-edit off in production until" in done.stderr
    assert "there is no remote; git merge flagctl/kill/wishlist-edit takes it over" in done.stderr
    assert said["pull_request"] is None

    live = json.loads((glass / "published/production/snapshot.json").read_bytes())
    assert live["flags"]["wishlist-edit"]["enabled"] is False
    assert start + 5400 <= live["kills"]["wishlist-edit"] <= int(time.time()) + 5400

    # The branch holds the change and says who, why and until when; the work tree was not touched.
    branch = "flagctl/kill/wishlist-edit"
    assert git(glass, "rev-parse", f"{branch}~1") == head
    assert said["commit"] == git(glass, "rev-parse", branch).strip()
    assert git(glass, "diff", "--stat", f"{branch}~1", branch).count("|") == 1
    assert "+enabled: false" in git(glass, "diff", f"{branch}~1", branch)
    trailers = git(glass, "log", "-1", "--format=%(trailers:only,unfold)", branch).splitlines()
    assert trailers[:3] == ["Flag: wishlist-edit", "Environment: production", "Break-Glass: ada@example.com"]
    assert trailers[3] == f"Until: {said['until']}"
    assert trailers[4] == "Reason: orders fail since noon"
    assert git(glass, "rev-parse", "HEAD") == head
    assert git(glass, "status", "--porcelain") == before
    git(glass, "checkout", "-q", "flags")

    assert "wishlist-edit is TURNED OFF until" in flagctl("status").stdout
    done = flagctl("verify", "-e", "production")
    assert (done.returncode, "but wishlist-edit is turned off until" in done.stdout) == (0, True), done.stdout

    # A second kill goes on top of the first; then the next regular publish ends both.
    assert flagctl(*KILL, "--ttl", "3h", "--yes").returncode == 0
    assert git(glass, "rev-list", "--count", f"{head.strip()}..{branch}").strip() == "2"
    assert flagctl("publish", "production").returncode == 0
    live = json.loads((glass / "published/production/snapshot.json").read_bytes())
    assert (live["version"], live["flags"]["wishlist-edit"]["enabled"], "kills" in live) == (4, True, False)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "told"),
    [
        ([*KILL], {}, 5, "Nobody is here to be asked"),
        ([*KILL, "--yes"], {"GIT_AUTHOR_EMAIL": "eve@example.com"}, 5, "eve@example.com may not break the glass"),
        ([*KILL, "--yes", "--ttl", "0"], {}, 2, "is no time up to seven days"),
        ([*KILL, "--yes", "--ttl", "8d"], {}, 2, "is no time up to seven days"),
        ([*KILL[:-2], "--yes"], {}, 2, "--reason"),
        (["kill", "wishlist-edt", *KILL[2:], "--yes"], {}, 2, "did you mean wishlist-edit?"),
        (["kill", "wishlist-edit", "-e", "development", "-r", "x", "--yes"], {}, 5, "nobody may"),
        (["kill", "wishlist-edit", "-e", "prod", "-r", "x", "--yes"], {}, 2, "no environment"),
    ],
)
def test_what_is_refused_changes_nothing(
    glass: Path, flagctl: Run, git: Run, arguments: list[str], environment: dict[str, str], code: int, told: str
) -> None:
    before = (glass / "published/production/snapshot.json").read_bytes()
    done = flagctl(*arguments, env=environment)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert (glass / "published/production/snapshot.json").read_bytes() == before
    assert git(glass, "branch", "--list", "flagctl/*") == ""


def test_a_branch_that_is_checked_out_is_not_moved_below_ones_feet(glass: Path, flagctl: Run, git: Run) -> None:
    git(glass, "switch", "-q", "-c", "flagctl/kill/wishlist-edit")
    done = flagctl(*KILL, "--yes")
    assert (done.returncode, "is checked out" in done.stderr) == (5, True), done.stderr


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 5), ("", 5)])
def test_a_person_at_a_terminal_is_asked(glass: Path, answer: str, code: int) -> None:
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flagctl", *KILL], cwd=glass, stdin=terminal, stderr=terminal, stdout=subprocess.PIPE
    )
    os.close(terminal)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(main, 1000)
    os.write(main, f"{answer}\n".encode())
    process.communicate(timeout=60)
    os.close(main)
    assert b"Turn wishlist-edit off in production for everybody until" in said
    assert process.returncode == code
    killed = "kills" in json.loads((glass / "published/production/snapshot.json").read_bytes())
    assert killed is (code == 0)
