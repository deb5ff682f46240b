"""What one run of `plan` compares: two trees of a repository, each read and checked."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flagctl.history.git import Git
    from flagctl.model.repository import Attribute
    from flagctl.plan.plan import Count, Plan, Sides
    from flagctl.plan.population import Tally, Work
    from flagctl.project import Project

WORK_TREE = "."
_USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


class Compared(NamedTuple):
    """Two trees. base, head: commits, or "" for the work tree. names: how people call them. note: what is odd."""

    base: str
    head: str
    names: tuple[str, str]
    note: str = ""


def compared(git: Git, base: str | None, head: str) -> Compared:
    """The commits that `--base` and `--head` mean.

    What merging does is measured from where the two parted: what the base has gained since is nobody's change here.
    Raises UsageError for a revision that is none.
    """
    wanted = base or _usual(git)
    head = "HEAD" if git.bare and head == WORK_TREE else head
    newer = git.resolve("HEAD" if head == WORK_TREE else head)
    tip = git.resolve(wanted)
    status, out, _ = git.run("merge-base", tip, newer)
    if status:
        raise UsageError(
            f"{wanted} and {head} have no common history here", hint="git fetch --unshallow; in Actions fetch-depth: 0"
        )
    parted = out.strip()
    note = ""
    if parted != tip and git.read("diff", "--name-only", parted, tip, "--", *git.spec("flags")).strip():
        note = f"{wanted} has changed flags since; the plan is measured from where the two parted ({parted[:12]})"
    names = (f"{wanted} ({parted[:12]})", "the work tree" if head == WORK_TREE else f"{head} ({newer[:12]})")
    return Compared(parted, "" if head == WORK_TREE else newer, names, note)


def _usual(git: Git) -> str:
    for name in _USUAL:
        if not git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")[0]:
            return git.read("rev-parse", "--abbrev-ref", name).strip() if name == "origin/HEAD" else name
    git.require_commit()
    raise UsageError("no origin/main and no main to compare with", hint="--base REVISION names what to compare with")


def plan(
    project: Project,
    base: str | None,
    head: str,
    *,
    now: float,
    until: float | None = None,
    environment: str | None = None,
    population: Path | None = None,
) -> tuple[Plan, Sides, str]:
    """The plan, what it compares, and what is odd about that. Raises UsageError, OutsideError."""
    from flagctl.check.run import check, located
    from flagctl.history.git import Git
    from flagctl.history.travel import CommitTree
    from flagctl.model.repository import require_environment
    from flagctl.plan.approve import needed
    from flagctl.plan.plan import Sides, make

    git = Git(project.root, bare=True)
    sides = compared(git, base, head)
    with CommitTree(git, sides.base) as old, CommitTree(git, sides.head) if sides.head else nullcontext() as new:
        after = project.read(new)
        before = project.read(old)
        if environment is not None:
            known = {**after.repository.settings.environments, **before.repository.settings.environments}
            require_environment(environment, known)
        problems = check(before, now, placed=False), check(after, now, placed=False)
        trees = Sides(before.repository, after.repository, problems)
        made = make(
            trees,
            now=now,
            base=sides.names[0],
            head=sides.names[1],
            until=until,
            environment=environment,
            count=None if population is None else _counter(project, population, after.repository.attributes, now),
            approve=lambda part, both: needed(part, both, now),
        )
        # Of all the warnings of a repository few are new, and to find the line of one takes longer than to find it.
        added, fixed = located(made.new, after), located(made.fixed, before)
        made = msgspec.structs.replace(made, new=tuple(added), fixed=tuple(fixed))
    return made, trees, sides.note


def _counter(project: Project, path: Path, attributes: Mapping[str, Attribute], now: float) -> Count:
    from flagctl.plan.people import contexts
    from flagctl.plan.population import tally

    def count(work: Work) -> tuple[int, dict[tuple[str, str], Tally]]:
        with project.progress(f"evaluating the contexts of {path.name}") as report:
            return tally(contexts(path, attributes, report), work, now)

    return count
