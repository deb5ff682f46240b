"""`flagctl log`."""

from typing import Annotated

import typer

from flagctl.cli.options import AnyEnvironment, Json


def command(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Only this flag.")] = "",
    environment: AnyEnvironment = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, metavar="N", help="At most so many.")] = None,
    as_json: Json = False,
) -> None:
    """Show who changed what, when and why.

    Every commit that touched flag files, newest first, also those made without flagctl.

    \b
    Examples:
      flagctl log
      flagctl log wishlist-gallery -e production -n 5 --json
    """
    from flagctl.cli.formats.log import document, line
    from flagctl.files.newflag import valid
    from flagctl.history.git import Git

    out = ctx.obj.out
    entries = Git(ctx.obj.project().root).log(valid(key) if key else "", environment or "", limit)
    if as_json:
        out.json(document(entries))
        return
    count = 0
    for entry in entries:
        count += 1
        out.data(line(out, entry), styled=True)
    if not count:
        out.say("no commit touched that")
