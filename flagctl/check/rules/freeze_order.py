"""A freeze is over before it begins.

Such a window never covers a moment, so it holds nobody back. `to` is when the freeze is over; a date alone is the
midnight in UTC with which that day begins, so a freeze of one day ends at the next day's date.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.model import times
from flagctl.model.repository import Repository
from flagctl.problems import Problem, pointer

ID = "freeze-order"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    freeze: [{from: 2026-11-27, to: 2026-11-27, reason: Black Friday}]    # <- ends as it begins
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    freeze: [{from: 2026-11-27, to: 2026-11-28, reason: Black Friday}]
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """The windows of every environment."""
    for name, environment in repository.settings.environments.items():
        for index, window in enumerate(environment.freezes):
            if window.end <= window.start:
                yield Problem(
                    rule=ID,
                    message="the freeze is over before it begins",
                    hint=f"write an end after {times.text(window.start)}; a date alone is when that day begins, in UTC",
                    file="flags/flagctl.yaml",
                    pointer=pointer("environments", name, "freeze", index, "to"),
                )
