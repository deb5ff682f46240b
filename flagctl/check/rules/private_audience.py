"""A flag for an audience holds something private.

An audience's snapshot can be read by everybody in it: in a browser, by anybody. A condition on a private attribute
tells the values that it looks for, and an override or a condition may name a person by e-mail address. Such a flag,
and what requires it, is left out of the audience, and there its callers get their own default.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import EnvironmentView
from flagctl.compile.audience import private
from flagctl.compile.snapshot import snapshot
from flagctl.problems import Problem

ID = "private-audience"
SEVERITY = "error"
_SETTINGS = "environments: {production: {}}\naudiences: {web: {tags: [web]}}\n"
BAD = {
    "flags/flagctl.yaml": _SETTINGS,
    "flags/production/gallery.yaml": """\
description: Show the wishlist gallery page.
owner: {team: growth}
tags: [web]
rules:
  - name: staff
    when:
      - {attribute: email, ends_with: "@example.com"}    # <- email is private
    serve: on
""",
}
GOOD = {
    "flags/flagctl.yaml": _SETTINGS,
    "flags/production/gallery.yaml": """\
description: Show the wishlist gallery page.
owner: {team: growth}
tags: [web]
rules:
  - name: germany
    when:
      - {attribute: country, equals: DE}
    serve: on
""",
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """What the snapshots of audiences would hold of this environment."""
    settings, held = view.repository.settings, view.environment
    if not settings.audiences:
        return
    document = snapshot(held, settings, view.repository.attributes)
    told: set[tuple[str, str]] = set()
    for audience in settings.audiences.values():
        for found in private(document, audience):
            file = held.segment_files[found.segment] if found.segment else held.flag_files[found.flag]
            if (file, found.pointer) in told:
                continue
            told.add((file, found.pointer))
            used = f", and {found.flag} uses it" if found.segment else ""
            message = f"{found.what}{used}: {found.flag} can't be in the audience {audience.name}"
            yield Problem(
                rule=ID, message=message, file=file, pointer=found.pointer,
                hint="ask for something else, or take the tag away from the flag and from what requires it",
            )  # fmt: skip
