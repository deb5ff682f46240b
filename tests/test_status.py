"""`status` and `target list`: what is live where, how far behind, and what somebody has to look at."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagctl.signing import ONE_LINE, PrivateKey, public_line

Run = Callable[..., Any]
LINE = ONE_LINE + base64.b64encode(b"7" * 32).decode()
MINE = PrivateKey.read(LINE, origin="it")


def rows(flagctl: Run, *more: str, code: int = 0, **where: Any) -> list[dict[str, Any]]:
    done = flagctl("status", "--json", *more, **where)
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    assert document["format"] == "flagctl/status/1"
    found: list[dict[str, Any]] = document["targets"]
    return found


def test_from_not_published_to_up_to_date_to_behind(repo: Path, flagctl: Run, git: Run) -> None:
    assert [row["drift"] for row in rows(flagctl, "--exit-code", code=3)] == ["none"]
    assert flagctl("publish", "production").returncode == 0
    (row,) = rows(flagctl, "--exit-code")
    assert (row["drift"], row["version"], row["signature"], row["missing"]) == ("current", 1, "unsigned", [])
    assert row["commit"] == git(repo, "rev-parse", "HEAD").strip()

    # A commit that changes nothing of what is served is no drift.
    (repo / "README.md").write_text("x")
    with (repo / "flags/production/wishlist-edit.yaml").open("a") as file:
        file.write("# a comment\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "A comment")
    assert flagctl("set", "wishlist-edit", "-e", "development", "--off", "-r", "x").returncode == 0
    assert [row["drift"] for row in rows(flagctl, "--exit-code")] == ["current"]

    for share in (30, 40):
        assert flagctl("set", "wishlist-gallery", "-e", "production", "--rollout", share, "-r", "up").returncode == 0
    (row,) = rows(flagctl, "--exit-code", code=3)
    assert row["drift"] == "behind"
    assert [one["subject"] for one in row["missing"]] == [
        "Set wishlist-gallery in production: rollout 40",
        "Set wishlist-gallery in production: rollout 30",
        "A comment",
    ]
    done = flagctl("status")
    assert done.returncode == 0
    header, line, remark = done.stdout.splitlines()
    assert header.split() == ["ENVIRONMENT", "TARGET", "VERSION", "COMMIT", "AGE", "DRIFT", "PENDING", "SIGNATURE"]
    assert line.split()[:3] == ["production", "file:published", "1"]
    assert "3 commits behind" in line
    assert "just now" in line
    assert "3 commits behind: " in remark
    assert "rollout 40; " in remark


def test_a_branch_that_was_rewritten(repo: Path, flagctl: Run, git: Run) -> None:
    assert flagctl("set", "wishlist-edit", "-e", "production", "--off", "-r", "x").returncode == 0
    assert flagctl("publish", "production").returncode == 0
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    (row,) = rows(flagctl, "--exit-code", code=3)
    assert row["drift"] == "other"
    assert "is not in the history of this branch" in flagctl("status").stdout


def test_a_rewritten_branch_that_says_the_same(repo: Path, flagctl: Run, git: Run, tmp_path: Path) -> None:
    assert flagctl("publish", "production").returncode == 0
    gone = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "commit", "-q", "--amend", "-m", "Squashed")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", f"file://{repo}", clone)
    shutil.copytree(repo / "published", clone / "published")
    for place, told in ((repo, "is not in the history of"), (clone, "this clone doesn't have")):
        done = flagctl("publish", "production", cwd=place)
        assert (done.returncode, done.stdout) == (5, "")
        assert f"is of commit {gone[:12]}" in done.stderr
        assert told in done.stderr
        assert "both say the same" in done.stderr
        assert "--allow-older" in done.stderr
        (row,) = rows(flagctl, "--exit-code", code=3, cwd=place)
        assert (row["drift"], row["version"], row["commit"]) == ("other", 1, gone)
        assert f"commit {gone[:10]} is not in the history of this branch" in flagctl("status", cwd=place).stdout
    done = flagctl("verify", "-e", "production", cwd=clone)
    assert (done.returncode, "publish --allow-older" in done.stderr) == (4, True)

    done = flagctl("publish", "production", "--allow-older", cwd=clone)
    assert (done.returncode, "published version 2, after version 1" in done.stdout) == (0, True), done.stderr
    assert "none changed" in done.stdout
    assert flagctl("verify", "-e", "production", cwd=clone).returncode == 0
    assert [row["drift"] for row in rows(flagctl, "--exit-code", cwd=clone)] == ["current"]
    # A shallow clone can't tell, and who is only behind is not told of anything.
    git(repo, "reset", "-q", "--hard", gone)
    for message in ("One", "Two"):
        git(repo, "commit", "-q", "--allow-empty", "-m", message)
    assert flagctl("publish", "production").returncode == 0
    assert [row["drift"] for row in rows(flagctl)] == ["current"]
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    shutil.copytree(repo / "published", tmp_path / "shallow/published")
    assert [row["drift"] for row in rows(flagctl, cwd=tmp_path / "shallow")] == ["current"]


def test_dated_changes_that_are_still_to_come(repo: Path, flagctl: Run, git: Run) -> None:
    with (repo / "flags/production/wishlist-gallery.yaml").open("a") as file:
        file.write("schedule:\n  - {at: 2001-01-01, enabled: true}\n  - {at: 2098-01-01, default: {rollout: 50}}\n")
        file.write("  - {at: 2099-01-01, enabled: false}\n")
    git(repo, "commit", "-qam", "Later")
    assert flagctl("publish", "production").returncode == 0
    (row,) = rows(flagctl)
    assert row["pending"] == [
        {"flag": "wishlist-gallery", "at": "2098-01-01T00:00:00Z", "what": ["default"]},
        {"flag": "wishlist-gallery", "at": "2099-01-01T00:00:00Z", "what": ["enabled"]},
    ]
    done = flagctl("status")
    assert "2 changes" in done.stdout
    assert "next change 2098-01-01T00:00:00Z: wishlist-gallery (default)" in done.stdout


RAMP = "{ramp: {variant: on, from: 0, to: 100, start: %s, duration: 36524d, step: 50}}"
"""Steps at its start, 50 years later and 100 years later."""
RUNNING, COMING = f"default: {RAMP % '2001-01-01'}\n", f"default: {RAMP % '2080-01-01'}\n"
RULE = "rules: [{name: r, when: [{attribute: age, gt: 1}], %s}]\n"
DATED = {
    "expires": ("expires_at: 2098-01-01\n", [("2098-01-01", ["expires_at"])]),
    "expired": (COMING + "expires_at: 2001-01-01 # flagctl: allow expired — it is over\n", []),
    "coming": (COMING, [("2080-01-01", ["ramp"])]),
    "running": (RUNNING, [("2051-01-01", ["ramp"])]),
    "in-a-rule": (RULE % (RAMP % "2080-01-01")[1:-1], [("2080-01-01", ["ramp"])]),
    "cut-off": (RUNNING + "expires_at: 2050-01-01\n", [("2050-01-01", ["expires_at"])]),
    "off": (RUNNING + "enabled: false\nexpires_at: 2099-01-01\n", []),
    "replaced": (RUNNING + "schedule: [{at: 2049-01-01, default: {serve: on}}]\n", [("2049-01-01", ["default"])]),
    "turned-on": (
        f"enabled: false\nschedule: [{{at: 2090-01-01, enabled: true, default: {RAMP % '2090-01-01'}}}]\n",
        [("2090-01-01", ["enabled", "default"]), ("2140-01-01", ["ramp"])],
    ),
}


def test_what_the_clock_still_does(repo: Path, flagctl: Run, git: Run) -> None:
    for key, (more, _) in DATED.items():
        text = f"description: d\nowner: {{team: growth}}\n{more}"
        (repo / f"flags/production/{key}.yaml").write_text(text, encoding="utf-8")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Dated")
    done = flagctl("publish", "production", "--no-self-test")
    assert done.returncode == 0, done.stderr
    (row,) = rows(flagctl)
    found: dict[str, list[tuple[str, list[str]]]] = {key: [] for key in DATED}
    for one in row["pending"]:
        found[one["flag"]].append((one["at"][:7], one["what"]))
    assert found == {key: [(day[:7], what) for day, what in coming] for key, (_, coming) in DATED.items()}
    (remark,) = flagctl("status").stdout.splitlines()[2:]
    assert "next change 2049-01-01T00:00:00Z: replaced (default); 2050-01-01T00:00:00Z: cut-off (expires_at)" in remark
    assert remark.endswith("; and 3 more")


@pytest.fixture
def signing(repo: Path, git: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLAGCTL_SIGNING_KEY", LINE)
    with (repo / "flags/flagctl.yaml").open("a") as settings:
        settings.write(f'keys: [{{name: k, public: "{public_line(MINE.public, "x")}", until: 2099-01-01}}]\n')
    git(repo, "commit", "-qam", "Sign")
    return repo


def test_a_signature_that_does_not_fit_is_loud(signing: Path, flagctl: Run) -> None:
    assert flagctl("publish", "production").returncode == 0
    (row,) = rows(flagctl, "--exit-code")
    assert (row["signature"], row["key"], row["retires"]) == ("ok", "k", "2099-01-01T00:00:00Z")
    live = signing / "published/production/snapshot.json"
    live.write_bytes(live.read_bytes().replace(b"25000", b"26000"))
    (row,) = rows(flagctl, "--exit-code", code=1)
    assert (row["signature"], row["drift"]) == ("bad-signature", "behind")
    assert "DO NOT BELIEVE IT: its signature by k does not fit" in flagctl("status").stdout


def test_a_key_that_will_be_retired_soon_is_told(signing: Path, flagctl: Run, git: Run) -> None:
    settings = signing / "flags/flagctl.yaml"
    assert flagctl("publish", "production").returncode == 0
    assert "is retired" not in flagctl("status").stdout
    import time

    from flagctl.model import times

    settings.write_text(settings.read_text().replace("2099-01-01", times.text(time.time() + 86400)))
    assert "k is retired at" in flagctl("status").stdout


def test_a_target_that_is_damaged_does_not_hide_the_others(repo: Path, flagctl: Run, git: Run) -> None:
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text().replace('["file:published"]', '["file:one", "file:two"]'))
    git(repo, "commit", "-qam", "More targets")
    assert flagctl("publish", "production").returncode == 0
    settings.write_text(settings.read_text().replace('"file:two"]', '"file:two", "nosuch:three"]'))
    (repo / "one/production/snapshot.json").write_text("{")
    found = rows(flagctl, "--exit-code", code=1)
    assert [(row["target"], row["version"], bool(row["error"])) for row in found] == [
        ("file:one", None, True), ("file:two", 1, False), ("nosuch:three", None, True),
    ]  # fmt: skip
    done = flagctl("status")
    assert done.returncode == 0
    assert "production at file:one: production/snapshot.json at file:one is damaged" in done.stdout


@pytest.mark.parametrize("damage", ['"flags":{"x":1}', '"flags":{"x":{}}', '"flags":{},"kills":[1]'])
def test_a_snapshot_of_nonsense_is_told(repo: Path, flagctl: Run, damage: str) -> None:
    assert flagctl("publish", "production").returncode == 0
    live = repo / "published/production/snapshot.json"
    document = json.loads(live.read_bytes())
    del document["flags"]
    live.write_text(json.dumps(document)[:-1] + f", {damage}}}")
    (row,) = rows(flagctl, "--exit-code", code=1)
    assert "makes no sense" in row["error"]


def test_target_list_tries_each_and_writes_nothing(repo: Path, flagctl: Run) -> None:
    settings = repo / "flags/flagctl.yaml"
    (repo / "blocked").write_text("a file")
    settings.write_text(
        settings.read_text().replace('["file:published"]', '["file:published", "file:blocked", "nosuch:x"]')
    )
    done = flagctl("target", "list", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["format"] == "flagctl/targets/1"
    assert [(row["target"], row["ok"]) for row in document["targets"]] == [
        ("file:published", True), ("file:blocked", False), ("nosuch:x", False),
    ]  # fmt: skip
    assert not (repo / "published").exists()
    done = flagctl("target", "list", "-e", "production")
    assert done.returncode == 1
    assert "can be written" in done.stdout
    assert flagctl("target", "list", "-e", "development").returncode == 2
    assert (repo / "blocked").read_text() == "a file"
