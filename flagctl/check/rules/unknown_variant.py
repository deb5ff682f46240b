"""A flag serves, or an expectation wants, a variant that the flag does not have.

Nobody could be given it: an evaluation that arrives there would end in an error and the caller's default.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import one_of
from flagctl.check.view import FlagView
from flagctl.model.flag import Ramp, Serve, Split
from flagctl.problems import Problem, did_you_mean, pointer

ID = "unknown-variant"
SEVERITY = "error"
BAD = """\
description: The look of the landing page.
owner: {team: growth}
type: string
variants: {classic: "v1", winter: "v2"}
off_variant: classic
default:
  serve: wintr    # <- mistyped
"""
GOOD = """\
description: The look of the landing page.
owner: {team: growth}
type: string
variants: {classic: "v1", winter: "v2"}
off_variant: classic
default:
  serve: winter
"""


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Every place in which a flag names a variant of its own."""
    flag = view.flag
    variants = flag.variants
    if flag.off_variant not in variants:
        yield _unknown(view, flag.off_variant, "/off_variant")
    for variant in flag.overrides:
        if variant not in variants:
            yield _unknown(view, variant, pointer("overrides", variant), at_key=True)
    for outcome, place in view.outcomes:
        if isinstance(outcome, Serve):
            if outcome.variant not in variants:
                yield _unknown(view, outcome.variant, f"{place}/serve")
        elif isinstance(outcome, Ramp):
            if outcome.variant not in variants:
                yield _unknown(view, outcome.variant, f"{place}/ramp/variant")
        elif isinstance(outcome, Split):
            for variant, _ in outcome.weights:
                if variant not in variants:
                    yield _unknown(view, variant, place + pointer("split", variant), at_key=True)


def _unknown(view: FlagView, variant: str, place: str, *, at_key: bool = False) -> Problem:
    known = view.flag.variants
    hint = did_you_mean(variant, known) or one_of(known)
    return view.problem(ID, f'no variant "{variant}"', place, hint=hint, at_key=at_key)
