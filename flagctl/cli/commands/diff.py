"""`flagctl diff`."""

from enum import StrEnum
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, At, Json, complete_environment, complete_key
from flagctl.errors import UsageError


class _Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def command(
    ctx: typer.Context,
    sides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FROM] [TO] | KEY", help="See above.", autocompletion=complete_environment),
    ] = None,
    environment: AnyEnvironment = None,
    old: Annotated[str | None, typer.Option("--from", metavar="N|REV|DATE", help="KEY as it was then.")] = None,
    new: Annotated[str | None, typer.Option("--to", metavar="N|REV|DATE", help="And then.")] = None,
    flag: Annotated[str, typer.Option(metavar="KEY", help="Only this flag.", autocompletion=complete_key)] = "",
    at: At = None,
    everything: Annotated[bool, typer.Option("--all", help="Also say what is the same.")] = False,
    format: Annotated[_Format, typer.Option("--format", help="How to print.")] = _Format.TEXT,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when something differs.")] = False,
    as_json: Json = False,
) -> Exit:
    """Compare environments, moments or versions, flag by flag.

    FROM and TO are two environments, or two of: a revision, a date, `.` for the work tree; without them HEAD
    and the work tree. KEY with --from or --to compares one flag's versions.

    \b
    Examples:
      flagctl diff staging production --flag wishlist-gallery
      flagctl diff v1.4 . -e production --exit-code
      flagctl diff wishlist-gallery -e production --from 3 --to 7
    """
    from flagctl.cli import comparing
    from flagctl.cli.formats import diff as shown

    out, names = ctx.obj.out, sides or []
    if old or new:
        if len(names) != 1:
            raise UsageError("--from and --to are for one flag", hint="flagctl diff KEY -e ENV --from 3 --to 7")
        found = comparing.versions(ctx.obj, names[0], environment or "", old, new)
    elif len(names) > 2:
        raise UsageError("there are two sides", hint="flagctl diff staging production")
    else:
        found = comparing.compared(ctx.obj, names, environment or "", flag, at)
    if as_json or format is _Format.JSON:
        out.json(shown.document(found))
    elif format is _Format.MARKDOWN:
        for line in shown.markdown(found):
            out.data(line, styled=True)
    else:
        shown.text(out, found, everything=everything)
    return Exit.PENDING if exit_code and found.differs else Exit.DONE
