"""Approvals ask for a team that settings don't describe.

Nobody could give the approval: who is in a team is what `teams` in `flags/flagctl.yaml` says, by names or by the team's
handle at the forge. A person is written as @login or by e-mail. With `owner: true` every owning team has to be there.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import one_of
from flagctl.check.view import FlagView
from flagctl.model.repository import Repository
from flagctl.problems import Problem, did_you_mean, pointer

ID = "unknown-team"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    protected: true
    approvals: {required: 1, from: [srre]}    # <- mistyped
teams:
  sre: {members: ["@ada"]}
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    protected: true
    approvals: {required: 1, from: [sre, "@bob"]}
teams:
  sre: {members: ["@ada"]}
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Teams that approvals name."""
    teams = repository.settings.teams
    for name, environment in repository.settings.environments.items():
        approvals = environment.approvals
        for index, team in enumerate(approvals.teams if approvals is not None else ()):
            if team not in teams and "@" not in team:
                yield Problem(
                    rule=ID,
                    message=f'no team "{team}"',
                    hint=did_you_mean(team, teams) or (one_of(teams) if teams else f"add {team} to teams"),
                    file="flags/flagctl.yaml",
                    pointer=pointer("environments", name, "approvals", "from", index),
                )


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Owning teams that have to approve, and that nobody can look up."""
    settings = view.repository.settings
    own = settings.environments.get(view.environment.name)
    team = view.flag.owner.team
    if own is not None and own.approvals is not None and own.approvals.owner and team not in settings.teams:
        hint = did_you_mean(team, settings.teams) or f"add {team} to teams in flags/flagctl.yaml"
        yield view.problem(ID, f'no team "{team}", and owners have to approve here', "/owner/team", hint=hint)
