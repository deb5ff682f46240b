"""`flagctl drift`: who lags behind whom, by what and for how long."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from flagtree import reading

from flagctl.plan.drift import Lag, drift

Run = Callable[..., "subprocess.CompletedProcess[str]"]
GitRun = Callable[..., str]
SETTINGS = """\
environments:
  development: {}
  staging: {promotes_from: development}
  production: {promotes_from: staging}
"""
DAY = 86_400
STAGING, PRODUCTION = ("staging", "f"), ("production", "f")


def flag(share: int, more: str = "") -> str:
    return f"description: A flag.\nowner: {{team: growth}}\ndefault: {{rollout: {share}}}\n{more}"


def lag(touched: dict[tuple[str, str], list[int]], staging: str | None, production: str | None) -> Lag | None:
    files = {"staging": staging, "production": production}
    tree = {f"flags/{name}/f.yaml": text for name, text in files.items() if text is not None}
    found = drift(reading({"flags/flagctl.yaml": SETTINGS, **tree}).repository, touched, "production")
    return found.flags.get("f", {}).get("production")


@pytest.mark.parametrize(
    ("staging", "production", "touched", "said"),
    [
        (flag(50), flag(50, "tags: [a]"), {}, None),
        (flag(50), flag(20), {STAGING: [4 * DAY, 6 * DAY, DAY], PRODUCTION: [3 * DAY]}, "1 behind, 6 days"),
        (flag(50), flag(20), {STAGING: [3 * DAY], PRODUCTION: [9 * DAY, 3 * DAY]}, "1 apart, 1 day"),
        (flag(50), flag(20), {STAGING: [3 * DAY], PRODUCTION: [3 * DAY]}, "1 behind, 7 days"),
        (flag(50), None, {STAGING: [10 * DAY - 7200]}, "missing, 2 hours"),
        (None, flag(50), {PRODUCTION: [10 * DAY - 60]}, "extra, 1 minute"),
        (None, flag(50), {STAGING: [2 * DAY, 8 * DAY], PRODUCTION: [3 * DAY]}, "extra, 2 days"),
        (flag(50), flag(20, "expires_at: 2030-01-01\n"), {}, "2 behind, not committed"),
        (flag(50), "description: 1\n", {}, "unreadable, not committed"),
    ],
)
def test_how_far_and_for_how_long(
    staging: str | None, production: str | None, touched: dict[tuple[str, str], list[int]], said: str | None
) -> None:
    found = lag(touched, staging, production)
    assert (found and found.text(10 * DAY)) == said


def test_each_environment_is_held_against_the_one_it_is_promoted_from() -> None:
    tree = {
        f"flags/{name}/f.yaml": flag(share) for name, share in (("development", 1), ("staging", 2), ("production", 2))
    }
    found = drift(reading({"flags/flagctl.yaml": SETTINGS, **tree}).repository, {})
    assert found.upstream == {"staging": "development", "production": "staging"}
    assert {key: list(lags) for key, lags in found.flags.items()} == {"f": ["staging"]}


HOME = "  - {name: home, promote: false, when: [{attribute: plan, equals: pro}], serve: on}\n"


@pytest.mark.parametrize(
    ("staging", "production", "owned", "behind"),
    [
        (flag(50), flag(50, "overrides: {on: [ada]}\n"), "[overrides]", None),
        (flag(50), flag(50, "overrides: {on: [ada]}\n"), "[schedule]", 1),
        (flag(50), flag(20, "overrides: {on: [ada]}\n"), "[overrides]", 1),
        (flag(50), flag(20), "[default/rollout]", None),
        (flag(50), flag(50, f"rules:\n{HOME}"), "[]", None),
        (flag(50, f"rules:\n{HOME}"), flag(50), "[]", None),
        (flag(50, f"rules:\n{HOME.replace('false', 'true')}"), flag(50), "[]", 1),
    ],
)
def test_what_no_promotion_moves_does_not_lag(staging: str, production: str, owned: str, behind: int | None) -> None:
    said = SETTINGS.replace("promotes_from: staging", f"promotes_from: staging, owned: {owned}")
    tree = {"flags/staging/f.yaml": staging, "flags/production/f.yaml": production, "flags/flagctl.yaml": said}
    tree["flags/attributes.yaml"] = "attributes:\n  plan: {type: string}\n"
    found = drift(reading(tree).repository, {}, "production").flags.get("f", {}).get("production")
    assert (found and len(found.changes)) == behind


def test_the_command_counts_from_real_commits(
    flagctl: Run, repo: Path, git: GitRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(environment: str, old: int, new: int, date: str) -> None:
        path = repo / f"flags/{environment}/wishlist-gallery.yaml"
        path.write_text(path.read_text().replace(f"rollout: {old}", f"rollout: {new}"))
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{date}T00:00:00Z")
        git(repo, "commit", "-qam", "more")

    assert flagctl("drift").returncode == 0
    change("production", 25, 30, "2029-12-01")
    done = flagctl("drift", "--clock", "2030-01-01")
    assert done.returncode == 1
    assert "wishlist-gallery  1 apart, 31 days" in done.stdout
    assert done.stderr == "1 flag behind or apart, 1 the same\n"
    change("development", 25, 40, "2029-12-20")
    change("development", 40, 50, "2029-12-25")
    done = flagctl("drift", "-e", "production", "--clock", "2030-01-01", "--json")
    (found,) = json.loads(done.stdout)["flags"]
    assert found["environments"]["production"] == {
        "kind": "behind",
        "changes": ["rollout 30 → 50"],
        "since": "2029-12-20T00:00:00Z",
        "seconds": 12 * DAY,
    }


def test_a_shallow_clone_says_that_it_can_not_know_since_when(
    flagctl: Run, repo: Path, git: GitRun, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    said = flagctl("drift", cwd=tmp_path / "shallow").stderr
    assert "warning: this clone is shallow: since when something lags" in said
    assert "hint: git fetch --unshallow" in said
