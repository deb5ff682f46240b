"""The slots of an experiment do not go from a lower to a higher percentage.

`slots: [from, to]` is the part of its layer that an experiment owns; an empty one takes nobody in.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model.flag import Split
from flagctl.model.words import percent
from flagctl.problems import Problem

ID = "slot-range"
SEVERITY = "error"
BAD = """\
description: One page or three in the checkout.
owner: {team: shop}
type: string
variants: {control: old, one-page: single}
off_variant: control
default:
  split: {control: 50, one-page: 50}
  experiment:
    name: checkout-2027
    layer: checkout
    slots: [50, 50]    # <- empty
"""
GOOD = """\
description: One page or three in the checkout.
owner: {team: shop}
type: string
variants: {control: old, one-page: single}
off_variant: control
default:
  split: {control: 50, one-page: 50}
  experiment:
    name: checkout-2027
    layer: checkout
    slots: [50, 100]
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Slots that are empty or the wrong way round."""
    for outcome, place in view.bucketed:
        if isinstance(outcome, Split) and outcome.experiment is not None:
            start, end = outcome.experiment.slots
            if start >= end:
                message = f"slots go from {percent(start)} to {percent(end)}, so nobody is in them"
                yield view.problem(ID, message, f"{place}/experiment/slots", hint="write [from, to] with from < to")
