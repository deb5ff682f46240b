"""The weights of a split do not add up to 100.

Whoever falls beyond the sum would get no variant, so a split must say what everybody gets.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.view import FlagView
from flagctl.model.flag import WHOLE, Split
from flagctl.model.words import percent
from flagctl.problems import Problem

ID = "split-sum"
SEVERITY = "error"
BAD = """\
description: Three ways through the checkout.
owner: {team: shop}
type: string
variants: {control: old, one-page: single, express: fast}
off_variant: control
default:
  split: {control: 50, one-page: 20, express: 20}    # <- adds up to 90
"""
GOOD = """\
description: Three ways through the checkout.
owner: {team: shop}
type: string
variants: {control: old, one-page: single, express: fast}
off_variant: control
default:
  split: {control: 50, one-page: 25, express: 25}
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Splits in rules, default and schedule."""
    for outcome, place in view.bucketed:
        if isinstance(outcome, Split) and (total := sum(weight for _, weight in outcome.weights)) != WHOLE:
            found = percent(total).removesuffix(" %")
            yield view.problem(
                ID, f"split adds up to {found}, not 100", f"{place}/split", at_key=True, hint=_hint(WHOLE - total)
            )


def _hint(missing: int) -> str:
    return f"{percent(abs(missing))} {'are missing' if missing > 0 else 'too many'}"
