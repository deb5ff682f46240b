"""People are bucketed by an attribute that is private.

A private attribute may never leave the process, but who gets which variant leaves it, in exposures and logs, and tells
something about the value.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import attribute
from flagctl.check.view import FlagView
from flagctl.problems import Problem

ID = "private-bucketing"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  bucket_by: email    # <- email is private
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
        if declared is not None and declared.private:
            message = f"{outcome.bucket_by} is private and can't decide who gets what"
            yield view.problem(ID, message, f"{place}/bucket_by", hint="bucket by an id that may be logged")
