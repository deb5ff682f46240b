"""`flagctl blame`."""

import typer

from flagctl.cli.options import EnvironmentOption, Json, Key


def command(ctx: typer.Context, key: Key, environment: EnvironmentOption, as_json: Json = False) -> None:
    """Say who last changed each line of a flag, and why.

    Lines are what the flag means, in order: rules, conditions, shares. What was only re-formatted, moved to
    another folder or renamed keeps whoever wrote it.

    \b
    Examples:
      flagctl blame wishlist-gallery -e production
      flagctl blame checkout-flow -e production --json
    """
    from flagctl.cli.auditing import blamed
    from flagctl.cli.formats import blame as shown
    from flagctl.cli.paging import paged

    out, project = ctx.obj.out, ctx.obj.project()
    found = blamed(project, key, environment)
    if as_json:
        out.json(shown.document(key, environment, found))
        return
    with paged(out, project):
        for line in shown.lines(out, found):
            out.data(line, styled=True)
