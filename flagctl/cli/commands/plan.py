"""`flagctl plan`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, Clock, Json


class _Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def command(
    ctx: typer.Context,
    base: Annotated[
        str | None, typer.Option(metavar="REV", help="Compare with this; default: origin/main, or main.")
    ] = None,
    head: Annotated[str, typer.Option(metavar="REV", help="What is planned; . is the work tree.")] = ".",
    environment: AnyEnvironment = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Look at dated changes up to this time; default: all.")
    ] = None,
    population: Annotated[
        Path | None,
        typer.Option(
            "--population",
            "--contexts",
            metavar="FILE",
            help="Count what becomes of these contexts too: .csv, .jsonl or .parquet.",
        ),
    ] = None,
    format: Annotated[_Format, typer.Option("--format", help="How to print.")] = _Format.TEXT,
    as_json: Json = False,
    comment: Annotated[
        str | None,
        typer.Option(metavar="PR", help="Write it as the pull request's one comment; event: of GitHub Actions' event."),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when anything changes.")] = False,
    clock: Clock = None,
) -> Exit:
    """Say what merging would do, and to whom.

    For each way through a flag the shares of people that move from variant to variant are worked out exactly;
    changes of segments, attributes and required flags are followed. Measured from where the two parted.

    \b
    Examples:
      flagctl plan
      flagctl plan --base origin/main -e production --population people.csv --format markdown
    """
    from flagctl.cli import approving, planning
    from flagctl.cli.formats import plan as shown
    from flagctl.plan import markdown

    session = ctx.obj
    made, _, note = planning.plan(
        session.project(),
        base,
        head,
        now=session.now(clock),
        until=None if until is None else session.now(until),
        environment=environment,
        population=population,
    )
    if note:
        session.out.warn(note)
    shown.show_as(session.out, made, _Format.JSON if as_json else format)
    if comment is not None:
        url = approving.comment(session.project(), comment, os.environ, markdown.comment(made))
        session.out.say(f"commented: {url}")
    session.out.say(shown.summary(made))
    return Exit.PENDING if exit_code and made else Exit.DONE
