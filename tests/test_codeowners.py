"""CODEOWNERS: the same people as approvals ask for, and found by `check` when it is stale."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from flagtree import reading

from flagctl.plan.codeowners import BEGIN, END, lines, renewed

Run = Callable[..., "subprocess.CompletedProcess[str]"]
GitRun = Callable[..., str]
TEAMS = """\
teams:
  growth: {handle: "@acme/growth"}
  pay: {members: ["@ada", bob@example.com]}
  sre: {handle: "@acme/sre"}
  ghost:
"""


def settings(approvals: str) -> str:
    return f"environments:\n  staging: {{}}\n  production:\n    protected: true\n    approvals: {approvals}\n{TEAMS}"


def flag(team: str) -> str:
    return f"description: A flag.\nowner: {{team: {team}}}\ndefault: {{serve: on}}\n"


SEGMENT = "description: S.\nowner: {team: growth}\nwhen: [{attribute: age, exists: true}]\n"
FLAGS = {
    "flags/production/shop/a.yaml": flag("pay"),
    "flags/production/shop/deep/b.yaml": flag("pay"),
    "flags/production/web/c.yaml": flag("growth"),
    "flags/production/web/d.yaml": flag("pay"),
    "flags/production/web/e.yaml": flag("ghost"),
    "flags/production/segments/s.yaml": SEGMENT,
    "flags/staging/f.yaml": flag("growth"),
}
SHARED = ["/flags/flagctl.yaml @acme/sre", "/flags/attributes.yaml @acme/sre", "/flags/production/ @acme/sre"]


@pytest.mark.parametrize(
    ("approvals", "expected"),
    [
        ("{from: [sre]}", SHARED),
        ("{required: 1}", []),
        (
            "{from: [sre], owner: true}",
            [
                *SHARED,
                "/flags/production/segments/ @acme/growth",
                "/flags/production/shop/ @ada bob@example.com",
                "/flags/production/web/c.yaml @acme/growth",
                "/flags/production/web/d.yaml @ada bob@example.com",
            ],
        ),
        ("{from: ['@eve']}", [line.replace("@acme/sre", "@eve") for line in SHARED]),
    ],
)
def test_paths_belong_to_whom_approvals_ask(approvals: str, expected: list[str]) -> None:
    repository = reading({"flags/flagctl.yaml": settings(approvals), **FLAGS}).repository
    assert list(lines(repository)) == expected
    assert list(lines(repository, "infra/")) == [line.replace("/flags", "/infra/flags", 1) for line in expected]


def test_what_others_wrote_stays() -> None:
    repository = reading({"flags/flagctl.yaml": settings("{from: [sre]}"), **FLAGS}).repository
    first = renewed("* @acme/all\n", repository)
    assert first == "\n".join(["* @acme/all", "", BEGIN, *SHARED, END, ""])
    between = first.replace("@acme/sre", "@nobody") + "/docs/ @acme/docs\n"
    assert renewed(between, repository) == first + "/docs/ @acme/docs\n"
    assert renewed(first, repository) == first


def test_the_command_writes_it_and_check_tells_when_it_is_stale(flagctl: Run, repo: Path) -> None:
    path = repo / "flags/flagctl.yaml"
    policy = '    approvals: {from: ["@ada"]}\n'
    path.write_text(path.read_text() + policy)
    assert flagctl("codeowners", "--check").returncode == 1
    shown = flagctl("codeowners", "-n").stdout
    assert "+++ b/.github/CODEOWNERS" in shown
    assert "+/flags/production/ @ada" in shown
    assert not (repo / ".github").exists()
    assert flagctl("codeowners").returncode == 0
    assert "/flags/production/ @ada\n" in (repo / ".github/CODEOWNERS").read_text()
    assert flagctl("codeowners", "--check").returncode == 0
    assert flagctl("check").returncode == 0
    path.write_text(path.read_text().replace("@ada", "@bob"))
    done = flagctl("check")
    assert done.returncode == 1
    assert ".github/CODEOWNERS:1:1: error: owners or settings have changed" in done.stdout
    assert "[stale-codeowners]" in done.stdout


def test_a_file_of_somebody_else_is_no_problem(flagctl: Run, repo: Path) -> None:
    (repo / "CODEOWNERS").write_text("* @acme/all\n")
    assert flagctl("check").returncode == 0
    for arguments in ([], ["--check"]):  # nobody has to approve: there is nothing to write
        done = flagctl("codeowners", *arguments)
        assert (done.returncode, done.stdout) == (0, "")
        assert "nothing to write: settings ask nobody for approvals" in done.stderr
    assert (repo / "CODEOWNERS").read_text() == "* @acme/all\n"
    (repo / "flags/flagctl.yaml").write_text(settings("{from: [sre]}"))
    assert flagctl("codeowners").returncode == 0
    assert (repo / "CODEOWNERS").read_text().startswith("* @acme/all\n\n" + BEGIN)
