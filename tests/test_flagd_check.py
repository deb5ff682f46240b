"""`check` shows what flagd can't say, misses none of it, and settings decide what that means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flagtree import flag, problems
from random_flags import world

from flagctl.check.unsaid import unsaid
from flagctl.check.view import EnvironmentView
from flagctl.compile.flagd import definition
from flagctl.model.repository import Repository

REGEX = """\
rules:
  - name: one
    when: [{attribute: email, matches: "^a"}]
    serve: on
"""


@pytest.mark.parametrize("seed", range(20))
def test_what_is_not_looked_at_could_be_said(seed: int) -> None:
    made = world(Random(seed), flags=60)
    environment = made.environment
    environment.flag_files = {key: f"flags/production/{key}.yaml" for key in environment.flags}
    environment.segment_files = {name: f"flags/production/segments/{name}.yaml" for name in environment.segments}
    repository = Repository(
        settings=made.settings, attributes=made.attributes, environments={"production": environment}
    )
    everything = definition(made.document).unsaid
    assert everything
    assert sorted(unsaid(EnvironmentView(environment, repository, 0)), key=str) == sorted(everything, key=str)


def test_a_pattern_in_a_segment_is_shown_in_each_flag_that_uses_it() -> None:
    found = problems(
        {
            "flags/production/a.yaml": flag("rules: [{name: one, when: [{segment: s}], serve: on}]\n"),
            "flags/production/b.yaml": flag("rules: [{name: one, when: [{not: {segment: s}}], serve: on}]\n"),
            "flags/production/c.yaml": flag(),
            "flags/production/segments/s.yaml": "when: [{attribute: email, matches: '^a'}]\n",
        },
        flagd=True,
    )
    assert [(p.file, p.rule, p.pointer, p.severity) for p in found] == [
        ("flags/production/a.yaml", "flagd-regex", "/rules/0/when/0/segment", "warning"),
        ("flags/production/b.yaml", "flagd-regex", "/rules/0/when/0/not/segment", "warning"),
    ]
    assert found[0].message == "segment s: flagd has no regular expressions; the flag is left out of flagd.json"


@pytest.mark.parametrize(("severity", "status"), [("", 0), ("warning", 0), ('"off"', 0), ("error", 1)])
def test_policy_decides_whether_it_stops_a_build(
    repo: Path, flagctl: Callable[..., Any], severity: str, status: int
) -> None:
    (repo / "flags/production/wishlist-edit.yaml").write_text(flag(REGEX))
    if severity:
        with (repo / "flags/flagctl.yaml").open("a") as file:
            file.write(f"check:\n  severity:\n    flagd-regex: {severity}\n")
    done = flagctl("build", "production", "--format", "flagd")
    assert done.returncode == status, done.stderr
    if status:
        assert "[flagd-regex]" in done.stderr
        assert done.stdout == ""
    else:
        assert set(json.loads(done.stdout)["flags"]) == {"wishlist-gallery"}
        assert "left out, for flagd can't say them: wishlist-edit" in done.stderr


def test_publish_says_which_flags_flagd_readers_do_not_get(repo: Path, flagctl: Callable[..., Any], git: Any) -> None:
    (repo / "flags/production/wishlist-edit.yaml").write_text(flag(REGEX))
    git(repo, "commit", "-qam", "A pattern")
    done = flagctl("publish", "production", "--no-self-test")
    assert done.returncode == 0, done.stderr
    assert "not in flagd.json, for flagd can't say them: production/wishlist-edit" in done.stderr
    assert "development/" not in done.stderr
    assert set(json.loads((repo / "published/production/flagd.json").read_bytes())["flags"]) == {"wishlist-gallery"}


def test_build_writes_it_where_flagd_readers_look(repo: Path, flagctl: Callable[..., Any]) -> None:
    assert flagctl("build", "--all", "--format", "flagd", "-o", repo / "out").returncode == 0
    assert sorted(path.relative_to(repo / "out").as_posix() for path in (repo / "out").rglob("*.json")) == [
        "development/flagd.json",
        "production/flagd.json",
    ]


def test_build_and_publish_warn_of_more_than_a_grpc_message_holds(
    repo: Path, flagctl: Callable[..., Any], git: Any
) -> None:
    for number in range(5):
        people = ", ".join(f"{number}-{'x' * 40}-{person}" for person in range(19_000))
        (repo / f"flags/production/many-{number}.yaml").write_text(flag(f"overrides: {{on: [{people}]}}\n"))
    done = flagctl("build", "production", "--format", "flagd")
    assert done.returncode == 0, done.stderr[:2000]
    (said,) = [line for line in done.stderr.splitlines() if "gRPC" in line]
    assert f"production has {len(done.stdout.encode()):,} bytes, more than a gRPC message holds (4,194,304)" in said
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Many people")
    sent = flagctl("publish", "production", "--no-self-test", "--dry-run").stderr
    digits = re.compile(r"has [\d,]+ bytes")  # it knows the commit, and versions
    assert digits.sub("", said) in [digits.sub("", line) for line in sent.splitlines()]
