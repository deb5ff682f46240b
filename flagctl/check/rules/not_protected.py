"""Settings ask how changes of an environment come in, and don't protect it.

`require_merge` and `require_signed` are looked at by `flagctl log --verify`, which judges protected environments alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.model.repository import Repository
from flagctl.problems import Problem, pointer

ID = "not-protected"
SEVERITY = "warning"
BAD = {
    "flags/flagctl.yaml": """\
environments:
  production: {require_signed: true}    # <- and not protected: true
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments:
  production: {protected: true, require_signed: true}
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """What is asked of changes in an environment that is not protected."""
    for name, environment in repository.settings.environments.items():
        for field in ("require_merge", "require_signed"):
            if getattr(environment, field) and not environment.protected:
                yield Problem(
                    rule=ID,
                    message=f"{field} does nothing here: {name} is not protected",
                    hint="add protected: true, or take it out",
                    file="flags/flagctl.yaml",
                    pointer=pointer("environments", name, field),
                )
