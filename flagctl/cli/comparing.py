"""What one run of `diff` compares: two environments, two moments, or two versions of a flag."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from flagctl.cli.session import Session
    from flagctl.model.repository import Repository
    from flagctl.plan.compare import Pair

_VERSION = re.compile(r"@?v?([1-9][0-9]{0,8})")
WORK_TREE = "."


class Comparison(msgspec.Struct, frozen=True):
    """Both sides by name, and everything on them side by side."""

    old: str
    new: str
    pairs: list[Pair]

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return any(pair.verdict != "same" for pair in self.pairs)


def compared(session: Session, sides: list[str], environment: str, key: str, at: str | None) -> Comparison:
    """Two sides, each an environment, a revision, a date, or `.` for the work tree; by default HEAD and that.

    Raises UsageError for what is none of these.
    """
    from flagctl.plan import compare

    project, _ = session.then(at)
    repository = project.read().repository
    known = repository.environments
    if len(sides) == 2 and all(side in known for side in sides):
        if environment:
            raise UsageError("two environments are compared, so -e says nothing", hint="leave it out")
        found = compare.environments(known[sides[0]], known[sides[1]])
        return Comparison(sides[0], sides[1], _of_key(found, key))
    if any(side in known for side in sides):
        raise UsageError("an environment is compared with another", hint=f"flagctl diff {' '.join(list(known)[:2])}")
    if environment and environment not in known:
        from flagctl.model.repository import require_environment

        require_environment(environment, known)
    names = [*sides, *["HEAD", WORK_TREE][len(sides) :]]
    try:
        old, new = (_repository(session, name, repository) for name in names)
    except UsageError:
        if len(sides) == 1 and any(sides[0] in held.flags for held in known.values()):
            versions = f"flagctl diff {sides[0]} -e {environment or next(iter(known))} --from 1"
            raise UsageError(
                f"{sides[0]} is a flag: what is it compared with?", hint=f"{versions}; --flag {sides[0]} names it alone"
            ) from None
        raise
    said = ["the work tree" if name == WORK_TREE else name for name in names]
    return Comparison(said[0], said[1], _of_key(compare.repositories(old, new, environment), key))


def _of_key(found: Iterable[Pair], key: str) -> list[Pair]:
    pairs = [pair for pair in found if not key or pair.key == key]
    if key and not pairs:
        raise UsageError(f'no flag "{key}" on either side', hint="flagctl list shows the flags there are")
    return pairs


def _repository(session: Session, name: str, here: Repository) -> Repository:
    if name == WORK_TREE:
        return here
    repository: Repository = session.then(name)[0].read().repository
    return repository


def versions(session: Session, key: str, environment: str, old: str | None, new: str | None) -> Comparison:
    """One flag at two moments: numbers of versions, revisions or dates.

    `new` None is the work tree, `old` None the version before.
    """
    from flagctl.plan import compare

    if not environment:
        raise UsageError("a version is of a flag in one environment", hint=f"flagctl diff {key} -e ENV --from 3")
    project = session.project()
    after = project.closure(environment, key).repository.environments[environment].flags.get(key) if not new else None
    if new:
        after = _at(session, key, environment, new)
    before = _at(session, key, environment, old or _last_but_one(session, key, environment))
    pair = compare.one(environment, key, before, after)
    return Comparison(_named(old or "the version before"), _named(new or "the work tree"), [pair])


def _named(side: str) -> str:
    number = _VERSION.fullmatch(side)
    return f"version {number[1]}" if number else side


def _at(session: Session, key: str, environment: str, side: str) -> Any:
    number = _VERSION.fullmatch(side)
    if number is None:
        project, _ = session.then(side, key=key, environment=environment, only=True)
        held = project.closure(environment, key).repository.environments.get(environment)
        return held.flags.get(key) if held else None
    from flagctl.history.git import Git
    from flagctl.history.pasts import Models
    from flagctl.history.trails import version
    from flagctl.history.travel import Blobs

    git = Git(session.project().root, bare=True)
    found = version(git, git.resolve("HEAD"), environment, key, int(number[1]))
    with Blobs(git) as blobs:
        return Models(blobs).get(found.path, found.blob).model


def _last_but_one(session: Session, key: str, environment: str) -> str:
    from flagctl.history.git import Git
    from flagctl.history.trails import versions as every

    git = Git(session.project().root, bare=True)
    found = every(git, git.resolve("HEAD"), environment, key)
    if len(found) < 2:
        raise UsageError(f"{key} has one version in {environment}", hint="--from names a revision or a date")
    return str(found[-2].number)
