"""A flag is past its `expires_at`.

It serves `off_variant` to everybody and only waits to be removed, from the code first. A warning at first; an error
once `check.expired_grace_days` of `flags/flagctl.yaml` (30 by default) have passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model import times
from flagctl.problems import Problem

ID = "expired"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
expires_at: 2020-03-01    # <- long ago
default: {serve: on}
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
expires_at: 2120-03-01
default: {serve: on}
"""
_DAY = 86400


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Flags whose time is over."""
    end = view.flag.expires_at
    if end is None or view.now < end:
        return
    days = view.repository.settings.expired_grace_days
    late = view.now >= end + days * _DAY
    ago = int((view.now - end) // _DAY)
    since = f", {ago} day{'s'[: ago != 1]} ago" if ago else ""
    hint = f"remove it: flagctl remove {view.flag.key}; or move expires_at if it is still wanted"
    yield Problem(
        rule=ID,
        severity="error" if late else "warning",
        message=f"flag expired on {times.text(end)[:10]}{since}: everybody gets {view.flag.off_variant}",
        hint=hint,
        file=view.file,
        pointer="/expires_at",
    )
