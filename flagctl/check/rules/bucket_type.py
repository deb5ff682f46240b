"""`bucket_by` names an attribute that is neither text nor an integer.

Only those have one spelling everywhere. Everybody else can't be bucketed and would get `off_variant`.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import attribute, one_of
from flagctl.check.view import FlagView
from flagctl.problems import Problem

ID = "bucket-type"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  bucket_by: signed_up    # <- a time
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  bucket_by: account_id
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """What rollouts, splits and ramps bucket by."""
    for outcome, place in view.bucketed:
        declared = attribute(view.repository, outcome.bucket_by)
        if declared is not None and declared.type not in ("string", "integer"):
            message = f"{outcome.bucket_by} is of type {declared.type}: people are bucketed by a string or an integer"
            fitting = [a.name for a in view.repository.attributes.values() if a.type in ("string", "integer")]
            yield view.problem(ID, message, f"{place}/bucket_by", hint=one_of(["targetingKey", *fitting]))
