"""Promotion: what changed in the source flows, what is the target's own stays, what both changed is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagctl.compile.snapshot import snapshot
from flagctl.errors import FlagctlError, RefusedError, UsageError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.files import edit
from flagctl.history.change import Changed, apply
from flagctl.history.git import Git
from flagctl.history.promote import Promotion, Wanted, direction, promote, takes
from flagctl.plan.impact import impact
from flagctl.project import Project

GitRun = Callable[..., str]
Run = Callable[..., Any]
NOW = 1_790_000_000
SETTINGS = """\
environments:
  development: {}
  staging: {promotes_from: development}
  production: {promotes_from: staging, protected: true, owned: [overrides]}
"""
ATTRIBUTES = "attributes:\n  country: {type: string}\n  plan: {type: string}\n"
FLAG = """\
description: The new checkout.
owner: {team: shop}
tags: [shop]
rules:
  - name: eu
    when:
      - {attribute: country, in: [DE, FR]}
    rollout: 50
default:
  rollout: 10
"""
STAGING, PRODUCTION = "flags/staging/shop/checkout.yaml", "flags/production/shop/checkout.yaml"


@pytest.fixture
def shop(make_repo: Callable[..., Path]) -> Path:
    """A repository whose staging and production say the same of one flag, with comments of their own."""
    return make_repo(
        {
            "flags/flagctl.yaml": SETTINGS,
            "flags/attributes.yaml": ATTRIBUTES,
            STAGING: FLAG,
            PRODUCTION: FLAG.replace("  rollout: 10\n", "  rollout: 10   # decided in March\n"),
        },
        name="shop",
    )


def change(repo: Path, git: GitRun, path: str, *pairs: tuple[str, str]) -> None:
    text = (repo / path).read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (repo / path).write_text(text)
    git(repo, "commit", "-qam", "Change")


def put(repo: Path, git: GitRun, path: str, text: str | None) -> None:
    file = repo / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink() if text is None else file.write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Put")


def found(repo: Path, *keys: str, **wanted: Any) -> Promotion:
    project = Project(repo)
    given = {"source": "staging", "target": "production", "keys": keys} | wanted
    return promote(project, Git(repo), project.read(), Wanted(**given))


def promoted(repo: Path, *keys: str, **wanted: Any) -> Changed:
    """Promote onto the current branch."""
    what = found(repo, *keys, **wanted)
    assert not what.conflicts, what.conflicts
    return apply(
        Project(repo), what.texts, before=what.before, message=what.subject, trailers=what.trailers, reason="r",
        commit=True, dry_run=False, now=NOW,
    )  # fmt: skip


def test_what_the_source_changed_flows_and_the_targets_own_stays_with_its_comments(shop: Path, git: GitRun) -> None:
    change(shop, git, STAGING, ("[DE, FR]", "[DE, FR, AT]"), ("tags: [shop]", "tags: [shop, eu]"))
    change(
        shop, git, PRODUCTION, ("rollout: 50", "rollout: 20"), ("tags: [shop]", "overrides: {on: [ada]}\ntags: [shop]")
    )
    before = (shop / PRODUCTION).read_text()
    done = promoted(shop, "checkout")
    after = before.replace("[DE, FR]", "[DE, FR, AT]").replace("tags: [shop]", "tags: [shop, eu]")
    assert (shop / PRODUCTION).read_text() == after
    trailers = git(shop, "log", "-1", "--format=%(trailers:only)").splitlines()
    source = git(shop, "rev-parse", "HEAD~1").strip()
    assert trailers[:3] == ["Flag: checkout", "Environment: production", f"Promoted-From: staging@{source}"]
    assert done.commit
    assert promoted(shop, "checkout").diff == ""


def test_the_next_promotion_starts_from_the_last_one(shop: Path, git: GitRun) -> None:
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"))
    promoted(shop, "checkout")
    change(shop, git, PRODUCTION, ("rollout: 30", "rollout: 25"))
    change(shop, git, STAGING, ("rollout: 50", "rollout: 60"))
    promoted(shop, "checkout")
    text = (shop / PRODUCTION).read_text()
    assert "rollout: 60" in text
    assert "rollout: 25   # decided in March" in text
    change(shop, git, STAGING, ("rollout: 30", "rollout: 40"))
    (conflict,) = found(shop, "checkout").conflicts
    assert (conflict[1].spelled, conflict[1].base, conflict[1].ours, conflict[1].theirs) == (
        "default/rollout",
        30,
        25,
        40,
    )


def test_deletions_flow_rules_keep_their_order_and_new_ones_come_with_comments(shop: Path, git: GitRun) -> None:
    new = (
        "  # people who pay\n  - name: paying\n    when:\n      - {attribute: plan, equals: pro}   # or better\n"
        "    serve: on\n"
    )
    change(shop, git, STAGING, ("rules:\n", "rules:\n" + new), ("tags: [shop]\n", ""))
    change(
        shop,
        git,
        PRODUCTION,
        ("default:", "  - name: own\n    when:\n      - {attribute: plan, equals: x}\n    serve: off\ndefault:"),
    )
    before = (shop / PRODUCTION).read_text()
    promoted(shop, "checkout")
    assert (shop / PRODUCTION).read_text() == before.replace("rules:\n", "rules:\n" + new).replace("tags: [shop]\n", "")


@pytest.mark.parametrize(
    ("take", "rollout"), [(["source"], 30), (["target"], 20), (["default/rollout=source", "target"], 30)]
)
def test_a_conflict_is_shown_and_settled(shop: Path, git: GitRun, flagctl: Run, take: list[str], rollout: int) -> None:
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"))
    change(shop, git, PRODUCTION, ("rollout: 10", "rollout: 20"))
    before = git(shop, "rev-parse", "HEAD")
    refused = flagctl("promote", "checkout", "--to", "production", "--reason", "r", cwd=shop)
    assert refused.returncode == 5
    lines = [line.split() for line in refused.stderr.splitlines()]
    assert lines[1:4] == [["before:", "10"], ["production:", "20"], ["staging:", "30"]]
    assert "--take" in refused.stderr
    assert git(shop, "rev-parse", "HEAD") == before
    options = [word for side in take for word in ("--take", side)]
    done = flagctl("promote", "checkout", "--to", "production", "--reason", "r", "--direct", *options, cwd=shop)
    assert done.returncode == 0, done.stderr
    assert edit.read((shop / PRODUCTION).read_text())["default"] == {"rollout": rollout}
    again = flagctl("promote", "checkout", "--to", "production", "-n", "--take", "default/rolout=target", cwd=shop)
    assert "warning: --take default/rolout settles nothing: that field is in no conflict" in again.stderr


@pytest.mark.parametrize(
    ("answers", "code", "description", "rollout"),
    [
        ("s\nt\n", 0, "A new checkout.", 20),
        ("what?\n\nProduction\nstaging\n", 0, "Our new checkout.", 40),
        ("s\nq\n", 5, "Our new checkout.", 20),
    ],
)
def test_a_person_at_a_terminal_settles_conflicts_one_by_one(
    shop: Path,
    git: GitRun,
    at_terminal: Callable[..., tuple[int, str]],
    answers: str,
    code: int,
    description: str,
    rollout: int,
) -> None:
    change(shop, git, STAGING, ("rollout: 10", "rollout: 40"), ("The new", "A new"))
    change(shop, git, PRODUCTION, ("rollout: 10", "rollout: 20"), ("The new", "Our new"))
    done, said = at_terminal(answers, "promote", "checkout", "--to", "production", "-r", "r", "--direct", cwd=shop)
    assert done == code, said
    assert said.count("take it from staging (s), keep production's (t), or stop (q)?: ") == answers.count("\n")
    assert said.index("description was changed on both sides") < said.index("default/rollout was changed on both sides")
    after = edit.read((shop / PRODUCTION).read_text())
    assert (after["description"], after["default"]) == (description, {"rollout": rollout})


def test_owned_fields_and_rules_that_stay_at_home_never_move(shop: Path, git: GitRun) -> None:
    home = "  - name: testers\n    promote: false\n    when:\n      - {attribute: plan, equals: test}\n    serve: on\n"
    change(shop, git, STAGING, ("rules:\n", "overrides: {on: [tester]}\nrules:\n" + home))
    assert promoted(shop, "checkout").diff == ""
    mine = home.replace("testers", "mine")
    change(shop, git, PRODUCTION, ("rules:\n", "overrides: {off: [eve]}\nrules:\n" + mine))
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"), ("[tester]", "[tester, eve]"))
    promoted(shop, "checkout")
    data = edit.read((shop / PRODUCTION).read_text())
    assert data["overrides"] == {"off": ["eve"]}
    assert [rule["name"] for rule in data["rules"]] == ["mine", "eu"]
    assert data["default"] == {"rollout": 30}


NEW = "description: New.\nowner: {team: shop}\n# why it is on\nenabled: true\ndefault: {serve: on}   # all\n"


def test_a_rule_that_stayed_at_home_is_nothing_that_the_target_lacks(shop: Path, git: GitRun) -> None:
    trial = "rules:\n  - name: trial\n    promote: false\n    when: [{attribute: plan, equals: pro}]\n    serve: on\n"
    for key in ("one", "two"):
        put(shop, git, f"flags/staging/{key}.yaml", NEW + trial)
        promoted(shop, key)
        assert (shop / f"flags/production/{key}.yaml").read_text() == NEW
    put(shop, git, "flags/staging/one.yaml", None)
    put(shop, git, "flags/staging/two.yaml", NEW + trial.replace("    promote: false\n", ""))
    promoted(shop, "one", "two")
    assert not (shop / "flags/production/one.yaml").exists()
    assert edit.read((shop / "flags/production/two.yaml").read_text())["rules"][0]["name"] == "trial"


def test_a_new_flag_arrives_as_it_is_or_off(shop: Path, git: GitRun) -> None:
    for key in ("one", "two"):
        put(shop, git, f"flags/staging/team/{key}.yaml", NEW + "overrides: {on: [ada]}\n")
    promoted(shop, "one")
    assert (shop / "flags/production/team/one.yaml").read_text() == NEW
    promoted(shop, "two", disabled=True)
    assert (shop / "flags/production/team/two.yaml").read_text() == NEW.replace("enabled: true", "enabled: false")
    promoted(shop, "one", disabled=True)
    assert (shop / "flags/production/team/one.yaml").read_text() == NEW


def test_a_flag_that_the_source_removed_goes_unless_the_target_changed_it(
    shop: Path, git: GitRun, flagctl: Run
) -> None:
    for key in ("one", "two"):
        put(shop, git, f"flags/staging/{key}.yaml", NEW)
        promoted(shop, key)
        put(shop, git, f"flags/staging/{key}.yaml", None)
    change(shop, git, "flags/production/two.yaml", ("serve: on", "serve: off"))
    put(shop, git, "flags/production/own.yaml", NEW)
    assert [file for file, _ in found(shop, everything=True, keys=()).conflicts] == ["flags/production/two.yaml"]
    refused = flagctl("promote", "one", "--to", "production", "--reason", "r", "--direct", cwd=shop)
    assert refused.returncode == 5
    assert "This removes flags/production/one.yaml" in refused.stderr
    promoted(shop, everything=True, keys=(), take=takes(["target"]))
    left = {path.name for path in (shop / "flags/production").rglob("*.yaml")}
    assert left == {"two.yaml", "own.yaml", "checkout.yaml"}
    with pytest.raises(UsageError, match="own is only in production"):
        found(shop, "own")


def needing(shop: Path, git: GitRun) -> None:
    put(shop, git, "flags/staging/segments/eu.yaml", "description: EU.\nwhen:\n  - {segment: de}\n")
    put(shop, git, "flags/staging/segments/de.yaml", "description: DE.\nwhen:\n  - {attribute: country, equals: DE}\n")
    put(shop, git, "flags/staging/core.yaml", NEW)
    rules = "rules:\n  - name: eu\n    when: [{segment: eu}]\n    serve: on\n"
    needy = f"description: Needy.\nowner: {{team: t}}\nrequires: [{{flag: core}}]\n{rules}"
    put(shop, git, "flags/staging/needy.yaml", needy)


def test_what_a_flag_needs_is_listed_or_comes_along_and_nothing_is_overwritten(shop: Path, git: GitRun) -> None:
    needing(shop, git)
    with pytest.raises(
        RefusedError, match="production lacks what needy needs: flag core, segment eu, segment de"
    ) as error:
        found(shop, "needy")
    assert error.value.hint.startswith("--with-dependencies")
    other = "description: DE.\nwhen:\n  - {attribute: country, equals: de}\n"
    put(shop, git, "flags/production/segments/de.yaml", other)
    what = found(shop, "needy", dependencies=True)
    assert sorted(what.texts) == [
        "flags/production/core.yaml", "flags/production/needy.yaml", "flags/production/segments/eu.yaml",
    ]  # fmt: skip
    assert what.notes == (
        "segment de is another in production than in staging, and stays so", "brought along: flag core, segment eu",
    )  # fmt: skip
    assert promoted(shop, "needy", dependencies=True).commit
    assert (shop / "flags/production/segments/de.yaml").read_text() == other


def test_without_a_record_what_differs_is_asked(shop: Path, git: GitRun) -> None:
    put(shop, git, "flags/production/old.yaml", NEW.replace("serve: on", "serve: off"))
    put(shop, git, "flags/staging/old.yaml", NEW.replace("enabled: true", "enabled: true\ntags: [x]"))
    what = found(shop, "old")
    assert [conflict.spelled for _, conflict in what.conflicts] == ["default/serve"]
    assert "nothing tells what was promoted before" in what.notes[0]
    promoted(shop, "old", take=takes(["source"]))
    assert found(shop, "old").notes == ()


@pytest.mark.parametrize(
    ("source", "target", "force", "expected"),
    [
        ("", "production", False, ("staging", "production")),
        ("staging", "", False, ("staging", "production")),
        ("development", "production", True, ("development", "production")),
        ("development", "production", False, RefusedError),
        ("production", "staging", False, RefusedError),
        ("", "development", False, UsageError),
        ("", "", False, UsageError),
        ("staging", "staging", True, UsageError),
        ("stagin", "production", False, UsageError),
    ],
)
def test_the_direction_is_that_of_the_settings(
    shop: Path, source: str, target: str, force: bool, expected: tuple[str, str] | type[FlagctlError]
) -> None:
    known = Project(shop).read().repository.settings
    if isinstance(expected, tuple):
        assert direction(known, source, target, force=force) == expected
        return
    with pytest.raises(expected) as raised:
        direction(known, source, target, force=force)
    assert raised.value.hint or source == target


def test_what_can_not_be_promoted_is_named(shop: Path, git: GitRun) -> None:
    with pytest.raises(UsageError, match='no flag "chekout"') as raised:
        found(shop, "chekout")
    assert raised.value.hint == "did you mean checkout?"
    with pytest.raises(UsageError, match='has the tag "x"'):
        found(shop, tag="x")
    with pytest.raises(UsageError, match="say which flags"):
        found(shop)
    with pytest.raises(UsageError, match="neither source nor target"):
        takes(["mine"])
    (shop / STAGING).write_text(FLAG + "# more\n")
    with pytest.raises(RefusedError, match="is not committed as it is"):
        found(shop, "checkout")


def test_a_shallow_clone_says_that_it_lacks_the_base(shop: Path, git: GitRun, tmp_path: Path) -> None:
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{shop}", "shallow")
    with pytest.raises(RefusedError, match="shallow") as raised:
        found(tmp_path / "shallow", "checkout")
    assert "fetch-depth: 0" in raised.value.hint


# ---- by branch ----


def test_a_protected_target_gets_a_branch_that_the_next_run_brings_up_to_date(
    shop: Path, git: GitRun, flagctl: Run, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(shop, "push", "-q", "-u", "origin", "main")
    arguments = ("promote", "checkout", "--to", "production", "--reason", "tested", "--json")
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"))
    head = git(shop, "rev-parse", "HEAD").strip()
    first = flagctl(*arguments, cwd=shop)
    assert first.returncode == 0, first.stderr
    assert "warning: the branch brings a commit of main along that origin does not have" in first.stderr
    git(shop, "push", "-q")
    assert "warning" not in flagctl(*arguments, cwd=shop).stderr
    done = json.loads(first.stdout)
    branch = done["branch"]
    assert branch.startswith("flagctl/promote/staging-production/checkout-")
    assert f"open a pull request from {branch} to main" in first.stderr
    assert git(tmp_path / "remote.git", "rev-parse", branch).strip() == done["commit"]
    assert git(shop, "diff", "--name-only", head, branch) == PRODUCTION + "\n"
    assert "Reason: tested" in git(shop, "log", "-1", "--format=%B", branch)
    assert (git(shop, "rev-parse", "HEAD").strip(), git(shop, "status", "--porcelain")) == (head, "")
    assert git(shop, "for-each-ref", "--format=%(refname)").split() == [
        f"refs/heads/{branch}", "refs/heads/main", f"refs/remotes/origin/{branch}", "refs/remotes/origin/main",
    ]  # fmt: skip
    assert json.loads(flagctl(*arguments, cwd=shop).stdout)["commit"] == done["commit"]
    change(shop, git, STAGING, ("rollout: 30", "rollout: 35"))
    again = json.loads(flagctl(*arguments, cwd=shop).stdout)
    assert again["branch"] == branch
    assert "rollout: 35" in git(tmp_path / "remote.git", "show", f"{branch}:{PRODUCTION}")
    git(shop, "merge", "-q", branch)
    assert json.loads(flagctl(*arguments, cwd=shop).stdout)["changed"] is False


def test_the_remotes_own_word_on_where_to_open_a_pull_request_is_passed_on(
    shop: Path, git: GitRun, flagctl: Run, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    hook = tmp_path / "remote.git/hooks/post-receive"
    hook.write_text(
        "#!/bin/sh\nread old new ref\necho See https://forge.example.com/news\n"
        "echo '  https://forge.example.com/security'\n"
        'echo "  https://forge.example.com/new?branch=$(echo ${ref#refs/heads/} | sed s:/:%2F:g)"\n'
    )
    hook.chmod(0o755)
    git(shop, "remote", "add", "origin", str(tmp_path / "remote.git"))
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"))
    done = flagctl("promote", "checkout", "--to", "production", "--reason", "tested", cwd=shop)
    assert "next: open https://forge.example.com/new?branch=flagctl%2Fpromote%2Fstaging-production%2Fch" in done.stderr


def test_somebody_elses_commit_on_the_branch_is_not_overwritten(
    shop: Path, git: GitRun, flagctl: Run, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(shop, "push", "-q", "-u", "origin", "main")
    change(shop, git, STAGING, ("rollout: 10", "rollout: 30"))
    arguments = ("promote", "checkout", "--to", "production", "--reason", "tested", "--json")
    branch = json.loads(flagctl(*arguments, cwd=shop).stdout)["branch"]
    git(tmp_path, "clone", "-q", "-b", branch, str(tmp_path / "remote.git"), "other")
    git(tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "A fix")
    git(tmp_path / "other", "push", "-q")
    change(shop, git, STAGING, ("rollout: 30", "rollout: 35"))
    refused = flagctl(*arguments, cwd=shop)
    assert refused.returncode == 4
    assert "somebody else pushed to" in refused.stderr
    assert git(tmp_path / "remote.git", "log", "-1", "--format=%s", branch) == "A fix\n"


@pytest.mark.parametrize(
    ("arguments", "branches"),
    [
        (("set", "checkout", "-e", "production", "--rollout", "20"), True),
        (("set", "checkout", "-e", "production", "--rollout", "20", "--direct"), False),
        (("set", "checkout", "-e", "staging", "--rollout", "20"), False),
        (("remove", "checkout", "-e", "production", "--yes"), True),
        (("rollback", "checkout", "-e", "production"), True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_other_changes_of_a_protected_environment_go_by_branch_too_where_there_is_a_remote(
    shop: Path, git: GitRun, flagctl: Run, tmp_path: Path, arguments: tuple[str, ...], branches: bool
) -> None:
    change(shop, git, PRODUCTION, ("rollout: 50", "rollout: 51"))
    local = flagctl(*arguments, "-r", "why", "-n", cwd=shop)
    assert local.returncode == 0, local.stderr
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(shop, "push", "-q", "-u", "origin", "main")
    head = git(shop, "rev-parse", "HEAD")
    done = flagctl(*arguments, "-r", "why", cwd=shop)
    assert done.returncode == 0, done.stderr
    made = git(tmp_path / "remote.git", "branch", "--format=%(refname:short)").split()
    where = f"flagctl/{arguments[0]}/production/checkout-"
    assert [name.startswith(where) for name in made if name != "main"] == [True] * branches
    assert (git(shop, "rev-parse", "HEAD") == head) is branches
    assert git(shop, "status", "--porcelain") == ""
    git(shop, "checkout", "-q", "-b", "feature")
    change(shop, git, STAGING, ("rollout: 50", "rollout: 52"))
    if arguments[0] == "set":
        assert "on the branch" not in flagctl(*arguments[:-1], "21", "-r", "why", cwd=shop).stderr


# ---- properties ----

_rollouts = st.sampled_from([0, 25, 50, 100])
_bodies = st.builds(
    "description: D.\nowner: {{team: t}}\n{}rules:\n{}default: {{rollout: {}}}\n".format,
    st.sampled_from(["", "enabled: false\n", "overrides: {on: [user-1]}\n"]),
    st.lists(st.sampled_from(["DE", "FR", "US"]), min_size=1, max_size=3, unique=True).map(
        lambda countries: "".join(
            f"  - name: {c}\n    when: [{{attribute: country, equals: {c}}}]\n    rollout: {len(countries) * 20}\n"
            for c in countries
        )
    ),
    _rollouts,
)  # fmt: skip
PEOPLE = [{"targetingKey": f"user-{i}", "country": ("DE", "FR", "US", "NL")[i % 4]} for i in range(120)]


def document(repo: Path) -> dict[str, Any]:
    repository = Project(repo).read().repository
    return snapshot(repository.environments["production"], repository.settings, repository.attributes)


@given(base=_bodies, staging=_bodies, production=_bodies)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_promoting_twice_changes_nothing_and_nobody_changes_whom_the_plan_did_not_count(
    make_repo: Callable[..., Path], git: GitRun, tmp_path_factory: Any, base: str, staging: str, production: str
) -> None:
    files = {"flags/flagctl.yaml": SETTINGS, "flags/attributes.yaml": ATTRIBUTES, STAGING: base, PRODUCTION: base}
    repo = make_repo(files, name=f"repo-{tmp_path_factory.mktemp('x').name}")
    for path, text in ((STAGING, staging), (PRODUCTION, production)):
        (repo / path).write_text(text)
        git(repo, "commit", "-q", "--allow-empty", "-am", "Change")
    before = document(repo)
    promoted(repo, "checkout", take=takes(["source"]))
    after = document(repo)
    told = impact(before, after, "checkout", NOW)
    moves = {(move.before, move.after) for group in told.groups for move in group.moves}
    named = {one.user: one.moves for one in told.users}
    for person in PEOPLE:
        old, new = (Evaluator(each).evaluate("checkout", person, NOW).variant for each in (before, after))
        if old != new:
            assert (old, new) in moves or (old, new) in named.get(person["targetingKey"], ())
    assert promoted(repo, "checkout").diff == ""


@given(bodies=st.lists(_bodies, min_size=4, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_then_b_is_b_then_a(
    make_repo: Callable[..., Path], git: GitRun, tmp_path_factory: Any, bodies: list[str]
) -> None:
    results = []
    for order in (("a", "b"), ("b", "a")):
        files = {"flags/flagctl.yaml": SETTINGS, "flags/attributes.yaml": ATTRIBUTES}
        for key, body in zip("ab", bodies[:2], strict=True):
            files |= {f"flags/{name}/{key}.yaml": body for name in ("staging", "production")}
        repo = make_repo(files, name=f"repo-{tmp_path_factory.mktemp('x').name}")
        for key, body in zip("ab", bodies[2:], strict=True):
            (repo / f"flags/staging/{key}.yaml").write_text(body)
        git(repo, "commit", "-q", "--allow-empty", "-am", "Change")
        for key in order:
            promoted(repo, key)
        results.append([(repo / f"flags/production/{key}.yaml").read_text() for key in "ab"])
    assert results[0] == results[1]
