"""`flagctl build`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flagctl.cli.options import At, Clock, complete_environment
from flagctl.errors import UsageError


class _Format(StrEnum):
    SNAPSHOT = "snapshot"
    FLAGD = "flagd"


def command(
    ctx: typer.Context,
    environment: Annotated[
        str | None, typer.Argument(metavar="ENV", help="The environment.", autocompletion=complete_environment)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every environment; needs -o.")] = False,
    audience: Annotated[str, typer.Option(metavar="NAME", help="Only the part for this audience.")] = "",
    format: Annotated[_Format, typer.Option("--format", help="Our own, or a flag definition for flagd.")] = (
        _Format.SNAPSHOT
    ),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR|FILE", help="There, or as DIR/<environment>/<format>.json."),
    ] = None,
    at: At = None,
    clock: Clock = None,
) -> None:
    """Compile an environment to a snapshot, or to a flag definition for flagd.

    The files of the work tree are checked and compiled; the snapshot's bytes go to stdout, or where -o says.
    It names a commit when everything below flags/ is committed, or with --at that one. `publish` is what
    makes a snapshot live. What flagd can't say is left out of its file, with a warning; `check` says why.

    \b
    Examples:
      flagctl build production > snapshot.json
      flagctl build production --format flagd > flagd.json
      flagctl build --all --audience app -o out
    """
    from flagctl.cli import building

    if (environment is None) is not everything:
        raise UsageError("name one environment, or say --all", hint="flagctl build production")
    if everything and output is None:
        raise UsageError("several snapshots need a folder", hint="flagctl build --all -o DIR")
    out, (project, now) = ctx.obj.out, ctx.obj.then(at, clock)
    made = building.build(project, environment, audience, format.value, now=now)
    if made.note:
        out.warn(made.note)
    for built in made.built:
        for text, hint in built.notes:
            out.warn(text, hint)
        if output is None:
            out.data_bytes(built.data)
            out.say(built.text)
        else:
            from flagctl.files.write import write

            path = building.place(output, built, only=not everything)
            write(path, built.data)
            out.say(f"{built.text} → {path}")
