"""A change of flag files: checked before it is written, written whole or not at all, then committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import ProblemsError, RefusedError
from flagctl.files.walk import Tree, classify
from flagctl.history.git import Git
from flagctl.history.git import message as worded
from flagctl.history.propose import Forge, Proposal, Proposed, branch_name, on_main, propose, remote_of
from flagctl.history.writer import Writer, alone, write_all
from flagctl.model.repository import freezes, refuse_frozen
from flagctl.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flagctl.files.walk import Tree
    from flagctl.model.repository import Repository
    from flagctl.plan.plan import Plan
    from flagctl.project import Project

Texts = dict[str, str | None]
"""The new text of each file by its path, None for one that goes."""


Preview = Callable[["Repository", "Repository"], "Plan"]
"""Told of the repository before and after a change, it shows what that does, and returns it."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What a change did, or in a dry run would do.

    diff: unified, "" when everything was so already. commit: its hash, None without one. paths: files
    that are different now. problems: warnings that were not there before. detached: the commit is on no
    branch. unreviewed: of a protected environment, and on the current branch because there is no remote. proposed: the
    branch that it is on instead. frozen: the freezes that it falls into.
    """

    diff: str
    paths: tuple[str, ...] = ()
    commit: str | None = None
    problems: tuple[Problem, ...] = ()
    detached: bool = False
    unreviewed: bool = False
    proposed: Proposed | None = None
    frozen: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How a change of a protected environment goes: by a branch for others to review.

    kind, where, keys: name the branch. always: also away from the main branch and without a remote. forge: where
    to open a pull request, None to tell the person how.
    """

    kind: str
    where: str
    keys: tuple[str, ...]
    always: bool = False
    forge: Callable[[Git], Forge | None] | None = None
    auto_merge: bool = False


class Overlay(Tree):
    """A tree in which some files have other texts."""

    def __init__(self, base: Tree, texts: Texts) -> None:
        self._base = base
        self._texts = texts
        self.refused = base.refused

    def paths(self, under: str = "flags") -> list[str]:
        """See flagctl.files.walk.Tree."""
        found = {path for path in self._base.paths(under) if self._texts.get(path, "") is not None}
        added = {path for path, text in self._texts.items() if text is not None and path.startswith(f"{under}/")}
        self.refused = self._base.refused
        return sorted(found | added)

    def read(self, path: str) -> bytes:
        """See flagctl.files.walk.Tree."""
        text = self._texts.get(path)
        return self._base.read(path) if text is None else text.encode()


def text_of(project: Project, path: str) -> str:
    """A file's text, its line ends and byte-order mark as they are; raises ProblemsError when it is not UTF-8."""
    from flagctl.files.read import load

    raw = project.tree.read(path)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ProblemsError(f"{path} can't be edited", load(raw, path)[1]) from None


def apply(
    project: Project,
    changes: Texts,
    *,
    message: str,
    trailers: Sequence[tuple[str, str]],
    reason: str | None,
    commit: bool,
    dry_run: bool,
    now: float,
    before: Mapping[str, str] | None = None,
    route: Route | None = None,
    preview: Preview | None = None,
    override_freeze: str | None = None,
) -> Changed:
    """Make `changes`, all of them or none, and commit exactly these files.

    message: the commit's subject; `trailers` and then the reason end it. before: the texts that the
    changes were made from; it is refused when a file says something else by now. route: how it goes in a
    protected environment; None commits it on the current branch. preview: told of both sides before
    anything is written. override_freeze: why it may be made although an environment is frozen.

    Raises ProblemsError when the files would have errors that they do not have yet; RefusedError in the
    middle of a merge and the like, when a file has uncommitted changes, when a protected environment
    is changed without a reason, or a frozen one without one to override that; UsageError outside a Git
    repository. Without `commit` Git is not asked.
    Whatever is raised, the files are as they were.
    """
    git = Git(project.root) if commit and not dry_run else None
    with nullcontext() if git is None else alone(git) as writer:
        old = {path: _there(project, path) for path in changes}
        changes = {path: text for path, text in changes.items() if text != old[path]}
        if not changes:
            return Changed(diff="")
        stale = [path for path, text in (before or {}).items() if path in old and old[path] != text]
        if stale:
            raise RefusedError(f"{stale[0]} was changed by somebody else meanwhile", hint="run the command again")
        if git:
            _refuse_unsafe(git, changes, old)
        sides, problems, protected = _check(project, changes, now, protected_reason=bool(reason) or not git)
        frozen = freezes(_environments(changes), sides[0].settings, now)
        refuse_frozen([] if dry_run else frozen, override_freeze)
        planned = preview(*sides) if preview is not None else None
        done = Changed(diff=diff(old, changes), paths=tuple(changes), problems=tuple(problems), frozen=tuple(frozen))
        if dry_run:
            return done
        if writer is None:
            _write_all_or_none(project.root, changes, old)
            return done
        about = [("Override-Freeze", override_freeze if frozen else None), ("Reason", reason)]
        said = worded(message, [*trailers, *((name, why) for name, why in about if why)])
        if route is not None and protected and _by_branch(writer.git, route):
            from flagctl.plan.approve import of_change

            body = _body(planned or of_change(*sides, subject=message, now=now), reason)
            proposed = _propose(writer.git, changes, said, route, body, sides)
            return msgspec.structs.replace(done, commit=proposed.commit, proposed=proposed)
        made = _commit(writer, changes, old, said)
        unreviewed = route is not None and protected and not remote_of(writer.git)
        return msgspec.structs.replace(done, commit=made, detached=not writer.git.branch(), unreviewed=unreviewed)


