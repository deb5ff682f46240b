"""An experiment is alone in a layer whose name is nearly that of another.

Layers are declared by being used, so a mistyped one keeps nobody apart: its experiment shares people with those it
should exclude.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from flagctl.check.experiments import experiments
from flagctl.check.view import EnvironmentView
from flagctl.problems import Problem

ID = "unknown-layer"
SEVERITY = "warning"
_FLAG = """\
description: {0}
owner: {{team: shop}}
type: string
variants: {{control: old, treatment: new}}
off_variant: control
default:
  split: {{control: 50, treatment: 50}}
  experiment:
    name: {0}
    layer: {1}
    slots: {2}
"""
BAD = {
    "flags/production/basket.yaml": _FLAG.format("basket", "checkout", "[0, 30]"),
    "flags/production/payment.yaml": _FLAG.format("payment", "checkout", "[30, 60]"),
    "flags/production/receipt.yaml": _FLAG.format("receipt", "check-out    # <- alone", "[60, 90]"),
}
GOOD = {
    "flags/production/basket.yaml": _FLAG.format("basket", "checkout", "[0, 30]"),
    "flags/production/payment.yaml": _FLAG.format("payment", "checkout", "[30, 60]"),
    "flags/production/receipt.yaml": _FLAG.format("receipt", "checkout", "[60, 90]"),
}
_CLOSE = 0.8


def check_environment(view: EnvironmentView) -> Iterator[Problem]:
    """Lonely layers close to another; of two lonely ones the one whose file comes later."""
    layers = experiments(view)
    sizes = {layer: len({use.experiment.name for use in uses}) for layer, uses in layers.items()}
    for layer, uses in layers.items():
        if sizes[layer] > 1:
            continue
        for other in layers:
            older = sizes[other] > 1 or (layers[other][0].view.file, other) < (uses[0].view.file, layer)
            if other != layer and older and _close(layer, other):
                use = uses[0]
                yield use.view.problem(
                    ID,
                    f'layer "{layer}" holds no other experiment',
                    f"{use.place}/experiment/layer",
                    hint=f"did you mean {other}?",
                )
                break


def _close(one: str, other: str) -> bool:
    # checkout-1 and checkout-2 are meant to be two
    plain, plain_other = ("".join(c for c in name if not c.isdigit()) for name in (one, other))
    if plain == plain_other:
        return False
    return SequenceMatcher(None, one.lower(), other.lower()).ratio() >= _CLOSE
