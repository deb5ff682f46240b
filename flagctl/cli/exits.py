"""Exit codes, all of them (docs/cli.md)."""

from __future__ import annotations

from enum import IntEnum

from flagctl import errors


class Exit(IntEnum):
    """What the shell is told."""

    DONE = 0
    NO = 1
    """The answer is «no»: problems, failed tests, drift."""
    USAGE = 2
    PENDING = 3
    """Changes are pending; only with `--exit-code`."""
    OUTSIDE = 4
    REFUSED = 5
    CRASH = 70
    INTERRUPTED = 130
    PIPE = 141


def code_of(error: errors.FlagctlError) -> Exit:
    """The exit code for an error that reached the edge."""
    match error:
        case errors.ProblemsError():
            return Exit.NO
        case errors.OutsideError():
            return Exit.OUTSIDE
        case errors.RefusedError():
            return Exit.REFUSED
        case _:
            return Exit.USAGE
