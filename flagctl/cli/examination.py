"""What `doctor` looks at, each thing with what it found and what to do about it."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from flagctl.errors import FlagctlError, OutsideError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from flagctl.history.git import Git
    from flagctl.model.repository import Settings
    from flagctl.project import Project

FORMAT = "flagctl/doctor/1"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `fail` stops flagctl from working, `warn` will surprise somebody."""

    about: str
    state: Literal["ok", "warn", "fail"]
    text: str
    hint: str = ""


def examine(start: Path) -> list[Finding]:
    """Everything from the installation to the targets; what depends on something that failed is not looked at."""
    return [*_installation(), *_repository(start)]


def document(findings: Iterable[Finding]) -> dict[str, Any]:
    """The JSON document of `doctor`; its format is FORMAT."""
    return {"format": FORMAT, "findings": msgspec.to_builtins(list(findings))}


def _installation() -> Iterator[Finding]:
    from importlib import metadata

    from flagctl import __version__

    yield Finding("flagctl", "ok", f"{__version__} on Python {platform.python_version()}")
    try:
        required = metadata.requires("flagctl") or []
    except metadata.PackageNotFoundError:
        hint = "pip install -e . in its folder, or ./scripts/tour"
        yield Finding("packages", "warn", "flagctl runs from its source and is not installed", hint)
        return
    missing = [line for line in required if not _installed(line)]
    if missing:
        hint = f"pip install {' '.join(repr(line) for line in missing)}"
        yield Finding("packages", "fail", f"missing: {', '.join(missing)}", hint)
    else:
        yield Finding("packages", "ok", f"all {len(required)} that flagctl needs are there")


def _installed(requirement: str) -> bool:
    import re
    from importlib import metadata

    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    try:
        return "extra ==" in requirement or bool(name and metadata.version(name.group()))
    except metadata.PackageNotFoundError:
        return False


def _repository(start: Path) -> Iterator[Finding]:
    from flagctl.project import Project

    try:
        project = Project.find(start)
    except FlagctlError as error:
        yield from _git(start)
        yield Finding("flags", "fail", error.message, error.hint)
        return
    yield from _git(project.root)
    yield Finding("flags", "ok", f"the flag repository is {project.root}")
    yield from _files(project)


def _git(folder: Path) -> Iterator[Finding]:
    from flagctl.history.git import Git

    try:
        git = Git(folder)
    except UsageError as error:
        yield Finding("git", "fail", error.message, "git init makes one; without it nothing can be set or published")
        return
    except OutsideError as error:
        yield Finding("git", "fail", error.message, error.hint)
        return
    yield Finding("git", "ok", git.read("version").strip())
    status, identity, _ = git.run("var", "GIT_AUTHOR_IDENT")
    if status:
        hint = 'git config --global user.name "Your Name"; git config --global user.email you@example.com'
        yield Finding("identity", "warn", "Git does not know who you are: nothing can be committed", hint)
    else:
        yield Finding("identity", "ok", f"commits are by {identity.rpartition('>')[0]}>")
    yield from _history(git)
    yield from _merging(git)


def _merging(git: Git) -> Iterator[Finding]:
    from flagctl.history.driver import installed

    if installed(git):
        yield Finding("merges", "ok", "flag files merge by structure")
    else:
        hint = "flagctl merge-driver --install lets two people add rules to one flag without a conflict"
        yield Finding("merges", "ok", "flag files merge line by line in this clone", hint)


def _history(git: Git) -> Iterator[Finding]:
    if git.head() is None:
        yield Finding("history", "warn", "there is no commit yet, so nothing to publish", "git add flags; git commit")
    elif git.read("rev-parse", "--is-shallow-repository").strip() == "true":
        text = "this clone lacks the history: publish can't tell older commits from newer ones"
        yield Finding("history", "warn", text, "git fetch --unshallow; in GitHub Actions fetch-depth: 0")
    else:
        yield Finding("history", "ok", "complete")
        yield from _speed(git)
    busy = git.busy()
    if busy:
        yield Finding("work tree", "warn", f"in the middle of a {busy[0]}: set refuses to commit", f"`{busy[1]}`")
    elif not git.clean("flags"):
        text = "there are changes under flags/ that are not committed, so not published"
        yield Finding("work tree", "warn", text, "git status flags")
    else:
        yield Finding("work tree", "ok", "everything under flags/ is committed")


def _speed(git: Git) -> Iterator[Finding]:
    from flagctl.history.graph import COMMAND, MANY, has_filters

    count = int(git.read("rev-list", "--count", "HEAD"))
    if has_filters(git):
        yield Finding("log", "ok", f"{count:,} commits, found by the commit-graph's filters")
    elif count >= MANY:
        text = f"{count:,} commits, each looked into for the log of one flag"
        yield Finding("log", "warn", text, f"git {' '.join(COMMAND)}, or flagctl init")


def _files(project: Project) -> Iterator[Finding]:
    from flagctl.files.understand import understand
    from flagctl.files.walk import ATTRIBUTES, SETTINGS, Entry

    settings = None
    entries = [Entry(SETTINGS, "settings")]
    if (project.root / ATTRIBUTES).exists():
        entries.append(Entry(ATTRIBUTES, "attributes"))
    for entry in entries:
        try:
            parsed = understand(entry, project.tree.read(entry.path))
        except OutsideError as error:
            yield Finding(entry.kind, "fail", error.message, error.hint)
            continue
        if parsed.problems:
            yield Finding(entry.kind, "fail", f"{entry.path}: {parsed.problems[0].message}", "flagctl check says where")
        else:
            yield Finding(entry.kind, "ok", f"{entry.path} makes sense")
        if entry.kind == "settings":
            settings = parsed.model
    if settings is not None:
        yield from _targets(project, settings)


def _targets(project: Project, settings: Settings) -> Iterator[Finding]:
    from flagctl.stores import open_store

    pairs = [(name, target) for name, environment in settings.environments.items() for target in environment.targets]
    if not pairs:
        hint = 'write targets: ["file:published"] below an environment in flags/flagctl.yaml'
        yield Finding("targets", "warn", "no environment has a target: publish needs --target", hint)
    for name, target in pairs:
        try:
            store = open_store(target.url, project.root, target.options)
            store.probe()
        except FlagctlError as error:
            yield Finding("targets", "fail", f"{name}: {error.message}", error.hint)
        else:
            yield Finding("targets", "ok", f"{name}: {store.url} can be written to")
