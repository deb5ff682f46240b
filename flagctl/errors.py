"""Errors: raised, one at a time, each with what to type next.

A mistake in a flag file is not an error but a `flagctl.problems.Problem`. Errors know nothing of exit
codes; `flagctl.cli.exits` maps their classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.problems import Problem


class FlagctlError(Exception):
    """Base of every error flagctl raises on purpose.

    message: what was found and what was expected, one sentence, no trailing full stop.
    hint: what to type or do next; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(FlagctlError):
    """flagctl was asked for something that makes no sense: an unknown flag, a bad option value."""


class OutsideError(FlagctlError):
    """The world outside failed: a full disk, a file that can't be read, Git, a dead server."""


class MissingError(OutsideError):
    """A service answered, and what was asked for is not there, or not for whoever asks."""


class RefusedError(FlagctlError):
    """flagctl could, but will not: a reason, an approval or `--yes` is missing, or it would lose something."""


class ProblemsError(FlagctlError):
    """What was asked for can't be done because files have problems; they travel with the error."""

    def __init__(self, message: str, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)
