"""Going back: a flag, an environment, one commit; as a new commit, and for everybody exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.compile.snapshot import snapshot
from flagctl.errors import ProblemsError, RefusedError, UsageError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.history import rollback as room
from flagctl.history.change import Changed, apply
from flagctl.history.git import Git
from flagctl.history.rollback import Rollback, rollback
from flagctl.project import Project

GitRun = Callable[..., str]
Run = Callable[..., Any]
FLAG = "flags/development/wishlist-gallery.yaml"
NOW = 1_790_000_000


def edited(repo: Path, git: GitRun, path: str, *pairs: tuple[str, str], message: str = "Edit") -> str:
    """Replace words in a file and commit; the commit."""
    text = (repo / path).read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (repo / path).write_text(text)
    git(repo, "commit", "-qam", message)
    return git(repo, "rev-parse", "HEAD").strip()


def back(repo: Path, key: str = "", environment: str = "", to: str = "", undo: str = "") -> tuple[Rollback, Changed]:
    project = Project(repo)
    wanted = rollback(project, Git(repo), key, environment, to, undo, NOW)
    assert not wanted.conflicts
    done = apply(
        project, wanted.texts, message=wanted.subject, trailers=wanted.trailers, reason="r", commit=True, dry_run=False,
        now=NOW,
    )  # fmt: skip
    return wanted, done


def test_a_flag_goes_back_to_the_version_before_with_its_comments(repo: Path, git: GitRun) -> None:
    first = (repo / FLAG).read_text()
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    second = (repo / FLAG).read_text()
    edited(repo, git, FLAG, ("# Why", "# No idea why"))  # no version: nothing is answered otherwise
    edited(repo, git, FLAG, ("rollout: 50", "rollout: 75"))
    before = git(repo, "rev-parse", "HEAD").strip()
    wanted, _ = back(repo, "wishlist-gallery", "development")
    assert (repo / FLAG).read_text() == second
    assert wanted.subject.startswith("Roll back wishlist-gallery in development to version 2 (")
    assert git(repo, "rev-parse", "HEAD~1").strip() == before
    body = git(repo, "log", "-1", "--format=%(trailers:only)")
    assert "Flag: wishlist-gallery\nEnvironment: development\nRollback-To: " in body
    back(repo, "wishlist-gallery", "development", to="v1")
    assert (repo / FLAG).read_text() == first


def test_a_revision_and_a_date_name_states_too(repo: Path, git: GitRun, monkeypatch: pytest.MonkeyPatch) -> None:
    first = (repo / FLAG).read_text()
    git(repo, "tag", "good")
    for year, old, new in ((2027, 25, 70), (2028, 70, 80)):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{year}-01-01T00:00:00Z")
        edited(repo, git, FLAG, (f"rollout: {old}", f"rollout: {new}"))
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    back(repo, "wishlist-gallery", "development", to="2027-06-01")
    assert "rollout: 70\n" in (repo / FLAG).read_text()
    back(repo, "wishlist-gallery", "development", to="good")
    assert (repo / FLAG).read_text() == first


def test_a_flag_that_moved_goes_back_where_it_is_and_one_that_is_gone_comes_back(repo: Path, git: GitRun) -> None:
    first = (repo / FLAG).read_text()
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    (repo / "flags/development/team").mkdir()
    git(repo, "mv", FLAG, "flags/development/team/wishlist-gallery.yaml")
    git(repo, "commit", "-qm", "Move")
    back(repo, "wishlist-gallery", "development")
    assert (repo / "flags/development/team/wishlist-gallery.yaml").read_text() == first
    edit = "flags/development/wishlist-edit.yaml"
    text = (repo / edit).read_text()
    git(repo, "rm", "-q", edit)
    git(repo, "commit", "-qm", "Remove")
    back(repo, "wishlist-edit", "development")
    assert (repo / edit).read_text() == text


SEGMENT = "flags/development/segments/beta.yaml"


def with_segment(repo: Path, git: GitRun) -> None:
    (repo / SEGMENT).parent.mkdir()
    (repo / SEGMENT).write_text("description: Beta.\nwhen:\n  - {attribute: country, equals: DE}\n")
    text = (repo / FLAG).read_text()
    (repo / FLAG).write_text(text.replace('{attribute: email, ends_with: "@example.com"}', "{segment: beta}"))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Beta")
    git(repo, "tag", "beta")
    (repo / FLAG).write_text(text)
    git(repo, "rm", "-q", SEGMENT)
    git(repo, "commit", "-qam", "No beta")


def test_what_it_depended_on_and_is_gone_refuses_it_and_the_whole_environment_brings_it_back(
    repo: Path, git: GitRun, flagctl: Run
) -> None:
    with_segment(repo, git)
    refused = flagctl("rollback", "wishlist-gallery", "-e", "development", cwd=repo)
    assert refused.returncode == 5
    assert 'needs what is gone now: no segment "beta" in development' in refused.stderr
    assert git(repo, "status", "--porcelain") == ""
    back(repo, environment="development", to="beta")
    assert git(repo, "diff", "beta", "HEAD", "--", "flags/development") == ""


@pytest.mark.parametrize(
    ("was", "gone", "words"),
    [
        ("{attribute: age, gte: 18}", ("flags/attributes.yaml", "  age: {type: integer}\n", ""), 'attribute "age"'),
        ("{segment: beta}", ("", "", ""), 'segment "beta"'),
    ],
)
def test_each_thing_that_is_gone_is_listed(
    repo: Path, git: GitRun, was: str, gone: tuple[str, str, str], words: str
) -> None:
    first = '{attribute: email, ends_with: "@example.com"}'
    if "segment" in was:
        (repo / SEGMENT).parent.mkdir()
        (repo / SEGMENT).write_text("description: Beta.\nwhen:\n  - {attribute: country, equals: DE}\n")
        git(repo, "add", "-A")
    edited(repo, git, FLAG, (first, was))
    edited(repo, git, FLAG, (was, first))
    if gone[0]:
        edited(repo, git, *gone[:1], gone[1:])
    else:
        git(repo, "rm", "-q", SEGMENT)
        git(repo, "commit", "-qm", "No segment")
    with pytest.raises(ProblemsError) as raised:
        back(repo, "wishlist-gallery", "development")
    refused = room.gone(raised.value, "Roll back")
    assert refused is not None
    assert "needs what is gone now" in refused.message
    assert words in refused.message


def test_a_whole_environment_goes_back_and_what_came_since_goes(repo: Path, git: GitRun, flagctl: Run) -> None:
    git(repo, "tag", "good")
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    (repo / "flags/development/new.yaml").write_text("description: New.\nowner: {team: t}\n")
    edited(repo, git, "flags/production/wishlist-gallery.yaml", ("rollout: 25", "rollout: 60"))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "New")
    refused = flagctl("rollback", "-e", "development", "--to", "good", cwd=repo)
    assert refused.returncode == 5
    assert "flags/development/new.yaml" in refused.stderr
    done = flagctl("rollback", "-e", "development", "--to", "good", "--yes", "--json", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["paths"] == [FLAG, "flags/development/new.yaml"]
    assert git(repo, "diff", "good", "HEAD", "--name-only") == "flags/production/wishlist-gallery.yaml\n"


def test_what_the_flags_tests_need_is_named_where_it_stands(repo: Path, git: GitRun, flagctl: Run) -> None:
    (repo / "flags/development/fresh.yaml").write_text((repo / FLAG).read_text())
    (repo / "flags/tests").mkdir()
    (repo / "flags/tests/fresh.yaml").write_text(
        "tests:\n  - {name: x, environment: development, context: {}, expect: {variant: off}}\n"
    )
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Fresh, with tests")
    done = flagctl("rollback", "-e", "development", "--to", "HEAD~1", "--yes")
    assert done.returncode == 1
    assert done.stderr.startswith("flags/tests/fresh.yaml:2:")
    assert "needs what is gone" not in done.stderr


def test_a_version_from_before_the_flag_had_its_key_is_named_by_the_old_one(
    repo: Path, git: GitRun, flagctl: Run
) -> None:
    assert flagctl("rename", "wishlist-edit", "changes", "--direct", "-r", "r").returncode == 0
    for command in (
        ["rollback", "changes"],
        ["rollback", "changes", "--to", "1"],
        ["show", "changes", "--version", "1"],
    ):
        done = flagctl(*command, "-e", "development")
        assert done.returncode == 2
        assert "changes was called wishlist-edit at version 1" in done.stderr
    commit = git(repo, "rev-parse", "--short=10", "HEAD~1").strip()
    assert f"flagctl show wishlist-edit -e development --at {commit}" in flagctl(*command, "-e", "development").stderr
    assert flagctl("show", "wishlist-edit", "-e", "development", "--at", commit).returncode == 0


@pytest.mark.parametrize("form", [{"environment": "development", "to": "HEAD~1"}, {"undo": "HEAD"}])
def test_a_link_goes_back_by_what_it_leads_to(repo: Path, git: GitRun, form: dict[str, str]) -> None:
    before = (repo / FLAG).read_text()
    (repo / "flags/development/linked.yaml").symlink_to("wishlist-gallery.yaml")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Link")
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    wanted, _ = back(repo, **form)
    assert list(wanted.texts) == [FLAG]
    assert (repo / FLAG).read_text() == before
    assert (repo / "flags/development/linked.yaml").is_symlink()


def test_undo_takes_back_one_commit_and_keeps_what_came_later(repo: Path, git: GitRun) -> None:
    commit = edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"), ("[wishlist, web]", "[wishlist, web, x]"))
    edited(repo, git, FLAG, ("# everybody here", "# all of us"), ("web, x]", "web, x, y]"))
    before = (repo / FLAG).read_text()
    wanted, _ = back(repo, undo=commit)
    assert (repo / FLAG).read_text() == before.replace("rollout: 50", "rollout: 25").replace("web, x, y", "web, y")
    assert ("Undo", commit) in wanted.trailers
    assert back(repo, undo=commit)[1].diff == ""


def test_undo_shows_what_was_changed_since_and_does_nothing(repo: Path, git: GitRun, flagctl: Run) -> None:
    commit = edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    edited(repo, git, FLAG, ("rollout: 50", "rollout: 75"))
    done = flagctl("rollback", "--undo", commit, cwd=repo)
    assert done.returncode == 5
    assert f"{FLAG}: default/rollout was changed on both sides" in done.stderr
    assert [line.split() for line in done.stderr.splitlines()[1:4]] == [
        ["before:", "50"], ["now:", "75"], ["without", "it:", "25"],
    ]  # fmt: skip
    assert git(repo, "status", "--porcelain") == ""


def test_undo_of_a_merge_takes_back_what_it_brought_and_of_one_flag_only_that(repo: Path, git: GitRun) -> None:
    git(repo, "checkout", "-qb", "side")
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    edited(repo, git, "flags/development/wishlist-edit.yaml", ("serve: on", "serve: off"))
    git(repo, "checkout", "-q", "main")
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge side", "side")
    back(repo, "wishlist-edit", undo="HEAD")
    assert git(repo, "diff", "HEAD~1", "HEAD", "--name-only") == "flags/development/wishlist-edit.yaml\n"
    back(repo, undo="HEAD~1")
    assert git(repo, "diff", "main~3", "HEAD", "--name-only") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing", "development"), "neither now nor before"),
        (("wishlist-gallery", "development"), "only one version"),
        (("wishlist-gallery", "development", "7"), "there is no version 7"),
        (("wishlist-gallery", "development", "v0"), "there is no version 0"),
        (("wishlist-gallery", "development", "nonsense"), "is neither a revision nor a date"),
        (("wishlist-gallery", "development", "1999-01-01"), "there was no commit yet at 1999"),
        (("", "development"), "--to is missing"),
        (("", "nowhere", "HEAD"), "there was no nowhere at"),
        (("wishlist-gallery", ""), "--environment is missing"),
        (("", "", "HEAD", "HEAD"), "--undo takes back one commit"),
        (("", "", "", "HEAD"), "is the first commit"),
    ],
)
def test_what_makes_no_sense_is_named(repo: Path, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        back(repo, *arguments)
    assert raised.value.hint or "first commit" in words


def test_it_says_first_what_that_does_and_to_whom(repo: Path, git: GitRun, flagctl: Run) -> None:
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 75"))
    shown = flagctl("rollback", "wishlist-gallery", "-e", "development", "--dry-run", cwd=repo)
    assert shown.returncode == 0, shown.stderr
    assert "everyone else: on → off 50.000 %" in shown.stdout
    assert shown.stdout.index("50.000 %") < shown.stdout.index("--- a/flags")
    done = flagctl("rollback", "wishlist-gallery", "-e", "development", "--dry-run", "--json", cwd=repo)
    document = json.loads(done.stdout)
    (environment,) = document["plan"]["environments"]
    assert document["plan"]["format"] == "flagctl/plan/1"
    # wishlist-edit requires it, so its people move too
    assert [flag["key"] for flag in environment["flags"]] == ["wishlist-edit", "wishlist-gallery"]
    assert git(repo, "status", "--porcelain") == ""


def test_a_protected_environment_asks_for_a_reason(repo: Path, git: GitRun, flagctl: Run) -> None:
    edited(repo, git, "flags/production/wishlist-gallery.yaml", ("rollout: 25", "rollout: 50"))
    done = flagctl("rollback", "wishlist-gallery", "-e", "production", cwd=repo)
    assert done.returncode == 5
    assert "no reason was given" in done.stderr


def test_uncommitted_changes_are_not_lost(repo: Path, git: GitRun) -> None:
    edited(repo, git, FLAG, ("rollout: 25", "rollout: 50"))
    (repo / FLAG).write_text((repo / FLAG).read_text() + "# mine\n")
    with pytest.raises(RefusedError, match="uncommitted changes"):
        back(repo, "wishlist-gallery", "development")
    assert (repo / FLAG).read_text().endswith("# mine\n")


# ---- everybody's assignment ----

_outcomes = st.one_of(
    st.builds("rollout: {}".format, st.sampled_from([0, 10, 33.333, 50, 100])),
    st.builds("rollout: {}\n  salt: {}".format, st.sampled_from([20, 80]), st.sampled_from(["a", "b"])),
    st.sampled_from(["split: {on: 40, off: 60}", "split: {off: 60, on: 40}", "serve: on", "serve: off"]),
)
_states = st.lists(
    st.builds(
        "description: D.\nowner: {{team: t}}\nenabled: {}\n{}rules:\n  - name: eu\n    when:\n"
        "      - {{attribute: country, in: [{}]}}\n    rollout: {}\ndefault:\n  {}\n".format,
        st.sampled_from(["true", "true", "false"]), st.sampled_from(["", "overrides:\n  on: [user-1, user-2]\n"]),
        st.sampled_from(["DE", "DE, FR", "US"]), st.integers(0, 100), _outcomes,
    ),
    min_size=2, max_size=4, unique=True,
)  # fmt: skip
PEOPLE = [{"targetingKey": f"user-{i}", "country": ("DE", "FR", "US")[i % 3]} for i in range(300)]


def answers(repo: Path) -> list[tuple[Any, ...]]:
    repository = Project(repo).read().repository
    evaluator = Evaluator(snapshot(repository.environments["development"], repository.settings, repository.attributes))
    found = (evaluator.evaluate("wishlist-gallery", person, NOW) for person in PEOPLE)
    return [(answer.value, answer.variant, answer.reason, answer.rule) for answer in found]


@given(states=_states, draw=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_rollback_restores_everybodys_assignment_exactly(
    make_repo: Callable[..., Path], git: GitRun, states: list[str], draw: st.DataObject, tmp_path_factory: Any
) -> None:
    repo = make_repo(name=f"repo-{tmp_path_factory.mktemp('x').name}")
    seen = []
    for state in states:
        (repo / FLAG).write_text(state)
        git(repo, "commit", "-qam", "Change")
        seen.append(answers(repo))
    chosen = draw.draw(st.integers(0, len(states) - 1))
    back(repo, "wishlist-gallery", "development", to=f"v{chosen + 2}")
    assert answers(repo) == seen[chosen]
    assert (repo / FLAG).read_text() == states[chosen]
    if chosen == len(states) - 1:
        return
    back(repo, undo="HEAD")
    assert answers(repo) == seen[-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["set", "wishlist-gallery", "-e", "production", "--rollout", "30"], True),
        (["remove", "wishlist-edit", "-e", "production", "--yes"], True),
        (["set", "wishlist-gallery", "-e", "development", "--rollout", "30"], False),
    ],
)
def test_without_a_remote_a_protected_change_says_that_it_is_committed_here(
    repo: Path, git: GitRun, flagctl: Run, arguments: list[str], told: bool
) -> None:
    done = flagctl(*arguments, "--reason", "r")
    assert done.returncode == 0, done.stderr
    assert git(repo, "log", "--oneline").count("\n") == 2
    assert ("there is no remote where others could review it" in done.stderr) is told
