"""Which of a repository's files somebody asked about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.errors import UsageError
from flagctl.files.walk import ATTRIBUTES, SETTINGS, classify
from flagctl.model.repository import require_environment
from flagctl.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from flagctl.files.repository import Reading


def selected(
    reading: Reading,
    problems: Iterable[Problem],
    *,
    names: Sequence[str] = (),
    environment: str | None = None,
    root: Path,
    here: Path,
) -> set[str]:
    """Paths of the files of these flags, segments, files and folders (all if none), in one environment or all.

    names: keys, or paths relative to `here` or to `root`, the folder that holds `flags/`. Settings and attributes
    belong to every environment. Raises UsageError for a name that is nothing.
    """
    paths = reading.files | {problem.file for problem in problems}
    if names:
        paths = {path for name in names for path in _named(name, paths, reading, root, here)}
    if environment is None:
        return paths
    known = reading.repository.environments
    require_environment(environment, known)
    return {path for path in paths if _concerns(path, (environment,))}


def errors_of(problems: Iterable[Problem], environments: Collection[str] = ()) -> list[Problem]:
    """The errors that stand in the way of these environments: in their own files and in what all of them share.

    A private key for all to read is shared wherever it lies: nobody should believe what it signs.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    return [p for p in errors if p.rule == "private-key" or _concerns(p.file, environments)]


def _concerns(path: str, environments: Collection[str]) -> bool:
    return path in (SETTINGS, ATTRIBUTES) or path.startswith(tuple(f"flags/{name}/" for name in environments))


def _named(name: str, paths: set[str], reading: Reading, root: Path, here: Path) -> set[str]:
    by_key = {path for path in paths if classify(path).name == name}
    if by_key:
        return by_key
    for base in (here, root):
        place = (base / name).resolve()
        if place.is_relative_to(root.resolve()):
            path = place.relative_to(root.resolve()).as_posix()
            found = paths if path == "." else {p for p in paths if p == path or p.startswith(f"{path}/")}
            if found:
                return found
    known = {
        key for held in reading.repository.environments.values() for key in (*held.flag_files, *held.segment_files)
    }
    raise UsageError(f'"{name}" is no flag, no segment and no file below flags/', hint=did_you_mean(name, known))
