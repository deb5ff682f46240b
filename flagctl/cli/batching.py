"""What one run of `eval --batch` does: one flag, answered for every row of a file."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flagctl.cli.asking import Question
    from flagctl.evaluate.batch.engine import Said
    from flagctl.project import Project


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and how. user: the column that is the targeting key; columns: those to write, None for all."""

    source: Path
    into: Path
    user: str | None
    columns: Sequence[str] | None
    prefix: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and what was odd about the question."""

    environment: str
    flag: str
    now: float
    into: Path
    rows: int
    answers: Sequence[tuple[Said, int]]
    warnings: Sequence[tuple[str, str]]


_EXAMPLE = "flagctl eval KEY -e ENV --batch users.parquet -o answers.parquet"


def wanted(source: str | None, into: str | None, user: str | None, columns: str | None, prefix: str) -> Request | None:
    """What the command line asks for; None where it asks for no batch. Raises UsageError for half of one."""
    if source is None:
        given = {"--output": into, "--user-column": user, "--columns": columns, "--prefix": prefix}
        for name, value in given.items():
            if value:
                raise UsageError(f"{name} goes with --batch only", hint=_EXAMPLE)
        return None
    if into is None:
        raise UsageError("--batch needs -o, the file to write", hint=_EXAMPLE)
    chosen = None if columns is None else [name for name in dict.fromkeys(columns.split(",")) if name]
    if chosen == []:
        raise UsageError("--columns names none", hint="--columns targetingKey,variant")
    return Request(source=Path(source), into=Path(into), user=user, columns=chosen, prefix=prefix)


def batch(project: Project, environment: str, key: str | None, question: Question, asked: Request) -> Batch:
    """Answer every row and write the file, whole or not at all.

    Raises UsageError for what can't be answered or read, OutsideError for what can't be opened or written.
    """
    from flagctl.cli import asking
    from flagctl.compile.snapshot import snapshot
    from flagctl.evaluate import context as typed
    from flagctl.files.write import replacing

    refused = {"--all": key is None, "--user": question.user is not None, "--explain": question.explain}
    for name, given in refused.items():
        if given:
            raise UsageError(f"{name} does not go with --batch", hint=_EXAMPLE)
    key = str(key)
    with _extra():
        from flagctl.evaluate.batch.engine import Plan
        from flagctl.evaluate.batch.tables import Job, format_of, run

    for path in (asked.source, asked.into):
        format_of(path)
    reading = asking.read(project, environment, key)
    attributes = reading.repository.attributes
    document = snapshot(reading.repository.environments[environment], reading.repository.settings, attributes)
    base, warnings = typed.from_arguments(question.attributes, attributes, asking.base(question))
    preview, more = typed.previews(question.previews, document["flags"]) if question.previews else ({}, [])
    plan = Plan(document, key, question.now, preview)
    if plan.needs.trouble:
        raise UsageError(f"{key} can't be answered: {plan.needs.trouble}", hint="flagctl check finds what is wrong")
    with replacing(asked.into) as sink, project.progress(f"answering {key}") as report:
        job = Job(
            source=asked.source,
            sink=sink,
            into=asked.into,
            base=base,
            declared=attributes,
            user=asked.user,
            columns=asked.columns,
            prefix=asked.prefix,
        )
        done = run(plan, job, report)
    names = ", ".join(done.missing)
    missing = [(f"{asked.source} has nothing for {names}: what flags ask of it is missing", "")] if names else []
    answers = sorted(done.answers.items(), key=lambda item: (-item[1], *map(str, item[0])))
    return Batch(
        environment=environment,
        flag=key,
        now=question.now,
        into=asked.into,
        rows=done.rows,
        answers=answers,
        warnings=[*warnings, *more, *missing],
    )


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        if str(error.name).startswith("flagctl"):
            raise
        raise UsageError(
            f"--batch needs {error.name}, which is not installed", hint='pip install "flagctl[batch]"'
        ) from None
