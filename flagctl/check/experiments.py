"""Which experiments of an environment share a layer."""

from __future__ import annotations

from typing import NamedTuple

from flagctl.check.view import EnvironmentView, FlagView
from flagctl.model.flag import Experiment, Split


class Use(NamedTuple):
    """One experiment in one place; `place` is the pointer of the mapping it stands in."""

    experiment: Experiment
    view: FlagView
    place: str


def experiments(view: EnvironmentView) -> dict[str, list[Use]]:
    """By layer, every experiment in it, in order of files and places."""
    found: dict[str, list[Use]] = {}
    for flag in view.flags:
        for outcome, place in flag.bucketed:
            if isinstance(outcome, Split) and outcome.experiment is not None and outcome.experiment.layer:
                found.setdefault(outcome.experiment.layer, []).append(Use(outcome.experiment, flag, place))
    for uses in found.values():
        uses.sort(key=lambda use: use.view.file)
    return found
