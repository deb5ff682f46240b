"""A flag is in an environment but not in the one it promotes from.

Changes travel in the order of promotion, so that what production serves was tried elsewhere before. The next promotion
would know nothing of this flag.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "missing-upstream"
SEVERITY = "warning"
_SETTINGS = """\
environments:
  staging: {}
  production: {promotes_from: staging}
"""
_FLAG = """\
description: Show the wishlist gallery page.{}
owner: {{team: growth}}
default: {{serve: on}}
"""
BAD = {"flags/flagctl.yaml": _SETTINGS, "flags/production/wishlist.yaml": _FLAG.format("    # <- not in staging")}
GOOD = {
    "flags/flagctl.yaml": _SETTINGS,
    "flags/staging/wishlist.yaml": _FLAG.format(""),
    "flags/production/wishlist.yaml": _FLAG.format(""),
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Flags whose key has no file upstream; one that can't be read is there all the same."""
    settings = view.repository.settings.environments.get(view.environment.name)
    origin = view.repository.environments.get(settings.promotes_from) if settings else None
    if origin is None:
        return
    for one in view.flags:
        if one.flag.key not in origin.flag_files:
            message = f"flag {one.flag.key} is not in {origin.name}, from which {view.environment.name} is promoted"
            yield one.problem(ID, message, hint=f"add it to flags/{origin.name} first")
