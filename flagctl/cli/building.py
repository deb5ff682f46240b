"""What one run of `build` makes: snapshots of the work tree or a commit, checked, and told which commit they are of."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import ProblemsError, UsageError
from flagctl.model.repository import require_environment
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from flagctl.files.repository import Reading
    from flagctl.history.git import Head
    from flagctl.project import Project


class Built(msgspec.Struct, frozen=True):
    """One environment, or an audience's part of it, as canonical bytes, and sentences about it.

    file: the name under which services look for it. notes: what to know of it, each with a hint.
    """

    environment: str
    audience: str
    file: str
    data: bytes
    text: str
    notes: list[tuple[str, str]] = []


class Build(msgspec.Struct, frozen=True):
    """What was built. `note` says why the snapshots name no commit, "" where they do."""

    built: list[Built]
    note: str


def build(project: Project, environment: str | None, audience: str = "", format: str = "snapshot", *,
          now: float) -> Build:  # fmt: skip
    """Compile one environment, or (None) each of them, whole or the part for an audience.

    What is on disk is compiled, or the commit that the project stands at.
    format: snapshot or flagd. now: seconds since the epoch, for the check. Raises UsageError for an unknown
    environment or audience, ProblemsError when one has errors.
    """
    from flagctl.compile.audience import subset
    from flagctl.compile.snapshot import digest, encode, snapshot
    from flagctl.model import times

    reading = project.read()
    gc.freeze()  # what was read stays until the end: no use in looking through it for garbage
    repository = reading.repository
    known = repository.settings.environments
    if environment is not None and known:
        require_environment(environment, known)
    names = list(known) if environment is None else [environment]
    audiences = repository.settings.audiences
    if audience and audience not in audiences:
        hint = did_you_mean(audience, audiences) or (f"there are {', '.join(audiences)}" if audiences else "")
        raise UsageError(f'no audience "{audience}"', hint=hint or "write audiences: in flags/flagctl.yaml")
    _stop_at_errors(reading, names, now)
    head, note = _commit(project, reading)
    numbers = _versions(project, head)
    built = []
    for name in names:
        held = repository.environments[name]
        document = snapshot(
            held,
            repository.settings,
            repository.attributes,
            commit=head.commit if head else None,
            commit_time=times.text(head.time) if head else None,
            versions={key: number for (where, key), number in numbers.items() if where == name},
        )
        if audience:
            document = subset(document, audiences[audience])
        of = f"of commit {head.commit[:12]}" if head else "of the work tree"
        title = f"{name} for {audience}" if audience else name
        if format == "flagd":
            built.append(_flagd(document, audience, f"{title} {of} for flagd"))
            continue
        data = encode(document)
        counts = ", ".join(_counted(document[kind], kind) for kind in ("flags", "segments"))
        said = f"{title} {of}: {counts}, {len(data):,} bytes"
        built.append(Built(name, audience, "snapshot.json", data, f"{said}, {digest(data)}"))
    return Build(built, note)


def _counted(members: Collection[str], many: str) -> str:
    return f"{len(members):,} {many.removesuffix('s') if len(members) == 1 else many}"


def _flagd(document: dict[str, Any], audience: str, title: str) -> Built:
    from flagctl.compile.flagd import definition, oversize
    from flagctl.compile.snapshot import digest, encode

    made = definition(document)
    data = encode(made.document)
    said = f"{title}: {_counted(made.document['flags'], 'flags')}, {len(data):,} bytes, {digest(data)}"
    left_out = sorted({unsaid.flag for unsaid in made.unsaid})
    notes = []
    if left_out:
        notes.append((f"left out, for flagd can't say them: {', '.join(left_out)}", "flagctl check says why"))
    if note := oversize(document["environment"], len(data)):
        notes.append(note)
    return Built(document["environment"], audience, "flagd.json", data, said, notes)


def place(output: Path, built: Built, *, only: bool) -> Path:
    """Where it goes: into the file `output`, or as folders for services have it below the folder `output`."""
    if only and not output.is_dir():
        return output
    return output / built.environment / built.audience / built.file


def _stop_at_errors(reading: Reading, names: Sequence[str], now: float) -> None:
    from flagctl.check.run import check
    from flagctl.check.select import errors_of

    errors = errors_of(check(reading, now, placed=False), names)
    if errors:
        count = f"{len(errors)} error{'s' * (len(errors) > 1)}"
        raise ProblemsError(
            f"{', '.join(names)}: {count}, so nothing was built", errors, hint="flagctl check shows all"
        )


def _versions(project: Project, head: Head | None) -> dict[tuple[str, str], int]:
    from flagctl.cli.versions import of_commit
    from flagctl.history.git import Git

    return of_commit(project, Git(project.root, bare=True), head.commit) if head else {}


def _commit(project: Project, reading: Reading) -> tuple[Head | None, str]:
    """The commit that holds exactly what was read, or why there is none."""
    from flagctl.history.git import Git, Head
    from flagctl.history.travel import CommitTree

    if isinstance(project.past, CommitTree):
        commit = project.past.commit
        time = Git(project.root, bare=True).read("show", "-s", "--format=%ct", commit)
        return Head(commit, int(time)), ""
    git = Git.find(project.root)
    if git is None:
        return None, "this is no Git repository, so the snapshot names no commit"
    head = git.head()
    if head is None:
        return None, "nothing is committed yet, so the snapshot names no commit"
    ignored = git.read("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", "flags").split("\0")
    if not git.clean("flags") or not reading.files.isdisjoint(ignored):
        return None, "files below flags/ are not committed, so the snapshot names no commit"
    return head, ""
