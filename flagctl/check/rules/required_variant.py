"""`requires` asks another flag for a variant that it does not have.

It can never be served, so the requirement never holds. For flags that are not boolean the variant must be named.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import one_of
from flagctl.check.view import FlagView
from flagctl.problems import Problem, did_you_mean

ID = "required-variant"
SEVERITY = "error"
_THEME = """\
description: The look of the landing page.
owner: {team: growth}
type: string
variants: {classic: "v1", winter: "v2"}
off_variant: classic
default: {serve: winter}
"""
BAD = {
    "flags/production/theme.yaml": _THEME,
    "flags/production/snow.yaml": """\
description: Let it snow.
owner: {team: growth}
requires:
  - {flag: theme, variant: wintry}    # <- theme has classic and winter
default: {serve: on}
""",
}
GOOD = {
    "flags/production/theme.yaml": _THEME,
    "flags/production/snow.yaml": """\
description: Let it snow.
owner: {team: growth}
requires:
  - {flag: theme, variant: winter}
default: {serve: on}
""",
}


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Variants of flags that are there and could be read."""
    for i, required in enumerate(view.flag.requires):
        other = view.environment.flags.get(required.flag)
        if other is not None and required.variant not in other.variants:
            hint = did_you_mean(required.variant, other.variants) or one_of(other.variants)
            message = f'flag {required.flag} has no variant "{required.variant}"'
            yield view.problem(ID, message, f"/requires/{i}/variant", hint=hint)
