"""When an answer changed and what did it: commits of the flag and of what it depends on, and the clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.compile.snapshot import snapshot
from flagctl.errors import UsageError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.files.repository import read_repository
from flagctl.history import why as room
from flagctl.history.git import Git
from flagctl.history.travel import CommitTree
from flagctl.history.why import UNREADABLE, Story, bisect, why
from flagctl.model import times

GitRun = Callable[..., str]
Commit = Callable[..., str]
FLAG, OTHER, SEGMENT = (
    f"flags/development/{name}.yaml" for name in ("wishlist-gallery", "wishlist-edit", "segments/beta")
)
START = times.seconds("2026-01-01") or 0
DAY = 86_400
HEAD = "description: D.\nowner: {team: t}\n"


@pytest.fixture
def commit(repo: Path, git: GitRun, monkeypatch: pytest.MonkeyPatch) -> Commit:
    """commit(day, {path: text or None}, subject) -> hash, on that day of January 2026."""

    def make(day: int, files: dict[str, str | None], message: str = "Change") -> str:
        for path, text in files.items():
            (repo / path).parent.mkdir(exist_ok=True)
            (repo / path).unlink(missing_ok=True) if text is None else (repo / path).write_text(text)
        git(repo, "add", "-A")
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{START + day * DAY} +0000")
        git(repo, "commit", "-q", "--allow-empty", "-m", message)
        return git(repo, "rev-parse", "HEAD").strip()

    monkeypatch.setenv("GIT_COMMITTER_DATE", f"{START} +0000")
    git(repo, "commit", "-q", "--amend", "--no-edit", "--reset-author")
    return make


def told(repo: Path, *, key: str = "wishlist-gallery", since: int = 0, until: int = 100, **context: Any) -> Story:
    person = {"targetingKey": "ada", **context}
    return why(Git(repo), "development", key, person, START + since * DAY, START + until * DAY)


def lines(story: Story) -> list[tuple[float, str, str, str]]:
    """Day, before, after, cause of each transition."""
    return [
        ((t.time - START) / DAY, str(t.old), str(t.new), " + ".join(f"{c.kind} {c.flag}".strip() for c in t.causes))
        for t in story.transitions
    ]


def test_commits_of_the_flag_are_causes_with_who_why_and_where(repo: Path, commit: Commit) -> None:
    commit(1, {FLAG: HEAD + "default: {serve: off}\n"})
    made = commit(3, {FLAG: HEAD + "default: {serve: on}\n"}, "Set it on (#12)\n\nReason: the launch\n")
    commit(4, {FLAG: "# comment\n" + HEAD + "default: {serve: on}\n"})
    commit(5, {OTHER: HEAD + "default: {serve: off}\n"})
    story = told(repo, since=2)
    assert lines(story) == [(3, "off", "on", "commit")]
    entry = story.about[made].commit
    assert (entry.author, entry.subject, entry.reason) == ("Ada Example", "Set it on (#12)", "the launch")
    assert (str(story.first), str(story.last)) == ("off", "on")


def test_the_clock_is_a_cause_schedule_ramp_and_expiry(repo: Path, commit: Commit) -> None:
    commit(1, {FLAG: HEAD + "expires_at: 2026-01-21\ndefault: {serve: off}\nschedule:\n"
                     "  - {at: 2026-01-06, default: {serve: on}}\n"
                     "  - {at: 2026-01-11, default: {ramp: {variant: on, from: 0, to: 100, start: 2026-01-11, "
                     "duration: 4d, step: 25}}}\n"})  # fmt: skip
    story = told(repo, since=2)
    found = lines(story)
    assert [line[1:] for line in found] == [
        ("off", "on", "schedule wishlist-gallery"),
        ("on", "off", "ramp wishlist-gallery + schedule wishlist-gallery"),
        ("off", "on", "ramp wishlist-gallery"),
        ("on", "off", "expiry wishlist-gallery"),
    ]
    assert [line[0] for line in (found[0], found[1], found[3])] == [5, 10, 20]
    assert found[2][0] in (11, 12, 13, 14)
    assert "step" in story.transitions[2].causes[0].text
    assert lines(told(repo, since=2, until=12))[:2] == found[:2]


def test_what_it_depends_on_is_followed_also_what_it_only_once_depended_on(repo: Path, commit: Commit) -> None:
    needs = (
        HEAD
        + "requires:\n  - flag: wishlist-edit\nrules:\n  - name: beta\n    when: [{segment: beta}]\n    serve: on\n"
    )
    country = "description: B.\nwhen:\n  - {{attribute: country, equals: {}}}\n"
    on, off = (HEAD + f"default: {{serve: {variant}}}\n" for variant in ("on", "off"))
    commit(1, {OTHER: on, SEGMENT: country.format("DE"), FLAG: needs})
    commit(2, {SEGMENT: country.format("FR")})
    commit(3, {SEGMENT: country.format("DE")})
    commit(4, {OTHER: off})
    commit(5, {OTHER: HEAD + "default: {serve: off}\nschedule:\n  - {at: 2026-01-08, default: {serve: on}}\n"})
    commit(9, {FLAG: HEAD + "default: {serve: off}\n"})
    commit(10, {SEGMENT: country.format("US")})
    story = told(repo, since=1, country="DE")
    assert lines(story) == [
        (2, "on", "off", "commit"), (3, "off", "on", "commit"), (4, "on", "off", "commit"),
        (7, "off", "on", "schedule wishlist-edit"), (9, "on", "off", "commit"),
    ]  # fmt: skip
    through = [t.causes[0].through for t in story.transitions]
    assert through == [("segment beta",), ("segment beta",), ("flag wishlist-edit",), (), ()]


def test_a_flag_that_comes_goes_and_moves_and_a_file_nobody_can_read(repo: Path, commit: Commit) -> None:
    on = HEAD + "default: {serve: on}\n"
    commit(1, {FLAG: None, OTHER: HEAD})
    commit(2, {FLAG: on})
    commit(3, {FLAG: None, "flags/development/team/wishlist-gallery.yaml": on})
    commit(4, {"flags/development/team/wishlist-gallery.yaml": "default: [\n"})
    commit(5, {"flags/development/team/wishlist-gallery.yaml": on})
    commit(6, {"flags/development/team/wishlist-gallery.yaml": None})
    assert lines(told(repo, since=1)) == [
        (2, "no flag", "on", "commit"), (4, "on", UNREADABLE, "commit"), (5, UNREADABLE, "on", "commit"),
        (6, "on", "no flag", "commit"),
    ]  # fmt: skip


def test_a_linked_file_is_followed_to_what_it_stands_for(repo: Path, commit: Commit) -> None:
    commit(1, {OTHER: HEAD + "default: {serve: on}\n"})
    (repo / "flags/development/linked.yaml").symlink_to("wishlist-edit.yaml")
    commit(2, {})
    commit(3, {OTHER: HEAD + "default: {serve: off}\n"})
    (repo / "flags/development/linked.yaml").unlink()
    (repo / "flags/development/linked.yaml").symlink_to("../../flags/production/wishlist-edit.yaml")
    commit(4, {})
    story = told(repo, key="linked", since=1)
    assert lines(story) == [
        (2, "no flag", "on", "commit"), (3, "on", "off", "commit"), (4, "off", "unreadable", "commit"),
    ]  # fmt: skip
    assert story.transitions[1].causes[0].through == ("flag wishlist-edit",)


def test_the_settings_count_and_a_merge_is_one_commit(repo: Path, git: GitRun, commit: Commit) -> None:
    text = (repo / "flags/flagctl.yaml").read_text()
    people = [{"targetingKey": f"user-{i}"} for i in range(40)]
    commit(2, {"flags/flagctl.yaml": "bucketing: flagd-2\n" + text})
    stories = [why(Git(repo), "development", "wishlist-gallery", who, START + DAY, START + 9 * DAY) for who in people]
    moved = [story for story in stories if story.transitions]
    assert 5 < len(moved) < 35
    assert {story.transitions[0].causes[0].through for story in moved} == {("settings",)}
    git(repo, "checkout", "-q", "-b", "side")
    commit(3, {FLAG: HEAD + "default: {serve: on}\n"}, "Try\n\nReason: a try\n")
    commit(4, {FLAG: HEAD + "default: {serve: off}\n"}, "Stop\n\nReason: it burns\n")
    git(repo, "commit", "-q", "--amend", "--no-edit", "--author", "Eve <eve@example.com>")
    commit(4, {"notes.txt": "x"}, "Elsewhere\n\nReason: not this\n")
    git(repo, "checkout", "-q", "main")
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge pull request #7 from side", "side")
    story = told(repo, since=2, email="x@example.com")
    (transition,) = story.transitions
    entry = story.about[transition.causes[0].commit]
    assert entry.commit.subject == "Merge pull request #7 from side"
    assert (entry.author, entry.reason) == ("Ada Example, Eve", "a try; it burns")


def test_many_versions_are_bisected_and_it_says_so(repo: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(1, 12):
        served = "on" if day == 4 or day >= 9 else "off"
        commit(day, {FLAG: HEAD + f"tags: [t{day}]\ndefault: {{serve: {served}}}\n"})
    whole = told(repo, since=2)
    assert [line[0] for line in lines(whole)] == [4, 5, 9]
    assert whole.whole
    monkeypatch.setattr(room, "MANY", 5)
    bisected = told(repo, since=2)
    assert not bisected.whole
    assert (9, "off", "on", "commit") in lines(bisected)


@pytest.mark.parametrize("turn", [1, 2, 7, 8])
def test_bisect_names_the_commit(repo: Path, commit: Commit, git: GitRun, turn: int) -> None:
    made = [commit(0, {FLAG: HEAD + "default: {serve: off}\n"})]
    for day in range(1, 9):
        served = "on" if day >= turn else "off"
        made.append(commit(day, {FLAG: HEAD + f"tags: [t{day}]\ndefault: {{serve: {served}}}\n"}, f"Day {day}"))
        commit(day, {OTHER: HEAD + f"tags: [x{day}]\n"}, "Elsewhere")
    transition, landed = bisect(Git(repo), "development", "wishlist-gallery", {}, made[0], "HEAD", None)
    entry = landed.commit
    assert (entry.subject, str(transition.old), str(transition.new)) == (f"Day {turn}", "off", "on")


def test_bisect_says_when_no_commit_did_it(repo: Path, commit: Commit, git: GitRun) -> None:
    first = commit(1, {FLAG: HEAD + "default: {serve: off}\nschedule:\n  - {at: 2026-01-05, default: {serve: on}}\n"})
    last = commit(9, {OTHER: HEAD})
    with pytest.raises(UsageError, match="the answer is on at both") as raised:
        bisect(Git(repo), "development", "wishlist-gallery", {}, first, last, None)
    assert "flagctl why" in raised.value.hint
    with pytest.raises(UsageError, match="is not in the history of"):
        bisect(Git(repo), "development", "wishlist-gallery", {}, last, first, None)


def test_the_commands_say_it_to_people_and_programs(repo: Path, commit: Commit, flagctl: Callable[..., Any]) -> None:
    commit(2, {FLAG: HEAD + "default: {serve: on}\n"}, "Merge pull request #3 from ada/on\n\nReason: the launch\n")
    asked = ("wishlist-gallery", "-e", "development", "--user", "user-3", "-a", "country=DE")
    done = flagctl("why", *asked, "--since", "2026-01-02", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2026-01-03 00:00:00Z  off → on  ")
    assert "Ada Example: Merge pull request #3 from ada/on — the launch" in done.stdout
    assert done.stderr == "now: on\n"
    past = flagctl("why", *asked, "--until", "2026-01-02", cwd=repo)
    assert (past.stderr, past.stdout.count("→ on")) == ("2026-01-02: off\n", 0)
    document = json.loads(flagctl("why", *asked, "--json", cwd=repo).stdout)
    cause = document["transitions"][-1]["causes"][0]
    assert (document["format"], cause["pull_request"], cause["reason"]) == ("flagctl/why/1", "#3", "the launch")
    one = json.loads(flagctl("bisect", *asked, "--good", "HEAD~1", "--json", cwd=repo).stdout)
    assert (one["format"], one["causes"][0]["commit"]) == ("flagctl/bisect/1", cause["commit"])
    unknown = flagctl("why", "wishlist-galery", "-e", "development", cwd=repo)
    assert unknown.returncode == 2
    assert "did you mean wishlist-gallery?" in unknown.stderr
    assert flagctl("why", "wishlist-gallery", "-e", "nowhere", cwd=repo).returncode == 2
    assert flagctl("why", *asked, "--since", "soon", cwd=repo).returncode == 2


# ---- against evaluating every commit at every moment ----


def flag_text(data: Mapping[str, Any]) -> str:
    return HEAD + "".join(f"{key}: {json.dumps(value)}\n" for key, value in data.items())


_serve = st.sampled_from([{"serve": "on"}, {"serve": "off"}, {"rollout": 40}, {"rollout": 60}])
_flag = st.fixed_dictionaries(
    {"default": _serve},
    optional={
        "expires_at": st.integers(2, 12).map(lambda day: f"2026-01-{day:02}"),
        "schedule": st.lists(st.integers(2, 12), min_size=1, max_size=2, unique=True).flatmap(
            lambda days: st.tuples(*(_serve for _ in days)).map(
                lambda served: [{"at": f"2026-01-{d:02}", "default": s} for d, s in zip(days, served, strict=True)]
            )
        ),
        "requires": st.just([{"flag": "wishlist-edit"}]),
    },
).map(flag_text)
_changes = st.lists(st.tuples(st.sampled_from([FLAG, OTHER]), _flag), min_size=2, max_size=7)


@given(changes=_changes)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_story_is_what_evaluating_every_commit_on_every_day_tells(
    make_repo: Callable[..., Path], git: GitRun, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any,
    changes: list[tuple[str, str]],
) -> None:  # fmt: skip
    changes = [(path, text if path == FLAG else text.replace("wishlist-edit", "nothing")) for path, text in changes]
    repo = make_repo(name=f"repo-{tmp_path_factory.mktemp('x').name}")
    made = []
    for day, (path, text) in enumerate(changes, start=1):
        (repo / path).write_text(text)
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{START + day * DAY + DAY // 2} +0000")
        git(repo, "commit", "-q", "-a", "--allow-empty", "-m", f"Day {day}")
        made.append(git(repo, "rev-parse", "HEAD").strip())
    evaluators = []
    for commit_ in made:
        with CommitTree(Git(repo), commit_) as tree:
            held = read_repository(tree).repository
            evaluators.append(Evaluator(snapshot(held.environments["development"], held.settings, {})))
    person = {"targetingKey": "ada"}
    expected, last = [], None
    for half in range(3, 40):
        now = START + half * DAY // 2
        index = min((half - 1) // 2, len(made)) - 1
        answer = evaluators[index].evaluate("wishlist-gallery", person, now).variant
        if last is not None and answer != last:
            expected.append((now, last, answer))
        last = answer
    story = why(Git(repo), "development", "wishlist-gallery", person, START + 3 * DAY // 2, START + 20 * DAY)
    assert [(t.time, t.old.variant, t.new.variant) for t in story.transitions] == expected
