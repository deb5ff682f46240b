"""Several targets, one after the other or at once: what goes wrong at one is told and keeps no other from its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import FlagctlError, OutsideError, RefusedError, UsageError

if TYPE_CHECKING:
    from flagctl.publish.receipt import Receipt


class Job(msgspec.Struct, frozen=True):
    """What is to be done at one target."""

    environment: str
    target: str
    act: Callable[[], Receipt]


class Failure(msgspec.Struct, frozen=True):
    """What went wrong at one target."""

    environment: str
    target: str
    error: str
    hint: str

    @property
    def told(self) -> str:
        """A sentence that names the target."""
        named = self.target in self.error
        return self.error if named else f"{self.environment} -> {self.target}: {self.error}"


def each(
    jobs: Sequence[Job],
    *,
    at_once: bool = False,
    skip: type[FlagctlError] | None = None,
    skipped: Callable[[str], None] = lambda what: None,
) -> Iterator[Receipt | Failure]:
    """Do all of them; a job that fails is given back as a failure, and in the end one error is raised for all.

    A job that is the only one raises its own error. at_once: each in a thread of its own; then the fastest come first.
    skip: an error that is none, and only handed to `skipped`, unless every target has it.
    """
    if len(jobs) == 1:
        yield jobs[0].act()
        return
    errors: list[FlagctlError] = []
    left: list[FlagctlError] = []
    for job, outcome in _at_once(jobs) if at_once else ((job, _done(job)) for job in jobs):
        if skip is not None and isinstance(outcome, skip):
            left.append(outcome)
        elif isinstance(outcome, FlagctlError):
            errors.append(outcome)
            yield Failure(job.environment, job.target, outcome.message, outcome.hint)
        else:
            yield outcome
    if left and len(left) == len(jobs):
        raise left[0]
    for one in left:
        skipped(one.message)
    if errors:
        kinds: tuple[type[FlagctlError], ...] = (OutsideError, RefusedError, UsageError)
        kind = next((kind for kind in kinds if any(isinstance(one, kind) for one in errors)), FlagctlError)
        rest = "nothing was done at any" if len(errors) + len(left) == len(jobs) else "the others are done"
        raise kind(
            f"{len(errors)} of {len(jobs)} targets failed; {rest}",
            hint="mend that and run the same again",
        )


def _done(job: Job) -> Receipt | FlagctlError:
    try:
        return job.act()
    except FlagctlError as error:
        return error


def _at_once(jobs: Sequence[Job]) -> Iterator[tuple[Job, Receipt | FlagctlError]]:
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(len(jobs)) as threads:
        running = {threads.submit(_done, job): job for job in jobs}
        for one in as_completed(running):
            yield running[one], one.result()
