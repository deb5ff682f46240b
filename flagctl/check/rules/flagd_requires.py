"""A flag requires another that flagd can't say.

flagd has no requirements: the required flag is written out in this one, which can't be done.
As an error it stops publishing; as a warning, or off, the flag is left out of that file, and services that read it
get their own default.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.unsaid import problems
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "flagd-requires"
SEVERITY = "warning"
BAD = {
    "flags/production/gallery.yaml": """\
description: Show the gallery.
owner: {team: growth}
bucketing: {algorithm: launchdarkly-sha1}    # flagctl: allow flagd-foreign-bucketing — nobody may change sides
default: {rollout: 25}
""",
    "flags/production/sharing.yaml": """\
description: Share a wishlist.
owner: {team: growth}
requires:
  - flag: gallery    # <- is left out itself
default: {serve: on}
""",
}
GOOD = {
    "flags/production/gallery.yaml": """\
description: Show the gallery.
owner: {team: growth}
default: {rollout: 25}
""",
    "flags/production/sharing.yaml": """\
description: Share a wishlist.
owner: {team: growth}
requires:
  - flag: gallery
default: {serve: on}
""",
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Flags that are left out of the environment's flagd.json for it."""
    yield from problems(view, ID)
