"""Two experiments of one layer own the same slots.

A layer keeps experiments apart: whoever is in one is in no other of that layer. Where slots overlap people would be in
both, and neither result could be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.experiments import experiments
from flagctl.check.view import EnvironmentView
from flagctl.model.flag import WHOLE
from flagctl.model.words import percent
from flagctl.problems import Problem

ID = "slot-overlap"
SEVERITY = "error"
_FLAG = """\
description: {0}
owner: {{team: shop}}
type: string
variants: {{control: old, treatment: new}}
off_variant: control
default:
  split: {{control: 50, treatment: 50}}
  experiment:
    name: {1}
    layer: checkout
    slots: {2}
"""
BAD = {
    "flags/production/basket.yaml": _FLAG.format("The new basket.", "basket", "[0, 50]"),
    "flags/production/payment.yaml": _FLAG.format("The new payment.", "payment", "[40, 100]    # <- 40 to 50 twice"),
}
GOOD = {
    "flags/production/basket.yaml": _FLAG.format("The new basket.", "basket", "[0, 50]"),
    "flags/production/payment.yaml": _FLAG.format("The new payment.", "payment", "[50, 100]"),
}


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Each use of a layer against those of other experiments, in order of their files."""
    for uses in experiments(view).values():
        for i, use in enumerate(uses):
            start, end = use.experiment.slots
            for other in uses[:i]:
                low, high = max(start, other.experiment.slots[0]), min(end, other.experiment.slots[1])
                if low < high and other.experiment.name != use.experiment.name:
                    whole = use.experiment.slots == (0, WHOLE)
                    yield use.view.problem(
                        ID,
                        f"{percent(low).removesuffix(' %')}–{percent(high)} of layer {use.experiment.layer} belong to "
                        f"experiment {other.experiment.name} of {other.view.flag.key} too",
                        f"{use.place}/experiment/slots",
                        hint="slots: [from, to] gives an experiment a part of its layer" if whole else "",
                    )
                    break
