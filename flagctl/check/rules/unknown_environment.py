"""Settings, a folder or an expectation name an environment that settings don't list.

`flags/flagctl.yaml` lists the environments. What lies in a folder it does not name is never published.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import one_of
from flagctl.model.repository import Repository
from flagctl.problems import Problem, did_you_mean, pointer

ID = "unknown-environment"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments:
  staging: {}
  production:
    promotes_from: stagging    # <- mistyped
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments:
  staging: {}
  production:
    promotes_from: staging
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Environments that others promote from, and folders that look like one."""
    known = repository.settings.environments
    for name, environment in known.items():
        origin = environment.promotes_from
        if origin and origin not in known:
            yield Problem(
                rule=ID,
                message=f'no environment "{origin}"',
                hint=did_you_mean(origin, known) or one_of(known),
                file="flags/flagctl.yaml",
                pointer=pointer("environments", name, "promotes_from"),
            )
    for name, held in repository.environments.items():
        if name not in known:
            file = min([*held.flag_files.values(), *held.segment_files.values()], default=f"flags/{name}")
            yield Problem(
                rule=ID,
                message=f'flags/{name} is no environment: settings don\'t list "{name}"',
                hint=did_you_mean(name, known) or f"add {name} to environments in flags/flagctl.yaml",
                file=file,
            )
