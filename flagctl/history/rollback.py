"""Going back by going forward: the files of an earlier state, as a new change; history is never rewritten."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from flagctl.errors import ProblemsError, RefusedError, UsageError
from flagctl.files import edit
from flagctl.files.become import become
from flagctl.files.merge import Conflict, merge
from flagctl.files.walk import Tree, classify, find
from flagctl.history import moment, trails
from flagctl.history.change import Texts, text_of
from flagctl.history.touches import require_whole
from flagctl.history.travel import CommitTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.history.git import Git
    from flagctl.project import Project

_VERSION = re.compile(r"@?v?([0-9]{1,6})")
_GONE = {"unknown-segment": "segment", "unknown-attribute": "attribute", "unknown-flag": "flag",
         "unknown-variant": "variant", "required-variant": "variant", "unknown-layer": "layer"}  # fmt: skip


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """The texts that a rollback writes, and how its commit says so.

    before: the texts it was worked out from. conflicts: fields that could not be taken back, by their file.
    """

    texts: Texts
    subject: str
    trailers: tuple[tuple[str, str], ...]
    before: dict[str, str] = {}
    conflicts: tuple[tuple[str, Conflict], ...] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """Those it changes."""
        return tuple(value for name, value in self.trailers if name == "Environment")

    @property
    def flags(self) -> tuple[str, ...]:
        """Those it changes."""
        return tuple(value for name, value in self.trailers if name == "Flag")

    @property
    def removes(self) -> list[str]:
        """The files that go."""
        return [path for path, text in self.texts.items() if text is None]


def rollback(project: Project, git: Git, key: str, environment: str, to: str, undo: str, now: float) -> Rollback:
    """What is asked for, in whichever form; raises UsageError when that makes no sense."""
    if undo and to:
        raise UsageError("--undo takes back one commit; --to goes back to a state", hint="say one of the two")
    if undo:
        return of_commit(project, git, undo, environment, key)
    if not environment:
        raise UsageError("--environment is missing", hint=f"flagctl rollback {key or 'KEY'} -e production".strip())
    if key:
        return of_flag(project, git, environment, key, to, now=now)
    if not to:
        raise UsageError(
            "--to is missing: which state of the whole environment",
            hint=f"flagctl rollback -e {environment} --to 2026-11-01",
        )
    return of_environment(project, git, environment, to, now=now)


def of_flag(project: Project, git: Git, environment: str, key: str, to: str = "", *, now: float) -> Rollback:
    """One flag as it was at a version (`3`, `v3`), a revision or a date; "": at the version before.

    Raises UsageError when there was no such flag then.
    """
    head = git.resolve("HEAD")
    versions = trails.versions(git, head, environment, key)
    version = _version(versions, to)
    commit = version.commit if version else moment.at(git, to, now).commit
    with CommitTree(git, commit) as tree:
        then = find(tree, environment, key)
        said = f"version {version.number} ({commit[:10]})" if version else commit[:10]
        old = classify(version.path).name if version else key
        if old != key:
            shown = f"flagctl show {old} -e {environment} --at {commit[:10]}"
            raise UsageError(
                f"{key} was called {old} at {said}", hint=f"{shown}; flagctl rename {key} {old} takes the old key back"
            )
        if then is None:
            gone = f"flagctl remove {key} -e {environment}"
            raise UsageError(f"there was no flag {key} in {environment} at {said}", hint=f"{gone} removes it")
        text = _text(tree, then)
    path = find(project.tree, environment, key) or then
    return Rollback(
        texts={path: text},
        subject=f"Roll back {key} in {environment} to {said}",
        trailers=(("Flag", key), ("Environment", environment), ("Rollback-To", commit)),
    )


def of_environment(project: Project, git: Git, environment: str, to: str, *, now: float) -> Rollback:
    """All flags and segments of an environment as they were at a revision or a date, also those gone since."""
    commit = moment.at(git, to, now).commit
    with CommitTree(git, commit) as tree:
        before = set(tree.paths(f"flags/{environment}"))
        if not before:
            raise UsageError(f"there was no {environment} at {commit[:10]}", hint="flagctl log shows commits")
        texts: Texts = {path: _text(tree, path) for path in sorted(before)}
    texts |= {path: None for path in project.tree.paths(f"flags/{environment}") if path not in before}
    texts = _unlinked(project, {path: text for path, text in texts.items() if text != _now(project, path)})
    keys = [classify(path).name for path in texts if classify(path).kind == "flag"]
    return Rollback(
        texts=texts,
        subject=f"Roll back {environment} to {commit[:10]}",
        trailers=(
            *(("Flag", key) for key in dict.fromkeys(keys)), ("Environment", environment), ("Rollback-To", commit),
        ),
    )  # fmt: skip


def of_commit(project: Project, git: Git, commit: str, environment: str = "", key: str = "") -> Rollback:
    """Without what one commit changed below `flags/`, and with all that came later.

    A three-way merge by structure: from the commit's files to those of its first parent. environment, key:
    only of these.
    """
    commit = git.resolve(commit)
    parents = git.read("show", "-s", "--format=%P", commit).split()
    if not parents:
        require_whole(git)
        raise UsageError(f"{commit[:10]} is the first commit, nothing comes before it")
    texts, seen, conflicts, touched = Texts(), dict[str, str](), list[tuple[str, Conflict]](), list[str]()
    with CommitTree(git, commit) as after, CommitTree(git, parents[0]) as before:
        for base, theirs in _pairs(after, before):
            entry = classify(base or theirs)
            if (environment and entry.environment != environment) or (key and entry.name != key):
                continue
            old, wanted = (_text(tree, path) if path else None for tree, path in ((after, base), (before, theirs)))
            if old == wanted:
                continue
            touched.append(entry.name if entry.kind == "flag" else "")
            ours = _present(project, base or theirs)
            mine = _now(project, ours)
            texts[ours], found = merged(old, mine, wanted)
            seen |= {} if mine is None else {ours: mine}
            conflicts += [(ours, conflict) for conflict in found]
    if not touched:
        raise UsageError(f"{commit[:10]} changed nothing {_where(environment, key)}", hint="flagctl log shows commits")
    texts = _unlinked(project, texts)
    environments = sorted({classify(path).environment for path in texts} - {""})
    return Rollback(
        texts=texts,
        subject=f"Undo {commit[:10]}: {git.read('show', '-s', '--format=%s', commit).strip()}",
        trailers=(
            *(("Flag", name) for name in dict.fromkeys(touched) if name),
            *(("Environment", name) for name in environments), ("Undo", commit),
        ),
        before=seen,
        conflicts=tuple(conflicts),
    )  # fmt: skip


def merged(base: str | None, ours: str | None, theirs: str | None) -> tuple[str | None, tuple[Conflict, ...]]:
    """Our text with what changed from base to theirs, None for no file; and what could not be decided."""
    if ours in (base, theirs):
        return theirs, ()
    if base == theirs:
        return ours, ()
    done = merge(*(UNSET if text is None else edit.read(text) for text in (base, ours, theirs)))
    if done.data is UNSET:
        return None, done.conflicts
    return become(ours or theirs or "", done.data, theirs or ""), done.conflicts


def gone(error: ProblemsError, subject: str) -> RefusedError | None:
    """The refusal of a rollback whose files need what is no longer there, None when something else is wrong."""
    if any(classify(problem.file).kind == "test" for problem in error.problems):
        return None  # the tests need what goes
    missing = {problem.message for problem in error.problems if problem.rule in _GONE}
    if len(missing) < len({problem.message for problem in error.problems}):
        return None
    listed = "; ".join(sorted(missing))
    return RefusedError(
        f"{subject[0].lower()}{subject[1:]} needs what is gone now: {listed}",
        hint="bring that back first; flagctl rollback -e ENV --to REV restores segments and required flags too",
    )


def _version(versions: list[trails.Version], to: str) -> trails.Version | None:
    """The version that is meant, None when it is a revision or a date."""
    if not to:
        if len(versions) < 2:
            raise UsageError("there is only one version, so none before it", hint="--to names a revision or a date")
        return versions[-2]
    found = _VERSION.fullmatch(to)
    if found is None:
        return None
    number = int(found[1])
    numbered = {version.number: version for version in versions}
    if number not in numbered:
        raise UsageError(
            f"there is no version {number}", hint=f"there are 1 to {versions[-1].number}; flagctl log shows them"
        )
    return numbered[number]


def _pairs(after: Tree, before: Tree) -> Iterator[tuple[str, str]]:
    """The path of each file in both trees, "" for none; one that was only moved is found by its name."""
    there, then = set(after.paths()), set(before.paths())
    moved = {_identity(path): path for path in then - there}
    for path in sorted(there):
        yield path, path if path in then else moved.pop(_identity(path), "")
    for path in sorted(moved.values()):
        yield "", path


def _identity(path: str) -> tuple[str, str, str]:
    entry = classify(path)
    return (path, "", "") if entry.kind not in ("flag", "segment") else (entry.kind, entry.environment, entry.name)


def _present(project: Project, path: str) -> str:
    """Where the file is now that was at `path`."""
    if (project.root / path).exists():
        return path
    wanted = _identity(path)
    entry = classify(path)
    there = project.tree.paths(f"flags/{entry.environment}") if entry.environment else []
    return next((other for other in there if _identity(other) == wanted), path)


def _text(tree: Tree, path: str) -> str:
    try:
        return tree.read(path).decode()
    except UnicodeDecodeError:
        raise RefusedError(f"{path} was not UTF-8 then", hint="name another revision") from None


def _unlinked(project: Project, texts: Texts) -> Texts:
    """Without the links that get their text by what they lead to."""
    ends = {path: (project.root / path).resolve() for path in texts if (project.root / path).is_symlink()}
    written = {project.root.resolve() / path: text for path, text in texts.items() if path not in ends}
    missing = object()
    return {path: text for path, text in texts.items() if path not in ends or written.get(ends[path], missing) != text}


def _now(project: Project, path: str) -> str | None:
    return text_of(project, path) if (project.root / path).exists() else None


def _where(environment: str, key: str) -> str:
    return f"of {key}" * bool(key) + f" in {environment}" * bool(environment) or "below flags/"
