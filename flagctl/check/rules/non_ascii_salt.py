"""A salt holds other characters than ASCII.

Flag services in other languages hash such text differently, so a person could get one variant here and another there.
The names of experiments and layers are salts, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model import words
from flagctl.model.flag import WHOLE, Split
from flagctl.problems import Problem

ID = "non-ascii-salt"
SEVERITY = "warning"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  salt: wünsche    # <- ü
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
default:
  rollout: 25
  salt: wuensche
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Salts, and the names that experiments draw by."""
    for outcome, place in view.bucketed:
        salts = [(outcome.salt, f"{place}/salt")]
        if isinstance(outcome, Split) and outcome.experiment is not None:
            salts.append((outcome.experiment.layer, f"{place}/experiment/layer"))
            if outcome.experiment.traffic < WHOLE:
                salts.append((outcome.experiment.name, f"{place}/experiment/name"))
        for salt, where in salts:
            if not salt.isascii():
                message = f"{words.value(salt)} is hashed differently by engines in other languages"
                yield view.problem(ID, message, where, hint="use plain letters, digits and dashes")
