"""An audience names a tag that no flag has.

Its snapshot lacks what you meant to be in it, and whoever reads it gets their own default for every flag.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.model.repository import Repository
from flagctl.problems import Problem, did_you_mean, pointer

ID = "audience-tag"
SEVERITY = "warning"
_FLAG = """\
description: Show the wishlist gallery page.
owner: {team: growth}
tags: [web]
"""
BAD = {
    "flags/flagctl.yaml": """\
environments: {production: {}}
audiences:
  web:
    tags: [wbe]    # <- mistyped
""",
    "flags/production/gallery.yaml": _FLAG,
}
GOOD = {
    "flags/flagctl.yaml": """\
environments: {production: {}}
audiences:
  web:
    tags: [web]
""",
    "flags/production/gallery.yaml": _FLAG,
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Each tag of each audience, once every flag could be read."""
    held = repository.environments.values()
    if not repository.settings.audiences or any(len(one.flags) != len(one.flag_files) for one in held):
        return
    known = {tag for one in held for flag in one.flags.values() for tag in flag.tags}
    for name, audience in repository.settings.audiences.items():
        for i, tag in enumerate(audience.tags):
            if tag not in known:
                yield Problem(
                    rule=ID,
                    message=f'no flag has the tag "{tag}"',
                    file="flags/flagctl.yaml",
                    pointer=pointer("audiences", name, "tags", i),
                    hint=did_you_mean(tag, known) or "give it to the flags that belong to this audience",
                )
