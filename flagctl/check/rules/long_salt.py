"""A salt leaves no room for the people.

With `bucketing: portable` a person is hashed by the first 120 characters of salt, colon and key. A long salt pushes the
key out: people whose keys differ only behind the cut share a bucket, and with 119 characters all people do. The flag's
key is its salt where it names none; the names of experiments and layers are salts, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model.flag import WHOLE, Split
from flagctl.problems import Problem

ID = "long-salt"
SEVERITY = "warning"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  salt: the-wishlist-gallery-of-the-growth-team-as-it-was-drawn-anew-in-the-autumn-of-2026-v1    # <- 85 characters
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  salt: wishlist-gallery-2026
"""
_ROOM = 120
_LONGEST_KEY = 36
"""A UUID, the longest key in wide use."""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Salts with what stands for them, and the names that experiments draw by."""
    if view.repository.settings.bucketing != "portable" or view.flag.bucketing is not None:
        return
    for outcome, place in view.bucketed:
        salts = [(outcome.salt or view.flag.key, f"{place}/salt" if outcome.salt else place)]
        if isinstance(outcome, Split) and outcome.experiment is not None:
            if outcome.experiment.layer:
                salts.append((f"layer:{outcome.experiment.layer}", f"{place}/experiment/layer"))
            if outcome.experiment.traffic < WHOLE:
                salts.append((f"traffic:{outcome.experiment.name}", f"{place}/experiment/name"))
        for salt, where in salts:
            room = max(0, _ROOM - len(salt) - 1)
            if room < _LONGEST_KEY:
                message = f"a salt of {len(salt)} characters leaves {room} of the {_ROOM} that are hashed for a key"
                yield view.problem(ID, message, where, hint=f"use a salt of at most {_ROOM - 1 - _LONGEST_KEY}")
