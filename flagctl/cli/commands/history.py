"""`flagctl history`."""

from enum import StrEnum
from typing import Annotated

import typer

from flagctl.cli.options import AnyEnvironment


class _Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


def export(
    ctx: typer.Context,
    format: Annotated[
        _Format, typer.Option("--format", help="A document a line, or a row for each changed field.")
    ] = _Format.JSONL,
    environment: AnyEnvironment = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then: a date, '3 days ago'.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until then.")] = None,
) -> None:
    """Print all that ever happened, for an archive.

    To flags, segments, attributes and settings: newest first, with comments and layout, the state of each signature,
    and the commits that a merge brought.

    \b
    Examples:
      flagctl history export --format jsonl > audit.jsonl
      flagctl history export --format csv -e production --since 2026-01-01 --until 2026-12-31T23:59:59Z > audit.csv
    """
    from flagctl.cli import auditing
    from flagctl.history.audit import Wanted
    from flagctl.history.moment import required

    session = ctx.obj
    times = [None if said is None else required(said, session.now()) for said in (since, until)]
    wanted = Wanted(environment=environment or "", since=times[0], until=times[1], everything=True)
    asked = auditing.Asked(wanted=wanted, signatures=True)
    auditing.show(session.out, session.project(), asked, format.value)


GROUP = {"export": export}
