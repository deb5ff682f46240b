"""A condition names a segment that this environment does not have.

Segments belong to an environment (`flags/<environment>/segments/`), so that nothing outside it can change whom it
serves. One that is missing can't match anybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import one_of
from flagctl.check.view import View
from flagctl.problems import Problem, did_you_mean

ID = "unknown-segment"
SEVERITY = "error"
BAD = {
    "flags/production/segments/beta-testers.yaml": """\
description: People who asked for it.
when:
  - {attribute: plan, equals: pro}
""",
    "flags/production/wishlist.yaml": """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: beta
    when:
      - {segment: beta-testers}
      - {segment: beta-tester}    # <- mistyped
    serve: on
""",
}
GOOD = {
    "flags/production/segments/beta-testers.yaml": """\
description: People who asked for it.
when:
  - {attribute: plan, equals: pro}
""",
    "flags/production/wishlist.yaml": """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: beta
    when:
      - {segment: beta-testers}
    serve: on
""",
}


def check_conditions(view: View) -> Iterator[Problem]:
    """Segments that conditions ask for; one whose file can't be read is there all the same."""
    if not view.segments:
        return
    known = view.environment.segment_files
    for name, place in view.segments:
        if name not in known:
            hint = did_you_mean(name, known) or one_of(known) or f"write {_file(view, name)}"
            yield view.problem(ID, f'no segment "{name}" in {view.environment.name}', f"{place}/segment", hint=hint)


def _file(view: View, name: str) -> str:
    return f"flags/{view.environment.name}/segments/{name}.yaml"
