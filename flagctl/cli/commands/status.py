"""`flagctl status`."""

from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, Json


def command(
    ctx: typer.Context,
    environment: AnyEnvironment = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="3 when something is not published yet, 1 when something is wrong.")
    ] = False,
    as_json: Json = False,
) -> Exit:
    """Show what is live where, and how far it lags behind.

    Drift is what a publish of HEAD would change: commits that touched an environment and left its snapshot the same
    do not count. The signature is checked with the keys of settings; dated changes that are still to come,
    flags turned off by `kill` and a canary are told below the table.

    \b
    Examples:
      flagctl status
      flagctl status -e production --exit-code --json
    """
    from flagctl.cli.formats import status as shown
    from flagctl.cli.standing import statuses

    out, now = ctx.obj.out, ctx.obj.now()
    found = list(statuses(ctx.obj.project(), environment, now=now))
    if as_json:
        out.json(shown.document(found))
    else:
        out.table(shown.HEADERS, [shown.row(one, now) for one in found])
        for line in (line for one in found for line in shown.remarks(one, now)):
            out.data(line)
    if not exit_code:
        return Exit.DONE
    if any(one.wrong for one in found):
        return Exit.NO
    return Exit.DONE if all(one.drift == "current" for one in found) else Exit.PENDING