def _environments(changes: Texts) -> list[str]:
    return list(dict.fromkeys(entry.environment for entry in map(classify, changes) if entry.environment))


def _by_branch(git: Git, route: Route) -> bool:
    remote = remote_of(git)
    return route.always or (bool(remote) and on_main(git, remote))


def _body(planned: Plan, reason: str | None) -> str:
    """Why, and what it would do and to whom."""
    from flagctl.plan.markdown import LIMIT, comment

    return f"{reason}\n\n{comment(planned, LIMIT - len(reason) - 2)}" if reason else comment(planned)


def _propose(
    git: Git, changes: Texts, message: str, route: Route, body: str, sides: tuple[Repository, Repository]
) -> Proposed:
    from flagctl.plan.approve import reviewers

    # A promotion is brought up to date by the next one; of other changes only the same one is the same.
    content = "" if route.kind == "promote" else repr(sorted(changes.items()))
    branch = branch_name(route.kind, route.where, route.keys, f"{route.where} {sorted(route.keys)} {content}")
    asked: dict[str, None] = {}
    for entry in map(classify, changes):
        held = [side.environments.get(entry.environment) for side in sides] if entry.kind == "flag" else []
        owners = [of.flags[entry.name].owner.team for of in held if of is not None and entry.name in of.flags]
        asked |= dict.fromkeys(reviewers(sides[0].settings, entry.environment, owners[:1]))
    proposal = Proposal(
        branch=branch,
        onto=git.branch() or "main",
        title=message.partition("\n")[0],
        body=body,
        labels=("flags", *_environments(changes)),
        reviewers=tuple(asked),
        auto_merge=route.auto_merge,
    )
    return propose(git, changes, message, proposal, None if route.forge is None else route.forge(git))


def _commit(writer: Writer, changes: Texts, old: Texts, message: str) -> str:
    git, head = writer.git, writer.git.head()
    writer.begin({path: old[path] for path in changes}, changes)
    try:
        writer.write(changes)
        made = git.commit(list(changes), message)
    except BaseException:
        # Ctrl-C may come when Git is done already; then the commit stands.
        if git.head() == head:
            writer.write({path: old[path] for path in changes})
        writer.end()
        raise
    writer.end()
    return made


def _write_all_or_none(root: Path, changes: Texts, old: Texts) -> None:
    try:
        write_all(root, changes)
    except BaseException:
        write_all(root, {path: old[path] for path in changes})
        raise


def diff(old: Texts, new: Texts) -> str:
    """A unified diff as `git diff` words it, file by file."""
    from difflib import unified_diff

    parts: list[str] = []
    for path, text in new.items():
        before = old[path]
        names = ("/dev/null" if before is None else f"a/{path}", "/dev/null" if text is None else f"b/{path}")
        for line in unified_diff(_lines(before), _lines(text), *names):
            parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)


def _lines(text: str | None) -> list[str]:
    # Not splitlines(): it would also split at separators inside a text.
    lines = (text or "").split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _there(project: Project, path: str) -> str | None:
    file = project.root / path
    if file.is_symlink():
        raise RefusedError(f"{path} is a symbolic link", hint=f"edit {file.resolve()} instead")
    return text_of(project, path) if file.exists() else None


def _refuse_unsafe(git: Git, changes: Texts, old: Texts) -> None:
    if state := git.busy():
        raise RefusedError(f"a {state[0]} is in progress", hint=f"end it with `{state[1]}`, or use --no-commit")
    for path, found in git.states(list(changes)).items():
        if found == "ignored":
            raise RefusedError(f"{path} is ignored by Git", hint=f"git check-ignore -v {path} says by which line")
        if found == "untracked" and old[path] is not None:
            raise RefusedError(f"{path} is not committed yet", hint="commit it first, or use --no-commit")
        if found == "changed":
            raise RefusedError(f"{path} has uncommitted changes", hint="commit or stash them first, or use --no-commit")


def _check(
    project: Project, changes: Texts, now: float, *, protected_reason: bool
) -> tuple[tuple[Repository, Repository], list[Problem], list[str]]:
    """The repository before and after, the new warnings, and the protected environments that are changed."""
    from flagctl.check.run import check, located

    reading = project.read()
    environments = reading.repository.settings.environments
    touched = sorted(environments.keys() & _environments(changes))
    protected = [name for name in touched if environments[name].protected]
    for name in protected:
        if not protected_reason:
            raise RefusedError(f"{name} is protected, and no reason was given", hint='add --reason "..."')
    after = project.read(Overlay(project.tree, changes))
    found = check(after, now, placed=False)
    known = Counter(map(_identity, check(reading, now, placed=False) if found else ()))
    new = []
    for problem in found:
        known[_identity(problem)] -= 1
        if known[_identity(problem)] < 0:
            new.append(problem)
    if errors := [problem for problem in new if problem.severity == "error"]:
        raise ProblemsError("nothing was changed, because the result would have errors", errors)
    return (reading.repository, after.repository), located(new, after), protected


def _identity(problem: Problem) -> tuple[str, str, str, str]:
    # Without its place: an edit above moves it.
    return problem.rule, problem.file, problem.message, problem.severity
